"""The composition root: builds the server, starts it, and ends it in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from stream_rnn.adapters.http.attention import Attention
from stream_rnn.adapters.midi.recording import Recorder
from stream_rnn.adapters.web.websocket import Clients
from stream_rnn.clock import MonotonicClock
from stream_rnn.engine.client import ChildEngine
from stream_rnn.serve.engine_ward import EngineWard
from stream_rnn.serve.options import Served, ServeOptions, usable_models
from stream_rnn.serve.sides import Sides
from stream_rnn.serve.signals import Signals
from stream_rnn.serve.spare import keep_spare
from stream_rnn.serve.store import Store
from stream_rnn.serve.web import addresses, listen, make_web_server
from stream_rnn.sessions.tempo import Tempi
from stream_rnn.stage.playout import play_out
from stream_rnn.stage.resident import open_sessions
from stream_rnn.stage.stage import Stage
from stream_rnn.supervise import supervise
from stream_rnn.system import run, time_used

log = logging.getLogger("stream_rnn")

ROLLBACK = 32
DRAIN = 0.4  # seconds that clients have at shutdown to take what waits for them


def serve(options: ServeOptions, announce: Callable[[Sequence[str]], None]) -> None:
    """Serves until a signal ends it: see `serve.signals`.

    Args:
        announce: called with its addresses, those that others can use first, once `/healthz`
            answers 200.

    Raises:
        ConfigError: the address, the models or the token cannot be used.
        EngineError: the engine could not start.
    """
    options.check_access()
    served = usable_models(options)
    with contextlib.closing(listen(options)) as listener:
        run(_serve(options, served, listener, announce))


async def _serve(
    options: ServeOptions,
    served: Served,
    listener: socket.socket,
    announce: Callable[[Sequence[str]], None],
) -> None:
    clock = MonotonicClock()
    stage = Stage(
        served.models,
        rollback=ROLLBACK,
        timing=options.timing,
        limits=options.limits,
        tempi=Tempi(default=options.config.tempo.sync),
    )
    died = asyncio.Event()
    engine = ChildEngine(
        served.engine_options(options, ROLLBACK),
        lambda events: stage.engine_life.said(link, events, clock.now()),
        died.set,
        lambda: stage.tick(clock.now()),
    )
    link = stage.engines.add(engine)
    ward = EngineWard(engine, stage.engine_life, link, clock, died)
    attention = Attention(asyncio.get_running_loop())
    # Requests can wait, and take turns: what they use is free for symbols.
    stage.capacity.used = lambda: time_used() - attention.spent
    # Errors in the configuration are raised here, before anything has been started.
    sides = Sides.of(options, stage, clock, attention)
    recorders = [Recorder(Path(r.file), r.session, clock.now) for r in options.config.record]
    clients = Clients(attention)
    server = make_web_server(options, stage, clock, clients)
    latency = max([t.latency for t in options.config.osc.target], default=0.0)
    Signals(
        stage, clock, end=server.ask_to_exit, end_notes=sides.end_notes, latency=latency
    ).install()
    failures: list[BaseException] = []
    garbage = stage.counters.garbage
    store: Store | None = None

    def watch(task: asyncio.Task[None]) -> None:
        # A task that must run for ever has ended by itself: a bug, after which the server would
        # only look alive.
        if not task.cancelled():
            failures.extend(filter(None, [task.exception()]))
            server.should_exit = True

    try:
        ready = await ward.start()
        tasks = await sides.start()
        for recorder in recorders:
            stage.add_sink(recorder)
        # The sinks have been added by now, and are told of each session that is opened.
        if options.state is not None:
            store = Store(options.state, stage, clock, link, options.limits.away_days)
        open_sessions(stage, options.config.session, clock.now())
        ticking = [*sides.ticking, *([store.keeping] if store is not None else [])]
        tasks.append(asyncio.create_task(play_out(stage, clock, ticking, garbage.rest)))
        log.info("%s on %s, models: %s", engine.name, ready, ", ".join(stage.models))
        garbage.begin()
        tasks.append(asyncio.create_task(supervise(ward, clock)))
        if options.spare:
            tasks.append(asyncio.create_task(keep_spare(engine)))
        for task in tasks:
            task.add_done_callback(watch)
        server.when_started = lambda: announce(addresses(listener))
        if options.token is not None:
            log.info("clients need the token: browsers open the address with /?token=TOKEN")

        async def drain() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # Notes are ended first: the engine may take a while to stop, and nothing that is
            # played meanwhile would end them.
            sides.end_notes()
            engine.stop()
            for recorder in recorders:
                recorder.close()
            if store is not None:
                store.close()
            await sides.stop()
            await clients.drain(DRAIN)

        server.before_shutdown = drain
        await server.serve([listener])
    finally:
        garbage.end()
        if sides.midi is not None:
            sides.midi.stop()
        engine.stop()
        if store is not None:
            store.close()
    if failures:
        raise failures[0]
