"""Baselines in the engine are stepped like any other model and keep the same promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from boxed import MODELS
from goldens import GOLDENS
from support import assert_groups_alike
from whole import golden

from stream_rnn.checkpoint import read_card
from stream_rnn.codecs.base import Codec, ints_from_bytes
from stream_rnn.codecs.pianoroll import KEYS, PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.kernels import make_kernel
from stream_rnn.engine.library import load_kernel
from stream_rnn.engine.messages import Batch, Plan, Settings, Snapshot
from stream_rnn.engine.slots import SNAPSHOT_EVERY, Slots
from stream_rnn.nets.architecture import CountingArchitecture
from stream_rnn.nets.baselines import Baseline
from stream_rnn.nets.counting import CountingNetwork, counting_network
from stream_rnn.train.corpus import Document
from stream_rnn.train.counting import key_chains, ngrams

TEXT = "the cat sat on the mat and the dog sat on the cat as the rat ate the hat " * 3
LENGTH = SNAPSHOT_EVERY + 30
every_level = pytest.mark.parametrize("levels", [0, 1, 2, 5])
every_head = pytest.mark.parametrize("head", ["categorical", "bernoulli"])


def make(head: str, levels: int) -> tuple[CountingNetwork, Codec]:
    codec: Codec
    if head == "categorical":
        codec = TextCodec("".join(sorted(set(TEXT))))
        documents = [Document(np.array(codec.parse(TEXT), np.uint16))]
        *_, tables = ngrams(documents, 0, codec.size, levels)
    else:
        codec = PianorollCodec(4)
        dice = np.random.default_rng(1)
        roll = np.repeat((dice.random((60, KEYS)) < 0.05).astype(np.uint8), 3, 0)
        *_, tables = key_chains([Document(roll)], levels)
    cell = ("uniform", "unigram", "markov")[min(levels, 2)]
    order = max(0, levels - 1)
    return counting_network(
        CountingArchitecture(codec.size, 2, codec.head, cell, order), tables
    ), codec


@every_head
@every_level
def test_stepping_is_the_whole_sequence_to_the_bit(head: str, levels: int) -> None:
    """Beside what scores it."""
    counts, codec = make(head, levels)
    network, kernel = Baseline(counts), make_kernel(counts)
    dice = np.random.default_rng(levels)
    symbols = dice.integers(codec.size, size=(3, 40))
    if head == "bernoulli":
        symbols = (dice.random((3, 40, KEYS)) < 0.1).astype(np.int64)
    expected, last = network(torch.from_numpy(symbols), torch.rand(3, 2), network.zero_state(3))
    state, constants = kernel.zero_state(3), np.stack([kernel.constant((0.5, 0.5))] * 3)
    for time in range(40):
        state = kernel.step(symbols[:, time], constants, state)
        np.testing.assert_array_equal(kernel.outputs(state), expected[:, time].numpy())
    np.testing.assert_array_equal(state.hidden, last.hidden.numpy())


@every_head
@every_level
def test_a_step_gives_the_same_bits_in_any_group(head: str, levels: int) -> None:
    assert_groups_alike(make_kernel(make(head, levels)[0]))


def run(slots: Slots, rows: list[int], steps: int) -> tuple[dict[int, list[int]], list[Snapshot]]:
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


def settings(key: int) -> Settings:
    return Settings(temperature=0.5 + key / 4, seed=key, artists=(key / 5, 1 - key / 5))


def opened(head: str, levels: int, keys: list[int]) -> tuple[Slots, list[int]]:
    network, codec = make(head, levels)
    slots = Slots(make_kernel(network), codec, count=6, rollback=16, batch=6)
    rows = [slots.open(key) for key in keys]
    for key, row in zip(keys, rows, strict=True):
        slots.plan(row, Plan(key, 1, 0, ((0, settings(key)),)))
    return slots, rows


@pytest.mark.slow
@every_head
@every_level
def test_alone_together_gone_back_and_from_a_snapshot(head: str, levels: int) -> None:
    together, rows = opened(head, levels, list(range(6)))
    streams, snapshots = run(together, rows, LENGTH)
    assert len({tuple(stream) for stream in streams.values()}) == 6
    alone, (row,) = opened(head, levels, [3])
    assert run(alone, [row], LENGTH)[0][3] == streams[3]
    alone.plan(row, Plan(3, 2, LENGTH - 9, ((LENGTH - 9, settings(3)),)))
    assert run(alone, [row], 9)[0][3] == streams[3][-9:]

    (snapshot,) = (s for s in snapshots if s.key == 4)
    assert together.kernel.import_state(snapshot.state).hidden.any() == (levels > 1)
    restored, (row,) = opened(head, levels, [4])
    before = streams[4][SNAPSHOT_EVERY - 1].to_bytes(restored.codec.width, "little")
    schedule = ((SNAPSHOT_EVERY, settings(4)),)
    restored.plan(row, Plan(4, 1, SNAPSHOT_EVERY, schedule, b"", snapshot.state, before))
    assert run(restored, [row], 30)[0][4] == streams[4][SNAPSHOT_EVERY:]


def test_the_artist_makes_no_difference_and_temperature_does() -> None:
    made = []
    for change in ({}, {"artists": (1.0, 0.0)}, {"temperature": 0.0}):
        slots, (row,) = opened("categorical", 5, [1])
        told = Settings(**{"temperature": 1.0, "seed": 1, "artists": (0.5, 0.5)} | change)
        slots.plan(row, Plan(1, 1, 0, ((0, told),)))
        made.append(run(slots, [row], 60)[0][1])
    assert made[0] == made[1] != made[2]
    codec = make("categorical", 5)[1]
    assert codec.show(made[2]).startswith("the cat")


@pytest.mark.parametrize("name", ["nottingham-markov", "shakespeare-markov"])
def test_shipped_baselines_stream_what_they_always_did(name: str) -> None:
    kernel = load_kernel(MODELS[name], read_card(MODELS[name]))
    assert golden(kernel, 1000) == GOLDENS[name]
