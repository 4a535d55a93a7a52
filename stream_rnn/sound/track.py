"""What one session plays in one place: a MIDI port, an OSC address or a recording."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream_rnn.sound.symbols import Symbol, Touched
from stream_rnn.sound.voice import Note, Voice

DRUM_CHANNEL = 9  # 0 to 15; people call it 10


@dataclass
class Track:
    """The notes that sound in the place, and the times of the latest symbol.

    Attributes:
        channel: MIDI channel, from 0, if the place has channels.
        due, ends: when the latest symbol begins and ends, in seconds.
    """

    channel: int = 0
    voice: Voice = field(default_factory=Voice)
    due: float = 0.0
    ends: float = 0.0
    _touched: dict[int, float] = field(default_factory=dict)  # by player

    def channel_of(self, note: Note) -> int:
        """The channel of a note. An ensemble's players have one each, from the track's own on.

        They skip the drum channel, unless the track itself is on it.
        """
        channel = self.channel + note.player
        return (channel + (self.channel < DRUM_CHANNEL <= channel)) % 16

    def follow(self, symbol: Symbol | Touched, ends: float) -> float:
        """Takes the times of the next symbol; returns when notes are to change for it.

        That is never before an earlier symbol begins: a fed symbol is due at once, and would
        otherwise end a note that has yet to begin. (An ensemble's gesture makes no sound itself
        and may be handed out before the previous gesture's touches, so it changes no time.)
        """
        self.ends = ends
        if symbol.touch is not None:
            # A touch waits only for touches of its own player: the players are not in one order.
            player = symbol.touch.player
            at = self._touched[player] = max(self._touched.get(player, 0.0), symbol.due)
            self.due = max(self.due, at)
            return at
        if "gesture" in (symbol.event or ()):
            return symbol.due
        self.due = max(self.due, symbol.due)
        return self.due

    def quiet_at(self, now: float, tail: float = 0.0) -> float:
        """When the sounding notes are to end if no symbol follows.

        That is not before the latest symbol begins. The notes may ring on for `tail` seconds
        more, but no longer than that symbol lasts.
        """
        start = max(now, self.due)
        return max(start, min(self.ends, start + tail))
