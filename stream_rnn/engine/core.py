"""The engine: commands in, symbols out, no sockets and no timetable.

Among all sessions with credit, the engine steps those whose next symbol is due first. The
time is passed in, and only tells the engine how near a deadline is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.engine.device import device_works, pick_device
from stream_rnn.engine.kernels import Kernel, prepare
from stream_rnn.engine.library import Library
from stream_rnn.engine.messages import (
    Caution,
    Close,
    Command,
    Credits,
    Doing,
    EngineEvent,
    Failed,
    Load,
    Open,
    Plan,
    Ready,
    Worked,
)
from stream_rnn.engine.numerics import NUMERICS
from stream_rnn.engine.schedule import Choice, choose
from stream_rnn.engine.slots import BATCH, Slots
from stream_rnn.errors import EngineError, StreamRnnError

log = logging.getLogger("stream_rnn.engine")

# Sessions that can wait (see `Credit.ready`) have every other step while no deadline is near;
# else they wait, but no longer than PATIENCE.
PATIENCE = 0.05  # seconds
ROW = 1e-4  # seconds a row, until it is measured
LATELY = 8  # steps that a measurement is the mean of
TELL = 0.5  # seconds from one `Worked` to the next, at least
STINT = 0.002  # seconds that such a step takes at most: a session that becomes urgent is not late


@dataclass(frozen=True)
class EngineOptions:
    """How an engine is built.

    Attributes:
        models: the models' folders, by the names under which sessions open them.
        fingerprints: the fingerprint of each model's card, as the gateway read it.
        device: `auto` (CUDA where there is one), `cpu` or `cuda`.
        sessions: how many sessions each model has room for.
        batch: the most sessions that are stepped together.
        rollback: the number of positions in a rollback window; look-ahead is less.
        margin: the deadline margin: a session whose deadline is closer than this, in seconds, is
            stepped at once.
        batch_window: the longest, in seconds, that work may wait for a fuller batch.
    """

    models: dict[str, Path]
    device: str = "auto"
    sessions: int = 256
    batch: int = BATCH
    rollback: int = 32
    margin: float = 0.04
    batch_window: float = 0.012
    fingerprints: dict[str, str] = field(default_factory=dict)


class Core:
    """Sessions of several models on one device.

    Attributes:
        device: `cpu` or `cuda`.
        say: called with events that the gateway must have before the engine goes on; see `Doing`.

    Raises:
        ConfigError: there is no such device on this machine.
        EngineError: none of the models can be used.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self.say: Callable[[Sequence[EngineEvent]], None] = lambda events: None
        self._caution = 0
        self.device = pick_device(options.device)
        prepare(self.device)
        self._library = Library(options.models, options.fingerprints, self.device, self._slots)
        self._models = self._library.loaded
        if self.left_out and len(self.left_out) == len(options.models):
            raise EngineError("; ".join(self.left_out.values()))
        self._where: dict[int, tuple[Slots, int]] = {}
        self._since: dict[str, float] = {}
        self._served: dict[str, int] = {}  # the number of each model's latest batch
        self._batches = 0
        self._caught: dict[str, tuple[int, int]] = {}  # by model: its latest catch-up, last slot
        self._turns = 0  # catch-up steps so far
        self._caught_up = 0.0  # when the latest catch-up step was, or when none was needed
        self._in_turn = False  # whether the latest step was none
        self._latest = "", 0, False  # the model and rows of the latest step; if it could wait
        self._cost: dict[str, float] = {}  # by model: seconds a row of such steps, lately
        self._told = 0.0  # when the engine last said how long it had worked
        self._worked, self._symbols = 0.0, 0  # since then

    def _slots(self, kernel: Kernel, codec: Codec) -> Slots:
        o = self._options
        return Slots(kernel, codec, count=o.sessions, rollback=o.rollback, batch=o.batch)

    @property
    def left_out(self) -> dict[str, str]:
        """The models that cannot be used, and why; the others are served."""
        return self._library.left_out

    def ready(self) -> Ready:
        """What the engine says of itself, before anything else."""
        return Ready(self.device, self._options.rollback, self.left_out, NUMERICS)

    def apply(self, commands: Sequence[Command]) -> list[EngineEvent]:
        """Applies commands. Returns a `Failed` for each that could not be applied."""
        failed: list[EngineEvent] = []
        left_out = len(self.left_out)
        for command in commands:
            if self._caution and isinstance(command, Plan):
                self.say([_doing([command.key])])
            try:
                self._apply(command)
            except Exception as error:
                if not isinstance(error, StreamRnnError):
                    log.exception("a command failed")
                failed.append(self._fail(command, error))
        if len(self.left_out) > left_out:
            failed.insert(0, self.ready())
        return [*failed, Doing()] if self._caution else failed

    def _fail(self, command: Command, error: Exception) -> Failed:
        """Halts the command's session until a plan restarts it, from position 0 or a state."""
        key = None if isinstance(command, Credits | Caution | Load) else command.key
        generation = command.generation if isinstance(command, Plan) else 0
        if key in self._where:
            slots, slot = self._where[key]
            slots.halt(slot)
        return Failed(str(error) or repr(error), key, generation)

    def _apply(self, command: Command) -> None:
        match command:
            case Open(key, model):
                if key in self._where:  # the session begins anew
                    slots, slot = self._where.pop(key)
                    slots.close(slot)
                slots = self._library.open(model)
                self._where[key] = (slots, slots.open(key))
            case Load(model):
                self._library.open(model)
            case Plan(key):
                slots, slot = self._find(key)
                slots.plan(slot, command)
            case Close(key):
                if key in self._where:  # the opening may have failed, or never been sent
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
                        slots.give(slot, until, position, due, interval)

    def _find(self, key: int) -> tuple[Slots, int]:
        if key not in self._where:
            raise EngineError(f"there is no session {key}")
        return self._where[key]

    def step(self, now: float) -> tuple[list[EngineEvent], float]:
        """Steps the most urgent batch, if one is to be stepped now.

        Returns:
            The events of that step, and when to call again: at once (`now`), at a later time,
            or not before a command comes (infinity).
        """
        behind: dict[str, NDArray[np.int64]] = {}
        choices = {
            name: self._choose(name, slots, now, behind)
            for name, slots in self._models.items()
            if not slots.empty
        }
        # Models whose deadlines have passed take turns: one with too much to do must not stop
        # the others.
        urgent = min(
            (name for name, choice in choices.items() if len(choice.slots)),
            key=lambda name: (max(choices[name].deadline, now), self._served.get(name, -np.inf)),
            default=None,
        )
        wake = min((choice.wake for choice in choices.values()), default=np.inf)
        if not behind:
            self._caught_up = now
        elif urgent is None or self._has_turn(choices[urgent], now):
            self._caught_up, self._in_turn = now, False
            return self._catch_up(behind), now
        if urgent is None:
            return [], wake
        self._in_turn = True
        self._served[urgent] = self._batches
        self._batches += 1
        if not choices[urgent].gathering:
            self._since.pop(urgent, None)
        self._latest = urgent, len(choices[urgent].slots), False
        return self._advance(self._models[urgent], choices[urgent].slots), now

    def _has_turn(self, choice: Choice, now: float) -> bool:
        """Whether sessions that can wait come before those that are chosen."""
        near = choice.deadline < now + self._options.margin
        return (self._in_turn and not near) or now - self._caught_up >= PATIENCE

    def _catch_up(self, behind: dict[str, NDArray[np.int64]]) -> list[EngineEvent]:
        """Steps some of the sessions that can wait; models and slots take turns."""
        name = min(behind, key=lambda name: self._caught.get(name, (-1, -1)))
        slots, (_, last) = self._models[name], self._caught.get(name, (-1, -1))
        rows = int(STINT / self._cost.get(name, ROW))
        # Round robin: first the slots after the last one stepped, then those from the start.
        order = np.argsort(behind[name] <= last, kind="stable")
        batch = behind[name][order[: max(1, min(rows, slots.batch))]]
        self._turns += 1
        self._caught[name] = self._turns, int(batch[-1])
        self._latest = name, len(batch), True
        return self._advance(slots, batch)

    def took(self, seconds: float, now: float) -> list[EngineEvent]:
        """Notes how long the latest step took, and to tell of it.

        Commands are left out: one that opens a session may load a model.

        Returns:
            Now and then, how long the engine has worked.
        """
        name, rows, could_wait = self._latest
        self._latest = "", 0, False
        if could_wait:
            cost = self._cost.get(name, ROW)
            self._cost[name] = cost + (seconds / rows - cost) / LATELY
            return []
        if not rows:
            return []
        self._worked, self._symbols = self._worked + seconds, self._symbols + rows
        if now < self._told + TELL:
            return []
        told = Worked(self._worked, self._symbols)
        self._told, self._worked, self._symbols = now, 0.0, 0
        return [told]

    def _advance(self, slots: Slots, batch: NDArray[np.int64]) -> list[EngineEvent]:
        """Steps a batch. A cautious engine says `Doing` before the step and after it."""
        if not self._caution:
            return self._attempt(slots, batch)
        events: list[EngineEvent] = []
        for part in [batch] if self._caution == 1 else batch[:, None]:
            self.say([_doing(slots.key[part])])
            events += self._attempt(slots, part)
        return [*events, Doing()]

    def _attempt(self, slots: Slots, batch: NDArray[np.int64]) -> list[EngineEvent]:
        """Steps a batch. If that fails, steps its sessions singly and halts those that fail."""
        try:
            return list(slots.advance(batch))
        except Exception as error:
            log.exception("a step of %d sessions failed", len(batch))
            if not device_works(self.device):
                # Another process may be able to use it.
                raise EngineError(f"the device {self.device} has failed") from error
            if len(batch) == 1:
                slot = int(batch[0])
                slots.halt(slot)
                return [Failed(repr(error), int(slots.key[slot]), int(slots.generation[slot]))]
        events: list[EngineEvent] = []
        for slot in batch:
            events += self._attempt(slots, np.array([slot]))
        return events

    def tidy(self, now: float) -> None:
        """Lets go of what is no longer used; to be called while `step` has nothing to do."""
        self._library.tidy(now)

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
