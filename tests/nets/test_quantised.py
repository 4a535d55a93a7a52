"""Trained weights as 8-bit ones: near, in bounds, and laid out as each cell wants them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from whole import CELLS, written_tensors

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import Architecture
from stream_rnn.nets.quantised import make_product, quantise


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e4))
def test_8_bits_are_at_most_half_a_step_away(seed: int, size: float) -> None:
    weights = np.random.default_rng(seed).normal(size=(30, 7)).astype(np.float32) * np.float32(size)
    product = make_product(weights)
    assert np.abs(product.weights).max(0).tolist() == [127] * 7
    step = np.abs(weights).max(0) / 127
    again = product.weights * (product.scale.astype(np.float64) * 127)
    assert (np.abs(again - weights) <= 0.5001 * step).all()


def test_a_column_of_zeros_stays_one() -> None:
    product = make_product(np.zeros((3, 2), np.float32))
    assert not product.weights.any() and not product.scale.any()


@pytest.mark.parametrize("cell", CELLS)
def test_products_are_joined_where_a_cell_adds_them(cell: str) -> None:
    a = Architecture(5, 2, 8, 2, "categorical", cell)
    network = quantise(a, written_tensors(a))
    first, second = network.layers
    assert first.below is None and first.own.weights.shape[0] == 8
    apart = cell in ("gru", "mi-lstm")
    assert (second.below is not None) == apart
    assert second.own.weights.shape[0] == (8 if apart else 16)
    assert network.table.shape == (5, first.bias.size) and network.artists.shape[0] == 2


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 2.0**20])
def test_a_number_that_is_none_or_too_large_is_refused(number: float) -> None:
    a = Architecture(5, 0, 8, 1, "categorical")
    tensors = written_tensors(a)
    tensors["output.bias"][2] = number
    with pytest.raises(CheckpointError, match=r"output\.bias"):
        quantise(a, tensors)


def test_a_bias_that_is_too_large_as_a_sum_is_refused() -> None:
    a = Architecture(5, 0, 8, 1, "categorical")
    tensors = written_tensors(a)
    for name in ("bias_ih", "bias_hh"):
        tensors[f"recurrent.{name}_l0"][2] = 2.0**19
    with pytest.raises(CheckpointError, match="the bias of layer 0 has a number that is none, or"):
        quantise(a, tensors)
