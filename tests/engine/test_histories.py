"""Random histories of one slot: each symbol is the one that a slot without rollback makes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stream_rnn.codecs.base import ints_from_bytes
from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.messages import Batch, Plan, Settings
from stream_rnn.engine.offline import kernel_of
from stream_rnn.engine.slots import Slots
from stream_rnn.errors import EngineError
from stream_rnn.nets.network import Architecture, RecurrentNetwork

ROLLBACK = 8
CODEC = TextCodec("abcdefghijkl ")
ARTISTS = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]


def make_slots() -> Slots:
    torch.manual_seed(5)
    network = RecurrentNetwork(Architecture(CODEC.size, 2, 16, 1, "categorical")).eval()
    with torch.no_grad():
        network.output.weight.mul_(8)
    return Slots(kernel_of(network), CODEC, count=1, rollback=ROLLBACK, batch=1)


def packed(symbols: list[int]) -> bytes:
    return b"".join(symbol.to_bytes(CODEC.width, "little") for symbol in symbols)


@dataclass
class Past:
    """What has been committed: symbols, which of them were fed, and settings by position."""

    symbols: list[int] = field(default_factory=list)
    fed: list[bool] = field(default_factory=list)
    log: dict[int, Settings] = field(default_factory=lambda: {0: Settings(artists=ARTISTS[0])})

    @property
    def latest(self) -> Settings:
        return self.log[max(self.log)]

    def schedule(self, position: int) -> tuple[tuple[int, Settings], ...]:
        start = max(n for n in self.log if n <= position)
        return (
            (position, self.log[start]),
            *((n, s) for n, s in sorted(self.log.items()) if n > position),
        )


class Performer:
    """Does what the gateway does: computes ahead, commits, changes its mind."""

    def __init__(self) -> None:
        self.slots, self.past, self.generation = make_slots(), Past(), 0
        self.row = self.slots.open(1)
        self.computed: list[int] = []
        self._plan(0)

    def _plan(self, position: int, injected: list[int] | None = None) -> None:
        self.generation += 1
        self.computed = []
        schedule = self.past.schedule(position)
        self.slots.plan(
            self.row, Plan(1, self.generation, position, schedule, packed(injected or []))
        )

    def compute(self, ahead: int) -> None:
        """Computes as a credit of this many symbols would, at most a rollback window of them."""
        until = len(self.past.symbols) + min(ahead, ROLLBACK - 1)
        while self.slots.next[self.row] < until:
            for event in self.slots.advance(np.array([self.row])):
                if isinstance(event, Batch):
                    self.computed += ints_from_bytes(event.symbols, CODEC.width)

    def commit(self, count: int) -> None:
        self.compute(count)
        assert len(self.computed) >= min(count, ROLLBACK - 1)
        made, self.computed = self.computed[:count], self.computed[count:]
        self.past.symbols += made
        self.past.fed += [False] * len(made)

    def control(self, temperature: float, artists: tuple[float, ...]) -> None:
        position = len(self.past.symbols)
        self.past.log[position] = replace(
            self.past.latest, temperature=temperature, artists=artists
        )
        self._plan(position)

    def feed(self, symbols: list[int]) -> None:
        position = len(self.past.symbols)
        self.past.symbols += symbols
        self.past.fed += [True] * len(symbols)
        self._plan(position, symbols)

    def finish(self) -> None:
        """Compares the result with that of the same history played without rollbacks."""
        self._plan(len(self.past.symbols))
        self.commit(1)
        symbols, last = played_straight_on(self.past)
        assert self.past.symbols == symbols and state(self.slots, self.row) == last

    def wait(self) -> None:
        """Pauses."""
        position = len(self.past.symbols)
        self.slots.give(self.row, position + 1, position, math.inf, 0.1)

    def rewind(self, back: int) -> None:
        position = max(0, len(self.past.symbols) - back)
        del self.past.symbols[position:], self.past.fed[position:]
        self.past.log = {n: s for n, s in self.past.log.items() if n <= position}
        self._plan(0, self.past.symbols)


def state(slots: Slots, row: int) -> bytes:
    """The state that the next step reads, as bytes."""
    return slots._states.exported(row, int(slots.next[row]))


def played_straight_on(past: Past) -> tuple[list[int], bytes]:
    """The symbols and the last state of a slot that plays this history one symbol at a time."""
    slots, made = make_slots(), []
    row = slots.open(1)
    for n, symbol in enumerate(past.symbols):
        injected = packed([symbol]) if past.fed[n] else b""
        slots.plan(row, Plan(1, n, n, past.schedule(n), injected))
        while slots.next[row] <= n:
            batches = [e for e in slots.advance(np.array([row])) if isinstance(e, Batch)]
            made += [s for e in batches for s in ints_from_bytes(e.symbols, CODEC.width)]
        if past.fed[n]:
            made.append(symbol)
    return made, state(slots, row)


OPERATIONS = st.one_of(
    st.tuples(st.just("compute"), st.integers(1, ROLLBACK - 1)),
    st.tuples(st.just("commit"), st.integers(1, ROLLBACK - 1)),
    st.tuples(
        st.just("control"), st.sampled_from([0.7, 2.0]), st.sampled_from([ARTISTS[0], *ARTISTS])
    ),
    st.tuples(st.just("feed"), st.lists(st.integers(1, CODEC.size - 1), min_size=1, max_size=3)),
    st.tuples(st.just("rewind"), st.integers(0, 12)),
    st.tuples(st.just("wait")),
)


@settings(max_examples=300)
@given(st.lists(OPERATIONS, min_size=12, max_size=30))
def test_a_symbol_does_not_depend_on_what_was_computed_and_given_up(
    operations: list[tuple[object, ...]],
) -> None:
    performer = Performer()
    for name, *arguments in operations:
        getattr(performer, str(name))(*arguments)
    performer.finish()


def test_a_rewind_after_a_rollback_does_not_take_a_later_state_for_an_early_one() -> None:
    """The place of state 1 holds state 9, which was computed ahead and then given up."""
    performer = Performer()
    performer.commit(4)
    performer.compute(ROLLBACK - 1)
    performer.control(0.7, ARTISTS[0])
    performer.compute(1)
    performer.rewind(1)
    performer.finish()


def test_a_state_that_a_given_up_future_has_overwritten_is_not_gone_back_to() -> None:
    performer = Performer()
    for _ in range(3):
        performer.commit(ROLLBACK - 1)
    slots, row = performer.slots, performer.row
    reached = int(slots.next[row])
    slots.plan(row, Plan(1, 50, reached - 5, performer.past.schedule(reached - 5)))
    with pytest.raises(EngineError, match=f"rollback window of {ROLLBACK}"):
        slots.plan(row, Plan(1, 51, reached - 10, performer.past.schedule(reached - 10)))
    assert slots.generation[row] == 50, "a plan that cannot be followed changes nothing"
