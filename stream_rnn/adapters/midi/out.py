"""MIDI out: a sink of the stage that turns symbols into timed messages for the MIDI process.

Every note ends, at the latest when its session pauses, goes back or closes, or changes channel.
If the MIDI process dies, the next one ends the notes that were left sounding.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from stream_rnn.adapters.midi.clock import ClockOut
from stream_rnn.config import MidiOut
from stream_rnn.errors import ConfigError
from stream_rnn.midi.player import NOTE_ON, Key, all_notes_off, ends_of, note_off
from stream_rnn.sound.track import DRUM_CHANNEL, Track
from stream_rnn.sound.voice import Note, Voice, is_verse
from stream_rnn.stage.subscribers import NoteContext, fits
from stream_rnn.wire import events

PROGRAM = 0xC0
MEMORY = 5.0  # seconds; longer than it can take to see that the MIDI process is dead
TAIL = 0.25  # seconds that notes may ring on after a pause, if their symbol lasts as long

Timed = tuple[float, int, bytes]  # time, port, message


class MidiSink:
    """A sink of the stage that plays sessions on MIDI ports.

    Args:
        routes: which sessions play on which port; a route's index is its port's number.
        play: takes messages to be sent at their times.
        end_notes: ends all notes at once, on every port.
        now: the stage's clock.
        steps_per_beat: symbols in a beat, by the name of a model; None if it keeps no beat.
        wake: called when `next_time` may have become sooner.

    Raises:
        ConfigError: a drum map is invalid.
    """

    def __init__(
        self,
        routes: Sequence[MidiOut],
        play: Callable[[list[Timed]], None],
        end_notes: Callable[[], None],
        now: Callable[[], float],
        steps_per_beat: Callable[[str], int | None] = lambda model: None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._routes, self._steps_per_beat, self._wake = routes, steps_per_beat, wake
        self._drums = [_drum_map(route) for route in routes]
        self._play, self._end_notes, self._now = play, end_notes, now
        self._tracks: dict[tuple[str, int], Track] = {}
        self._connected = [False] * len(routes)
        self._hanging: list[set[Key]] = [set() for _ in routes]
        self._clocks: dict[int, ClockOut] = {}
        self._ended: deque[tuple[float, int, Key]] = deque()  # the notes ended lately

    # As a sink of the stage

    def wants(self, session: str, *, silent: bool = False) -> bool:
        clocks = any(route.clock == session for route in self._routes)
        return clocks or any(fits(r.session, session, silent=silent) for r in self._routes)

    def _ports_of(self, session: str) -> Iterator[int]:
        """The ports on which a session has a track."""
        for port in range(len(self._routes)):
            if (session, port) in self._tracks:
                yield port

    def tell(self, event: events.Event) -> None:
        match event:
            case events.Opened(session=session, silent=silent):
                for port, route in enumerate(self._routes):
                    # The session has one already if its model changed, or if a fork now plays.
                    if fits(route.session, session, silent=silent) and (
                        (session, port) not in self._tracks
                    ):
                        channel = self._channel(port, event.controls["channel"])
                        track = self._tracks[session, port] = Track(channel, Voice(led=route.led))
                        self._send_program(port, track)
                self._open_clocks(session, event.model, event.controls["bpm"])
            case events.Controlled(session=session, pending=False):
                for _, clock in self._clocks_of(session):
                    clock.bpm = event.controls["bpm"]
            case events.Paused(session=session) | events.Closed(session=session):
                self._release(session, TAIL)
                self._stop_clocks(session)
            case events.Reset(session=session) | events.Rewound(session=session):
                self._release(session, 0.0)
                self._stop_clocks(session)
        if isinstance(event, events.Closed):
            for port in list(self._ports_of(event.session)):
                del self._tracks[event.session, port]
            for port, _ in list(self._clocks_of(event.session)):
                del self._clocks[port]

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        session = event.session
        if isinstance(event, events.Symbol):
            for port, clock in self._clocks_of(session):
                clock.bpm = context.controls.bpm
                messages = clock.symbol(event.n, event.due, context.ends, fed=event.fed)
                self._play_clock(port, messages)
        for port in self._ports_of(session):
            route, track = self._routes[port], self._tracks[session, port]
            if is_verse(event) and not route.text:
                continue
            at = track.follow(event, context.ends)
            channel = self._channel(port, context.controls.channel)
            if channel != track.channel:
                self._send(port, track, at, track.voice.release())
                track.channel = channel
                self._send_program(port, track)
            notes = track.voice.play(
                event,
                velocity=context.controls.velocity if route.velocity is None else route.velocity,
                transpose=context.controls.transpose + route.transpose,
            )
            self._send(port, track, at, notes)

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        """Ends the notes that a long feed interrupts; the feed itself is not played."""
        first = next(past(), None)
        if first is not None:
            self._release(first.session, 0.0)

    def panic(self) -> None:
        for track in self._tracks.values():
            track.voice.release()
        self._end_notes()
        now = self._now()
        # Also end notes on the synthesizer that we do not know of.
        everywhere = itertools.product(range(len(self._routes)), range(16))
        self._play([(now, port, all_notes_off(channel)) for port, channel in everywhere])

    # From the MIDI process

    def ports(self, connected: Sequence[str | None]) -> None:
        """Takes what each port is connected to now; ends hanging notes on ports that are back."""
        for port, name in enumerate(connected):
            came = name is not None and not self._connected[port]
            self._connected[port] = name is not None
            if came:
                now = self._now()
                self._play([(now, port, end) for end in ends_of(self._hanging[port])])
                self._hanging[port].clear()
                for (_, number), track in self._tracks.items():
                    if number == port:
                        self._send_program(port, track)

    def died(self) -> None:
        """Handles the death of the MIDI process, which left notes sounding. When it stopped is not
        known, so notes that were ended lately may still sound, too."""
        for (_, port), track in self._tracks.items():
            self._send(port, track, self._now(), track.voice.release())
        for at, port, key in self._ended:
            if at > self._now() - MEMORY:
                self._hanging[port].add(key)
        self._ended.clear()
        self._connected = [False] * len(self._routes)

    # MIDI clock

    def _open_clocks(self, session: str, model: str, bpm: float) -> None:
        steps = self._steps_per_beat(model)
        for port, route in enumerate(self._routes):
            if route.clock != session:
                continue
            if steps is None:  # the session's new model keeps no beat
                self._clocks.pop(port, None)
            elif port not in self._clocks or self._clocks[port].per_beat != steps:
                always = route.clock_runs == "always"
                self._clocks[port] = ClockOut(steps, bpm, always=always)
                self._wake()

    def next_time(self) -> float:
        """When `tick` has pulses of paused sessions to send; infinity for none."""
        return min((clock.next_time() for clock in self._clocks.values()), default=math.inf)

    def tick(self, now: float) -> None:
        """Sends the pulses that are due soon."""
        for port, clock in self._clocks.items():
            self._play_clock(port, clock.run_on(now))

    def _clocks_of(self, session: str) -> Iterator[tuple[int, ClockOut]]:
        for port, clock in self._clocks.items():
            if self._routes[port].clock == session:
                yield port, clock

    def _stop_clocks(self, session: str) -> None:
        for port, clock in self._clocks_of(session):
            self._play_clock(port, clock.stop(self._now()))
            self._wake()

    def _play_clock(self, port: int, messages: list[tuple[float, bytes]]) -> None:
        latency = self._routes[port].latency
        if messages:
            self._play([(time + latency, port, data) for time, data in messages])

    # Messages

    def _channel(self, port: int, controlled: int) -> int:
        route = self._routes[port]
        return DRUM_CHANNEL if route.drums else (route.channel or controlled) - 1

    def _send_program(self, port: int, track: Track) -> None:
        program = self._routes[port].program
        programs = () if program is None else (program,) if isinstance(program, int) else program
        for player, number in enumerate(programs):
            channel = track.channel_of(Note(0, 0, player))
            self._play([(self._now(), port, bytes((PROGRAM | channel, number)))])

    def _release(self, session: str, tail: float) -> None:
        now = self._now()
        for port in self._ports_of(session):
            track = self._tracks[session, port]
            self._send(port, track, track.quiet_at(now, tail), track.voice.release())

    def _send(self, port: int, track: Track, at: float, notes: list[Note]) -> None:
        at += self._routes[port].latency
        drums, messages = self._drums[port], []
        while self._ended and self._ended[0][0] < at - MEMORY:
            self._ended.popleft()
        for note in notes:
            pitch = drums.get(note.pitch) if drums else note.pitch
            if pitch is None:
                continue
            channel = track.channel if drums else track.channel_of(note)
            key = (channel, pitch)
            if note.velocity:
                messages.append((at, port, bytes((NOTE_ON | channel, pitch, note.velocity))))
            else:
                messages.append((at, port, note_off(key)))
                self._ended.append((at, port, key))
        # A port that is gone gets nothing before `ports` has ended what was left sounding there.
        if messages and self._connected[port]:
            self._play(messages)


def _drum_map(route: MidiOut) -> dict[int, int]:
    drums = {}
    for pitch, key in route.drums.items():
        if not pitch.isdecimal() or int(pitch) > 127:
            raise ConfigError(f"midi.out {route.port!r}: drums: {pitch!r} is not a MIDI pitch")
        drums[int(pitch)] = key
    return drums
