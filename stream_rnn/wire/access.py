"""Decides who may talk to the server, by address, host, origin and token. No I/O."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from stream_rnn.errors import ConfigError
from stream_rnn.wire.hosts import Authority, Origin, is_loopback, sender

__all__ = ["Access", "AllowList", "is_loopback", "same_token"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class AllowList:
    """The senders whose packets are accepted. Packets from this machine always are.

    Attributes:
        networks: the accepted networks; empty for everybody, as on a loopback socket.
    """

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, host: str, allow: Iterable[str]) -> AllowList:
        """The list for a socket on an address.

        Args:
            host: the address that the socket listens on.
            allow: addresses and networks, such as `192.168.1.0/24`.

        Raises:
            ConfigError: an entry is neither, or there is no entry although other machines can
                reach the address.
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
                f"[osc] host = {host!r} can be reached from other machines: say whose packets "
                'are accepted, such as allow = ["192.168.1.0/24"]'
            )
        return cls(tuple(networks))

    def admits(self, host: str) -> bool:
        """Whether packets from a sender's address are accepted."""
        if not self.networks:
            return True
        address = sender(host)
        if address is None:
            return False
        return address.is_loopback or any(address in network for network in self.networks)


@dataclass(frozen=True)
class Access:
    """The rules for requests.

    Attributes:
        loopback: whether the server is bound to loopback.
        token: required of everybody, as `Authorization: Bearer TOKEN` or `?token=TOKEN`.
        origins: the other servers whose pages may connect; the server's own pages always may.
        names: the names of this machine.
    """

    loopback: bool = True
    token: str | None = None
    origins: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, host: str, token: str | None, origins: Iterable[str] = (), names: Iterable[str] = ()
    ) -> Access:
        """The rules for a server that listens on the address `host`.

        Raises:
            ConfigError: one of the origins is malformed.
        """
        given = frozenset(str(Origin.given(text)) for text in origins)
        return cls(is_loopback(host), token, given, frozenset(name.lower() for name in names))

    def allows(self, origin: str | None) -> bool:
        """Whether an origin is on the list of allowed origins, so that it gets CORS headers."""
        parsed = Origin.parse(origin or "")
        return parsed is not None and str(parsed) in self.origins

    def refusal(
        self, headers: Mapping[str, str], query: str, *, preflight: bool = False
    ) -> tuple[int, str] | None:
        """HTTP status and reason if a request is to be refused, else None.

        Args:
            headers: by lower-case name.
            query: the URL's query string.
            preflight: whether this is a CORS preflight request, which carries no token.
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
        """Whether the `Host` of a request may name this server.

        If the name server of evil.example points that name at this machine (DNS rebinding), a
        browser takes its pages for the server's own. But their `Host` gives them away.
        """
        if self.loopback:
            return host is not None and (is_loopback(host.host) or host.host in self._known)
        if self.token is not None or not said:  # a rebound page has no token, but sends a Host
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
    """Whether a token is the right one, compared in constant time.

    HTTP libraries decode a header as Latin-1, even if its bytes are UTF-8. So both are tried.
    """
    utf8 = given.encode("utf-8", "surrogatepass")
    try:
        latin = given.encode("latin-1")
    except UnicodeEncodeError:
        latin = utf8
    right = token.encode("utf-8", "surrogatepass")
    # `|`, not `or`: both are always compared, so that the time is constant.
    return hmac.compare_digest(utf8, right) | hmac.compare_digest(latin, right)


def _refused_page(said: str) -> str:
    origin = Origin.parse(said)
    if origin is None:
        return (
            f"pages without an address ({said[:80]!r}), such as pages opened as files, may not "
            "connect: serve the page over HTTP, and allow its address with --origin"
        )
    return (
        f"pages from {origin} may not connect; to allow them, start the server with "
        f"--origin {origin}"
    )
