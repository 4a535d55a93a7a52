"""One model's sessions in the engine: preallocated slots.

What a slot has is in four parts: what it remembers (`states`), what it is stepped and drawn by
(`steering`), how far it may be computed (`credit`), and its injected symbols. A plan may change
the future from a position that is computed but not committed; the session then goes on from the
state kept for that position.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec, int_to_bytes
from stream_rnn.engine.credit import Credit
from stream_rnn.engine.kernels import Kernel
from stream_rnn.engine.messages import Batch, Plan, Snapshot
from stream_rnn.engine.states import States
from stream_rnn.engine.steering import Schedule, Steering, in_order
from stream_rnn.errors import EngineError

SNAPSHOT_EVERY = 64  # so few symbols have to be stepped through again when an engine has died
BATCH = 64  # most rows of a step; the results do not depend on it
_AROUND = np.array([[-1], [0], [1]])  # the positions before, here and after

Symbols = NDArray[np.int64]


class Slots(Credit):
    """The sessions of one model.

    Args:
        kernel: steps the model's network.
        codec: the model's codec.
        count: the number of slots.
        rollback: the number of positions in each slot's rollback window.
        batch: the most rows of a step.
    """

    def __init__(
        self, kernel: Kernel, codec: Codec, *, count: int, rollback: int, batch: int
    ) -> None:
        super().__init__(count)
        self.kernel, self.codec, self.rollback, self.batch = kernel, codec, rollback, batch
        self._states = States(kernel, count, rollback)
        self._steering = Steering(kernel, codec, count)
        self._injected: dict[int, tuple[int, Symbols]] = {}  # by slot, the first one's position
        self.generation = np.zeros(count, np.int64)
        self._free = list(range(count - 1, -1, -1))

    @property
    def empty(self) -> bool:
        """Whether no slot is in use."""
        return len(self._free) == len(self.key)

    def open(self, key: int) -> int:
        """A slot for a session, at position 0, without credit."""
        if not self._free:
            raise EngineError("no slot is free")
        slot = self._free.pop()
        self.begin(slot, key)
        self._steering.begin(slot)
        self._states.begin(slot)
        return slot

    def close(self, slot: int) -> None:
        """Gives a slot back."""
        super().close(slot)
        self._steering.close(slot)
        self._injected.pop(slot, None)
        self._free.append(slot)

    # Plans

    def plan(self, slot: int, plan: Plan) -> None:
        """Goes back to the plan's position, or to the state in the plan, and follows the plan.

        Raises:
            EngineError: the slot has no state for that position, or the plan's state does not
                fit; nothing is changed then.
        """
        behind, start = int(self.next[slot]), plan.position
        injected, schedule = self._unpacked(plan.injected), in_order(plan.schedule)
        if self.halted(slot) and not plan.state and start > 0:
            raise EngineError("the session failed; only a plan from 0 or a state restarts it")
        if plan.state:
            self._states.restore(slot, start, plan.state)
            before = self._states.place(slot, start - 1)
            self._states.symbols[before] = self._unpacked(plan.before)[0]
            following = start
        elif start > behind:
            # The symbols before the plan are injected and not yet stepped through: keep them.
            if self.injected_end[slot] < start:
                raise EngineError(f"the plan is from {start}, but no symbol is known from {behind}")
            first, earlier = self._injected[slot]
            injected = np.concatenate([earlier[behind - first : start - first], injected])
            start, following = behind, behind
            schedule = self._steering.planned_before(slot, plan.position) + schedule
        else:
            following = self._go_back(slot, start, injected, schedule)
        self.generation[slot] = plan.generation
        self._injected[slot] = (start, injected)
        self.go_on(slot, following, start + len(injected), len(injected))
        self._steering.plan(slot, schedule)

    def _unpacked(self, packed: bytes) -> Symbols:
        """Packed symbols in the form that kernels take."""
        return self.codec.unpack(packed).astype(np.int64).reshape(-1, self._states.symbols.shape[1])

    def _go_back(self, slot: int, position: int, injected: Symbols, schedule: Schedule) -> int:
        """Drops what was computed from a position on; returns the next position to compute.

        That is the position after it if a symbol is injected there and the step for that
        position has been made, with the same artists. A step reads only the symbol *before* its
        own, so the state that it made stays valid. A client that feeds a symbol and waits for the
        next one therefore waits for a single step, not two.
        """
        if position == 0 and not self._states.holds(slot, 0):
            self._states.begin(slot)
        if not self._states.holds(slot, position):
            behind = self.next[slot]
            raise EngineError(
                f"position {position} is not in the rollback window of {self.rollback} at {behind}"
            )
        known = (
            len(injected) > 0
            and self._states.holds(slot, position + 1)
            and self._steering.holds_blend(slot, schedule, position)
            and (position + 1) % SNAPSHOT_EVERY != 0  # this plan must make its own snapshot
        )
        self._states.forget_after(slot, position + known)
        if known:
            self._states.symbols[self._states.place(slot, position)] = injected[0]
        return position + known

    # Stepping

    def advance(self, slots: NDArray[np.int64]) -> list[Batch | Snapshot]:
        """Steps some sessions, at most a batch, by one symbol each."""
        positions = self.next[slots]
        self._steering.follow(slots, positions)
        places = slots * self.rollback + (positions + _AROUND) % self.rollback
        symbols = self._states.before(places[0], positions)
        made, drawn = np.zeros_like(symbols), positions >= self.injected_end[slots]
        if drawn.all():
            self._step(symbols, slots, positions, places, made, draw=True)
        else:
            for some, draw in ((drawn, True), (~drawn, False)):
                if some.any():
                    # A kernel would be compiled anew for arrays that lie otherwise in memory.
                    part, at = made[some], np.ascontiguousarray(places[:, some])
                    self._step(symbols[some], slots[some], positions[some], at, part, draw=draw)
                    made[some] = part
            for row in (~drawn).nonzero()[0]:
                start, injected = self._injected[int(slots[row])]
                made[row] = injected[positions[row] - start]
        self._states.put(places[2], positions + 1)
        self._states.symbols[places[1]] = made
        self.next[slots] += 1
        return self._report(slots, positions, made, drawn)

    def _step(
        self, symbols: Symbols, slots: NDArray[np.int64], positions: NDArray[np.int64],
        places: NDArray[np.int64], made: Symbols, *, draw: bool,
    ) -> None:  # fmt: skip
        settings, room = self._steering.settings, self._states.room
        self.kernel.advance(
            symbols, slots, positions, settings, places[1], places[2], room, made, draw=draw
        )

    def _report(
        self, slots: NDArray[np.int64], positions: NDArray[np.int64], made: Symbols,
        drawn: NDArray[np.bool_],
    ) -> list[Batch | Snapshot]:  # fmt: skip
        """What a step made that the gateway does not know yet."""
        events: list[Batch | Snapshot] = []
        if drawn.any():
            those, symbols = slots[drawn], made[drawn]
            events.append(
                Batch(
                    self.key[those].tobytes(),
                    self.generation[those].tobytes(),
                    positions[drawn].tobytes(),
                    self.codec.pack(symbols if self.kernel.architecture.keys else symbols[:, 0]),
                )
            )
        for slot in slots[(positions + 1) % SNAPSHOT_EVERY == 0].tolist():
            position = int(self.next[slot])
            state = self._states.exported(slot, position)
            events.append(
                Snapshot(int(self.key[slot]), int(self.generation[slot]), position, state)
            )
        return events


def boundary_is_zero(codec: Codec) -> bool:
    """Whether a codec's begin-and-end symbol is 0, as `States.before` assumes."""
    return not any(int_to_bytes(codec.boundary, codec.width))
