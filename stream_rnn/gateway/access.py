"""Who may talk to the server: by host, origin and token. Pure checks; no I/O."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
