"""One model's sessions in the engine: preallocated slots of state, plan and credit.

Each slot keeps a *rollback window* of recent states. A plan may change the future from a position
that is computed but not committed; the session then goes on from the state kept for that position.
For position `n`, the place `n % rollback` holds the state before the step that makes symbol `n`,
and symbol `n` itself once it is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream_rnn.codecs.base import Codec, int_to_bytes
from stream_rnn.engine.drawing import Drawing
from stream_rnn.engine.kernels import make_kernel
from stream_rnn.engine.messages import Batch, Plan, Settings, Snapshot
from stream_rnn.engine.precomputed import Precomputed
from stream_rnn.engine.states import States, rows_of, taken
from stream_rnn.errors import EngineError
from stream_rnn.nets.baselines import Network

NEVER = np.iinfo(np.int64).max
SNAPSHOT_EVERY = 256
_AROUND = np.array([[-1], [0], [1]])  # the positions before, here and after
PROMPT = 32  # a session with more injected symbols to step through has to catch up: see `ready`
BATCH = 64  # most rows of a step; the results do not depend on it


class Slots:
    """The sessions of one model.

    Args:
        network: the model's network, on the device that is to step it.
        codec: the model's codec.
        count: the number of slots.
        rollback: the number of positions in each slot's rollback window.
        batch: the most rows of a step.
    """

    def __init__(
        self, network: Network, codec: Codec, *, count: int, rollback: int, batch: int
    ) -> None:
        a = self.architecture = network.architecture
        self.codec, self.rollback, self.batch = codec, rollback, batch
        self.kernel = make_kernel(network)

        # States and biases lie on the device; the draw and its inputs lie in NumPy arrays.
        self._states = States(self.kernel, count, rollback)
        self.device = self._states.device
        self._artist_bias = torch.zeros(count, self.kernel.gates, device=self.device)
        self._artists: dict[int, tuple[float, ...]] = {}  # the blend that the bias was made for
        self._artists_from = np.zeros(count, np.int64)  # the position since which it holds
        self._drawing = Drawing(network, codec, count)
        keys = (a.symbols,) if a.keys else ()
        self._symbols = np.zeros((count * rollback, *keys), np.float32 if keys else np.int64)

        self.key = np.full(count, -1, np.int64)
        self.generation = np.zeros(count, np.int64)
        self.next = np.zeros(count, np.int64)  # the position whose symbol the next step makes
        self.until = np.zeros(count, np.int64)
        self._halted = np.zeros(count, np.bool_)  # a plan or a step of the session failed
        self._due_position = np.zeros(count, np.int64)
        self._due = np.zeros(count, np.float64)
        self._interval = np.zeros(count, np.float64)
        self._change = np.full(count, NEVER, np.int64)  # the next position of the schedule
        self._injected_end = np.zeros(count, np.int64)
        self._fed_end = np.full(count, -1, np.int64)  # the same, but -1 if nothing is injected
        self._schedule: dict[int, list[tuple[int, Settings]]] = {}
        self._injected: dict[int, tuple[int, NDArray[Any]]] = {}
        self._precomputed = Precomputed(count)
        self._free = list(range(count - 1, -1, -1))

    # Sessions

    def open(self, key: int) -> int:
        """A slot for a session, at position 0, without credit."""
        if not self._free:
            raise EngineError("no slot is free")
        slot = self._free.pop()
        self.key[slot], self.next[slot], self.until[slot] = key, 0, 0
        self._artists_from[slot], self._fed_end[slot], self._halted[slot] = 0, -1, False
        self._states.begin(slot)
        return slot

    def close(self, slot: int) -> None:
        """Gives a slot back."""
        self.key[slot] = -1
        self.until[slot] = self.next[slot] = self._injected_end[slot] = 0
        self._schedule.pop(slot, None)
        self._injected.pop(slot, None)
        self._precomputed.forget(slot)
        self._free.append(slot)

    def halt(self, slot: int) -> None:
        """Computes nothing more for a session until it gets another plan."""
        self.until[slot] = self.next[slot]
        self._halted[slot] = True

    def credit(self, slot: int, until: int, position: int, due: float, interval: float) -> None:
        """Lets a session be computed up to `until`; see `messages.Credits`."""
        self.until[slot] = self.next[slot] if self._halted[slot] else until
        self._due_position[slot], self._due[slot], self._interval[slot] = position, due, interval

    def plan(self, slot: int, plan: Plan) -> None:
        """Goes back to the plan's position, or to the state in the plan, and follows the plan.

        Raises:
            EngineError: the slot has no state for that position, or the plan's state does not
                fit; nothing is changed then.
        """
        behind, start = int(self.next[slot]), plan.position
        injected = self.codec.unpack(plan.injected)
        schedule = sorted(plan.schedule, key=lambda entry: entry[0])
        if self._halted[slot] and not plan.state and start > 0:
            raise EngineError("the session failed; only a plan from 0 or a state restarts it")
        if plan.state:
            self._restore(slot, plan)
            following = start
        elif start > behind:
            # The symbols before the plan are injected and not yet stepped through: keep them.
            if self._injected_end[slot] != start:
                raise EngineError(f"the plan is from {start}, but no symbol is known from {behind}")
            start, earlier = self._injected[slot]
            injected = np.concatenate([earlier[behind - start :], injected])
            start, following = behind, behind
            schedule = [e for e in self._schedule[slot] if e[0] < plan.position] + schedule
        else:
            following = self._go_back(slot, start, injected, schedule)
        self.generation[slot], self.next[slot] = plan.generation, following
        self._halted[slot] = False
        self._injected[slot] = (start, injected)
        self._injected_end[slot] = start + len(injected)
        self._fed_end[slot] = start + len(injected) if len(injected) else -1
        # Injected symbols are already history, so they need no credit.
        self.until[slot] = max(following, self._injected_end[slot])
        self._schedule[slot] = schedule
        self._change[slot] = schedule[0][0] if schedule else NEVER

    def _go_back(
        self,
        slot: int,
        position: int,
        injected: NDArray[Any],
        schedule: list[tuple[int, Settings]],
    ) -> int:
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
        artists = [settings.artists for start, settings in schedule if start <= position][-1:]
        known = (
            len(injected) > 0
            and self._states.holds(slot, position + 1)
            and self._artists_from[slot] <= position
            and artists == [self._artists.get(slot)]
            and (position + 1) % SNAPSHOT_EVERY != 0  # this plan must make its own snapshot
        )
        self._states.forget_after(slot, position + known)
        if known:
            self._symbols[self._states.place(slot, position)] = injected[0]
        return position + known

    def _restore(self, slot: int, plan: Plan) -> None:
        self._states.restore(slot, plan.position, plan.state)
        self._precomputed.forget(slot)
        before = self._states.place(slot, plan.position - 1)
        self._symbols[before] = self.codec.unpack(plan.before)[0]

    # Stepping

    @property
    def empty(self) -> bool:
        """Whether no slot is in use."""
        return len(self._free) == len(self.key)

    def ready(
        self, now: float, margin: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Slots with credit left; the deadline of each; and the slots that have to catch up.

        A slot has to catch up while more than PROMPT injected symbols lie before it, and has no
        deadline meanwhile. With fewer, its deadline may be past because it was fed late; it must
        not overtake sessions that are late through no fault of their own.

        A paused session has no timetable. But a client often feeds a paused session to hear the
        answer, so the fed symbols and the first one after them are computed at once, though not
        before sessions that are late. So is the symbol at a paused session's position: the client
        may ask for it, or feed another in its place (see `_go_back`). `margin` is that of
        `schedule.choose`.
        """
        (slots,) = (self.next < self.until).nonzero()
        positions = self.next[slots]
        far = self._fed_end[slots] - positions > PROMPT
        behind = slots[far]
        if len(behind):
            slots, positions = slots[~far], positions[~far]
        ahead = np.maximum(positions - self._due_position[slots], 0)
        deadlines = self._due[slots] + ahead * self._interval[slots]
        wanted = positions <= self._fed_end[slots]
        wanted |= np.isinf(self._due[slots]) & (positions <= self._due_position[slots])
        if wanted.any():
            bounded = np.minimum(np.maximum(deadlines, now), now + margin / 2)
            deadlines = np.where(wanted, bounded, deadlines)
        return slots, deadlines, behind

    def precompute(self) -> bool:
        """Precomputes part of a step for one paused session; see `precomputed`.

        Returns:
            Whether there was anything to precompute.
        """
        (fed,) = (np.isinf(self._due) & (self._fed_end >= 0)).nonzero()
        if not len(fed):
            return False
        at = self._due_position + 1  # the step that reads the symbol fed next
        waits = (self.next >= at) & (self.key >= 0) & (self._precomputed.position != at)
        slots = [s for s in fed[waits[fed]].tolist() if self._states.holds(s, int(at[s]))]
        if not slots:
            return False
        slot = slots[0]
        state = self._states.before(slot, int(at[slot]))
        self._precomputed.keep(slot, int(at[slot]), self.kernel.recurrent(state))
        return True

    def advance(self, slots: NDArray[np.int64]) -> list[Batch | Snapshot]:
        """Steps some sessions, at most a batch, by one symbol each."""
        positions = self.next[slots]
        for slot in slots[positions >= self._change[slots]]:
            self._follow_schedule(int(slot))
        places = slots * self.rollback + (positions + _AROUND) % self.rollback
        before, here, _ = places
        symbols = self._symbols[before]
        # Every codec's begin-and-end symbol is 0: index 0, or no keys.
        symbols[positions == 0] = 0
        _, at, after = rows_of(places, self.device)
        (row,) = rows_of(slots[None], self.device)

        state, bias = self._states.take(at), taken(self._artist_bias, 0, row)
        inputs = torch.from_numpy(symbols).to(self.device)
        state = self.kernel.step(inputs, bias, state, self._precomputed.take(slots, positions))
        self._states.write(after, state)
        self._states.put(places[2], positions + 1)

        self._symbols[here] = made = self._made(state.hidden[-1], slots, positions)
        self.next[slots] += 1
        return self._report(slots, positions, made)

    def _made(
        self, hidden: Tensor, slots: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> NDArray[Any]:
        """The symbols of a step: injected where the plan gives one, else drawn."""
        (free,) = (positions >= self._injected_end[slots]).nonzero()
        if len(free) == len(slots):
            return self._draw(hidden, slots, positions)
        made = np.zeros((len(slots), *self._symbols.shape[1:]), self._symbols.dtype)
        for lane in (positions < self._injected_end[slots]).nonzero()[0]:
            start, symbols = self._injected[int(slots[lane])]
            made[lane] = symbols[positions[lane] - start]
        if len(free):
            lanes = torch.from_numpy(free).to(self.device)
            made[free] = self._draw(hidden[lanes], slots[free], positions[free])
        return made

    def _draw(
        self, hidden: Tensor, slots: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> NDArray[Any]:
        logits = self.kernel.logits(hidden).cpu().numpy()
        return self._drawing.draw(logits, slots, positions, lambda: self._before(slots, positions))

    def _before(self, slots: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[Any]:
        """The symbol before each position; the begin-and-end symbol, 0, before position 0."""
        before: NDArray[Any] = self._symbols[
            slots * self.rollback + (positions - 1) % self.rollback
        ]
        before[positions == 0] = 0
        return before

    def _follow_schedule(self, slot: int) -> None:
        """Makes the settings of the slot's next position the current ones."""
        schedule, position = self._schedule[slot], self.next[slot]
        settings = None
        while schedule and schedule[0][0] <= position:
            settings = schedule.pop(0)[1]
        self._change[slot] = schedule[0][0] if schedule else NEVER
        if settings is None:
            return
        self._drawing.follow(slot, settings)
        self._artists_from[slot] = min(self._artists_from[slot], position)
        if self._artists.get(slot) != settings.artists:
            weights = settings.artists or (0.0,) * self.architecture.artists
            blend = torch.tensor(weights, dtype=torch.float32, device=self.device)
            self._artist_bias[slot] = self.kernel.artist_bias(blend)
            self._artists[slot], self._artists_from[slot] = settings.artists, position

    def _report(
        self, slots: NDArray[np.int64], positions: NDArray[np.int64], symbols: NDArray[Any]
    ) -> list[Batch | Snapshot]:
        events: list[Batch | Snapshot] = []
        (fresh,) = (positions >= self._injected_end[slots]).nonzero()
        if len(fresh):
            made = slots[fresh]
            events.append(
                Batch(
                    self.key[made].tobytes(),
                    self.generation[made].tobytes(),
                    positions[fresh].tobytes(),
                    self.codec.pack(symbols[fresh]),
                )
            )
        for slot in slots[(positions + 1) % SNAPSHOT_EVERY == 0]:
            key, generation = int(self.key[slot]), int(self.generation[slot])
            position = int(self.next[slot])
            state = self._states.exported(int(slot), position)
            events.append(Snapshot(key, generation, position, state))
        return events


def boundary_is_zero(codec: Codec) -> bool:
    """Whether a codec's begin-and-end symbol is 0, as `advance` assumes."""
    return not any(int_to_bytes(codec.boundary, codec.width))
