"""Starts and stops all of MIDI: the process, its watchdog, output and input."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from stream_rnn.adapters.midi.out import MidiSink, Timed
from stream_rnn.clock import Clock
from stream_rnn.config import MidiConfig
from stream_rnn.midi.client import ChildMidi
from stream_rnn.midi.messages import (
    Heard,
    MidiOptions,
    Pong,
    Ports,
    PortSpec,
    Report,
    Silenced,
    Unheard,
)
from stream_rnn.sessions.controls import steps_per_beat
from stream_rnn.sessions.tempo import keeps_own_time
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.transport import TransportFollower
from stream_rnn.supervise import supervise

if TYPE_CHECKING:
    from stream_rnn.adapters.midi.input import MidiInput

log = logging.getLogger("stream_rnn.midi")

PING = 0.25  # seconds between pings
HUNG = 6  # pings in a row without an answer, after which the process counts as hung
PAUSES = (0.1, 0.5, 1.0)  # seconds before a restart, by how many have failed in a row


class MidiWard:
    """The MIDI process, for its supervisor. It counts as hung when it leaves pings unanswered.

    Unanswered pings are counted, and not the time: a gateway that stood still for long has heard
    nothing for long either, and only the pings that it sends afterwards tell anything.
    """

    what = "the MIDI process"

    def __init__(self, process: ChildMidi, died: asyncio.Event, lost: Callable[[], None]) -> None:
        self._process, self.died, self.lost = process, died, lost
        self._unanswered = 0
        self.kill = process.kill

    @property
    def pauses(self) -> Sequence[float]:
        return PAUSES

    @property
    def look(self) -> float:
        return PING

    def hear(self) -> None:
        """Notes a sign of life."""
        self._unanswered = 0

    def hangs(self, now: float, *, stood_still: bool) -> bool:
        if self._unanswered >= HUNG:
            self._unanswered = 0
            return True
        self._unanswered += 1
        self._process.ping()
        return False

    async def start(self) -> None:
        self._unanswered = 0
        await self._process.start()

    def back(self) -> None:
        log.info("MIDI process %s goes on", self._process.pid)


class MidiSide:
    """MIDI output and input.

    Args:
        follower: gets the tempo and transport of a MIDI clock.
        bpm: the tempo until a MIDI clock is heard.

    Raises:
        ConfigError: a drum map or the binding of a controller is invalid.
    """

    def __init__(
        self,
        stage: Stage,
        clock: Clock,
        config: MidiConfig,
        follower: TransportFollower,
        bpm: float,
    ) -> None:
        self._stage, self._clock, self._config = stage, clock, config
        self._sink = MidiSink(
            config.out_, self._play, lambda: self._process.end_notes(), clock.now,
            self._steps_per_beat, lambda: stage.times.on_sooner(),
        )  # fmt: skip
        self.input: MidiInput | None = None
        if config.in_:
            from stream_rnn.adapters.midi.input import MidiInput

            self.input = MidiInput(config, stage, follower, bpm=bpm)
        self._connected: tuple[str | None, ...] = ()
        self._trouble: str | None = None
        died = asyncio.Event()
        self._process = ChildMidi(
            MidiOptions(
                api=config.api,
                client=config.client,
                outs=tuple(PortSpec(o.port, o.virtual) for o in config.out_),
                ins=tuple(PortSpec(i.port, i.virtual) for i in config.in_),
            ),
            self._on_event,
            died.set,
        )
        self._ward = MidiWard(self._process, died, self._lost)
        self._task: asyncio.Task[None] | None = None

    @property
    def ticking(self) -> list[MidiInput | MidiSink]:
        """The parts that act at times of their own: see `playout.Ticking`."""
        return [self._sink] if self.input is None else [self.input, self._sink]

    def _steps_per_beat(self, model: str) -> int | None:
        played = self._stage.models[model]
        # A stream whose symbols give their own lengths has no beat. One that spells out notes
        # has a beat, but its symbols do not stand on it.
        own = keeps_own_time(played.codec) or played.codec.reading() is not None
        return None if own else steps_per_beat(played.card)

    async def start(self) -> asyncio.Task[None]:
        """Starts the process, and adds the sink to the stage.

        Returns:
            The task that keeps the process alive, for ever.

        Raises:
            StreamRnnError: the process did not start. It is no error if no MIDI system is
                running or a port is missing, since they may come later.
        """
        await self._process.start()
        self._stage.add_sink(self._sink)
        self._task = asyncio.create_task(supervise(self._ward, self._clock))
        return self._task

    def stop(self) -> None:
        """Ends every note and the process; does nothing if called again."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._sink.panic()
            self._process.stop()

    def _play(self, messages: list[Timed]) -> None:
        if self.input is not None:
            now = self._clock.now()
            for time, port, data in messages:
                self.input.sent(max(time, now), data, port)  # a late message goes out at once
        self._process.play(messages)

    def _on_event(self, event: Report) -> None:
        self._ward.hear()
        match event:
            case Ports():
                self._let_go(event.ins)
                self._tell_of(event)
                self._sink.ports(event.outs)
            case Heard(port, time, data) if self.input is not None:
                self.input.heard(port, time, data, self._clock.now())
            case Unheard(port) if self.input is not None:
                self.input.gone(port, self._clock.now())
            case Silenced(time) if self.input is not None:
                self.input.silenced(time)
            case Pong():
                self._stage.counters.midi.add(event)

    def _let_go(self, ins: Sequence[str | None]) -> None:
        """Releases the keys of keyboards that have gone."""
        before = self._connected[len(self._config.out_) :]
        for port, (old, new) in enumerate(zip(before, ins, strict=False)):
            if self.input is not None and old is not None and new != old:
                self.input.gone(port, self._clock.now())

    def _tell_of(self, ports: Ports) -> None:
        """Logs which ports have come or gone, and at first which are missing."""
        if ports.trouble and ports.trouble != self._trouble:
            log.warning("%s; playing on without MIDI until there is one", ports.trouble)
        connected = (*ports.outs, *ports.ins)
        wanted = [*(o.port for o in self._config.out_), *(i.port for i in self._config.in_)]
        if not ports.trouble:
            before = self._connected or (None,) * len(connected)
            first = not self._connected or self._trouble != ""
            for name, old, new in zip(wanted, before, connected, strict=True):
                if new is not None and new != old:
                    log.info("MIDI port %r is here: %s", name, new)
                elif new is None and (old is not None or first):
                    log.warning("MIDI port %r is not here; waiting for it", name)
        self._connected, self._trouble = connected, ports.trouble

    def _lost(self) -> None:
        self._sink.died()
        self._let_go([None] * len(self._config.in_))
        self._connected = ()
        self._stage.counters.midi_deaths += 1
