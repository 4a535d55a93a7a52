"""How much may be sent to us, and how much work it may bring. No I/O; the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass

from stream_rnn.wire.access import is_loopback

MAX_HOSTS = 1024
SHARE = 4  # senders' worth of packets that a machine may send, from however many ports
OWN_SHARE = 32  # and this machine
# What a packet may bring on average, where a message that is done and answered is one.
WORK = 2
MAPPED = "::ffff:"  # how a socket for both families calls an IPv4 address


def is_here(host: str) -> bool:
    """Whether an address is of this machine's own loopback."""
    return is_loopback(host.removeprefix(MAPPED))


class Bucket:
    """An allowance that fills up with time.

    Args:
        rate: by how much a second.
        most: that it holds; a second's worth unless it is given.
    """

    def __init__(self, rate: float, now: float, most: float | None = None) -> None:
        self._rate, self._at = rate, now
        self._most = self._left = rate if most is None else most

    def left(self, now: float) -> float:
        """What is left; below nothing where more was charged than there was."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Takes some, if there is so much left."""
        if self.left(now) < cost:
            return False
        self._left -= cost
        return True

    def charge(self, cost: float) -> None:
        """Takes some, on credit if need be: what something costs is known once it is done."""
        self._left -= cost


@dataclass
class _Host:
    packets: Bucket
    work: Bucket
    heard_at: float


class Hosts:
    """What each machine may send, whatever ports it sends from, and when it was last heard.

    Args:
        rate: packets a second of one sender.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._hosts: dict[str, _Host] = {}  # the longest silent stands first

    def may_send(self, host: str, now: float) -> bool:
        """Takes a packet from a machine's allowance, if any is left."""
        known = self._hosts.pop(host, None)
        if known is None:
            rate = self._rate * (OWN_SHARE if is_here(host) else SHARE)
            known = _Host(Bucket(rate, now), Bucket(WORK * rate, now), now)
        self._hosts[host] = known
        known.heard_at = now
        if len(self._hosts) > MAX_HOSTS:
            del self._hosts[next(iter(self._hosts))]
        return known.packets.take(now)

    def work(self, host: str) -> Bucket | None:
        """What work a machine may bring; nothing is known of one that was silent for long."""
        known = self._hosts.get(host)
        return None if known is None else known.work

    def heard_at(self, host: str) -> float:
        """When something came from a machine; long ago, if that is forgotten."""
        known = self._hosts.get(host)
        return float("-inf") if known is None else known.heard_at
