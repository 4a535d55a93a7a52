"""The token that other machines have to say before they are heard. No I/O; time is passed in."""

from __future__ import annotations

from stream_rnn.adapters.osc.buckets import MAX_HOSTS, Bucket, is_here
from stream_rnn.wire.access import same_token

TRIES = 1.0  # a second, of one machine: wrong tokens and words about it
HOLDS = 3600.0  # seconds of silence until it has to be said again


class Door:
    """Which machines may come in.

    Args:
        token: that lets in; none: everybody is in.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._inside: dict[str, float] = {}  # when it was heard last, by machine
        self._tries: dict[str, Bucket] = {}

    def is_open(self, host: str, now: float) -> bool:
        """Whether what comes from a machine is done."""
        if self._token is None or is_here(host):
            return True
        heard_at = self._inside.get(host)
        if heard_at is None or now - heard_at > HOLDS:
            return False
        self._inside[host] = now
        return True

    def may_try(self, host: str, now: float) -> bool:
        """Whether a machine outside is answered: not often, so that nobody guesses for long."""
        bucket = self._tries.pop(host, None) or Bucket(TRIES, now, 5.0)
        self._tries[host] = bucket
        if len(self._tries) > MAX_HOSTS:
            del self._tries[next(iter(self._tries))]
        return bucket.take(now)

    def enter(self, host: str, token: str, now: float) -> bool:
        """Lets a machine in if it says the token."""
        if self._token is None or not same_token(token, self._token):
            return False
        self._inside.pop(host, None)
        self._inside[host] = now
        if len(self._inside) > MAX_HOSTS:
            del self._inside[next(iter(self._inside))]
        return True
