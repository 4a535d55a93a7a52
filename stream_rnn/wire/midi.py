"""MIDI: incoming bytes to events, and the system messages that go out. No ports.

Any bytes may come in; anything that is not one of the events below is skipped.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import mido

SYSEX, SYSEX_END, REALTIME = 0xF0, 0xF7, 0xF8

CLOCK = b"\xf8"
START = b"\xfa"
CONTINUE = b"\xfb"
STOP = b"\xfc"

PULSES_PER_BEAT = 24
PULSES_PER_SIXTEENTH = 6  # song positions count sixteenths
MAX_SONG_POSITION = 1 << 14

ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF = 120, 121, 123
PEDAL = 64


@dataclass(frozen=True)
class NoteOn:
    """A key goes down; `velocity` is not 0. Channels are 1 to 16."""

    channel: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class NoteOff:
    """A key is released."""

    channel: int
    pitch: int


@dataclass(frozen=True)
class ControlChange:
    """A controller, 0 to 119, or a mode message, 120 to 127."""

    channel: int
    controller: int
    value: int


@dataclass(frozen=True)
class Wheel:
    """The pitch wheel: 0 to 16,383, and 8,192 at rest."""

    channel: int
    value: int


@dataclass(frozen=True)
class Aftertouch:
    """The pressure on all keys of a channel."""

    channel: int
    value: int


@dataclass(frozen=True)
class KeyAftertouch:
    """The pressure on one key."""

    channel: int
    pitch: int
    value: int


@dataclass(frozen=True)
class Program:
    """A program change, 0 to 127."""

    channel: int
    program: int


class Realtime(enum.Enum):
    """Messages of one byte, which may come inside others."""

    CLOCK = 0xF8  # a clock pulse; 24 make a beat
    START = 0xFA  # the next pulse is the first of the piece
    CONTINUE = 0xFB  # the next pulse is that of the song position, or the one after the stop
    STOP = 0xFC  # the piece stops


@dataclass(frozen=True)
class SongPosition:
    """The position from which the next `Continue` goes on."""

    sixteenths: int


Note = NoteOn | NoteOff
Hand = ControlChange | Wheel | Aftertouch | KeyAftertouch | Program
MidiEvent = Note | Hand | Realtime | SongPosition

_REALTIME = {message.value: message for message in Realtime}


class Reader:
    """Turns the bytes of one port, however they are split, into events.

    It skips system exclusive messages and stores nothing of them, however long they are.
    """

    def __init__(self) -> None:
        self._parser = mido.Parser()
        self._exclusive = False

    def feed(self, data: bytes) -> list[MidiEvent]:
        """The events that are complete with these bytes."""
        events: list[MidiEvent] = []
        for byte in data:
            if byte >= REALTIME:  # mido would lose the message around it
                if byte in _REALTIME:
                    events.append(_REALTIME[byte])
                continue
            if byte & 0x80:
                self._exclusive = byte == SYSEX
            if self._exclusive or byte == SYSEX_END:
                continue
            self._parser.feed_byte(byte)
            while (message := self._parser.get_message()) is not None:
                event = _event(message)
                if event is not None:
                    events.append(event)
        return events


def _event(message: mido.Message) -> MidiEvent | None:
    match message.type:
        case "note_on" if message.velocity:
            return NoteOn(message.channel + 1, message.note, message.velocity)
        case "note_on" | "note_off":
            return NoteOff(message.channel + 1, message.note)
        case "control_change":
            return ControlChange(message.channel + 1, message.control, message.value)
        case "pitchwheel":
            return Wheel(message.channel + 1, message.pitch + 8192)
        case "aftertouch":
            return Aftertouch(message.channel + 1, message.value)
        case "polytouch":
            return KeyAftertouch(message.channel + 1, message.note, message.value)
        case "program_change":
            return Program(message.channel + 1, message.program)
        case "songpos":
            return SongPosition(message.pos)
    return None


def song_position(sixteenths: int) -> bytes:
    """The song position message, for a `CONTINUE` that follows; it wraps after 1,024 bars."""
    position = sixteenths % MAX_SONG_POSITION
    return bytes((0xF2, position & 0x7F, position >> 7))
