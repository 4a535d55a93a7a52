"""Who may talk to the server: by address, host, origin and token. Pure checks; no I/O."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from stream_rnn.errors import ConfigError
from stream_rnn.wire.hosts import Authority, Origin, is_loopback

__all__ = ["Access", "AllowList", "is_loopback", "same_token"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


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


@dataclass(frozen=True)
class Access:
    """The rules for requests.

    Attributes:
        loopback: the server is bound to loopback.
        token: asked of everybody, as `Authorization: Bearer TOKEN` or `?token=TOKEN`.
        origins: pages from elsewhere that browsers may connect from; the server's own may.
        names: of this machine.
    """

    loopback: bool = True
    token: str | None = None
    origins: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, host: str, token: str | None, origins: Iterable[str] = (), names: Iterable[str] = ()
    ) -> Access:
        """The rules for a server on an address.

        Raises:
            ConfigError: one of the origins is none.
        """
        given = frozenset(str(Origin.given(text)) for text in origins)
        return cls(is_loopback(host), token, given, frozenset(name.lower() for name in names))

    def allows(self, origin: str | None) -> bool:
        """Whether pages from an origin were allowed by name, so that they get CORS headers."""
        parsed = Origin.parse(origin or "")
        return parsed is not None and str(parsed) in self.origins

    def refusal(
        self, headers: Mapping[str, str], query: str, *, preflight: bool = False
    ) -> tuple[int, str] | None:
        """HTTP status and reason if a request is to be refused.

        Args:
            headers: by lower-case name.
            query: the URL's query string.
            preflight: it only asks what it may do, and carries no token.
        """
        said = headers.get("host", "")
        host = Authority.parse(said)
        if not self._answers_to(said, host):
            only = "localhost and 127.0.0.1 only" if self.loopback else "its addresses and names"
            return 421, (
                f"this server answers to {only}, not to {said!r}; if that name is yours, start the "
                "server with --origin http://NAME (with the port, if the address has one)"
            )
        origin = headers.get("origin")
        if origin is not None and not self._may_connect(origin, host):
            return 403, _refused_page(origin)
        if self.token is not None and not preflight and not self._has_token(headers, query):
            return 401, "a token is needed: Authorization: Bearer TOKEN, or ?token=TOKEN"
        return None

    def _answers_to(self, said: str, host: Authority | None) -> bool:
        """Whether a `Host` may name this server.

        A page from evil.example, which its name server lets point here, is the server's own page
        to a browser. It cannot hide that it asked for evil.example.
        """
        if self.loopback:
            return host is not None and (is_loopback(host.host) or host.host in self._known)
        if self.token is not None or not said:  # such a page has no token; browsers send a Host
            return True
        return host is not None and (host.is_private or host.host in self._known)

    @property
    def _known(self) -> frozenset[str]:
        allowed = map(Origin.parse, self.origins)
        return self.names | {origin.place.host for origin in allowed if origin is not None}

    def _may_connect(self, said: str, host: Authority | None) -> bool:
        origin = Origin.parse(said)
        if origin is None:
            return False
        return str(origin) in self.origins or (host is not None and origin.is_at(host))

    def _has_token(self, headers: Mapping[str, str], query: str) -> bool:
        assert self.token is not None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return same_token(parse_qs(query).get("token", [""])[0], self.token)
        return same_token(given.strip(), self.token)


def same_token(given: str, token: str) -> bool:
    """Whether a token is the right one; the time that this takes does not tell.

    A header's bytes, which HTTP libraries hand over as Latin-1, may be UTF-8.
    """
    utf8 = given.encode("utf-8", "surrogatepass")
    try:
        latin = given.encode("latin-1")
    except UnicodeEncodeError:
        latin = utf8
    right = token.encode("utf-8", "surrogatepass")
    # Both are compared, whichever it is.
    return hmac.compare_digest(utf8, right) | hmac.compare_digest(latin, right)


def _refused_page(said: str) -> str:
    origin = Origin.parse(said)
    if origin is None:
        return (
            f"pages without an address ({said[:80]!r}) may not connect, such as one that was "
            "opened as a file: serve it over HTTP, and allow that address with --origin"
        )
    return (
        f"pages from {origin} may not connect; to allow them, start the server with "
        f"--origin {origin}"
    )
