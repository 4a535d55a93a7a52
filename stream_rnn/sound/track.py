"""What one session plays in one place: on a port, at an OSC address, into a recording."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream_rnn.sound.symbols import Symbol, Touched
from stream_rnn.sound.voice import Note, Voice

DRUM_CHANNEL = 9  # 0 to 15; people call it 10


@dataclass
class Track:
    """What sounds there, and the times of the latest symbol.

    Attributes:
        channel: MIDI channel, from 0, where there is one.
    """

    channel: int = 0
    voice: Voice = field(default_factory=Voice)
    due: float = 0.0
    ends: float = 0.0
    _touched: dict[int, float] = field(default_factory=dict)  # by player

    def channel_of(self, note: Note) -> int:
        """The channel of a note: an ensemble's players have one each, from the track's own on.

        The drums' channel is passed over, unless all is for drums.
        """
        channel = self.channel + note.player
        return (channel + (self.channel < DRUM_CHANNEL <= channel)) % 16

    def follow(self, symbol: Symbol | Touched, ends: float) -> float:
        """Takes the times of the next symbol; returns when its notes change.

        Not before what was handed out already has begun: what is fed is due at once, and would
        end a note first that is about to begin. (A gesture of an ensemble sounds nothing itself,
        and may be handed out before the touches of the one before it.)
        """
        self.ends = ends
        if symbol.touch is not None:
            # A finger waits for itself only, since players are not handed out in one order.
            player = symbol.touch.player
            at = self._touched[player] = max(self._touched.get(player, 0.0), symbol.due)
            self.due = max(self.due, at)
            return at
        if "gesture" in (symbol.event or ()):
            return symbol.due
        self.due = max(self.due, symbol.due)
        return self.due

    def quiet_at(self, now: float, tail: float = 0.0) -> float:
        """When what sounds is to end, if nothing follows.

        Not before what was handed out already has begun; and it may ring on for `tail`
        seconds, as long as its symbol lasts.
        """
        start = max(now, self.due)
        return max(start, min(self.ends, start + tail))
