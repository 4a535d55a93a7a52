"""A network in whole numbers as tensors: the same bits again, and near what was trained."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from whole import CELLS, HEADS, arrays_of, written_tensors

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import Architecture
from stream_rnn.nets.network import RecurrentNetwork
from stream_rnn.nets.quantised import QuantisedNetwork, quantise
from stream_rnn.nets.stored import dequantised, from_tensors, stored_tensors, to_tensors

every_kind = pytest.mark.parametrize(
    ("cell", "head", "layers", "artists"), list(product(CELLS, HEADS, (1, 3), (0, 2)))
)
DTYPES = {"I8": np.int8, "F16": np.float16, "F32": np.float32}


def make(
    cell: str = "lstm", head: str = "categorical", layers: int = 2, artists: int = 2
) -> QuantisedNetwork:
    units = 5 if head == "nade" else 0
    a = Architecture(11, artists, 8, layers, head, cell, head_hidden=units)  # type: ignore[arg-type]
    return quantise(a, written_tensors(a))


@every_kind
def test_tensors_give_the_same_bits_again(cell: str, head: str, layers: int, artists: int) -> None:
    network = make(cell, head, layers, artists)
    tensors = to_tensors(network)
    wanted = stored_tensors(network.architecture)
    assert tensors.keys() == wanted.keys()
    for name, tensor in tensors.items():
        assert tensor.shape == wanted[name].shape
        assert tensor.dtype in [DTYPES[dtype] for dtype in wanted[name].dtypes]
    again = from_tensors(network.architecture, tensors)
    for found, expected in zip(arrays_of(again), arrays_of(network), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.view(np.uint8), expected.view(np.uint8))


@every_kind
def test_floats_are_near_what_was_trained(cell: str, head: str, layers: int, artists: int) -> None:
    network = make(cell, head, layers, artists)
    a = network.architecture
    trained, found = written_tensors(a), dequantised(network)
    assert {name: values.shape for name, values in found.items()} == a.tensors()
    RecurrentNetwork(a).load_state_dict({k: torch.from_numpy(v) for k, v in found.items()})
    for layer in range(layers if cell in ("lstm", "tanh") else 0):  # which have one bias in all
        for made in (trained, found):
            made[f"recurrent.bias_ih_l{layer}"] += made.pop(f"recurrent.bias_hh_l{layer}")
    for name, values in trained.items():
        most = np.abs(values).max() / 127 / 2
        exact = values.ndim == 1 or name in ("recurrent.weight_ih_l0", "chords.voices")
        np.testing.assert_allclose(found[name], values, rtol=0, atol=0 if exact else most * 1.001)


def test_floats_have_16_bits_where_that_loses_nothing() -> None:
    network = make()
    kept = to_tensors(network)
    assert kept["table"].dtype == np.float32, "hashes have more than 11 bits"
    half = {k: v.astype(np.float16) for k, v in written_tensors(network.architecture).items()}
    half["recurrent.weight_ih_l0"][0, :3] = [-0.0, 2**-24, 65504]
    network = quantise(network.architecture, half)
    kept = to_tensors(network)
    assert {kept[name].dtype for name in ("table", "artists", "output.bias")} == {np.dtype("f2")}
    assert kept["output.scale"].dtype == np.float32
    again = from_tensors(network.architecture, kept)
    assert again.table.tobytes() == network.table.tobytes()
    network.table[3, 3] = 65537
    assert to_tensors(network)["table"].dtype == np.float32


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("table", np.nan, "table has a number that is none, or not below 1,048,576"),
        ("artists", np.inf, "artists has a number that is none"),
        ("layers.1.bias", -(2.0**20), "layers.1.bias has a number that is none, or not"),
        ("layers.1.own.weights", -128, "layers.1.own.weights has -128; the least is -127"),
        ("layers.0.own.scale", -1.0, "layers.0.own.scale has -1.0 to .*; each is at least 0"),
        ("output.scale", 65.5, "output.scale has .* to 65.5; each is at least 0, and below 65.0"),
        ("output.scale", np.nan, "output.scale has a number that is none"),
    ],
)
def test_a_number_out_of_bounds_is_refused(name: str, value: float, said: str) -> None:
    network = make()
    tensors = {k: v.copy() for k, v in to_tensors(network).items()}
    tensors[name].flat[4] = value
    with pytest.raises(CheckpointError, match=said):
        from_tensors(network.architecture, tensors)
