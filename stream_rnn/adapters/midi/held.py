"""Which keys of a keyboard are down, so that they can be let go without their own note-offs."""

from __future__ import annotations

from stream_rnn.adapters.midi.keyboard import Keys
from stream_rnn.wire import midi

# Mode messages after which a receiver ends every note of the channel (MIDI 1.0, channel mode
# messages): all sound off, all notes off, and the four that change omni, mono and poly mode.
ENDING = frozenset({midi.ALL_SOUND_OFF, midi.ALL_NOTES_OFF, 124, 125, 126, 127})
# After these the pedal is up, too.
PEDAL_UP = frozenset({midi.ALL_SOUND_OFF, midi.RESET_CONTROLLERS})


class HeldKeys:
    """The keys of one port, on their way to what they play with.

    Keyboards send "all notes off" when their last key goes up, and sequencers reset every
    channel when they are started. Such a message ends the keys that this port holds on its
    channel. It reaches no other key, and it pauses nothing.

    Args:
        keys: what the keys do.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._down: dict[tuple[int, int], None] = {}  # (channel, pitch), in the order of striking
        self._pedals: set[int] = set()  # channels whose sustain pedal is down

    def note_on(self, event: midi.NoteOn, time: float, now: float) -> None:
        """A key goes down."""
        self._down[event.channel, event.pitch] = None
        self._keys.note_on(event, time, now)

    def note_off(self, event: midi.NoteOff, time: float, now: float) -> None:
        """A key is let go; one that is not down was a pad, or was let go already."""
        if (event.channel, event.pitch) in self._down:
            del self._down[event.channel, event.pitch]
            self._keys.note_off(event, time, now)

    def pedal(self, channel: int, down: bool, time: float) -> None:
        """The sustain pedal of a channel goes down or up."""
        if down:
            self._pedals.add(channel)
        else:
            self._pedals.discard(channel)
        self._keys.pedal(down, time)

    def mode(self, event: midi.ControlChange, time: float, now: float) -> None:
        """A channel mode message: controllers 120 to 127."""
        if event.controller in PEDAL_UP:
            self._lift(event.channel, time)
        if event.controller in ENDING:
            self._end(event.channel, time, now)

    def next_time(self) -> float:
        """When `tick` has something to do; infinity for nothing."""
        return self._keys.next_time()

    def tick(self, now: float) -> None:
        """Does what is due."""
        self._keys.tick(now)

    def let_go(self, time: float, now: float) -> None:
        """Every key and every pedal goes up, on all channels: the port has gone."""
        for channel in sorted(self._pedals):
            self._lift(channel, time)
        for channel in sorted({channel for channel, _ in self._down}):
            self._end(channel, time, now)

    def _lift(self, channel: int, time: float) -> None:
        if channel in self._pedals:
            self.pedal(channel, False, time)

    def _end(self, channel: int, time: float, now: float) -> None:
        for held, pitch in list(self._down):
            if held == channel:
                self.note_off(midi.NoteOff(channel, pitch), time, now)
