"""A network in whole numbers, and how a trained one becomes it. Without torch.

docs/numerics.md says what the numbers mean. This is what a folder has to hold of a network: 8-bit
weights with one scale an output unit, and in floats what is added or looked up but never summed
over. `engine/numerics` steps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import Architecture

Floats = NDArray[np.float32]
Tensors = Mapping[str, NDArray[np.floating[Any]]]

MOST = 127  # of an 8-bit weight, and of a hidden state on either side of zero
LARGEST = 2.0**20  # below it is every number of a network: then no gate leaves float32
APART = ("gru", "mi-lstm")  # cells that use the sum from below and their own sum differently


@dataclass(frozen=True)
class Product:
    """A matrix product with 8-bit states.

    Attributes:
        weights: `[inputs, outputs]`, -127 to 127.
        scale: `[outputs]`: what one unit of a sum of `(h8 - 128) * w8` is worth.
    """

    weights: NDArray[np.int8]
    scale: Floats


@dataclass(frozen=True)
class Layer:
    """A recurrent layer above its inputs.

    Attributes:
        own: the product with its own state; in all layers but the first of a cell that adds both
            sums, with the state below and its own one after the other.
        below: the product with the state below, in layers that keep it apart.
        bias: `[gates]`, added to what comes from below; of the first layer, to the table's row.
        parameters: `[parameters, gates]`: the GRU's bias of its own sum, or the MI-LSTM's alpha,
            beta of the own sum, beta of the inputs and bias.
    """

    own: Product
    below: Product | None
    bias: Floats
    parameters: Floats


@dataclass(frozen=True)
class QuantisedNetwork:
    """What is served of a network.

    Attributes:
        table: `[symbols, gates]`: the first layer's inputs.
        artists: `[artists, gates]`.
        output: the product with the last layer's state.
        output_bias: `[outputs]`.
        voices: of the joint head, `[keys, units]`, from the lowest key to the highest.
        keys: of the joint head, the product with its units.
    """

    architecture: Architecture
    table: Floats
    artists: Floats
    layers: tuple[Layer, ...]
    output: Product
    output_bias: Floats
    voices: Floats | None
    keys: Product | None


def make_product(weights: NDArray[np.floating[Any]]) -> Product:
    """The 8-bit form of weights `[inputs, outputs]`.

    In float64, element by element, rounding to the even of two: the same on every machine.
    """
    wide = weights.astype(np.float64)
    largest = np.abs(wide).max(0)
    step = np.where(largest > 0, largest, 1.0) / MOST
    small = np.rint(wide / step).astype(np.int8)
    return Product(np.ascontiguousarray(small), (largest / (MOST * MOST)).astype(np.float32))


def quantise(architecture: Architecture, tensors: Tensors) -> QuantisedNetwork:
    """The network in whole numbers, of its trained weights by the names of `Architecture.tensors`.

    Raises:
        CheckpointError: a number is none, or too large.
    """
    a = architecture
    floats = {name: _checked(name, tensors[name]) for name in a.tensors()}
    inputs = floats["recurrent.weight_ih_l0"].T
    return QuantisedNetwork(
        architecture=a,
        table=np.ascontiguousarray(inputs[: a.symbols]),
        artists=np.ascontiguousarray(inputs[a.symbols :]),
        layers=tuple(_layer(a, floats, layer) for layer in range(a.layers)),
        output=make_product(floats["output.weight"].T),
        output_bias=floats["output.bias"],
        voices=floats.get("chords.voices"),
        keys=make_product(floats["chords.keys"]) if a.head == "nade" else None,
    )


def _checked(name: str, tensor: NDArray[np.floating[Any]]) -> Floats:
    with np.errstate(over="ignore"):  # infinity is refused below
        small = tensor.astype(np.float32)
    if not bool((np.abs(small) < LARGEST).all()):  # of NaN that is false
        raise CheckpointError(f"{name} has a number that is none, or not below {LARGEST:,.0f}")
    return small


def _layer(a: Architecture, floats: Mapping[str, Floats], layer: int) -> Layer:
    def named(name: str) -> Floats:
        return floats[f"recurrent.{name}_l{layer}"]

    own, below = named("weight_hh").T, None
    if layer and a.cell in APART:
        below = make_product(named("weight_ih").T)
    elif layer:
        own = np.concatenate([named("weight_ih").T, own])
    parameters = np.zeros((0, own.shape[1]), np.float32)
    match a.cell:
        case "mi-lstm":
            rows = [named(name) for name in ("alpha", "beta_hh", "beta_ih", "bias")]
            bias, parameters = np.zeros_like(rows[0]), np.stack(rows)
        case "gru":
            bias, parameters = named("bias_ih"), named("bias_hh")[None]
        case _:
            bias = _checked(f"the bias of layer {layer}", named("bias_ih") + named("bias_hh"))
    return Layer(make_product(own), below, bias, parameters)
