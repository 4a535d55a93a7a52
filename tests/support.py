"""Shared by several tests: tiny models, and a stage on a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from stream_rnn.checkpoint import Card, find_models, read_card, save_model
from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.client import InlineEngine
from stream_rnn.engine.core import Core, EngineOptions
from stream_rnn.engine.kernels import Kernel
from stream_rnn.engine.messages import Command, Settings
from stream_rnn.engine.steering import Steering
from stream_rnn.nets.network import Architecture, RecurrentNetwork
from stream_rnn.stage.limits import Limits, Model
from stream_rnn.stage.link import EngineLink
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire

ARTISTS = ("Ada", "Bo", "Cy")
ROLLBACK = 32


class ManualClock:
    """A clock that stands still until it is moved, for tests and for work without deadlines."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Moves the clock on."""
        self._now += seconds


def resident(pid: int) -> int:
    """Bytes of memory that a process has now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def make_text_model(folder: Path, *, hidden: int = 32, layers: int = 1) -> Card:
    """An untrained text model with large weights, so that its distributions are far from even."""
    codec = TextCodec("abcdefghijklmnopqrstuvwxyz \n")
    return _save(
        folder, codec, Architecture(codec.size, len(ARTISTS), hidden, layers, "categorical")
    )


def make_roll_model(folder: Path, *, hidden: int = 32, layers: int = 2) -> Card:
    """A piano-roll model of the same kind."""
    codec = PianorollCodec(4)
    return _save(folder, codec, Architecture(codec.size, 0, hidden, layers, "bernoulli"))


def make_band_model(folder: Path) -> Card:
    """A model of an ensemble, of the same kind."""
    codec = EnsembleCodec.usual()
    return _save(folder, codec, Architecture(codec.size, 0, 32, 1, "categorical"))


def make_categorical_model(folder: Path, codec: Any) -> Card:
    """A model of any codec of indices, of the same kind."""
    return _save(folder, codec, Architecture(codec.size, 0, 32, 1, "categorical"))


def _save(folder: Path, codec: Any, architecture: Architecture) -> Card:
    torch.manual_seed(3)
    network = RecurrentNetwork(architecture)
    with torch.no_grad():
        network.output.weight.mul_(12 if codec.domain == "text" else 4)
        if codec.domain == "pianoroll":
            network.output.bias.fill_(-3.0)
    card = Card(
        name=folder.name, title=f"a tiny {codec.domain} model", codec=codec.to_json(),
        architecture=architecture.to_json(),
        artists=ARTISTS[: architecture.artists], defaults={"temperature": 1.0, "rate": 20.0},
        primes=("hello",) if codec.domain == "text" else (),
    )  # fmt: skip
    return save_model(folder, card, network, half=False)


def make_models(root: Path) -> Path:
    """A models folder with `verse` and `roll`."""
    make_text_model(root / "verse")
    make_roll_model(root / "roll")
    return root


def assert_groups_alike(kernel: Kernel, *, rows: int = 70, groupings: int = 40) -> None:
    """Asserts that a row's step and draw give the same bits in any batch, alone included."""
    a, dice = kernel.architecture, np.random.default_rng(0)
    codec = SimpleNamespace(size=a.symbols, suppressed=(), transitions=None)
    steering, room = Steering(kernel, codec, rows), kernel.room(2 * rows)  # type: ignore[arg-type]
    for row in range(rows):
        blend = dice.dirichlet(np.ones(a.artists)) if a.artists else ()
        steering.plan(row, [(0, Settings(0.5 + row / rows, seed=row, artists=tuple(blend)))])
        kernel.put(room, row, kernel.zero_state(1))
    everyone = np.arange(rows)
    steering.follow(everyone, np.zeros(rows, np.int64))
    keys = a.symbols if a.keys else 1

    def step(some: NDArray[np.int64], symbols: NDArray[np.int64], n: int, after: int) -> Any:
        made, positions = np.zeros_like(symbols), np.full(len(some), n)
        at, to = some, some + after
        kernel.advance(symbols, some, positions, steering.settings, at, to, room, made)
        states = [kernel.export_state(kernel.get(room, int(place))) for place in to]
        return made.tolist(), states

    symbols = np.zeros((rows, keys), np.int64)
    for n in range(3):  # states like those of real streams
        symbols = np.array(step(everyone, symbols, n, 0)[0])
    made, states = step(everyone, symbols, 3, rows)
    sizes = [1, 2, 3, rows, *dice.integers(1, rows, groupings - 4)]
    for size in sizes:
        some = dice.permutation(rows)[:size]
        found = step(some, symbols[some], 3, rows)
        assert found == ([made[i] for i in some], [states[i] for i in some])


