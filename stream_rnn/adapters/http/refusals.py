"""One line in the log for a client that is refused, and no flood of them. Time is passed in."""

from __future__ import annotations

from collections import OrderedDict

AGAIN = 60.0  # seconds until the same client is told of for the same reason again
LINES = 10  # of any kind, in as many seconds
REMEMBERED = 256


class RefusalLog:
    """Decides which refusals are worth a line."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lines = float(LINES)
        self._since = 0.0
        self._unsaid = 0

    def line(self, now: float, client: str, what: str, reason: str) -> str | None:
        """The line to log, if one is due.

        Args:
            client: its address.
            what: what it asked for, such as `WebSocket /v1/stream`.
            reason: as the client is told it.
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
        client = client.removeprefix("::ffff:")  # IPv4, at a socket for both
        more = f" ({self._unsaid} more refusals since the last line)" if self._unsaid else ""
        self._unsaid = 0
        return f"refused {client or 'a client'}: {_plain(what[:120])}: {_plain(reason)}{more}"


def _plain(text: str) -> str:
    """Printable, and of a bounded length: it quotes what a stranger sent."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:300])
    return shown.encode("ascii", "backslashreplace").decode("ascii")
