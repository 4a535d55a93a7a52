"""MIDI in: turns incoming messages into requests and a tempo. No I/O; the time is passed in.

The MIDI process has the ports and reports what they received, and when. Here these messages
become requests to the stage, as of any client, and a tempo for the transport follower.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from pathlib import Path

from stream_rnn.adapters.midi.clock import GAP, ClockFollower
from stream_rnn.adapters.midi.echo import SILENCING, EchoGuard
from stream_rnn.adapters.midi.held import HeldKeys
from stream_rnn.adapters.midi.keyboard import make_keys
from stream_rnn.adapters.midi.knobs import Knobs
from stream_rnn.adapters.midi.learnt import LearntFile
from stream_rnn.adapters.midi.movements import Movements
from stream_rnn.adapters.midi.turns import Turns
from stream_rnn.config import MidiConfig, MidiIn
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.transport import TransportFollower
from stream_rnn.wire import events, midi

log = logging.getLogger("stream_rnn.midi")

SOURCE = "midi"
PANIC_PAUSE = 1.0  # seconds from one panic to the next: its own messages may come back in


@dataclass
class _InputPort:
    """One input port."""

    config: MidiIn
    reader: midi.Reader
    clock: ClockFollower
    keys: HeldKeys
    movements: Movements = field(default_factory=Movements)


class MidiInput:
    """All input ports.

    Args:
        config: `in_` lists the ports; a port's number is its index there.
        stage: gets the requests.
        follower: gets tempo and transport of the MIDI clock.
        bpm: the tempo until a clock has been heard.

    Raises:
        ConfigError: a controller is bound to something that is no control, or the file of
            learnt controllers is invalid.
    """

    def __init__(
        self, config: MidiConfig, stage: Stage, follower: TransportFollower, *, bpm: float = 120.0
    ) -> None:
        learnt = LearntFile(Path(config.learnt)) if config.learnt else None
        self._stage, self._follower = stage, follower
        self._turns = Turns()
        self._ears = [
            _InputPort(
                one,
                midi.Reader(),
                ClockFollower(bpm),
                HeldKeys(make_keys(one, stage, self, self._turns)),
            )
            for one in config.in_
        ]
        self._knobs = Knobs(config.control, stage, self, learnt, self._panic)
        self._guard = EchoGuard()
        self.learn, self.forget = self._knobs.learn, self._knobs.forget
        # Messages that go out on any port, and silences by the MIDI process, may come back in.
        self.sent, self.silenced = self._guard.sent, self._guard.silenced
        self._leader: int | None = None  # the port whose clock is followed
        self._silent_at = math.inf  # when its clock counts as silent if no pulse comes
        self._panicked = -PANIC_PAUSE
        if self._ears:
            stage.tempi.offer(SOURCE)
        stage.observe(self._turns.tell)
        stage.at_panic(self._turns.stop)  # a panic may come while others hold their keys

    @property
    def bindings(self) -> list[tuple[int | None, str]]:
        """The bound controllers, as (cc, or None for another source; control)."""
        return [(b.cc, b.control) for b in self._knobs.bindings]

    def heard(self, port: int, time: float, data: bytes, now: float) -> None:
        """Handles bytes that came in on a port.

        Args:
            port: the port's number in the configuration.
            time: when the bytes came, on the clock of `now`.
        """
        ear, before = self._ears[port], self.next_time()
        for event in ear.reader.feed(data):
            match event:
                case midi.NoteOn() | midi.NoteOff():
                    if not self._guard.is_echo(port, event, time):
                        self._note(ear, event, time, now)
                case midi.ControlChange():
                    self._control(ear, event, time, now)
                case midi.Wheel() | midi.Aftertouch() | midi.KeyAftertouch() | midi.Program():
                    if not self._guard.is_own_program(event, time):
                        self._knobs.move(ear.movements.hear(event, time), now)
                case _:
                    if not self._guard.is_own_clock(port, event, time):
                        self._clock(port, event, time, now)
        if self.next_time() < before:
            self._stage.times.on_sooner()  # the playout waits for the old time

    def gone(self, port: int, now: float) -> None:
        """Releases all keys of a port that has gone, or from which messages may be missing."""
        ear, before = self._ears[port], self.next_time()
        ear.reader = midi.Reader()  # the rest of an incomplete message will not come
        ear.keys.let_go(now, now)
        if self.next_time() < before:
            self._stage.times.on_sooner()

    def _note(
        self, ear: _InputPort, event: midi.NoteOn | midi.NoteOff, time: float, now: float
    ) -> None:
        plays = ear.config.channel in (None, event.channel)
        if isinstance(event, midi.NoteOff):
            ear.keys.note_off(event, time, now)
            return
        keyed = plays and ear.config.keys != "off"
        if not self._knobs.move(ear.movements.hear(event, time), now, plays=keyed) and plays:
            ear.keys.note_on(event, time, now)

    def _control(self, ear: _InputPort, event: midi.ControlChange, time: float, now: float) -> None:
        plays = ear.config.channel in (None, event.channel)
        if event.controller >= midi.ALL_SOUND_OFF:
            silences = event.controller in SILENCING
            if not plays or (silences and self._guard.is_own_silence(time)):
                return
            ear.keys.mode(event, time, now)
            if silences and ear.config.panic:
                self._panic(now)
            return
        if event.controller == midi.PEDAL and plays:
            ear.keys.pedal(event.channel, event.value >= 64, time)
        self._knobs.move(ear.movements.hear(event, time), now)

    def _panic(self, now: float) -> None:
        if now - self._panicked >= PANIC_PAUSE:
            self._panicked = now
            log.warning("panic, by a MIDI controller")
            self._stage.panic(self, now)

    def _clock(self, port: int, event: midi.MidiEvent, time: float, now: float) -> None:
        """Follows the first clock that is heard, until it falls silent."""
        heard = self._ears[port].clock
        if self._leader != port:
            led = self._leader is not None and time - self._ears[self._leader].clock.last <= GAP
            if led:
                return
            self._leader = port
            log.info("MIDI clock: %s", self._ears[port].config.port)
        if event is midi.Realtime.CLOCK:
            self._silent_at = time + GAP
        for told in heard.hear(event, time):
            if isinstance(told, Tempo):
                self._follower.set_tempo(SOURCE, told, now)
            else:
                self._follower.transport(SOURCE, told, now)
                if told == "stop":
                    sessions = self._stage.sessions.items()
                    self._turns.stop(n for n, s in sessions if s.controls.sync == SOURCE)

    # Actions at a time

    def next_time(self) -> float:
        """When `tick` has something to do; infinity for nothing."""
        keys = [ear.keys.next_time() for ear in self._ears]
        return min([self._knobs.next_time(), self._silent_at, *keys])

    def tick(self, now: float) -> None:
        """Does what is due; to be called before the stage's `tick` of the same moment."""
        for ear in self._ears:
            ear.keys.tick(now)
        self._knobs.tick(now)
        if now >= self._silent_at and self._leader is not None:
            port = self._ears[self._leader].config.port
            log.info("MIDI clock: %s is silent; sessions that follow it keep its last tempo", port)
            self._leader, self._silent_at = None, math.inf

    # As an `Asker`, which the stage answers

    def tell(self, event: events.Event) -> None:
        if isinstance(event, events.Error):
            log.warning("%s", event.message)
