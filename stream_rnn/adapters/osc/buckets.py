"""Limits on the packets we take and on the work they cause. No I/O; the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass

from stream_rnn.recent import Recent
from stream_rnn.wire.hosts import is_here

MAX_HOSTS = 1024
SHARE = 4  # a machine, with all its ports, may send as many packets as so many senders
OWN_SHARE = 32  # the same for this machine
WORK = 2  # work that a packet may cause on average; to do and answer one message costs 1


class Bucket:
    """A token bucket: an amount that refills with time.

    Args:
        rate: amount by which it refills in a second.
        most: amount that it holds when full; by default, a second's worth.
    """

    def __init__(self, rate: float, now: float, most: float | None = None) -> None:
        self._rate, self._at = rate, now
        self._most = self._left = rate if most is None else most

    def left(self, now: float) -> float:
        """The amount that is left; negative if more was charged than there was."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Takes an amount if so much is left; returns whether it was."""
        if self.left(now) < cost:
            return False
        self._left -= cost
        return True

    def charge(self, cost: float) -> None:
        """Takes an amount even if less is left: the cost of work is known only afterwards."""
        self._left -= cost


@dataclass
class _Host:
    packets: Bucket
    work: Bucket
    heard_at: float


class Hosts:
    """The limits of each machine, over all of its ports, and when it was last heard.

    Args:
        rate: packets a second that one sender may send.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._hosts: Recent[str, _Host] = Recent(MAX_HOSTS)

    def may_send(self, host: str, now: float) -> bool:
        """Counts a packet from a machine; returns whether it is within the machine's limit."""
        known = self._hosts.get(host)
        if known is None:
            rate = self._rate * (OWN_SHARE if is_here(host) else SHARE)
            known = _Host(Bucket(rate, now), Bucket(WORK * rate, now), now)
        self._hosts[host] = known
        known.heard_at = now
        return known.packets.take(now)

    def work(self, host: str) -> Bucket | None:
        """The work that a machine may still cause; None if the machine has been forgotten."""
        known = self._hosts.get(host)
        return None if known is None else known.work

    def heard_at(self, host: str) -> float:
        """When a packet last came from a machine; minus infinity if it has been forgotten."""
        known = self._hosts.get(host)
        return float("-inf") if known is None else known.heard_at