def shown(fields: dict[str, Any]) -> events.Live:
    """A symbol or a touch, from fields as JSON has them."""
    kind = events.Touch if "touch" in fields else events.Symbol
    return msgspec.convert({"session": "s", "n": 0, "due": 0.0, **fields}, kind)


class Ear:
    """A viewer that hears everything at once."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def tell(self, event: events.Event) -> None:
        self.messages.append(json.loads(event.json))

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        self.tell(event)

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        for event in past():
            self.tell(event)

    def of(self, kind: str, session: str | None = None) -> list[dict[str, Any]]:
        """The messages of a type."""
        return [
            m for m in self.messages
            if m["type"] == kind and session in (None, m.get("session"))
        ]  # fmt: skip

    def last(self, kind: str) -> dict[str, Any]:
        """The latest message of a type."""
        return self.of(kind)[-1]

    def stream(self, session: str) -> list[Any]:
        """What each symbol was, in order of arrival: characters, or tuples of pitches."""
        return [m.get("text", tuple(m.get("notes", ()))) for m in self.of("symbol", session)]


class Mute:
    """An engine that computes nothing; a test can do that itself."""

    def send(self, commands: Sequence[Command]) -> None:
        """Drops them."""

    def has_room(self) -> bool:
        return True


def stage_of(card: Card) -> Stage:
    """A stage of one model, without an engine that computes anything."""
    stage = Stage({card.name: Model.of(card)})
    stage.engines.add(Mute())
    return stage


class House:
    """A stage and an engine in this process, on a clock that the test moves."""

    engine_type = InlineEngine
    slots = 256  # of each model

    def __init__(
        self,
        models: Path,
        *,
        limits: Limits | None = None,
        batch: int = 4,
        rollback: int = ROLLBACK,
    ) -> None:
        self.models, self.batch, self.rollback = models, batch, rollback
        self.clock = ManualClock(1000.0)
        folders = find_models(models)
        self.stage = Stage(
            {name: Model.of(read_card(path)) for name, path in folders.items()},
            rollback=rollback, limits=limits,
        )  # fmt: skip
        self.engine, self.link = self.add_engine()

    def add_engine(self) -> tuple[InlineEngine, EngineLink]:
        """Adds an engine that has been started."""

        def make() -> Core:
            folders = find_models(self.models)
            return Core(
                EngineOptions(
                    folders,
                    device="cpu",
                    sessions=self.slots,
                    batch=self.batch,
                    rollback=self.rollback,
                )
            )

        life = self.stage.engine_life
        engine = self.engine_type(
            make,
            lambda events: life.said(link, events, self.clock.now()),
            lambda: life.lose(link, self.clock.now()),
        )
        engine.begin()
        link = self.stage.engines.add(engine)
        return engine, link

    def start_engine(self) -> None:
        """Replaces the first engine by a new one, which knows nothing."""
        self.engine.begin()

    def lose_engine(self) -> None:
        """Kills the first engine, and tells the stage so."""
        self.engine.kill()

    def regain_engine(self) -> None:
        """Tells the stage that the first engine is back."""
        self.stage.engine_life.regain(self.link, self.clock.now())

    def engine_silence(self) -> float:
        """Seconds that sessions have been waiting for the first engine."""
        return self.stage.engine_life.unanswered_for(self.link, self.clock.now())

    def join(self) -> Ear:
        """A new client."""
        return Ear()

    def say(self, ear: Ear, type: str, **fields: Any) -> None:
        """Sends a client's message, by way of the same decoder as real ones."""
        message = wire.decode(json.dumps({"type": type, **fields}))
        self.stage.handle(ear, message, self.clock.now())

    def run(self, seconds: float, step: float = 0.004) -> None:
        """Lets time pass, while engine and stage do their work."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.engine.pump(self.clock.now())
            self.doze(end, step)
            self.stage.tick(self.clock.now())

    def doze(self, end: float, step: float) -> None:
        """Moves the clock on by a step, and by more until somebody has something to do."""
        soonest = min(end, self.engine.wake, self.stage.next_time())
        self.clock.advance(step)
        while self.clock.now() < soonest:
            self.clock.advance(step)
