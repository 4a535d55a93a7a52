"""Checks the token that other machines have to send first. No I/O; the time is passed in."""

from __future__ import annotations

from stream_rnn.adapters.osc.buckets import MAX_HOSTS, Bucket, is_here
from stream_rnn.wire.access import same_token

TRIES = 1.0  # messages a second, of one machine without a valid token, that are read and answered
HOLDS = 3600.0  # seconds of silence after which a machine has to send the token again


class Door:
    """Keeps track of the machines that are admitted.

    Args:
        token: the server's token; None admits every machine.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._inside: dict[str, float] = {}  # by machine, when it was last heard
        self._tries: dict[str, Bucket] = {}

    def is_open(self, host: str, now: float) -> bool:
        """Whether a machine is admitted, so that its messages are carried out."""
        if self._token is None or is_here(host):
            return True
        heard_at = self._inside.get(host)
        if heard_at is None or now - heard_at > HOLDS:
            return False
        self._inside[host] = now
        return True

    def may_try(self, host: str, now: float) -> bool:
        """Whether a machine that is not admitted gets an answer: rarely, lest it guess tokens."""
        bucket = self._tries.pop(host, None) or Bucket(TRIES, now, 5.0)
        self._tries[host] = bucket
        if len(self._tries) > MAX_HOSTS:
            del self._tries[next(iter(self._tries))]
        return bucket.take(now)

    def enter(self, host: str, token: str, now: float) -> bool:
        """Admits a machine if its token is right; returns whether it was."""
        if self._token is None or not same_token(token, self._token):
            return False
        self._inside.pop(host, None)
        self._inside[host] = now
        if len(self._inside) > MAX_HOSTS:
            del self._inside[next(iter(self._inside))]
        return True
