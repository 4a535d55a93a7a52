"""Limits the log lines about refused clients. No I/O; the time is passed in."""

from __future__ import annotations

from collections import OrderedDict

AGAIN = 60.0  # seconds until another line about the same client and reason
LINES = 10  # lines about all clients, in as many seconds
REMEMBERED = 256  # pairs of client and reason


class RefusalLog:
    """Decides which refusals are logged."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lines = float(LINES)
        self._since = 0.0
        self._unsaid = 0

    def line(self, now: float, client: str, what: str, reason: str) -> str | None:
        """Returns the line to log for a refusal, or None if it is not to be logged.

        Args:
            client: the client's address.
            what: what the client asked for, such as `WebSocket /v1/stream`.
            reason: why it was refused, in the words that the client is told.
        """
        last = self._told.get((client, reason))
        self._lines = min(self._lines + (now - self._since), float(LINES))
        self._since = now
        if (last is not None and now - last < AGAIN) or self._lines < 1.0:
            self._unsaid += 1
            return None
        self._told[client, reason] = now
        self._told.move_to_end((client, reason))
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        self._lines -= 1.0
        client = client.removeprefix("::ffff:")  # an IPv4 client of a dual-stack socket
        more = f" ({self._unsaid} more refusals since the last line)" if self._unsaid else ""
        self._unsaid = 0
        return f"refused {client or 'a client'}: {_plain(what[:120])}: {_plain(reason)}{more}"


def _plain(text: str) -> str:
    """Makes text from a stranger safe for the log: printable ASCII of bounded length."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:300])
    return shown.encode("ascii", "backslashreplace").decode("ascii")
