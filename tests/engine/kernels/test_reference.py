"""The reference of the integer step: near the trained network; a row's bits are its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from goldens import GOLDENS
from hypothesis import given, settings
from hypothesis import strategies as st
from whole import (
    CELLS,
    HEADS,
    WRITTEN,
    draw_by,
    golden,
    written_kind,
    written_network,
)

from stream_rnn.checkpoint import find_models, load_quantised, read_card
from stream_rnn.engine.kernels.reference import ReferenceKernel
from stream_rnn.engine.numerics.states import State
from stream_rnn.errors import CheckpointError, EngineError

MODELS = find_models(Path(__file__).parents[3] / "models")


def some_rows(kernel: ReferenceKernel, rows: int, seed: int) -> tuple[np.ndarray, ...]:
    """Symbols, constants, hidden states and cells."""
    a, dice = kernel.architecture, np.random.default_rng(seed)
    symbols = dice.integers(0, a.symbols, rows)
    if a.keys:
        symbols = dice.integers(0, 2, (rows, a.symbols))
    constants = np.stack([kernel.constant(dice.random(a.artists)) for _ in range(rows)])
    zero = kernel.zero_state(rows)
    hidden = dice.integers(1, 256, zero.hidden.shape).astype(np.uint8)
    cell = np.tanh(dice.normal(size=zero.cell.shape)).astype(np.float32)
    return symbols, constants, hidden, cell


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("head", HEADS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_row_gives_the_same_bits_in_any_company(cell: str, head: str, seed: int) -> None:
    kernel = ReferenceKernel(written_network(cell, head))
    a, rows, dice = kernel.architecture, 13, np.random.default_rng(seed)
    symbols, constants, hidden, cells = some_rows(kernel, rows, seed)
    by = draw_by(
        a, rows, seed=dice.integers(0, 2**53, rows), position=dice.integers(0, 2**40, rows),
        temperature=dice.choice([0, 0.5, 1, 1.5], rows), top_k=dice.integers(0, 4, rows),
        top_p=dice.choice([0.5, 1], rows), density=dice.normal(size=rows),
        may=dice.random((rows, a.symbols)) < 0.8,
    )  # fmt: skip

    def run(lanes: np.ndarray) -> tuple[np.ndarray, ...]:
        before = State(hidden[:, lanes], cells[:, lanes])
        state = kernel.step(symbols[lanes], constants[lanes], before)
        outputs = kernel.outputs(state)
        drawn = kernel.draw(outputs, type(by)(*(part[lanes] for part in by)))
        return state.hidden, state.cell.view(np.uint32), outputs.view(np.uint32)[None], drawn[None]

    whole = run(np.arange(rows))
    for size in (1, dice.integers(2, rows)):
        lanes = dice.permutation(rows)[:size]
        for part, expected in zip(run(lanes), whole, strict=True):
            np.testing.assert_array_equal(part, expected[:, lanes])


def test_written_networks_stream_what_they_always_did() -> None:
    found = {name: golden(ReferenceKernel(written_kind(name)), 300) for name in WRITTEN}
    assert found == WRITTEN


@pytest.mark.parametrize("name", ["star-trek", "nottingham-joint"])
def test_shipped_models_stream_what_they_always_did(name: str) -> None:
    kernel = ReferenceKernel(load_quantised(MODELS[name], read_card(MODELS[name])))
    assert golden(kernel, 1000) == GOLDENS[name]


@pytest.mark.parametrize("cell", CELLS)
def test_a_state_comes_back_from_its_bytes(cell: str) -> None:
    kernel = ReferenceKernel(written_network(cell))
    state = State(*some_rows(kernel, 1, 3)[2:])
    data = kernel.export_state(state)
    for part, expected in zip(kernel.import_state(data), state, strict=True):
        np.testing.assert_array_equal(part, expected)
    for bad, reason in (
        (b"", "begins with"), (b"SRN2", "begins with"), (b"SRN1" + data[4:], "begins with"),
        (b"SRN2\x02" + data[5:], "numerics 2"), (data[:-1], "fit"), (data + b"\0", "fit"),
    ):  # fmt: skip
        with pytest.raises(EngineError, match=reason):
            kernel.import_state(bad)


def test_a_counting_network_has_no_such_form() -> None:
    folder = MODELS["shakespeare-markov"]
    with pytest.raises(CheckpointError, match="counts"):
        load_quantised(folder, read_card(folder))


def test_nothing_of_it_loads_torch() -> None:
    """But the package of the kernels does, until all of them can do without."""
    code = (
        "import sys, stream_rnn.checkpoint, stream_rnn.engine.numerics.chords, "
        "stream_rnn.engine.numerics.layout, stream_rnn.engine.numerics.keys\n"
        "sys.modules['stream_rnn.engine.kernels'] = type(sys)('kernels')\n"
        "sys.modules['stream_rnn.engine.kernels'].__path__ = ['stream_rnn/engine/kernels']\n"
        "import stream_rnn.engine.kernels.reference\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True)
