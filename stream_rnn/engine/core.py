"""The engine: commands in, symbols out, no sockets and no timetable.

It steps, among all sessions with credit, those whose next symbol is due first. The time is
passed in, only to judge how near that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stream_rnn.checkpoint import load_network, read_card
from stream_rnn.engine.messages import Close, Command, Credit, Event, Failed, Open, Plan, Ready
from stream_rnn.engine.schedule import Choice, choose
from stream_rnn.engine.slots import TILE, Slots, boundary_is_zero
from stream_rnn.errors import ConfigError, EngineError


@dataclass(frozen=True)
class EngineOptions:
    """How an engine is built.

    Attributes:
        models: folders, by the name sessions open them by.
        device: `auto` (CUDA where there is one), `cpu` or `cuda`.
        sessions: how many fit, of each model.
        tile: the most sessions stepped together.
        ring: positions that can be gone back to; look-ahead is below it.
        near: seconds to a deadline within which nothing is waited for.
        collect: seconds that work may collect for a fuller tile.
    """

    models: dict[str, Path]
    device: str = "auto"
    sessions: int = 256
    tile: int = TILE
    ring: int = 32
    near: float = 0.04
    collect: float = 0.012


def pick_device(name: str) -> torch.device:
    """The device of a name.

    Raises:
        ConfigError: CUDA was asked for and is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no CUDA device; use --device cpu")
    return torch.device(name)


class Core:
    """Sessions of several models on one device.

    Raises:
        CheckpointError: a model cannot be loaded.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self.device = pick_device(options.device)
        torch.set_num_threads(1)
        torch.backends.cuda.matmul.allow_tf32 = False
        self._models: dict[str, Slots] = {}
        for name, folder in options.models.items():
            card = read_card(folder)
            codec, network = card.make_codec(), load_network(folder, card)
            assert boundary_is_zero(codec)
            self._models[name] = Slots(
                network.to(self.device),
                codec,
                count=options.sessions,
                ring=options.ring,
                tile=options.tile,
            )
        self._where: dict[int, tuple[Slots, int]] = {}
        self._since: dict[str, float] = {}
        self._served: dict[str, int] = {}  # which tile was a model's last
        self._tiles = 0

    def ready(self) -> Ready:
        """What the engine says first."""
        return Ready(str(self.device), self._options.ring)

    def apply(self, commands: Sequence[Command]) -> list[Event]:
        """Takes commands. One that cannot be followed is answered with `Failed`."""
        failed: list[Event] = []
        for command in commands:
            try:
                self._apply(command)
            except EngineError as error:
                failed.append(Failed(str(error)))
        return failed

    def _apply(self, command: Command) -> None:
        match command:
            case Open(key, model):
                if model not in self._models:
                    raise EngineError(f"there is no model {model!r}")
                slots = self._models[model]
                self._where[key] = (slots, slots.open(key))
            case Plan(key):
                slots, slot = self._find(key)
                slots.plan(slot, command)
            case Close(key):
                slots, slot = self._find(key)
                slots.close(slot)
                del self._where[key]
            case Credit():
                columns = (
                    np.frombuffer(command.keys, np.int64).tolist(),
                    np.frombuffer(command.until, np.int64).tolist(),
                    np.frombuffer(command.position, np.int64).tolist(),
                    np.frombuffer(command.due).tolist(),
                    np.frombuffer(command.interval).tolist(),
                )
                for key, until, position, due, interval in zip(*columns, strict=True):
                    if key in self._where:
                        slots, slot = self._where[key]
                        slots.credit(slot, until, position, due, interval)

    def _find(self, key: int) -> tuple[Slots, int]:
        if key not in self._where:
            raise EngineError(f"there is no session {key}")
        return self._where[key]

    def step(self, now: float) -> tuple[list[Event], float]:
        """Steps the most urgent tile, if any is to be stepped now.

        Returns:
            What came of it, and when to ask again: at once (`now`), later, or (infinity)
            not before a command comes.
        """
        choices = {
            name: self._choose(name, slots, now)
            for name, slots in self._models.items()
            if not slots.empty
        }
        # Among models that are late already, each has its turn: one that has too much to do
        # must not stop the others.
        urgent = min(
            (name for name, choice in choices.items() if len(choice.slots)),
            key=lambda name: (max(choices[name].deadline, now), self._served.get(name, -np.inf)),
            default=None,
        )
        if urgent is None:
            return [], min((choice.wake for choice in choices.values()), default=np.inf)
        self._served[urgent] = self._tiles
        self._tiles += 1
        if not choices[urgent].collecting:
            self._since.pop(urgent, None)
        return list(self._models[urgent].advance(choices[urgent].slots)), now

    def prepare(self) -> bool:
        """Does ahead what can be, for one session; to be called while `step` does nothing.

        Returns:
            Whether there was something.
        """
        return any(slots.prepare() for slots in self._models.values() if not slots.empty)

    def _choose(self, name: str, slots: Slots, now: float) -> Choice:
        near = self._options.near
        ready, deadlines = slots.ready(now, near)
        if not len(ready):
            self._since.pop(name, None)
        return choose(
            ready,
            deadlines,
            now=now,
            since=self._since.setdefault(name, now) if len(ready) else now,
            tile=slots.tile,
            near=near,
            collect=self._options.collect,
        )
