"""Who may talk to the server: by address, host, origin and token. Pure checks; no I/O."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit

from stream_rnn.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class AllowList:
    """Whose packets are taken. This machine's always are.

    Attributes:
        networks: those of others; none for everybody, which is for sockets on the loopback.
    """

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, host: str, allow: Iterable[str]) -> AllowList:
        """The list for a socket on an address.

        Args:
            host: the address that is listened on.
            allow: addresses and networks, such as `192.168.1.0/24`.

        Raises:
            ConfigError: something that is neither, or nothing at all for an address that can
                be reached from elsewhere.
        """
        networks = []
        for text in allow:
            try:
                networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                raise ConfigError(
                    f"[osc] allow: {text!r} is neither an address nor a network such as "
                    "192.168.1.0/24"
                ) from None
        if not networks and not is_loopback(host):
            raise ConfigError(
                f"[osc] host = {host!r} can be reached from elsewhere: say whose packets are "
                'taken, such as allow = ["192.168.1.0/24"]'
            )
        return cls(tuple(networks))

    def admits(self, host: str) -> bool:
        """Whether a sender at an address may be heard."""
        if not self.networks:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        # What a socket for both families calls ::ffff:192.168.1.7.
        address = getattr(address, "ipv4_mapped", None) or address
        return address.is_loopback or any(address in network for network in self.networks)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # such as http://[
        return urlsplit("")


@dataclass(frozen=True)
class Access:
    """The rules.

    Attributes:
        loopback: the server is bound to loopback, so a `Host` that is not (a name that an
            attacker's DNS points here) is refused.
        token: asked of everybody, as `Authorization: Bearer TOKEN` or `?token=TOKEN`.
        origins: pages from elsewhere that browsers may connect from; the server's own may.
    """

    loopback: bool = True
    token: str | None = None
    origins: frozenset[str] = frozenset()

    def refusal(self, headers: Mapping[str, str], query: str) -> tuple[int, str] | None:
        """HTTP status and reason if a request is to be refused.

        Args:
            headers: by lower-case name.
            query: the URL's query string.
        """
        host = headers.get("host", "")
        if self.loopback and not is_loopback(_split(f"//{host}").hostname or ""):
            return 421, f"this server answers to localhost and 127.0.0.1 only, not to {host!r}"
        origin = headers.get("origin")
        if origin is not None and origin not in self.origins and _split(origin).netloc != host:
            return 403, f"pages from {origin} may not connect; allow it with --origin"
        if self.token is not None and not hmac.compare_digest(
            self._given_token(headers, query).encode(), self.token.encode()
        ):
            return 401, "a token is needed: Authorization: Bearer TOKEN, or ?token=TOKEN"
        return None

    @staticmethod
    def _given_token(headers: Mapping[str, str], query: str) -> str:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return given.strip()
        return parse_qs(query).get("token", [""])[0]
