"""Shared by several tests: tiny models, and a stage on a clock that the test moves."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

from stream_rnn.checkpoint import Card, find_models, read_card, save_model
from stream_rnn.clock import ManualClock
from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.client import InlineEngine
from stream_rnn.engine.core import Core, EngineOptions
from stream_rnn.engine.kernels import CountingKernel, make_kernel
from stream_rnn.engine.messages import Command
from stream_rnn.nets.baselines import Network
from stream_rnn.nets.network import Architecture, RecurrentNetwork, State
from stream_rnn.stage.limits import Limits, Model
from stream_rnn.stage.link import EngineLink
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire

ARTISTS = ("Ada", "Bo", "Cy")
ROLLBACK = 32


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


def assert_groups_alike(network: Network, *, rows: int = 70, groupings: int = 40) -> None:
    """Asserts that a row's step gives the same bits in any batch, a batch of one included."""
    a, kernel = network.architecture, make_kernel(network)
    device = kernel.zero_state(1).hidden.device
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    def some() -> torch.Tensor:
        if a.keys:
            return (noise(rows, a.symbols) > 1.5).float()
        return torch.randint(0, a.symbols, (rows,), generator=generator).to(device)

    symbols, bias = some(), noise(rows, kernel.gates)
    state = State(*(noise(*part.shape).tanh() for part in kernel.zero_state(rows)))
    if isinstance(kernel, CountingKernel):  # its states are no numbers like others
        state = kernel.zero_state(rows)
        for _ in range(3):
            state = kernel.step(some(), bias, state)
    after = kernel.step(symbols, bias, state)
    expected = [*after, kernel.logits(after.hidden[-1])[None]]
    dice = random.Random(0)
    sizes = [1, 2, 3, rows, *(dice.randint(1, rows) for _ in range(groupings - 4))]
    for size in sizes:
        lanes = torch.tensor(dice.sample(range(rows), size), device=device)
        there = State(*(part[:, lanes] for part in state))
        one = kernel.step(symbols[lanes], bias[lanes], there)
        found = [*one, kernel.logits(one.hidden[-1])[None]]
        for x, y in zip(found, expected, strict=True):
            # As integers: -0 is not 0.
            assert torch.equal(x.view(torch.int32), y[:, lanes].view(torch.int32))


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
        """Tells the stage that the first engine has died."""
        self.stage.engine_life.lose(self.link, self.clock.now())

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
            self.clock.advance(step)
            self.stage.tick(self.clock.now())
