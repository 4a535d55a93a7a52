"""Keeps the messages that wait to be sent, and the notes that sound. No I/O; time is passed in.

Several streams may sound the same key of the same channel. The key is struck again for each and
ends with the last of them, so that on the wire every note-on has its note-off.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from stream_rnn.timed_queue import TimedQueue

Key = tuple[int, int]  # channel 0 to 15, pitch

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
ALL_NOTES_OFF = 123
LATELY = 5.0  # seconds; the notice that a cord was taken out comes sooner than this


class Player:
    """The waiting messages and the sounding notes of some ports.

    Args:
        ports: the number of ports.
    """

    def __init__(self, ports: int) -> None:
        self._waiting: TimedQueue[tuple[int, bytes]] = TimedQueue()
        self._sounding: list[Counter[Key]] = [Counter() for _ in range(ports)]
        self._hanging: list[set[Key]] = [set() for _ in range(ports)]  # keys on a lost port
        self._there = [True] * ports
        self._ended: list[deque[tuple[float, Key]]] = [deque(maxlen=4096) for _ in range(ports)]
        # The keys that may sound on at a target whose cord was taken out, by target.
        self._cut: list[dict[str, set[Key]]] = [{} for _ in range(ports)]

    def push(self, time: float, port: int, data: bytes) -> None:
        """Adds a message to send at a time; messages of the same time keep their order."""
        self._waiting.push(time, (port, data))

    def first(self) -> float:
        """The time of the next message; infinity if none waits."""
        return self._waiting.first()

    def due(self, now: float) -> list[tuple[float, int, bytes]]:
        """Takes the messages whose time has come, as (time, port, bytes)."""
        ready = []
        for time, (port, data) in self._waiting.due(now):
            if self._there[port]:
                ready += [(time, port, one) for one in self._balanced(port, data, now)]
        return ready

    def _balanced(self, port: int, data: bytes, now: float) -> list[bytes]:
        status, channel = data[0] & 0xF0, data[0] & 0x0F
        sounding = self._sounding[port]
        if status == NOTE_ON and data[2]:
            key = channel, data[1]
            sounding[key] += 1
            return [note_off(key), data] if sounding[key] > 1 else [data]
        if status in (NOTE_ON, NOTE_OFF):
            key = channel, data[1]
            if sounding[key] > 1:
                sounding[key] -= 1
                return []
            del sounding[key]
            self._ended[port].append((now, key))
        return [data]

    def end_notes(self) -> list[tuple[int, bytes]]:
        """Drops all waiting messages; returns those that end all notes, as (port, bytes)."""
        self._waiting.clear()
        ends = [(port, end) for port in range(len(self._there)) for end in self._ends(port)]
        for sounding in self._sounding:
            sounding.clear()
        return ends

    def _ends(self, port: int) -> list[bytes]:
        return ends_of(self._sounding[port]) if self._there[port] else []

    def lose(self, port: int) -> None:
        """Marks a port as gone, and remembers the notes that may still sound there."""
        if self._there[port]:
            self._there[port] = False
            self._hanging[port] |= set(self._sounding[port]).union(*self._cut[port].values())
            self._sounding[port].clear()
            self._cut[port].clear()

    def find(self, port: int) -> list[bytes]:
        """Marks a port as back; returns messages that end the notes left sounding there."""
        self._there[port] = True
        self._sounding[port] = Counter(self._hanging[port])
        ends = self._ends(port)
        self._hanging[port].clear()
        self._sounding[port].clear()
        return ends

    def unplug(self, port: int, target: str, now: float) -> None:
        """Notes that a port's cord to a target was taken out: sounding notes go on there."""
        if self._there[port]:
            lately = {key for at, key in self._ended[port] if at > now - LATELY}
            self._cut[port].setdefault(target, set()).update(self._sounding[port], lately)

    def plug(self, port: int, target: str) -> list[bytes] | None:
        """Notes that a cord was put in; returns messages that end the notes left at its target.

        None if the cord was not taken out before. Notes that the port still holds go on.
        """
        left = self._cut[port].pop(target, None)
        if left is None:
            return None
        return self.harmless(port, ends_of(left))

    def harmless(self, port: int, ends: list[bytes]) -> list[bytes]:
        """Of messages that end notes, those that do not end a note that sounds now."""
        keys = {key for key, count in self._sounding[port].items() if count}
        busy = {channel for channel, _ in keys}

        def harms(data: bytes) -> bool:
            channel = data[0] & 0x0F
            return channel in busy if data[0] & 0xF0 == CONTROL else (channel, data[1]) in keys

        return [data for data in ends if not harms(data)]


def note_off(key: Key) -> bytes:
    """The message that ends a key."""
    channel, pitch = key
    return bytes((NOTE_OFF | channel, pitch, 0))


def all_notes_off(channel: int) -> bytes:
    """The message that ends all keys of a channel, 0 to 15."""
    return bytes((CONTROL | channel, ALL_NOTES_OFF, 0))


def ends_of(keys: Iterable[Key]) -> list[bytes]:
    """The messages that end keys, and then their channels, in case a note-off is lost."""
    keys = sorted(keys)
    return [*map(note_off, keys), *map(all_notes_off, sorted({channel for channel, _ in keys}))]
