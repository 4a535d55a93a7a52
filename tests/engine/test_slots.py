"""Slots with every cell: alone, together or from a snapshot, the symbols are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from stream_rnn.codecs.base import ints_from_bytes
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.messages import Batch, Plan, Settings, Snapshot
from stream_rnn.engine.offline import kernel_of
from stream_rnn.engine.slots import SNAPSHOT_EVERY, Slots
from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.heads import Kind
from stream_rnn.nets.network import Architecture, RecurrentNetwork

LENGTH = SNAPSHOT_EVERY + 40


def make_slots(cell: str, kind: Kind) -> Slots:
    codec = TextCodec("abcdefghijkl ") if kind == "categorical" else PianorollCodec(4)
    torch.manual_seed(5)
    units = 24 if kind == "nade" else 0
    architecture = Architecture(codec.size, 2, 40, 2, kind, cell, head_hidden=units)
    network = RecurrentNetwork(architecture).eval()
    with torch.no_grad():
        network.output.weight.mul_(8)
        network.output.bias.fill_(-2.0)
    return Slots(kernel_of(network), codec, count=6, rollback=16, batch=6)


def settings(key: int) -> Settings:
    return Settings(temperature=0.5 + key / 4, seed=key, artists=(key / 5, 1 - key / 5))


def run(slots: Slots, rows: list[int], steps: int) -> tuple[dict[int, list[int]], list[Snapshot]]:
    """Steps some slots. Returns the symbols by key, and the snapshots."""
    made: dict[int, list[int]] = {}
    snapshots = []
    for _ in range(steps):
        for event in slots.advance(np.array(rows)):
            if isinstance(event, Batch):
                symbols = ints_from_bytes(event.symbols, slots.codec.width)
                for key, symbol in zip(np.frombuffer(event.keys, np.int64), symbols, strict=True):
                    made.setdefault(int(key), []).append(symbol)
            else:
                snapshots.append(event)
    return made, snapshots


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("head", ["categorical", "bernoulli", "nade"])
def test_alone_together_and_from_a_snapshot(cell: str, head: Kind) -> None:
    together = make_slots(cell, head)
    rows = []
    for key in range(6):
        rows.append(together.open(key))
        together.plan(rows[-1], Plan(key, 1, 0, ((0, settings(key)),)))
    streams, snapshots = run(together, rows, LENGTH)
    assert len({tuple(stream) for stream in streams.values()}) == 6

    alone = make_slots(cell, head)
    row = alone.open(3)
    alone.plan(row, Plan(3, 1, 0, ((0, settings(3)),)))
    assert run(alone, [row], LENGTH)[0][3] == streams[3]

    (snapshot,) = (s for s in snapshots if s.key == 4)
    assert snapshot.position == SNAPSHOT_EVERY
    assert together.kernel.import_state(snapshot.state).hidden.shape == (2, 1, 40)
    restored = make_slots(cell, head)
    row, width = restored.open(4), restored.codec.width
    before = streams[4][SNAPSHOT_EVERY - 1].to_bytes(width, "little")
    schedule = ((SNAPSHOT_EVERY, settings(4)),)
    restored.plan(row, Plan(4, 1, SNAPSHOT_EVERY, schedule, b"", snapshot.state, before))
    assert run(restored, [row], 40)[0][4] == streams[4][SNAPSHOT_EVERY:]


def plan_of(key: int, position: int, injected: list[int], slots: Slots, **changed: Any) -> Plan:
    width, generation = slots.codec.width, 2 if position else 1
    schedule = ((position, replace(settings(key), **changed)),)
    packed = b"".join(symbol.to_bytes(width, "little") for symbol in injected)
    return Plan(key, generation, position, schedule, packed)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["categorical", "bernoulli", "nade"])
@pytest.mark.parametrize(
    ("position", "ahead", "count", "artists", "saved"),
    [
        (20, 5, 1, (0.6, 0.4), 1),  # the step at 20 has been made, and is not made again
        (20, 5, 3, (0.6, 0.4), 1),
        (20, 1, 1, (0.6, 0.4), 1),
        (20, 0, 1, (0.6, 0.4), 0),
        (20, 5, 1, (1.0, 0.0), 0),  # other artists: another state
        (0, 5, 2, (0.6, 0.4), 1),
        (0, 30, 2, (0.6, 0.4), 0),  # outside the rollback window
        (SNAPSHOT_EVERY - 1, 5, 1, (0.6, 0.4), 0),  # or the snapshot would be an older plan's
    ],
)
def test_what_is_fed_where_a_step_was_made_already(
    head: Kind, position: int, ahead: int, count: int, artists: tuple[float, ...], saved: int
) -> None:
    """It takes one step less, and the stream goes on as after the same history made directly."""
    slots = make_slots("lstm", head)
    symbols = [3, 1, 4][:count]
    row = slots.open(3)
    slots.plan(row, plan_of(3, 0, [], slots))
    stream = run(slots, [row], position + ahead)[0].get(3, [])
    slots.plan(row, plan_of(3, position, symbols, slots, artists=artists))
    assert slots.next[row] == position + saved
    went_on, snapshots = run(slots, [row], 30 - saved)
    assert len(snapshots) == (position == SNAPSHOT_EVERY - 1)

    fresh = make_slots("lstm", head)
    row = fresh.open(3)
    first = plan_of(3, 0, stream[:position] + symbols, fresh)
    fresh.plan(
        row,
        Plan(
            3,
            1,
            0,
            (*first.schedule, (position, replace(settings(3), artists=artists))),
            first.injected,
        ),
    )
    assert run(fresh, [row], position + 30)[0][3] == went_on[3]


def test_the_artists_of_a_moment_before_do_not_count_as_those_of_then() -> None:
    slots = make_slots("lstm", "categorical")
    row = slots.open(3)
    slots.plan(row, plan_of(3, 0, [], slots))
    run(slots, [row], 12)
    slots.plan(row, plan_of(3, 10, [], slots, artists=(1.0, 0.0)))
    run(slots, [row], 4)
    slots.plan(row, plan_of(3, 9, [2], slots, artists=(1.0, 0.0)))
    assert slots.next[row] == 9, "at 9 the artists were others"
    run(slots, [row], 3)
    slots.plan(row, plan_of(3, 9, [2], slots, artists=(1.0, 0.0)))
    assert slots.next[row] == 10
