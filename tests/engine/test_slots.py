"""Slots with every cell: alone or together, and from a snapshot, the symbols are the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stream_rnn.codecs.base import ints_from_bytes
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.messages import Plan, Settings, Snapshot, Tile
from stream_rnn.engine.slots import SNAPSHOT_EVERY, Slots
from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.network import Architecture, RecurrentNetwork

LENGTH = SNAPSHOT_EVERY + 40


def make_slots(cell: str, head: str) -> Slots:
    codec = TextCodec("abcdefghijkl ") if head == "categorical" else PianorollCodec(4)
    torch.manual_seed(5)
    network = RecurrentNetwork(Architecture(codec.size, 2, 40, 2, codec.head, cell)).eval()
    with torch.no_grad():
        network.output.weight.mul_(8)
        network.output.bias.fill_(-2.0)
    return Slots(network, codec, count=6, ring=16, tile=6)


def settings(key: int) -> Settings:
    return Settings(temperature=0.5 + key / 4, seed=key, artists=(key / 5, 1 - key / 5))


def run(slots: Slots, rows: list[int], steps: int) -> tuple[dict[int, list[int]], list[Snapshot]]:
    """The symbols by key, and the snapshots."""
    made: dict[int, list[int]] = {}
    snapshots = []
    for _ in range(steps):
        for event in slots.advance(np.array(rows)):
            if isinstance(event, Tile):
                symbols = ints_from_bytes(event.symbols, slots.codec.width)
                for key, symbol in zip(np.frombuffer(event.keys, np.int64), symbols, strict=True):
                    made.setdefault(int(key), []).append(symbol)
            else:
                snapshots.append(event)
    return made, snapshots


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
def test_alone_together_and_from_a_snapshot(cell: str, head: str) -> None:
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
    parts = 1 + CELLS[cell].remembers
    assert len(snapshot.state) == 4 * 2 * parts * together.kernel.width
    restored = make_slots(cell, head)
    row, width = restored.open(4), restored.codec.width
    before = streams[4][SNAPSHOT_EVERY - 1].to_bytes(width, "little")
    schedule = ((SNAPSHOT_EVERY, settings(4)),)
    restored.plan(row, Plan(4, 1, SNAPSHOT_EVERY, schedule, b"", snapshot.state, before))
    assert run(restored, [row], 40)[0][4] == streams[4][SNAPSHOT_EVERY:]
