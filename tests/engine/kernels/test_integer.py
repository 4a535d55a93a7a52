"""The compiled kernel gives the reference's bits, on every path that this processor has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from goldens import GOLDENS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whole import CELLS, HEADS, WRITTEN, draw_by, golden, written_kind, written_network

from stream_rnn.checkpoint import find_models, load_quantised, read_card
from stream_rnn.engine.kernels.integer import IntegerKernel, choose_path
from stream_rnn.engine.kernels.paths import PATHS, has
from stream_rnn.engine.kernels.reference import ReferenceKernel
from stream_rnn.engine.numerics.states import State
from stream_rnn.errors import ConfigError

MODELS = find_models(Path(__file__).parents[3] / "models")
NETWORKS = [name for name in MODELS if not name.endswith("-markov")]
HERE = [name for name, path in PATHS.items() if has(path)]
COMPILED = pytest.mark.timeout(600)  # the first call compiles


@COMPILED
@pytest.mark.parametrize("path", HERE)
@pytest.mark.parametrize("name", WRITTEN)
def test_written_networks_stream_what_they_always_did(path: str, name: str) -> None:
    assert golden(IntegerKernel(written_kind(name), path), 300) == WRITTEN[name]


@COMPILED
@pytest.mark.parametrize("path", HERE)
@pytest.mark.parametrize("name", NETWORKS)
def test_shipped_models_stream_what_they_always_did(path: str, name: str) -> None:
    """The hashes are the reference's; see `goldens`."""
    network = load_quantised(MODELS[name], read_card(MODELS[name]))
    assert golden(IntegerKernel(network, path), 1000) == GOLDENS[name]


def test_every_shipped_model_has_a_hash() -> None:
    assert GOLDENS.keys() == MODELS.keys()


@COMPILED
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("head", HEADS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_batch_in_one_call_is_what_the_reference_makes_row_by_row(
    cell: str, head: str, seed: int
) -> None:
    """States at scattered places, any number of rows, every control, symbols that take turns."""
    dice = np.random.default_rng(seed)
    hidden = int(dice.integers(1, 40))  # whole vectors and what is left of them
    network = written_network(cell, head, hidden=hidden, layers=int(dice.integers(1, 4)))
    reference, kernel = ReferenceKernel(network), IntegerKernel(network, str(dice.choice(HERE)))
    a, rows, count = network.architecture, int(dice.integers(1, 20)), 24
    slots = dice.permutation(count)[:rows]
    constants = np.stack([kernel.constant(dice.random(3)) for _ in range(count)])
    by = draw_by(
        a, count,
        seed=dice.integers(-(2**62), 2**62, count), position=dice.integers(0, 2**40, count),
        temperature=dice.choice([0, 1e-9, 0.5, 1, 1.5], count), top_k=dice.integers(0, 4, count),
        top_p=dice.choice([0.0, 0.5, 0.9, 1], count), density=dice.normal(size=count),
        may=dice.random((count, a.symbols)) < 0.8,
    )  # fmt: skip
    state = kernel.room(2 * count)
    state.hidden[:] = dice.integers(1, 256, state.hidden.shape)
    state.cell[:] = np.tanh(dice.normal(size=state.cell.shape))
    symbols = dice.integers(0, 2 if a.keys else a.symbols, (rows, a.symbols if a.keys else 1))
    given = kernel.settings(by, constants)
    allowed = by.may[slots]
    if not a.keys:
        turns = dice.random((a.symbols, a.symbols)) < 0.7
        given, allowed = given._replace(may=turns.astype(np.uint8)), turns[symbols[:, 0]]
    at, after = slots * 2, slots * 2 + 1
    before = State(*(part[at].swapaxes(0, 1) for part in state))
    expected = reference.step(symbols if a.keys else symbols[:, 0], constants[slots], before)
    one = type(by)(*(part[slots] for part in by))._replace(may=allowed)
    drawn = reference.draw(reference.outputs(expected), one)
    made = np.zeros_like(symbols)
    kernel.advance(symbols, slots, by.position[slots], given, at, after, state, made)
    for part, wanted in zip(state, expected, strict=True):
        found = np.ascontiguousarray(part[after].swapaxes(0, 1))
        np.testing.assert_array_equal(
            found.view(np.uint8), np.ascontiguousarray(wanted).view(np.uint8)
        )
    np.testing.assert_array_equal(made if a.keys else made[:, 0], drawn)


def test_a_path_is_forced_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_RNN_KERNEL", "plain")
    assert choose_path() == PATHS["plain"]
    monkeypatch.setenv("STREAM_RNN_KERNEL", "abacus")
    with pytest.raises(ConfigError, match="may be amx, .*plain"):
        choose_path()
    for name, path in PATHS.items():
        if not has(path):
            with pytest.raises(ConfigError, match="does not have"):
                choose_path(name)
