"""The addresses of this machine, and which of them other machines can use."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence

# Networks inside this machine, of containers and virtual machines: nobody else is on them.
INSIDE = (
    "docker", "br-", "veth", "virbr", "vmnet", "vnic", "vboxnet", "podman", "cni", "flannel",
    "lxc", "lxd", "kube", "vEthernet",
)  # fmt: skip
# Addresses that belong to nobody. The route to them tells which of our addresses leads to the
# world; no packet is sent.
ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def own_addresses() -> list[tuple[str, str]]:
    """Each interface's name and an address of it; those that lead to the world come first."""
    import ifaddr

    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            found.append((ip.nice_name, text))
    first = [_way_out(family, to) for family, to in ELSEWHERE.items()]
    return sorted(found, key=lambda one: one[1] not in first)


def _way_out(family: socket.AddressFamily, to: str) -> str | None:
    """Our own address on the route to another address; none if there is no route."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((to, 9))
            return str(asking.getsockname()[0])
    except OSError:
        return None


def reached_by(bound: str, own: Iterable[tuple[str, str]]) -> Sequence[str]:
    """The addresses at which a socket answers; first come those that other machines can use.

    Args:
        bound: the address that it is bound to; `0.0.0.0` stands for all of IPv4, `::` for all of
            both.
        own: see `own_addresses`.

    Returns:
        The addresses as in a URL, so those of IPv6 in brackets; one at least.
    """
    wildcard = ipaddress.ip_address(bound.partition("%")[0])
    if not wildcard.is_unspecified:
        return [_in_url(wildcard)]
    usable: dict[Address, None] = {}
    for name, text in own:
        address = ipaddress.ip_address(text.partition("%")[0])
        # Link-local ones need the interface's name after them, which browsers do not take.
        if name.startswith(INSIDE) or address.is_loopback or address.is_link_local:
            continue
        if address.version <= wildcard.version:
            usable[address] = None
    # People type these: the short ones first.
    others = sorted(usable, key=lambda address: address.version)
    return [*map(_in_url, others), "127.0.0.1"]


def _in_url(address: Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
