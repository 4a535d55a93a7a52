"""A network laid out for stepping: what the functions would multiply by is multiplied in.

The gates of docs/numerics.md are *exponents*: what a logistic function or a hyperbolic tangent is
given, times -log2(e) or twice that. So scales, tables and biases are multiplied by those factors
here, once, in float64 and element by element, and a step need not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics.functions import LOG2E, Floats
from stream_rnn.nets.quantised import Product, QuantisedNetwork

# By cell, of each gate in torch's order: 1 for a logistic function, 2 for a hyperbolic tangent.
KINDS = {"lstm": (1, 1, 2, 1), "mi-lstm": (1, 1, 2, 1), "gru": (1, 1, 2), "tanh": (2,)}
SUM_BITS = 24  # a float32 holds every whole number of so many


@dataclass(frozen=True)
class LaidOutLayer:
    """One layer.

    Attributes:
        own, below: see `quantised.Layer`; their scales give exponents, but those of the MI-LSTM,
            which gives them to its parameters.
        bias: `[gates]`; zeros in the first layer, where the constant has it.
        parameters: `[parameters, gates]`.
    """

    own: Product
    below: Product | None
    bias: Floats
    parameters: Floats


@dataclass(frozen=True)
class Blends:
    """What artists add to the first layer.

    Attributes:
        bias: `[gates]`: of the first layer, without any factor.
        artists: `[artists, gates]`.
        factors: `[gates]` float64: what makes exponents of the first layer's inputs.
    """

    bias: Floats
    artists: Floats
    factors: NDArray[np.float64]

    def constant(self, blend: Sequence[float]) -> Floats:
        """What a blend adds to the first layer's every input, `[gates]`.

        The bias and each artist's weight times its row, in the artists' order, in float64.
        """
        total = self.bias.astype(np.float64)
        for artist, weight in enumerate(blend):
            if weight:
                total = total + float(weight) * self.artists[artist].astype(np.float64)
        # Plus 0, so that it is never -0: adding it to a sum of no keys is then as to one of any.
        return np.asarray((total * self.factors).astype(np.float32) + np.float32(0.0))


@dataclass(frozen=True)
class Layout:
    """A network ready to step.

    Attributes:
        network: which.
        table: `[symbols, gates]`: rows that a step looks up, or adds up where symbols are sets of
            keys; such sums are exact, and so the same in any order.
        layers: from the first up.
        blends: what is added to the table's rows.
    """

    network: QuantisedNetwork
    table: Floats
    layers: tuple[LaidOutLayer, ...]
    blends: Blends


def lay_out(network: QuantisedNetwork) -> Layout:
    """The layout of a network."""
    a = network.architecture
    exponents = np.repeat([-LOG2E * kind for kind in KINDS[a.cell]], a.hidden)
    inside = np.ones_like(exponents) if a.cell == "mi-lstm" else exponents
    layers = []
    for number, layer in enumerate(network.layers):
        parameters = _times(layer.parameters, exponents)
        bias = _times(layer.bias, inside) if number else np.zeros_like(layer.bias)
        below = layer.below and _scaled(layer.below, inside)
        layers.append(LaidOutLayer(_scaled(layer.own, inside), below, bias, parameters))
    table = _times(network.table, inside)
    if a.keys:
        table = summable(table)
    return Layout(
        network, table, tuple(layers), Blends(network.layers[0].bias, network.artists, inside)
    )


def summable(table: Floats) -> Floats:
    """Rows rounded to whole multiples of a power of two, so that sums of them are never rounded.

    Each column has its own: all rows together must fit into a float32's 24 bits.
    """
    _, exponent = np.frexp(np.abs(table).max(0))  # every number is below 2**exponent
    bits = SUM_BITS - (len(table) - 1).bit_length()
    unit = np.ldexp(1.0, exponent - bits)
    return np.asarray((np.rint(table.astype(np.float64) / unit) * unit).astype(np.float32))


def _times(values: Floats, factors: NDArray[np.float64]) -> Floats:
    return (values.astype(np.float64) * factors).astype(np.float32)


def _scaled(product: Product, factors: NDArray[np.float64]) -> Product:
    return Product(product.weights, _times(product.scale, factors))
