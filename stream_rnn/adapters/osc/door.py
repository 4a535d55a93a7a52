"""Checks the token that other machines have to send first. No I/O; the time is passed in."""

from __future__ import annotations

from stream_rnn.adapters.osc.buckets import MAX_HOSTS, Bucket
from stream_rnn.recent import Recent
from stream_rnn.wire.access import same_token
from stream_rnn.wire.hosts import is_here

TRIES = 1.0  # messages a second, of one machine without a valid token, that are read and answered
HOLDS = 3600.0  # seconds of silence after which a machine has to send the token again


class Door:
    """Keeps track of the machines that are admitted.

    Args:
        token: the server's token; None admits every machine.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._inside: Recent[str, float] = Recent(MAX_HOSTS)  # by machine, when it was last heard
        self._tries: Recent[str, Bucket] = Recent(MAX_HOSTS)

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
        bucket = self._tries.get(host) or Bucket(TRIES, now, 5.0)
        self._tries[host] = bucket
        return bucket.take(now)

    def enter(self, host: str, token: str, now: float) -> bool:
        """Admits a machine if its token is right; returns whether it was."""
        if self._token is None or not same_token(token, self._token):
            return False
        self._inside[host] = now
        return True
