"""The engine: commands in, symbols out, no sockets and no timetable.

It steps, among all sessions with credit, those whose next symbol is due first. The time is
passed in, only to judge how near that is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from stream_rnn.checkpoint import load_network, read_card
from stream_rnn.engine.messages import (
    Caution,
    Close,
    Command,
    Credits,
    Doing,
    EngineEvent,
    Failed,
    Open,
    Plan,
    Ready,
)
from stream_rnn.engine.schedule import Choice, choose
from stream_rnn.engine.slots import BATCH, Slots, boundary_is_zero
from stream_rnn.errors import CheckpointError, ConfigError, EngineError, StreamRnnError

log = logging.getLogger("stream_rnn.engine")

# Those who have a long past to come through wait while others want anything, at most so long.
PATIENCE = 0.05  # seconds
FEW = 8  # rows of a step then
SOME = 16  # rows of one while the others' next step is near
LONG = 0.01  # seconds, in which that is


@dataclass(frozen=True)
class EngineOptions:
    """How an engine is built.

    Attributes:
        models: folders, by the name sessions open them by.
        fingerprints: of their cards, as the gateway has read them.
        device: `auto` (CUDA where there is one), `cpu` or `cuda`.
        sessions: how many fit, of each model.
        batch: the most sessions stepped together.
        rollback: positions that can be gone back to; look-ahead is below it.
        margin: seconds to a deadline within which nothing is waited for.
        batch_window: seconds that work may wait for a fuller batch.
    """

    models: dict[str, Path]
    device: str = "auto"
    sessions: int = 256
    batch: int = BATCH
    rollback: int = 32
    margin: float = 0.04
    batch_window: float = 0.012
    fingerprints: dict[str, str] = field(default_factory=dict)


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

    Attributes:
        left_out: models that cannot be loaded, and why: the others are served.
        say: takes what must be known before it goes on; see `Doing`.

    Raises:
        ConfigError: the device is not there.
        EngineError: no model can be loaded.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self.say: Callable[[Sequence[EngineEvent]], None] = lambda events: None
        self._caution = 0
        self.device = pick_device(options.device)
        torch.set_num_threads(1)
        torch.backends.cuda.matmul.allow_tf32 = False
        self._models: dict[str, Slots] = {}
        self.left_out: dict[str, str] = {}
        for name, folder in options.models.items():
            try:
                self._models[name] = self._load(folder, options.fingerprints.get(name))
            except StreamRnnError as error:
                self.left_out[name] = str(error)
            except Exception as error:  # whatever is in a folder concerns that model only
                log.exception("%s cannot be loaded", folder)
                self.left_out[name] = f"{folder}: cannot be loaded: {error!r}"
        if options.models and not self._models:
            raise EngineError("; ".join(self.left_out.values()))
        self._where: dict[int, tuple[Slots, int]] = {}
        self._since: dict[str, float] = {}
        self._served: dict[str, int] = {}  # which batch was a model's last
        self._batches = 0
        self._caught: dict[str, tuple[int, int]] = {}  # a model's turn to catch up, and which slot
        self._turns = 0
        self._caught_up = 0.0  # when somebody last did

    def _load(self, folder: Path, fingerprint: str | None) -> Slots:
        card = read_card(folder)
        if fingerprint not in (None, card.fingerprint):
            raise CheckpointError(
                f"{folder}: is another model than when this server started, and its sessions would "
                "go on as something else; start the server anew to play it"
            )
        codec, network = card.make_codec(), load_network(folder, card)
        assert boundary_is_zero(codec)
        options = self._options
        return Slots(
            network.to(self.device),
            codec,
            count=options.sessions,
            rollback=options.rollback,
            batch=options.batch,
        )

    def ready(self) -> Ready:
        """What the engine says first."""
        numerics = {slots.kernel.numerics for slots in self._models.values()}
        return Ready(
            str(self.device), self._options.rollback, self.left_out, tuple(sorted(numerics))
        )

    def apply(self, commands: Sequence[Command]) -> list[EngineEvent]:
        """Takes commands. One that cannot be followed is answered with `Failed`."""
        failed: list[EngineEvent] = []
        for command in commands:
            if self._caution and isinstance(command, Plan):
                self.say([_doing([command.key])])
            try:
                self._apply(command)
            except Exception as error:
                if not isinstance(error, EngineError):
                    log.exception("a command could not be followed")
                failed.append(self._fail(command, error))
        return [*failed, Doing()] if self._caution else failed

    def _fail(self, command: Command, error: Exception) -> Failed:
        """A session stands still until it is told anew, from its beginning or from a state."""
        key = None if isinstance(command, Credits | Caution) else command.key
        generation = command.generation if isinstance(command, Plan) else 0
        if key in self._where:
            slots, slot = self._where[key]
            slots.halt(slot)
        return Failed(str(error) or repr(error), key, generation)

    def _apply(self, command: Command) -> None:
        match command:
            case Open(key, model):
                if model not in self._models:
                    raise EngineError(self.left_out.get(model, f"there is no model {model!r}"))
                if key in self._where:  # begins anew
                    slots, slot = self._where.pop(key)
                    slots.close(slot)
                slots = self._models[model]
                self._where[key] = (slots, slots.open(key))
            case Plan(key):
                slots, slot = self._find(key)
                slots.plan(slot, command)
            case Close(key):
                if key in self._where:  # it may have been withdrawn before it was there
                    slots, slot = self._where.pop(key)
                    slots.close(slot)
            case Caution(level):
                self._caution = level
            case Credits():
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

    def step(self, now: float) -> tuple[list[EngineEvent], float]:
        """Steps the most urgent batch, if any is to be stepped now.

        Returns:
            What came of it, and when to ask again: at once (`now`), later, or (infinity)
            not before a command comes.
        """
        behind: dict[str, NDArray[np.int64]] = {}
        choices = {
            name: self._choose(name, slots, now, behind)
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
        wake = min((choice.wake for choice in choices.values()), default=np.inf)
        if not behind:
            self._caught_up = now
        elif urgent is None or now - self._caught_up >= PATIENCE:
            # So few rows that who is woken for meanwhile is not late for it.
            rows = FEW if urgent is not None else SOME if wake < now + LONG else None
            self._caught_up = now
            return self._catch_up(behind, rows), now
        if urgent is None:
            return [], wake
        self._served[urgent] = self._batches
        self._batches += 1
        if not choices[urgent].gathering:
            self._since.pop(urgent, None)
        return self._advance(self._models[urgent], choices[urgent].slots), now

    def _catch_up(
        self, behind: dict[str, NDArray[np.int64]], rows: int | None
    ) -> list[EngineEvent]:
        """Steps some of those who have a long past to come through, each model in its turn."""
        name = min(behind, key=lambda name: self._caught.get(name, (-1, -1)))
        slots, (_, last) = self._models[name], self._caught.get(name, (-1, -1))
        # In a circle: those after who was the last, and then the first.
        order = np.argsort(behind[name] <= last, kind="stable")
        batch = behind[name][order[: min(rows or slots.batch, slots.batch)]]
        self._turns += 1
        self._caught[name] = self._turns, int(batch[-1])
        return self._advance(slots, batch)

    def _advance(self, slots: Slots, batch: NDArray[np.int64]) -> list[EngineEvent]:
        """Steps a batch; if it is to be cautious it says so before, and after."""
        if not self._caution:
            return self._attempt(slots, batch)
        events: list[EngineEvent] = []
        for part in [batch] if self._caution == 1 else batch[:, None]:
            self.say([_doing(slots.key[part])])
            events += self._attempt(slots, part)
        return [*events, Doing()]

    def _attempt(self, slots: Slots, batch: NDArray[np.int64]) -> list[EngineEvent]:
        """Steps a batch. What cannot be stepped is found out one by one, and stands still."""
        try:
            return list(slots.advance(batch))
        except Exception as error:
            log.exception("a step of %d sessions failed", len(batch))
            if len(batch) == 1:
                slot = int(batch[0])
                slots.halt(slot)
                return [Failed(repr(error), int(slots.key[slot]), int(slots.generation[slot]))]
        events: list[EngineEvent] = []
        for slot in batch:
            events += self._attempt(slots, np.array([slot]))
        if self.device.type != "cpu" and all(isinstance(event, Failed) for event in events):
            raise EngineError("the device has failed")  # another process may be able to use it
        return events

    def precompute(self) -> bool:
        """Does ahead what can be, for one session; to be called while `step` does nothing.

        Returns:
            Whether there was something.
        """
        if self._caution:
            return False
        return any(slots.precompute() for slots in self._models.values() if not slots.empty)

    def _choose(
        self, name: str, slots: Slots, now: float, behind: dict[str, NDArray[np.int64]]
    ) -> Choice:
        margin = self._options.margin
        ready, deadlines, far = slots.ready(now, margin)
        if len(far):
            behind[name] = far
        if not len(ready):
            self._since.pop(name, None)
        return choose(
            ready,
            deadlines,
            now=now,
            since=self._since.setdefault(name, now) if len(ready) else now,
            batch=slots.batch,
            margin=margin,
            batch_window=self._options.batch_window,
        )


def _doing(keys: ArrayLike) -> Doing:
    return Doing(np.asarray(keys, np.int64).tobytes())
