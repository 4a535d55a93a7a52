"""Records sessions to MIDI files as they play.

The file is complete at every moment except for the last second: whenever messages are added, the
end of the track and its length are written anew. So the recording survives whatever ends the
server. An existing file is never overwritten: see `free_path`.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import struct
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from mido.midifiles.meta import encode_variable_int

from stream_rnn.adapters.midi.grid import TICKS_PER_BEAT, Grid, Symbol
from stream_rnn.errors import ConfigError
from stream_rnn.midi.player import NOTE_ON, note_off
from stream_rnn.sound.track import Track
from stream_rnn.sound.voice import Note
from stream_rnn.stage.subscribers import NoteContext, fits
from stream_rnn.wire import events

log = logging.getLogger("stream_rnn.recording")

END_OF_TRACK = b"\x00\xff\x2f\x00"
LENGTH_AT = 18  # offset of the track's length, which has 4 bytes
FLUSH = 1.0  # seconds of music that may be lost
MAX_TRACK = 2**32 - 1


class MidiFile:
    """A MIDI file of one track that grows.

    Raises:
        FileExistsError: the file exists already.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        # A device, such as /dev/null, may exist: it has nothing to lose.
        self._file = path.open("wb" if path.exists() and not path.is_file() else "xb")
        self._ticks, self._length = 0, 0
        head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS_PER_BEAT)
        self._file.write(head + b"MTrk" + bytes(4))
        self._track(b"")

    def add(self, messages: list[tuple[int, bytes]]) -> None:
        """Adds messages, as (ticks from the beginning, bytes), in order of time."""
        body = b""
        for tick, data in messages:
            tick = max(self._ticks, tick)
            body += bytes(encode_variable_int(tick - self._ticks)) + data
            self._ticks = tick
        self._track(body)

    def _track(self, body: bytes) -> None:
        if self._length + len(body) + len(END_OF_TRACK) > MAX_TRACK:
            return  # the 4 bytes of the length hold no more than 4 GB
        self._file.seek(LENGTH_AT + 4 + self._length)
        self._file.write(body + END_OF_TRACK)
        self._length += len(body)
        self._file.seek(LENGTH_AT)
        self._file.write(struct.pack(">I", self._length + len(END_OF_TRACK)))
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def free_path(path: Path, when: datetime) -> Iterator[Path]:
    """Yields the path, then others beside it: with the time in the name, then a number, too."""
    yield path
    dated = path.with_name(f"{path.stem}-{when:%Y-%m-%dT%H-%M-%S}{path.suffix}")
    yield dated
    for number in itertools.count(2):
        yield dated.with_name(f"{dated.stem}-{number}{path.suffix}")


def new_file(path: Path) -> tuple[Path, MidiFile]:
    """Makes a new MIDI file, under another name if the path exists; returns its path, too.

    Raises:
        OSError: the file cannot be written.
    """
    for free in free_path(path, datetime.now()):
        with contextlib.suppress(FileExistsError):
            file = MidiFile(free)
            if free != path:
                log.info("%s is there already; recording to %s", path, free)
            return free, file
    raise AssertionError("names without end")


class Recorder:
    """A sink of the stage that records sessions to a MIDI file, from the first note on.

    The file has the tempo, beats and bars of the leading session. The first session with a beat
    that plays leads; when it pauses, the next one that plays does.

    Args:
        path: the file; if it exists already, another is made beside it.
        pattern: which sessions are recorded.
        now: the stage's clock.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, path: Path, pattern: str, now: Callable[[], float]) -> None:
        self._path, self._pattern, self._now = path, pattern, now
        self._file: MidiFile | None = None
        try:
            self._path, self._file = new_file(path)
        except OSError as error:
            # A bad path is a mistake to report. A full disk must not keep a show from starting.
            if error.errno != errno.ENOSPC:
                raise ConfigError(f"cannot record to {path}: {error.strerror}") from None
            self._give_up(error)
        self._tracks: dict[str, Track] = {}
        self._waiting: list[tuple[float, bytes]] = []
        self._grid: Grid | None = None  # made at the first note
        self._leader: str | None = None
        self._lead: Symbol | None = None  # the leader's latest symbol
        self._flushed = 0.0

    def wants(self, session: str, *, silent: bool = False) -> bool:
        return fits(self._pattern, session, silent=silent)

    def tell(self, event: events.Event) -> None:
        ends = events.Paused | events.Reset | events.Rewound | events.Closed
        if isinstance(event, ends) and event.session in self._tracks:
            self._end(self._tracks.pop(event.session))
            if event.session == self._leader:
                self._leader = self._lead = None

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        session, due = event.session, event.due
        controls, channel = context.controls, context.controls.channel - 1
        track = self._tracks.setdefault(session, Track(channel))
        at = track.follow(event, due)
        self._follow(session, due, context)
        if channel != track.channel:
            self._end(track)
            track.channel = channel
        velocity, transpose = controls.velocity, controls.transpose
        notes = track.voice.play(event, velocity=velocity, transpose=transpose)
        self._add(at, track, notes)

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        """Ends the notes that a long feed interrupts; the feed itself is not recorded."""
        first = next(past(), None)
        track = first and self._tracks.get(first.session)
        if track:
            self._end(track)

    def panic(self) -> None:
        for track in self._tracks.values():
            self._end(track)
        self._tracks.clear()

    def _end(self, track: Track) -> None:
        self._add(track.quiet_at(self._now()), track, track.voice.release())

    def _follow(self, session: str, due: float, context: NoteContext) -> None:
        """Takes the beat of a symbol, if its session leads or no session does."""
        if context.beat is None or self._leader not in (None, session):
            return
        symbol = Symbol(due, context.ends, context.beat.place, context.beat.beats)
        if not symbol.countable:
            return
        if self._grid is not None:
            self._grid.follow(symbol, led=self._leader is not None)
        self._leader, self._lead = session, symbol

    def _add(self, at: float, track: Track, notes: list[Note]) -> None:
        if not notes or self._file is None:
            return
        if self._grid is None:
            self._flushed = at
            self._grid = Grid.led_by(self._lead) if self._lead else Grid(at)
        for note in notes:
            channel = track.channel_of(note)
            begins = bytes((NOTE_ON | channel, note.pitch, note.velocity))
            data = begins if note.velocity else note_off((channel, note.pitch))
            self._waiting.append((at, data))
        if at - self._flushed >= FLUSH:
            self._write(at - FLUSH / 2)

    def _write(self, until: float) -> None:
        """Writes the messages up to a time; later ones wait, since they come a little unordered."""
        assert self._grid is not None and self._file is not None
        self._flushed = until
        self._waiting.sort(key=lambda message: message[0])
        ready = [m for m in self._waiting if m[0] <= until]
        self._waiting = self._waiting[len(ready) :]
        try:
            self._file.add(self._grid.place(ready))
        except OSError as error:  # a full disk; the show goes on
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        log.error("%s: %s; recording no more", self._path, error.strerror)
        self._file = None

    def close(self) -> None:
        """Ends all notes, writes the rest, and closes the file."""
        self.panic()
        if self._file is not None and self._grid is not None:
            self._write(float("inf"))
        if self._file is not None:
            self._file.close()
