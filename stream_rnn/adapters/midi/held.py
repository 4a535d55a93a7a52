"""Tracks the keys of a keyboard that are down, to release them when no note-offs come."""

from __future__ import annotations

from stream_rnn.adapters.midi.keyboard import Keys
from stream_rnn.wire import midi

# Channel mode messages of MIDI 1.0 after which a receiver ends every note of the channel: all
# sound off, all notes off, and the four that change omni, mono and poly mode.
ENDING = frozenset({midi.ALL_SOUND_OFF, midi.ALL_NOTES_OFF, 124, 125, 126, 127})
# Those after which the pedal counts as up.
PEDAL_UP = frozenset({midi.ALL_SOUND_OFF, midi.RESET_CONTROLLERS})


class HeldKeys:
    """Passes the keys and pedals of one port on to `keys`, and releases those that are down.

    Keyboards send "all notes off" when their last key goes up, and sequencers reset every
    channel when they are started. Such a message releases the keys that this port holds on its
    channel. It affects no other keys, and it pauses nothing.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._down: dict[tuple[int, int], None] = {}  # (channel, pitch), the first struck first
        self._pedals: set[int] = set()  # channels whose sustain pedal is down

    def note_on(self, event: midi.NoteOn, time: float, now: float) -> None:
        """Handles a key that goes down."""
        self._down[event.channel, event.pitch] = None
        self._keys.note_on(event, time, now)

    def note_off(self, event: midi.NoteOff, time: float, now: float) -> None:
        """Handles a key that goes up. One that is not down was a pad, or is released already."""
        if (event.channel, event.pitch) in self._down:
            del self._down[event.channel, event.pitch]
            self._keys.note_off(event, time, now)

    def pedal(self, channel: int, down: bool, time: float) -> None:
        """Handles the sustain pedal of a channel."""
        if down:
            self._pedals.add(channel)
        else:
            self._pedals.discard(channel)
        self._keys.pedal(down, time)

    def mode(self, event: midi.ControlChange, time: float, now: float) -> None:
        """Handles a channel mode message: controllers 120 to 127."""
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
        """Releases every key and pedal, on all channels, since the port has gone."""
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
