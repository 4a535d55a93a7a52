"""A network in whole numbers as named tensors: what a model folder of format 2 holds. No torch.

    table                              what each symbol adds to the first layer's gates
    artists                            the same of each artist, if there are any
    layers.N.own.weights, .scale       the product with a layer's own state; of LSTM and tanh above
                                       the first layer, with the state below and its own
    layers.N.below.weights, .scale     of GRU and MI-LSTM above the first layer, with the state
                                       below
    layers.N.bias                      LSTM and tanh; bias_ih and bias_hh for the GRU; alpha,
                                       beta_hh, beta_ih and bias for the MI-LSTM
    output.weights, .scale, .bias
    chords.voices, chords.keys.weights, .scale      the joint head

Weights are `[inputs, outputs]` of int8, -127 to 127, scales float32. Other tensors are float16
where that holds every number of them exactly, else float32. docs/numerics.md says what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import GATES, Architecture
from stream_rnn.nets.quantised import APART, LARGEST, MOST, Floats, Layer, Product, QuantisedNetwork

Tensors = Mapping[str, NDArray[Any]]

WEIGHTS, SCALE, FLOATS = ("I8",), ("F32",), ("F16", "F32")
_PARAMETERS = {"gru": ("bias_hh",), "mi-lstm": ("alpha", "beta_hh", "beta_ih", "bias")}
_BIAS = {"lstm": "bias", "tanh": "bias", "gru": "bias_ih"}  # the MI-LSTM has none beside those


class Stored(NamedTuple):
    """What a tensor has to be: its shape, and the dtypes that it may have."""

    shape: tuple[int, ...]
    dtypes: tuple[str, ...]


def stored_tensors(a: Architecture) -> dict[str, Stored]:
    """What each tensor of an architecture has to be, by name."""
    gates, found = GATES[a.cell] * a.hidden, {}

    def product(name: str, inputs: int, outputs: int) -> None:
        found[f"{name}.weights"] = Stored((inputs, outputs), WEIGHTS)
        found[f"{name}.scale"] = Stored((outputs,), SCALE)

    found["table"] = Stored((a.symbols, gates), FLOATS)
    if a.artists:
        found["artists"] = Stored((a.artists, gates), FLOATS)
    for layer in range(a.layers):
        joined = layer and a.cell not in APART
        product(f"layers.{layer}.own", 2 * a.hidden if joined else a.hidden, gates)
        if layer and a.cell in APART:
            product(f"layers.{layer}.below", a.hidden, gates)
        for name in _vectors(a):
            found[f"layers.{layer}.{name}"] = Stored((gates,), FLOATS)
    product("output", a.hidden, a.outputs)
    found["output.bias"] = Stored((a.outputs,), FLOATS)
    if a.head == "nade":
        found["chords.voices"] = Stored((a.symbols, a.head_hidden), FLOATS)
        product("chords.keys", a.head_hidden, a.symbols)
    return found


def to_tensors(network: QuantisedNetwork) -> dict[str, NDArray[Any]]:
    """The tensors that a folder holds of a network."""
    a = network.architecture
    floats = {"table": network.table, "output.bias": network.output_bias}
    if a.artists:
        floats["artists"] = network.artists
    if network.voices is not None:
        floats["chords.voices"] = network.voices
    for number, layer in enumerate(network.layers):
        named = dict(zip(_PARAMETERS.get(a.cell, ()), layer.parameters, strict=True))
        if a.cell in _BIAS:
            named[_BIAS[a.cell]] = layer.bias
        floats |= {f"layers.{number}.{name}": values for name, values in named.items()}
    return {name: _narrow(values) for name, values in floats.items()} | {
        f"{name}.{part}": values
        for name, product in _products(network)
        for part, values in (("weights", product.weights), ("scale", product.scale))
    }


def from_tensors(a: Architecture, tensors: Tensors) -> QuantisedNetwork:
    """The network that has these tensors, each of which is what it has to be.

    Raises:
        CheckpointError: a number is none, or out of bounds.
    """

    def floats(name: str) -> Floats:
        values = tensors[name].astype(np.float32)
        if not bool((np.abs(values) < LARGEST).all()):  # of NaN that is false
            raise CheckpointError(f"{name} has a number that is none, or not below {LARGEST:,.0f}")
        return values

    def product(name: str) -> Product:
        weights, scale = tensors[f"{name}.weights"], floats(f"{name}.scale")
        if bool((weights < -MOST).any()):
            raise CheckpointError(f"{name}.weights has {weights.min()}; the least is {-MOST}")
        if not bool((scale >= 0).all() and (scale * np.float32(MOST * MOST) < LARGEST).all()):
            raise CheckpointError(
                f"{name}.scale has {scale.min()} to {scale.max()}; each is at least 0, and "
                f"below {LARGEST / (MOST * MOST):.1f}"
            )
        return Product(np.ascontiguousarray(weights), scale)

    def layer(number: int) -> Layer:
        at = f"layers.{number}."
        own, below = product(f"{at}own"), None
        if number and a.cell in APART:
            below = product(f"{at}below")
        gates = own.scale.size
        rows = [floats(at + name) for name in _PARAMETERS.get(a.cell, ())]
        bias = floats(at + _BIAS[a.cell]) if a.cell in _BIAS else np.zeros(gates, np.float32)
        parameters = np.stack(rows) if rows else np.zeros((0, gates), np.float32)
        return Layer(own, below, bias, parameters)

    table = floats("table")
    return QuantisedNetwork(
        architecture=a,
        table=table,
        artists=floats("artists") if a.artists else np.zeros((0, table.shape[1]), np.float32),
        layers=tuple(layer(number) for number in range(a.layers)),
        output=product("output"),
        output_bias=floats("output.bias"),
        voices=floats("chords.voices") if a.head == "nade" else None,
        keys=product("chords.keys") if a.head == "nade" else None,
    )


def dequantised(network: QuantisedNetwork) -> dict[str, Floats]:
    """Float weights by the names of `Architecture.tensors`, near those that were trained.

    The biases of LSTM and tanh are one sum here, so their `bias_hh` are zeros.
    """
    a = network.architecture
    inputs = np.concatenate([network.table, network.artists])
    found = {"output.weight": _wide(network.output).T, "output.bias": network.output_bias}
    if network.voices is not None and network.keys is not None:
        found |= {"chords.voices": network.voices, "chords.keys": _wide(network.keys)}
    for number, layer in enumerate(network.layers):
        own = _wide(layer.own)
        if layer.below:
            inputs = _wide(layer.below)
        elif number:
            inputs, own = own[: a.hidden], own[a.hidden :]
        named = {"weight_ih": inputs.T, "weight_hh": own.T}
        named |= zip(_PARAMETERS.get(a.cell, ()), layer.parameters, strict=True)
        if a.cell != "mi-lstm":
            named["bias_ih"] = layer.bias
            named.setdefault("bias_hh", np.zeros_like(layer.bias))
        found |= {f"recurrent.{name}_l{number}": values for name, values in named.items()}
    return {name: np.ascontiguousarray(values) for name, values in found.items()}


def _vectors(a: Architecture) -> tuple[str, ...]:
    """The names of a layer's biases and the like."""
    return (*([_BIAS[a.cell]] if a.cell in _BIAS else []), *_PARAMETERS.get(a.cell, ()))


def _products(network: QuantisedNetwork) -> Iterator[tuple[str, Product]]:
    for number, layer in enumerate(network.layers):
        yield f"layers.{number}.own", layer.own
        if layer.below:
            yield f"layers.{number}.below", layer.below
    yield "output", network.output
    if network.keys:
        yield "chords.keys", network.keys


def _narrow(values: Floats) -> NDArray[Any]:
    """As float16, if that is the same to the bit."""
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    same = np.array_equal(half.astype(np.float32).view(np.uint32), values.view(np.uint32))
    return half if same else values


def _wide(product: Product) -> Floats:
    """The weights of a product as floats."""
    step = product.scale.astype(np.float64) * MOST
    return np.asarray((product.weights * step).astype(np.float32))
