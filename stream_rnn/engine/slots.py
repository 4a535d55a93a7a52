"""One model's sessions in the engine: preallocated slots of state, plan and credit.

Each slot keeps a *ring* of recent states, so that a plan which changes the future from a
position that is computed but not committed can go on from the state of that position. For
position `n`, the place `n % ring` holds the state before the step that makes symbol `n`, and
symbol `n` itself once it is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream_rnn.codecs.base import Codec, int_to_bytes
from stream_rnn.engine.kernels.float32 import Float32Kernel
from stream_rnn.engine.messages import Plan, Settings, Snapshot, Tile
from stream_rnn.engine.sampling import draw_bernoulli, draw_categorical, draw_lanes, uniforms
from stream_rnn.errors import EngineError
from stream_rnn.nets.network import RecurrentNetwork, State

NEVER = np.iinfo(np.int64).max
SNAPSHOT_EVERY = 256
TILE = 16  # rows of a step; part of what decides the exact numbers


class Slots:
    """The sessions of one model.

    Args:
        network: the model's, on the device to step on.
        codec: the model's.
        count: how many sessions fit.
        ring: how many positions a slot remembers.
        tile: rows of a step.
    """

    def __init__(
        self, network: RecurrentNetwork, codec: Codec, *, count: int, ring: int, tile: int
    ) -> None:
        a = self.architecture = network.architecture
        self.codec, self.ring, self.tile = codec, ring, tile
        self.device = network.output.weight.device
        self.kernel = Float32Kernel(network, tile)
        # One slot more than sessions: the empty lanes of a tile step it, to no avail.
        self._spare = count
        size = count + 1

        # On the device: what the network reads and writes. On the CPU: the draw and what it
        # needs, since CUDA's running sums are not the same at every call.
        self._hidden = torch.zeros(a.layers, size * ring, a.hidden, device=self.device)
        self._cell = torch.zeros_like(self._hidden)
        self._artist_bias = torch.zeros(size, 4 * a.hidden, device=self.device)
        keys = () if a.head == "categorical" else (a.symbols,)
        self._symbols = np.zeros((size * ring, *keys), np.float32 if keys else np.int64)
        self._temperature = torch.zeros(size, dtype=torch.float64)
        self._top_k = torch.zeros(size, dtype=torch.int64)
        self._top_p = torch.zeros(size, dtype=torch.float64)
        self._density = torch.zeros(size, dtype=torch.float64)
        self._allowed = torch.zeros(size, a.symbols, dtype=torch.bool)
        self._never = torch.zeros(a.symbols)
        self._never[list(codec.unsampled)] = -torch.inf

        self.key = np.full(size, -1, np.int64)
        self.generation = np.zeros(size, np.int64)
        self.next = np.zeros(size, np.int64)  # position that the next step makes
        self.until = np.zeros(size, np.int64)
        self._seed = np.zeros(size, np.int64)
        self._due_position = np.zeros(size, np.int64)
        self._due = np.zeros(size, np.float64)
        self._interval = np.zeros(size, np.float64)
        self._change = np.full(size, NEVER, np.int64)  # where the schedule goes on
        self._forced_end = np.zeros(size, np.int64)
        self._schedule: dict[int, list[tuple[int, Settings]]] = {}
        self._forced: dict[int, tuple[int, NDArray[Any]]] = {}
        self._free = list(range(count - 1, -1, -1))

    # Sessions

    def open(self, key: int) -> int:
        """A slot for a session, at position 0, without credit."""
        if not self._free:
            raise EngineError("no slot is free")
        slot = self._free.pop()
        self.key[slot], self.next[slot], self.until[slot] = key, 0, 0
        return slot

    def close(self, slot: int) -> None:
        """Gives a slot back."""
        self.key[slot] = -1
        self.until[slot] = self.next[slot] = self._forced_end[slot] = 0
        self._schedule.pop(slot, None)
        self._forced.pop(slot, None)
        self._free.append(slot)

    def credit(self, slot: int, until: int, position: int, due: float, interval: float) -> None:
        """Lets a session be computed up to `until`; see `messages.Credit`."""
        self.until[slot] = until
        self._due_position[slot], self._due[slot], self._interval[slot] = position, due, interval

    def plan(self, slot: int, plan: Plan) -> None:
        """Goes back to the plan's position, or to the state it brings, and follows it."""
        self.generation[slot] = plan.generation
        behind = int(self.next[slot])
        forced = self.codec.unpack(plan.forced)
        schedule = sorted(plan.schedule, key=lambda entry: entry[0])
        start = plan.position
        if plan.state:
            self._restore(slot, plan)
        elif plan.position == 0:
            place = slot * self.ring
            self._hidden[:, place] = 0
            self._cell[:, place] = 0
        elif plan.position > behind:
            # What stands before the plan is forced and not computed through yet: keep it.
            start, earlier = self._forced.get(slot, (0, forced))
            if self._forced_end[slot] != plan.position:
                raise EngineError(f"nothing is known between {behind} and {plan.position}")
            forced = np.concatenate([earlier, forced])
            schedule = [e for e in self._schedule[slot] if e[0] < plan.position] + schedule
        elif behind - plan.position >= self.ring:
            raise EngineError(
                f"position {plan.position} is out of the ring of {self.ring} at {behind}"
            )
        self.next[slot] = min(behind, plan.position) if not plan.state else plan.position
        self._forced[slot] = (start, forced)
        self._forced_end[slot] = start + len(forced)
        # What is forced has happened already, so it needs no credit.
        self.until[slot] = max(self.next[slot], self._forced_end[slot])
        self._schedule[slot] = schedule
        self._change[slot] = schedule[0][0] if schedule else NEVER

    def _restore(self, slot: int, plan: Plan) -> None:
        a, place = self.architecture, slot * self.ring + plan.position % self.ring
        values = np.frombuffer(plan.state, "<f4")
        if len(values) != 2 * a.layers * a.hidden:
            raise EngineError("the state does not fit the model")
        both = torch.from_numpy(values.copy()).reshape(2, a.layers, a.hidden).to(self.device)
        self._hidden[:, place], self._cell[:, place] = both[0], both[1]
        before = slot * self.ring + (plan.position - 1) % self.ring
        self._symbols[before] = self.codec.unpack(plan.before)[0]

    # Stepping

    def ready(self, now: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Slots with credit left, and each one's deadline.

        Who catches up on what is forced lies behind its own timetable, perhaps far. That must
        not set it before those who are late through no doing of their own.
        """
        slots = np.flatnonzero(self.next < self.until)
        ahead = self.next[slots] - self._due_position[slots]
        deadlines = self._due[slots] + np.maximum(ahead, 0) * self._interval[slots]
        behind = self.next[slots] < self._forced_end[slots]
        return slots, np.where(behind, np.maximum(deadlines, now), deadlines)

    def advance(self, slots: NDArray[np.int64]) -> list[Tile | Snapshot]:
        """Steps some sessions, at most a tile of them, by one symbol each."""
        count = len(slots)
        for slot in slots[self.next[slots] >= self._change[slots]]:
            self._follow_schedule(int(slot))
        rows = np.full(self.tile, self._spare, np.int64)
        rows[:count] = slots
        positions = self.next[rows]
        here = rows * self.ring + positions % self.ring
        there = rows * self.ring + (positions + 1) % self.ring
        symbols = self._symbols[rows * self.ring + (positions - 1) % self.ring]
        symbols[positions == 0] = 0  # every codec's boundary is symbol 0: index 0, or no keys
        at, after, row = (torch.from_numpy(x).to(self.device) for x in (here, there, rows))

        state = State(self._hidden[:, at], self._cell[:, at])
        inputs = torch.from_numpy(symbols).to(self.device)
        logits, state = self.kernel.step(inputs, self._artist_bias[row], state)
        self._hidden[:, after] = state.hidden
        self._cell[:, after] = state.cell

        made = self._draw(logits.cpu(), rows, positions)
        self._force(made, slots)
        self._symbols[here] = made
        self.next[slots] += 1
        return self._report(slots, positions[:count], made[:count])

    def _draw(
        self, logits: Tensor, rows: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> NDArray[Any]:
        a, row = self.architecture, torch.from_numpy(rows)
        lanes = draw_lanes(a.head, a.symbols)
        numbers = torch.from_numpy(uniforms(self._seed[rows], positions, lanes))
        temperature = self._temperature[row]
        if a.head == "categorical":
            limits = self._top_k[row], self._top_p[row]
            drawn = draw_categorical(logits + self._never, numbers, temperature, *limits)
        else:
            limits = self._density[row], self._allowed[row]
            drawn = draw_bernoulli(logits, numbers, temperature, *limits)
        return drawn.numpy()

    def _force(self, made: NDArray[Any], slots: NDArray[np.int64]) -> None:
        """Puts what is forced in the place of what was drawn."""
        for lane in np.flatnonzero(self.next[slots] < self._forced_end[slots]):
            slot = int(slots[lane])
            start, symbols = self._forced[slot]
            made[lane] = symbols[self.next[slot] - start]

    def _follow_schedule(self, slot: int) -> None:
        """Makes the settings of the slot's next position the current ones."""
        schedule, position = self._schedule[slot], self.next[slot]
        settings = None
        while schedule and schedule[0][0] <= position:
            settings = schedule.pop(0)[1]
        self._change[slot] = schedule[0][0] if schedule else NEVER
        if settings is None:
            return
        self._temperature[slot] = settings.temperature
        self._top_k[slot], self._top_p[slot] = settings.top_k, settings.top_p
        self._density[slot], self._seed[slot] = settings.density, settings.seed
        if self.architecture.head == "bernoulli":
            allowed = self.codec.unpack(settings.allowed)[0] if settings.allowed else np.ones(1)
            self._allowed[slot] = torch.from_numpy(allowed.astype(bool))
        weights = settings.artists or (0.0,) * self.architecture.artists
        blend = torch.tensor(weights, dtype=torch.float32, device=self.device)
        self._artist_bias[slot] = self.kernel.artist_bias(blend)

    def _report(
        self, slots: NDArray[np.int64], positions: NDArray[np.int64], symbols: NDArray[Any]
    ) -> list[Tile | Snapshot]:
        events: list[Tile | Snapshot] = []
        fresh = positions >= self._forced_end[slots]
        if fresh.any():
            made = slots[fresh]
            events.append(
                Tile(
                    self.key[made].tobytes(),
                    self.generation[made].tobytes(),
                    positions[fresh].tobytes(),
                    self.codec.pack(symbols[fresh]),
                )
            )
        for slot in slots[self.next[slots] % SNAPSHOT_EVERY == 0]:
            position = int(self.next[slot])
            place = int(slot) * self.ring + position % self.ring
            both = torch.stack([self._hidden[:, place], self._cell[:, place]]).cpu().numpy()
            events.append(
                Snapshot(
                    int(self.key[slot]),
                    int(self.generation[slot]),
                    position,
                    both.astype("<f4").tobytes(),
                )
            )
        return events


def boundary_is_zero(codec: Codec) -> bool:
    """Whether a codec keeps the promise that `advance` relies on."""
    return not any(int_to_bytes(codec.boundary, codec.width))
