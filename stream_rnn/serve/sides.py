"""OSC, OSCQuery, MIDI and Link: those that the options ask for. Others are not even imported."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_rnn.clock import Clock
from stream_rnn.errors import ConfigError
from stream_rnn.serve.options import ServeOptions
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.transport import TransportFollower

if TYPE_CHECKING:
    from stream_rnn.adapters.http.attention import Attention
    from stream_rnn.adapters.midi.input import MidiInput
    from stream_rnn.adapters.midi.out import MidiSink
    from stream_rnn.adapters.midi.side import MidiSide
    from stream_rnn.adapters.osc.side import OscSide
    from stream_rnn.adapters.oscquery.server import Discovery
    from stream_rnn.adapters.tempo.ableton_link import LinkSide


@dataclass(frozen=True)
class Sides:
    """The ways to reach the stage besides the web; each is none if not asked for."""

    osc: OscSide | None
    discovery: Discovery | None
    midi: MidiSide | None
    link: LinkSide | None

    @classmethod
    def of(cls, options: ServeOptions, stage: Stage, clock: Clock, attention: Attention) -> Sides:
        """The sides that the options ask for, not started yet.

        Args:
            attention: the turns of the web side's clients, which OSCQuery's share.

        Raises:
            ConfigError: something in the configuration is not allowed.
        """
        osc, midi = make_osc(options, stage, clock), _make_midi(options, stage, clock)
        if osc is not None and midi is not None and midi.input is not None:
            osc.server.desk.learner = midi.input
        discovery = None if osc is None else _make_discovery(options, stage, osc, attention)
        return cls(osc, discovery, midi, _make_link(options, stage, clock))

    @property
    def ticking(self) -> list[MidiInput | MidiSink]:
        """The parts that act at set times: see `playout.Ticking`."""
        return self.midi.ticking if self.midi else []

    async def start(self) -> list[asyncio.Task[None]]:
        """Starts them.

        Returns:
            Tasks that run for ever.

        Raises:
            StreamRnnError: an address cannot be listened on, or a process did not start.
        """
        tasks = []
        if self.osc is not None:
            await self.osc.start()
            if self.discovery is not None:
                await self.discovery.start(self.osc.server.local[1])
        if self.midi is not None:
            tasks.append(await self.midi.start())
        if self.link is not None:
            tasks.append(asyncio.create_task(self.link.run()))
        return tasks

    def end_notes(self) -> None:
        """Ends all notes at all outputs; nothing is sent after them."""
        if self.osc is not None:
            self.osc.end_notes()
        if self.midi is not None:
            self.midi.stop()

    async def stop(self) -> None:
        """Stops what `end_notes` leaves running."""
        if self.discovery is not None:
            await self.discovery.stop()


def make_osc(options: ServeOptions, stage: Stage, clock: Clock) -> OscSide | None:
    """OSC, unless `--no-osc` leaves it out.

    Raises:
        ConfigError: it is left out, but the configuration needs it.
    """
    if options.osc_port is None:
        if options.config.osc.target or options.config.discovery.port is not None:
            raise ConfigError("[[osc.target]] and [discovery] need OSC; leave out --no-osc")
        return None
    from stream_rnn.adapters.osc.side import OscSide

    return OscSide(stage, clock, options.config, options.osc_port, options.token)


def _make_discovery(
    options: ServeOptions, stage: Stage, osc: OscSide, attention: Attention
) -> Discovery | None:
    config = options.config
    if config.discovery.port is None:
        return None
    from stream_rnn.adapters.oscquery.server import Discovery

    allow = osc.server.options.allow
    return Discovery(stage, attention, config.osc.host, allow, config.discovery, options.token)


def _make_midi(options: ServeOptions, stage: Stage, clock: Clock) -> MidiSide | None:
    config = options.config.midi
    if not config.out_ and not config.in_:
        return None
    from stream_rnn.adapters.midi.side import MidiSide

    return MidiSide(stage, clock, config, TransportFollower(stage), options.config.tempo.bpm)


def _make_link(options: ServeOptions, stage: Stage, clock: Clock) -> LinkSide | None:
    from stream_rnn.adapters.tempo.ableton_link import LinkSide, wants_link

    if not wants_link(options.config):
        return None
    return LinkSide(stage, TransportFollower(stage), clock, options.config.tempo.bpm)
