"""What the headers `Host` and `Origin` name: strings in, values out.

The grammar is narrower than that of URLs. A name that one parser reads as `localhost` and
another as `evil.example` matches nothing here.
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
# Domains that no public name server answers for, so that a page from elsewhere cannot have one
# that leads here.
PRIVATE = ("local", "localhost", "lan", "home.arpa", "internal")


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # Python 3.13 counts ::ffff:127.0.0.1, which is no name of this server, and older ones do not.
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


@dataclass(frozen=True)
class Authority:
    """A host and perhaps a port.

    Attributes:
        host: in lower case; an IP address in its usual form, without brackets.
        port: none where it is not written.
    """

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Authority | None:
        """The value of a `Host` header; none if it is not exactly a host and perhaps a port."""
        match = _AUTHORITY.fullmatch(text)
        if match is None or len(text) > 260:
            return None
        port = None if match["port"] is None else int(match["port"])
        if port is not None and port > 65_535:
            return None
        name = (match["name"] or match["v6"]).lower()
        # What ends in a number is an address to every browser, also 127.1 or 0x7f.1.
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
        """Whether it is an IP address, which no name server has a hand in."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def is_private(self) -> bool:
        """Whether public name servers have no say in where it leads.

        An address, a name without dots, and a name in a domain for private use.
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
        place: its host; a port that is the scheme's own is left out.
    """

    scheme: str
    place: Authority

    @classmethod
    def parse(cls, text: str) -> Origin | None:
        """The value of an `Origin` header; none for `null` and what is not an origin."""
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
        """What somebody wrote as `--origin`: upper case and a final slash make no difference.

        Raises:
            ConfigError: it is no origin.
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
            why = "it begins with http:// or https://"
        elif "/" in rest:
            why = "leave out the path"
        elif "*" in rest:
            why = "patterns are not taken; repeat --origin for each"
        else:
            why = "it is not a host and perhaps a port"
        raise ConfigError(
            f"--origin {text}: {why}. An origin is scheme://host or scheme://host:port, such as "
            "https://stage.example"
        )

    def is_at(self, host: Authority) -> bool:
        """Whether a page from here is one of the server that a `Host` names."""
        default = _DEFAULT_PORTS.get(self.scheme)
        return (
            default is not None
            and self.place.host == host.host
            and (self.place.port or default) == (host.port or default)
        )

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}"
