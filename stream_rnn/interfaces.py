"""The addresses of this machine, and which of them others can use."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence

# Networks inside this machine, of containers and virtual machines: nobody else is on them.
INSIDE = (
    "docker", "br-", "veth", "virbr", "vmnet", "vnic", "vboxnet", "podman", "cni", "flannel",
    "lxc", "lxd", "kube", "vEthernet",
)  # fmt: skip
# Addresses that are nobody's: to ask by which of ours the rest of the world is reached. No
# packet is sent.
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
    """The address of ours by which another is reached; none where there is no way."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((to, 9))
            return str(asking.getsockname()[0])
    except OSError:
        return None


def reached_by(bound: str, own: Iterable[tuple[str, str]]) -> Sequence[str]:
    """The addresses that a socket answers at, those that other machines can use first.

    Args:
        bound: what it is bound to: an address, or one that stands for all, `0.0.0.0` or `::`,
            which also takes IPv4.
        own: see `own_addresses`.

    Returns:
        As they are written in a URL, so of IPv6 in brackets. One at least.
    """
    wildcard = ipaddress.ip_address(bound.partition("%")[0])
    if not wildcard.is_unspecified:
        return [_in_url(wildcard)]
    usable: dict[Address, None] = {}
    for name, text in own:
        address = ipaddress.ip_address(text.partition("%")[0])
        # Link-local ones want the interface's name behind them, which browsers do not take.
        if name.startswith(INSIDE) or address.is_loopback or address.is_link_local:
            continue
        if address.version <= wildcard.version:
            usable[address] = None
    # People type these: the short ones first.
    others = sorted(usable, key=lambda address: address.version)
    return [*map(_in_url, others), "127.0.0.1"]


def _in_url(address: Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
