"""The composition root: builds the server, starts it, and ends it in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from stream_rnn.checkpoint import find_models, read_models
from stream_rnn.clock import MonotonicClock
from stream_rnn.config import Config
from stream_rnn.descriptors import allow
from stream_rnn.engine.client import ChildEngine
from stream_rnn.engine.messages import Event
from stream_rnn.errors import CheckpointError, ConfigError
from stream_rnn.gateway.access import Access, is_loopback
from stream_rnn.gateway.beat.conductor import Conductor
from stream_rnn.gateway.beat.tempo import Tempi
from stream_rnn.gateway.house import Limits, Model
from stream_rnn.gateway.http.doors import DoorConfig, Doors
from stream_rnn.gateway.http.refusals import RefusalLog
from stream_rnn.gateway.midi.recording import Recorder
from stream_rnn.gateway.playout import play_out
from stream_rnn.gateway.resident import open_sessions
from stream_rnn.gateway.session import Timing
from stream_rnn.gateway.signals import Signals
from stream_rnn.gateway.stage import Stage
from stream_rnn.gateway.web.app import make_app
from stream_rnn.gateway.web.websocket import Clients
from stream_rnn.interfaces import own_addresses, reached_by
from stream_rnn.pipe import start_anew
from stream_rnn.system import run
from stream_rnn.wire.messages import MAX_MESSAGE

if TYPE_CHECKING:
    from stream_rnn.gateway.beat.link import LinkSide
    from stream_rnn.gateway.midi.side import MidiSide
    from stream_rnn.gateway.osc.side import OscSide

log = logging.getLogger("stream_rnn")

RING = 32
SEND_BUFFER = 1 << 16
DRAIN = 0.4  # seconds that clients have, at the end, to take what waits for them
GRACE = 0.5
HANGS = 10.0  # seconds of an engine's silence, while it is waited for, after which it is killed
WATCH = 1.0  # seconds between looks at how long that is
RESTART_PAUSES = (0.1, 1.0, 5.0)  # before an engine is started anew, by how often it failed


@dataclass(frozen=True)
class ServeOptions:
    """What `stream-rnn serve` takes."""

    host: str = "127.0.0.1"
    port: int = 8765
    osc_port: int | None = 8766
    models: Path = Path("models")
    only: frozenset[str] = frozenset()  # of the models; empty for all
    page: Path = Path("clients/web")
    device: str = "auto"
    token: str | None = None
    anyone: bool = False
    origins: tuple[str, ...] = ()
    connections: int = 1000
    per_address: int = 128  # connections, of an address that is not this machine's
    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)
    config: Config = field(default_factory=Config)


def serve(options: ServeOptions, announce: Callable[[Sequence[str]], None]) -> None:
    """Serves until a signal ends it: see `gateway.signals`.

    Args:
        announce: called with its addresses, those that others can use first, once `/healthz`
            answers 200.

    Raises:
        ConfigError: the address, the models or the token cannot be used.
        EngineError: the engine could not start.
    """
    if not is_loopback(options.host) and options.token is None and not options.anyone:
        raise ConfigError(
            f"--host {options.host} can be reached from elsewhere: give a --token, or say "
            "--anyone if everybody on that network may play"
        )
    found = find_models(options.models)
    folders = {n: f for n, f in found.items() if not options.only or n in options.only}
    cards, faults = read_models(folders)
    for name, card in cards.items():
        if card.name != name:
            faults.append(CheckpointError(f"{folders[name]}: its card says it is {card.name!r}"))
    models = {name: Model.of(card) for name, card in cards.items() if card.name == name}
    for fault in faults:
        log.error("left out: %s", fault)  # the others need not wait for it to be mended
    if not models:
        without = "no models in it that can be used" if faults else "no models in it"
        raise ConfigError(f"{options.models.resolve()}: {without}; name a folder with --models")
    folders = {name: folders[name] for name in models}
    with contextlib.closing(_bind(options.host, options.port)) as listener:
        run(_serve(options, folders, models, listener, announce))


def _bind(host: str, port: int) -> socket.socket:
    listener = None
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":  # where it lets two servers have the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and socket.has_dualstack_ipv6():  # `::` takes IPv4, too
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Connections inherit it: what waits in the kernel for a slow reader is stale, and
        # should be little beside what waits in its outbox.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        if listener is not None:
            listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error}); choose another --port, or 0 for any"
        ) from None
    return listener


async def _serve(
    options: ServeOptions,
    folders: dict[str, Path],
    models: dict[str, Model],
    listener: socket.socket,
    announce: Callable[[Sequence[str]], None],
) -> None:
    clock = MonotonicClock()
    names = () if is_loopback(options.host) else (socket.gethostname(),)
    access = Access.of(options.host, options.token, options.origins, names)
    stage = Stage(
        models,
        lambda commands: engine.send(commands),
        ring=RING,
        timing=options.timing,
        limits=options.limits,
        tempi=Tempi(default=options.config.tempo.sync),
        has_room=lambda: engine.has_room(),
    )
    engine_died = asyncio.Event()

    def on_events(events: Sequence[Event]) -> None:
        stage.engine_said(events, clock.now())

    engine = ChildEngine(
        {
            "models": {name: str(folder) for name, folder in folders.items()},
            "fingerprints": {name: model.card.fingerprint for name, model in models.items()},
            "device": options.device,
            "sessions": options.limits.sessions,
            "ring": RING,
        },
        on_events,
        engine_died.set,
        lambda: stage.tick(clock.now()),
    )
    # What is wrong in the file is told at once, before anything has been started.
    osc = _make_osc(options, stage, clock)
    midi = _make_midi(options, stage, clock)
    link = _make_link(options, stage, clock)
    if osc is not None and midi is not None and midi.input is not None:
        osc.server.learner = midi.input
    recorders = [Recorder(Path(r.file), r.session, clock.now) for r in options.config.record]
    clients = Clients()
    refusals = RefusalLog()
    app = make_app(stage, clock, clients, access, refusals, options.page)
    room = allow(options.connections)
    if room < options.connections:
        log.warning(
            "at most %d connections instead of %d: this process may open no more files "
            "(ulimit -n; systemd: LimitNOFILE)", room, options.connections,
        )  # fmt: skip
    doors = Doors(room, options.per_address)
    server = _Server(DoorConfig(app, doors, refusals, ws_max_size=MAX_MESSAGE))

    def end_notes() -> None:
        if osc is not None:
            osc.end_notes()
        if midi is not None:
            midi.stop()

    latency = max([t.latency for t in options.config.osc.target], default=0.0)
    Signals(stage, clock, end=server.ask_to_exit, end_notes=end_notes, latency=latency).install()
    try:
        ready = await engine.start()
        stage.leave_out(ready.left_out)
        for fault in ready.left_out.values():
            log.error("left out: %s", fault)
        if osc is not None:
            await osc.start()
        tasks = [asyncio.create_task(play_out(stage, clock, midi.ticking if midi else []))]
        if midi is not None:
            tasks.append(await midi.start())
        if link is not None:
            tasks.append(asyncio.create_task(link.run()))
        for recorder in recorders:
            stage.add_sink(recorder)
        # The sinks are there by now, and hear of each session that is opened.
        open_sessions(stage, options.config.session, clock.now())
        log.info("engine %s on %s, models: %s", engine.pid, ready.device, ", ".join(stage.models))
        gc.collect()
        gc.freeze()
        tasks.append(asyncio.create_task(_keep_engine(engine, stage, engine_died, clock)))
        tasks.append(asyncio.create_task(_watch_engine(engine, stage, clock)))
        for task in tasks:
            # A bug in either would leave a server that only looks alive.
            task.add_done_callback(server.watch)
        bound, port = listener.getsockname()[:2]
        hosts = reached_by(bound, own_addresses())
        server.when_started = lambda: announce([f"http://{host}:{port}" for host in hosts])
        if options.token is not None:
            log.info("clients need the token: browsers open the address with /?token=TOKEN")

        async def drain() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # What sounds ends first: the engine may take a while to end, and nothing is played
            # meanwhile that would end it.
            end_notes()
            engine.stop()
            for recorder in recorders:
                recorder.close()
            if osc is not None:
                await osc.stop()
            await clients.drain(DRAIN)

        server.before_shutdown = drain
        await server.serve([listener])
    finally:
        if midi is not None:
            midi.stop()
        engine.stop()
    if server.failure:
        raise server.failure


def _make_osc(options: ServeOptions, stage: Stage, clock: MonotonicClock) -> OscSide | None:
    if options.osc_port is None:
        if options.config.osc.target or options.config.discovery.port is not None:
            raise ConfigError("[[osc.target]] and [discovery] need OSC; leave out --no-osc")
        return None
    from stream_rnn.gateway.osc.side import OscSide

    return OscSide(stage, clock, options.config, options.osc_port, options.token)


def _make_midi(options: ServeOptions, stage: Stage, clock: MonotonicClock) -> MidiSide | None:
    config = options.config.midi
    if not config.out_ and not config.in_:
        return None
    from stream_rnn.gateway.midi.side import MidiSide

    return MidiSide(stage, clock, config, Conductor(stage), options.config.tempo.bpm)


def _make_link(options: ServeOptions, stage: Stage, clock: MonotonicClock) -> LinkSide | None:
    from stream_rnn.gateway.beat.link import LinkSide, wants_link

    if not wants_link(options.config):
        return None
    return LinkSide(stage, Conductor(stage), clock, options.config.tempo.bpm)


async def _keep_engine(
    engine: ChildEngine, stage: Stage, died: asyncio.Event, clock: MonotonicClock
) -> None:
    """Starts the engine anew whenever it dies."""
    while True:
        await died.wait()
        died.clear()
        log.error("the engine died; starting it anew")
        stage.lose_engine()

        async def start() -> None:
            ready = await engine.start()
            for fault in ready.left_out.values():
                log.error("left out: %s", fault)
            stage.leave_out(ready.left_out)

        await start_anew(start, RESTART_PAUSES, "the engine")
        stage.regain_engine(clock.now())
        log.info("engine %s goes on with %d sessions", engine.pid, len(stage.sessions))


async def _watch_engine(engine: ChildEngine, stage: Stage, clock: MonotonicClock) -> None:
    """Ends an engine that hangs, so that another can go on where it was."""
    reads = clock.now()
    while True:
        before = clock.now()
        await asyncio.sleep(WATCH)
        now = clock.now()
        reads = now if engine.has_room() else reads
        if now - before > 2 * WATCH:
            # The gateway itself stood still, and has not read what the engine said.
            reads = now
            continue
        if (silence := max(stage.engine_silence(now), now - reads)) > HANGS:
            log.error("the engine has said nothing for %.0f s; it is killed", silence)
            engine.kill()
            reads = now


class _Server(uvicorn.Server):
    """uvicorn's server, with the signals and the end in our hands."""

    def __init__(self, config: uvicorn.Config) -> None:
        # Clients that do not answer the closing handshake; uvicorn means whole seconds, but
        # only ever waits for so long.
        config.timeout_graceful_shutdown = GRACE  # type: ignore[assignment]
        super().__init__(config)
        self.when_started: Callable[[], Any] = lambda: None
        self.before_shutdown: Callable[[], Awaitable[None]] | None = None
        self.failure: BaseException | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def ask_to_exit(self) -> None:
        """What SIGTERM and SIGINT do; a second one does not wait for clients."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    def watch(self, task: asyncio.Task[None]) -> None:
        """Ends the server if a task that must run for ever has ended by itself: a bug."""
        if not task.cancelled():
            self.failure = task.exception()
            self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.when_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.before_shutdown is not None:
            await self.before_shutdown()
        await super().shutdown(sockets)
