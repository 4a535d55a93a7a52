"""Parses the headers `Host` and `Origin`: strings in, values out.

The grammar is narrower than that of URLs. It rejects any text that one parser would read as
`localhost` and another as `evil.example`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from stream_rnn.errors import ConfigError

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_AUTHORITY = re.compile(
    rf"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>{_LABEL}(?:\.{_LABEL})*))(?::(?P<port>[0-9]{{1,5}}))?",
    re.ASCII | re.IGNORECASE,
)
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Domains that no public name server answers for. A page from elsewhere cannot make such a name
# point to this machine.
PRIVATE = ("local", "localhost", "lan", "home.arpa", "internal")


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # Python 3.13, unlike older ones, calls ::ffff:127.0.0.1 loopback. It is no name of the server.
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def sender(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """A sender's address as a socket reports it, perhaps with a scope; None if it is none.

    A socket for both address families reports 192.168.1.7 as ::ffff:192.168.1.7.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_here(host: str) -> bool:
    """Whether a sender is on this machine."""
    address = sender(host)
    return address is not None and address.is_loopback


@dataclass(frozen=True)
class Authority:
    """A host and perhaps a port.

    Attributes:
        host: in lower case; an IP address in its usual form, without brackets.
        port: None if it is not given.
    """

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Authority | None:
        """Parses a `Host` header; None unless it is exactly a host, or a host and a port."""
        match = _AUTHORITY.fullmatch(text)
        if match is None or len(text) > 260:
            return None
        port = None if match["port"] is None else int(match["port"])
        if port is not None and port > 65_535:
            return None
        name = (match["name"] or match["v6"]).lower()
        # To browsers every name that ends in a number is an address, even 127.1 or 0x7f.1.
        if match["v6"] or _NUMBER.fullmatch(name.rpartition(".")[2]):
            try:
                name = str(ipaddress.ip_address(name))
            except ValueError:
                return None
            if (":" in name) is not bool(match["v6"]):
                return None
        return cls(name, port)

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address, which no name server resolves."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def is_private(self) -> bool:
        """Whether no public name server resolves the host.

        That holds for addresses, for names without dots and for domains for private use.
        """
        return self.is_address or "." not in self.host or self.host.endswith(_SUFFIXES)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


_SUFFIXES = tuple(f".{domain}" for domain in PRIVATE)


@dataclass(frozen=True)
class Origin:
    """Where a page comes from.

    Attributes:
        scheme: in lower case.
        place: the host and port; the scheme's default port is left out.
    """

    scheme: str
    place: Authority

    @classmethod
    def parse(cls, text: str) -> Origin | None:
        """Parses an `Origin` header; None for `null` and for anything that is not an origin."""
        match = _ORIGIN.fullmatch(text)
        place = Authority.parse(match["rest"]) if match else None
        if match is None or place is None:
            return None
        scheme = match["scheme"].lower()
        if place.port == _DEFAULT_PORTS.get(scheme, -1):
            place = Authority(place.host)
        return cls(scheme, place)

    @classmethod
    def given(cls, text: str) -> Origin:
        """Parses the value of `--origin`. Upper case and a final slash make no difference.

        Raises:
            ConfigError: the text is not an origin.
        """
        bare = text.strip().removesuffix("/")
        scheme, colon, rest = bare.partition("://")
        try:
            bare = f"{scheme}{colon}{rest.encode('idna').decode('ascii')}"  # as browsers send it
        except UnicodeError:
            pass
        origin = cls.parse(bare)
        if origin is not None:
            return origin
        if bare == "null":
            why = (
                "pages that were opened as files have no origin of their own; serve the page over "
                "HTTP (python3 -m http.server) and give that address"
            )
        elif not colon:
            why = "it must begin with http:// or https://"
        elif "/" in rest:
            why = "leave out the path"
        elif "*" in rest:
            why = "patterns are not accepted; repeat --origin for each"
        else:
            why = "it is not a host, or a host and a port"
        raise ConfigError(
            f"--origin {text}: {why}. An origin is scheme://host or scheme://host:port, such as "
            "https://stage.example"
        )

    def is_at(self, host: Authority) -> bool:
        """Whether this is the origin of the server that a `Host` header names."""
        default = _DEFAULT_PORTS.get(self.scheme)
        return (
            default is not None
            and self.place.host == host.host
            and (self.place.port or default) == (host.port or default)
        )

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}"
