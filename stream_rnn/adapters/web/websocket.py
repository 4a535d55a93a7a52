"""WebSocket connections: for each, one task reads its messages and one sends what has to wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from stream_rnn import __version__
from stream_rnn.adapters.http.attention import Account, Attention
from stream_rnn.adapters.http.line import LINE, Line
from stream_rnn.adapters.web.outbox import Outbox
from stream_rnn.adapters.web.pacing import MESSAGE, SLICE, Budget, Turns, cost
from stream_rnn.clock import Clock
from stream_rnn.control_table import TABLE
from stream_rnn.errors import ProtocolError
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire

TRY_AGAIN_LATER = 1013


class WebSocketViewer:
    """A viewer of the stage that puts its events into an outbox, as frames of JSON."""

    __slots__ = ("_outbox",)

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def tell(self, event: events.Event) -> None:
        self._outbox.tell(event.frame)

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        if (straight := self._outbox.straight) is not None:
            straight(event.frame)
        elif isinstance(event, events.Symbol):
            self._outbox.symbol(event.session, event.n, event.frame, event.epoch)
        else:
            self._outbox.passing(event.frame)

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        self._outbox.history(lambda: (event.frame for event in past()))


def hello(stage: Stage, now: float) -> events.Hello:
    """Makes the first message of a connection."""
    return events.Hello(
        version=wire.VERSION,
        server=f"stream-rnn {__version__}",
        time=now,
        controls={name: row.to_json() for name, row in TABLE.items()},
        models=[model_info(stage, name) for name in sorted(stage.models)],
        instance=stage.instance,
    )


def model_info(stage: Stage, name: str) -> events.ModelInfo:
    """Describes a model to clients."""
    model = stage.models[name]
    return events.ModelInfo(
        name=name,
        title=model.card.title,
        domain=model.codec.domain,
        artists=list(model.card.artists),
        primes=list(model.card.primes),
        controls=model.controls,
    )


class Clients:
    """The present connections, and the count of symbols dropped for slow ones.

    Attributes:
        attention: schedules the work of clients' requests.
        turns: schedules the slices of histories that are sent to clients.
    """

    def __init__(self, attention: Attention) -> None:
        self.attention = attention
        self._outboxes: set[Outbox] = set()
        self.turns = Turns()
        self._dropped = 0

    @contextlib.contextmanager
    def outbox(self, line: Line) -> Iterator[Outbox]:
        """Makes an outbox that counts here for as long as its connection lasts."""
        outbox = Outbox(line)
        self._outboxes.add(outbox)
        try:
            yield outbox
        finally:
            self._outboxes.discard(outbox)
            self._dropped += outbox.take_dropped()

    @property
    def dropped(self) -> int:
        """How many symbols were dropped for slow clients, in all."""
        self._dropped += sum(outbox.take_dropped() for outbox in self._outboxes)
        return self._dropped

    async def drain(self, seconds: float) -> None:
        """Waits until every outbox is empty, but at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for outbox in list(self._outboxes):
                    await outbox.emptied()


async def run_connection(
    websocket: WebSocket, stage: Stage, clock: Clock, clients: Clients
) -> None:
    """Serves one client until it disconnects, or is given up because it does not read."""
    offered = websocket.scope.get("subprotocols") or []
    await websocket.accept(wire.SUBPROTOCOL if wire.SUBPROTOCOL in offered else None)
    account, line = clients.attention.account(), websocket.scope["extensions"][LINE]
    with clients.outbox(line) as outbox:
        viewer = WebSocketViewer(outbox)
        with account.busy():
            viewer.tell(hello(stage, clock.now()))
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(_write(websocket, line, outbox, clients, clock, account))
                reader = tasks.create_task(_read(websocket, outbox, viewer, stage, clock, account))
                # Whichever task ends first cancels the other.
                writer.add_done_callback(lambda _: reader.cancel())
                reader.add_done_callback(lambda _: writer.cancel())
        finally:
            stage.leave(viewer, clock.now())


async def _read(
    websocket: WebSocket,
    outbox: Outbox,
    viewer: WebSocketViewer,
    stage: Stage,
    clock: Clock,
    account: Account,
) -> None:
    budget = Budget(clock.now())
    while True:
        await outbox.room()
        received = await websocket.receive()
        if received["type"] == "websocket.disconnect":
            return
        await account.turn()
        with account.busy():
            caused = _answer(received.get("text"), viewer, stage, clock)
        if debt := budget.spend(caused, clock.now()):
            await asyncio.sleep(debt)


def _answer(text: str | None, viewer: WebSocketViewer, stage: Stage, clock: Clock) -> float:
    """Handles a client's message; returns its cost in the units of `pacing`."""
    if text is None:
        error = ProtocolError("text_only", "send JSON in text frames; binary is not read")
        stage.refuse(viewer, error)
        return MESSAGE
    try:
        message = wire.decode(text)
    except ProtocolError as error:
        stage.refuse(viewer, error, id=wire.request_id(text))
        return MESSAGE
    errors = stage.counters.errors
    stage.handle(viewer, message, clock.now())
    return cost(message, stage, refused=stage.counters.errors > errors)


async def _write(
    websocket: WebSocket,
    line: Line,
    outbox: Outbox,
    clients: Clients,
    clock: Clock,
    account: Account,
) -> None:
    turn_ends = 0.0
    with contextlib.suppress(WebSocketDisconnect, ConnectionError, RuntimeError):
        while (frame := await outbox.next()) is not None:
            if outbox.replaying and clock.now() >= turn_ends:
                # While the line takes everything at once, sending never yields to other tasks.
                await asyncio.sleep(clients.turns.take(clock.now()))
                turn_ends = clock.now() + SLICE
            await line.ready()
            began = clock.now()
            line.write(frame)
            if outbox.answering:
                # A request may cause events to many clients.
                account.charge(min(clock.now() - began, SLICE))
        if websocket.application_state is WebSocketState.CONNECTED:
            await websocket.close(TRY_AGAIN_LATER, "too many unread answers")
