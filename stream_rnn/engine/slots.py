"""One model's sessions in the engine: preallocated slots of state, plan and credit.

Each slot keeps a *ring* of recent states, so that a plan which changes the future from a
position that is computed but not committed can go on from the state of that position. For
position `n`, the place `n % ring` holds the state before the step that makes symbol `n`, and
symbol `n` itself once it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream_rnn.codecs.base import Codec, int_to_bytes
from stream_rnn.engine.kernels import make_kernel
from stream_rnn.engine.messages import Plan, Settings, Snapshot, Tile
from stream_rnn.engine.nade import ChordDraw
from stream_rnn.engine.prepared import Prepared
from stream_rnn.engine.ring import Ring
from stream_rnn.engine.sampling import draw_bernoulli, draw_categorical, draw_lanes, uniforms
from stream_rnn.errors import EngineError
from stream_rnn.nets.baselines import Network
from stream_rnn.nets.network import State

Rows = int | Tensor  # one, or the indices of several
NEVER = np.iinfo(np.int64).max
SNAPSHOT_EVERY = 256
_AROUND = np.array([[-1], [0], [1]])  # the positions before, here and after
PROMPT = 32  # forced symbols; more are come through when nobody else wants anything
TILE = 64  # most rows of a step; what a step gives does not depend on it


class Slots:
    """The sessions of one model.

    Args:
        network: the model's, on the device to step on.
        codec: the model's.
        count: how many sessions fit.
        ring: how many positions a slot remembers.
        tile: the most rows of a step.
    """

    def __init__(self, network: Network, codec: Codec, *, count: int, ring: int, tile: int) -> None:
        a = self.architecture = network.architecture
        self.codec, self.ring, self.tile = codec, ring, tile
        self.kernel = make_kernel(network)

        # On the device: what the network reads and writes. Here: the draw and what it needs.
        self._hidden, self._cell = (_room(p, count * ring) for p in self.kernel.zero_state(1))
        self.device = self._hidden.device
        self._artist_bias = torch.zeros(count, self.kernel.gates, device=self.device)
        self._artists: dict[int, tuple[float, ...]] = {}  # whose bias that is
        self._artists_from = np.zeros(count, np.int64)  # and since which position
        self._draw_keys = ChordDraw(network.chords) if network.chords else draw_bernoulli
        keys = (a.symbols,) if a.keys else ()
        self._symbols = np.zeros((count * ring, *keys), np.float32 if keys else np.int64)
        self._temperature = np.zeros(count)
        self._top_k = np.zeros(count, np.int64)
        self._top_p = np.zeros(count)
        self._density = np.zeros(count)
        self._allowed = np.zeros((count, a.symbols), np.bool_)
        self._never = np.zeros(a.symbols)
        self._never[list(codec.unsampled)] = -np.inf
        # By the symbol before, where symbols take turns.
        self._turns = None if codec.turns is None else np.where(codec.turns, 0.0, -np.inf)

        self.key = np.full(count, -1, np.int64)
        self.generation = np.zeros(count, np.int64)
        self.next = np.zeros(count, np.int64)  # position that the next step makes
        self.until = np.zeros(count, np.int64)
        self._halted = np.zeros(count, np.bool_)  # what was asked for could not be done
        self._seed = np.zeros(count, np.int64)
        self._due_position = np.zeros(count, np.int64)
        self._due = np.zeros(count, np.float64)
        self._interval = np.zeros(count, np.float64)
        self._change = np.full(count, NEVER, np.int64)  # where the schedule goes on
        self._forced_end = np.zeros(count, np.int64)
        self._fed_end = np.full(count, -1, np.int64)  # the same, where anything is forced
        self._schedule: dict[int, list[tuple[int, Settings]]] = {}
        self._forced: dict[int, tuple[int, NDArray[Any]]] = {}
        self._prepared = Prepared(count)
        self._states = Ring(count, ring)
        self._free = list(range(count - 1, -1, -1))

    # Sessions

    def open(self, key: int) -> int:
        """A slot for a session, at position 0, without credit."""
        if not self._free:
            raise EngineError("no slot is free")
        slot = self._free.pop()
        self.key[slot], self.next[slot], self.until[slot] = key, 0, 0
        self._artists_from[slot], self._fed_end[slot], self._halted[slot] = 0, -1, False
        self._begin(slot)
        return slot

    def _begin(self, slot: int) -> None:
        """Puts the state in place that every stream begins with; there is no other."""
        self._states.restart(slot, 0)
        place = self._states.place(slot, 0)
        self._hidden[:, place] = 0
        self._cell[:, place] = 0

    def close(self, slot: int) -> None:
        """Gives a slot back."""
        self.key[slot] = -1
        self.until[slot] = self.next[slot] = self._forced_end[slot] = 0
        self._schedule.pop(slot, None)
        self._forced.pop(slot, None)
        self._prepared.forget(slot)
        self._free.append(slot)

    def halt(self, slot: int) -> None:
        """Computes nothing more of a session, until there is another plan."""
        self.until[slot] = self.next[slot]
        self._halted[slot] = True

    def credit(self, slot: int, until: int, position: int, due: float, interval: float) -> None:
        """Lets a session be computed up to `until`; see `messages.Credit`."""
        self.until[slot] = self.next[slot] if self._halted[slot] else until
        self._due_position[slot], self._due[slot], self._interval[slot] = position, due, interval

    def plan(self, slot: int, plan: Plan) -> None:
        """Goes back to the plan's position, or to the state it brings, and follows it.

        Raises:
            EngineError: that position's state is not there; nothing is changed then.
        """
        behind, start = int(self.next[slot]), plan.position
        forced = self.codec.unpack(plan.forced)
        schedule = sorted(plan.schedule, key=lambda entry: entry[0])
        if self._halted[slot] and not plan.state and start > 0:
            raise EngineError("an earlier plan could not be followed")
        if plan.state:
            self._restore(slot, plan)
            following = start
        elif start > behind:
            # What stands before the plan is forced and not computed through yet: keep it.
            if self._forced_end[slot] != start:
                raise EngineError(f"nothing is known between {behind} and {start}")
            start, earlier = self._forced[slot]
            forced = np.concatenate([earlier[behind - start :], forced])
            start, following = behind, behind
            schedule = [e for e in self._schedule[slot] if e[0] < plan.position] + schedule
        else:
            following = self._go_back(slot, start, forced, schedule)
        self.generation[slot], self.next[slot] = plan.generation, following
        self._halted[slot] = False
        self._forced[slot] = (start, forced)
        self._forced_end[slot] = start + len(forced)
        self._fed_end[slot] = start + len(forced) if len(forced) else -1
        # What is forced has happened already, so it needs no credit.
        self.until[slot] = max(following, self._forced_end[slot])
        self._schedule[slot] = schedule
        self._change[slot] = schedule[0][0] if schedule else NEVER

    def _go_back(
        self,
        slot: int,
        position: int,
        forced: NDArray[Any],
        schedule: list[tuple[int, Settings]],
    ) -> int:
        """Gives up the future from a position on; returns the position that the next step makes.

        That is the one after it, if a symbol is forced upon it and the step has been made that
        would be made now: a step reads the symbol *before* its own. So a client that feeds a
        symbol and waits for the next one waits for one step and not for two.
        """
        if position == 0 and not self._states.holds(slot, 0):
            self._begin(slot)
        if not self._states.holds(slot, position):
            behind = self.next[slot]
            raise EngineError(f"position {position} is out of the ring of {self.ring} at {behind}")
        artists = [settings.artists for start, settings in schedule if start <= position][-1:]
        known = (
            len(forced) > 0
            and self._states.holds(slot, position + 1)
            and self._artists_from[slot] <= position
            and artists == [self._artists.get(slot)]
            and (position + 1) % SNAPSHOT_EVERY != 0  # a plan's snapshots are its own
        )
        self._states.forget_after(slot, position + known)
        if known:
            self._symbols[self._states.place(slot, position)] = forced[0]
        return position + known

    def _restore(self, slot: int, plan: Plan) -> None:
        place = self._states.place(slot, plan.position)
        values = np.frombuffer(plan.state, "<f4")
        parts = self._hidden[:, place], self._cell[:, place]  # [layers, width] each
        if len(values) != sum(part.numel() for part in parts):
            raise EngineError("the state does not fit the model")
        self._prepared.forget(slot)
        self._states.restart(slot, plan.position)
        sizes = [part.numel() for part in parts]
        hidden, cell = torch.split(torch.from_numpy(values.copy()), sizes)
        parts[0].copy_(hidden.view_as(parts[0]))
        parts[1].copy_(cell.view_as(parts[1]))
        before = self._states.place(slot, plan.position - 1)
        self._symbols[before] = self.codec.unpack(plan.before)[0]

    # Stepping

    @property
    def empty(self) -> bool:
        """Whether there is no session."""
        return len(self._free) == len(self.key)

    def ready(
        self, now: float, near: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Slots with credit left, and each one's deadline; and those far behind a past.

        Who catches up on what is forced lies behind its own timetable, perhaps far. That must
        not set it before those who are late through no doing of their own. And who is paused
        has no timetable, but what is fed to it is often fed to hear what comes of it: so that
        is computed at once, up to the first symbol after it, though not before those who are
        late. So is the symbol that it stands at, whether it will be asked for or another one
        fed in its place: see `_go_back`. `near` is `schedule.choose`'s.

        A session that has a long past to come through has no deadline at all meanwhile.
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
            bounded = np.minimum(np.maximum(deadlines, now), now + near / 2)
            deadlines = np.where(wanted, bounded, deadlines)
        return slots, deadlines, behind

    def prepare(self) -> bool:
        """Makes a part of the step that a paused session will take when it is fed; see `Prepared`.

        Returns:
            Whether there was one to make.
        """
        (fed,) = (np.isinf(self._due) & (self._fed_end >= 0)).nonzero()
        if not len(fed):
            return False
        at = self._due_position + 1  # the step that reads the symbol fed next
        waits = (self.next >= at) & (self.key >= 0) & (self._prepared.position != at)
        slots = [s for s in fed[waits[fed]].tolist() if self._states.holds(s, int(at[s]))]
        if not slots:
            return False
        slot = slots[0]
        place = self._states.place(slot, int(at[slot]))
        state = State(_taken(self._hidden, 1, place), _taken(self._cell, 1, place))
        self._prepared.keep(slot, int(at[slot]), self.kernel.recurrent(state))
        return True

    def advance(self, slots: NDArray[np.int64]) -> list[Tile | Snapshot]:
        """Steps some sessions, at most a tile of them, by one symbol each."""
        positions = self.next[slots]
        for slot in slots[positions >= self._change[slots]]:
            self._follow_schedule(int(slot))
        places = slots * self.ring + (positions + _AROUND) % self.ring
        before, here, _ = places
        symbols = self._symbols[before]
        symbols[positions == 0] = 0  # every codec's boundary is symbol 0: index 0, or no keys
        _, at, after = self._rows(places)
        (row,) = self._rows(slots[None])

        state = State(_taken(self._hidden, 1, at), _taken(self._cell, 1, at))
        inputs = torch.from_numpy(symbols).to(self.device)
        bias = _taken(self._artist_bias, 0, row)
        state = self.kernel.step(inputs, bias, state, self._prepared.take(slots, positions))
        _put(self._hidden, after, state.hidden)
        _put(self._cell, after, state.cell)
        self._states.put(places[2], positions + 1)

        self._symbols[here] = made = self._made(state.hidden[-1], slots, positions)
        self.next[slots] += 1
        return self._report(slots, positions, made)

    def _rows(self, places: NDArray[np.int64]) -> Sequence[Rows]:
        """Some rows of places, each as what `_taken` and `_put` take."""
        if places.shape[1] == 1:
            return [int(place) for place in places[:, 0]]
        return torch.from_numpy(places).to(self.device).unbind()

    def _made(
        self, hidden: Tensor, slots: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> NDArray[Any]:
        """The symbols of a step: what is forced, or else what is drawn."""
        (free,) = (positions >= self._forced_end[slots]).nonzero()
        if len(free) == len(slots):
            return self._draw(hidden, slots, positions)
        made = np.zeros((len(slots), *self._symbols.shape[1:]), self._symbols.dtype)
        for lane in (positions < self._forced_end[slots]).nonzero()[0]:
            start, symbols = self._forced[int(slots[lane])]
            made[lane] = symbols[positions[lane] - start]
        if len(free):
            lanes = torch.from_numpy(free).to(self.device)
            made[free] = self._draw(hidden[lanes], slots[free], positions[free])
        return made

    def _draw(
        self, hidden: Tensor, slots: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> NDArray[Any]:
        a = self.architecture
        logits = self.kernel.logits(hidden).cpu().numpy()
        numbers = uniforms(self._seed[slots], positions, draw_lanes(a.head, a.symbols))
        temperature = self._temperature[slots]
        if a.head == "categorical":
            limits = self._top_k[slots], self._top_p[slots]
            logits = logits + self._never
            if self._turns is not None:
                before = self._symbols[slots * self.ring + (positions - 1) % self.ring]
                logits += self._turns[np.where(positions == 0, 0, before)]
            return draw_categorical(logits, numbers, temperature, *limits)
        density, allowed = self._density[slots], self._allowed[slots]
        return self._draw_keys(logits, numbers, temperature, density, allowed)

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
        if self.architecture.keys:
            allowed = self.codec.unpack(settings.allowed)[0] if settings.allowed else np.ones(1)
            self._allowed[slot] = allowed.astype(np.bool_)
        self._artists_from[slot] = min(self._artists_from[slot], position)
        if self._artists.get(slot) != settings.artists:
            weights = settings.artists or (0.0,) * self.architecture.artists
            blend = torch.tensor(weights, dtype=torch.float32, device=self.device)
            self._artist_bias[slot] = self.kernel.artist_bias(blend)
            self._artists[slot], self._artists_from[slot] = settings.artists, position

    def _report(
        self, slots: NDArray[np.int64], positions: NDArray[np.int64], symbols: NDArray[Any]
    ) -> list[Tile | Snapshot]:
        events: list[Tile | Snapshot] = []
        (fresh,) = (positions >= self._forced_end[slots]).nonzero()
        if len(fresh):
            made = slots[fresh]
            events.append(
                Tile(
                    self.key[made].tobytes(),
                    self.generation[made].tobytes(),
                    positions[fresh].tobytes(),
                    self.codec.pack(symbols[fresh]),
                )
            )
        for slot in slots[(positions + 1) % SNAPSHOT_EVERY == 0]:
            position = int(self.next[slot])
            place = self._states.place(int(slot), position)
            parts = self._hidden[:, place].flatten(), self._cell[:, place].flatten()
            events.append(
                Snapshot(
                    int(self.key[slot]),
                    int(self.generation[slot]),
                    position,
                    torch.cat(parts).cpu().numpy().astype("<f4").tobytes(),
                )
            )
        return events


def _room(part: Tensor, places: int) -> Tensor:
    """Room for a part of so many states, `[layers, places, width]`, which are zero."""
    shape = (part.shape[0], places, part.shape[2])
    if part.device.type != "cpu":
        return torch.zeros(shape, device=part.device)
    # NumPy's zeros take up no memory before they are written, and most models have few sessions.
    return torch.from_numpy(np.zeros(shape, np.float32))


# One row is a view: an index in a tensor, made and looked up, takes longer than its arithmetic.


def _taken(part: Tensor, axis: int, rows: Rows) -> Tensor:
    if isinstance(rows, int):
        return part.narrow(axis, rows, 1)
    return part.index_select(axis, rows)


def _put(part: Tensor, rows: Rows, value: Tensor) -> None:
    if isinstance(rows, int):
        part.narrow(1, rows, 1).copy_(value)
    else:
        part.index_copy_(1, rows, value)


def boundary_is_zero(codec: Codec) -> bool:
    """Whether a codec keeps the promise that `advance` relies on."""
    return not any(int_to_bytes(codec.boundary, codec.width))
