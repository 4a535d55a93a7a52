"""The sounds of a stream in which several symbols spell a note. No I/O, and no time."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from stream_rnn.codecs.base import Codec, Sound
from stream_rnn.sessions.journal import Committed, Journal

READ_BACK = 512  # symbols that are read again to find the sounds of those after them


class Spelling:
    """Reads a stream as it is committed.

    Attributes:
        there: whether the codec spells notes at all; if not, nothing here does anything.
        sound: what the latest symbol began to sound.
        beats: of the tune up to the end of `sound`. A tune begins at 0, after the pause before
            it. After `recall`, a tune is counted from `READ_BACK` symbols ago at most.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec, self._reading = codec, codec.reading()
        self.there = self._reading is not None
        self.sound: Sound | None = None
        self.beats = 0.0
        self._between = False  # two tunes: the next sound is the pause

    def read(self, symbol: int, *, fed: bool) -> None:
        """Takes the next symbol; fed symbols do not sound."""
        if self._reading is None:
            return
        self._reading, self.sound = self._reading.after(symbol)
        if fed:
            self._reading, self.sound = self._reading.unheard(), None
        if self.sound is not None:
            self.beats += self.sound.beats
        if symbol == self._codec.boundary:
            self._between = True
        if self._between and (fed or (self.sound is not None and symbol != self._codec.boundary)):
            self.beats, self._between = 0.0, False

    def recall(self, journal: Journal) -> None:
        """Begins anew, after the past in a journal."""
        self._reading, self.sound = self._codec.reading(), None
        self.beats, self._between = 0.0, False
        for _ in self._read_on(journal, journal.position):
            pass

    def told(self, journal: Journal, start: int) -> Iterator[Committed]:
        """Committed symbols from `start` on, with their sounds."""
        if self.there:
            return Spelling(self._codec)._read_on(journal, start)
        return journal.since(start)

    def _read_on(self, journal: Journal, start: int) -> Iterator[Committed]:
        if not self.there:
            return
        for past in journal.since(max(journal.first, start - READ_BACK)):
            self.read(past.symbol, fed=past.fed)
            if past.n >= start:
                yield replace(past, sound=self.sound)
