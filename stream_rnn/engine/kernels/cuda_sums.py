"""Sums of 8-bit states times 8-bit weights on a device, exact in whichever order it adds.

Two ways. Products of 8-bit numbers with sums of 32 bits, where the device has them: a quarter of
the memory to read, and to read the weights is most of what a product of few rows takes. Else
products of floats, whose sums are whole numbers: a float32 holds each below 2**24, so the inputs
are split into blocks in which no sum can reach that.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.sums import EXACT
from stream_rnn.nets.quantised import Product

LEAST_ROWS = 32  # that are multiplied at once; `torch._int_mm` takes no fewer than 17 on CUDA
_EIGHT = 8  # and inputs and outputs by the eight
_MOST = 128  # of a state on either side of zero; a step gives 127, but a snapshot is what was sent


@cache
def has_whole_products(device: str) -> bool:
    """Whether a device multiplies 8-bit numbers: tried once.

    Not on a CPU, where some libraries add pairs of products in 16 bits, which is too little.
    """
    return device != "cpu" and multiplies_whole(device)


def multiplies_whole(device: str) -> bool:
    """Whether products of the largest 8-bit numbers add up right."""
    rows = torch.full((LEAST_ROWS, 1024), 127, dtype=torch.int8, device=device)
    rows[1] = -128
    weights = torch.full((_EIGHT, 1024), 127, dtype=torch.int8, device=device)
    weights[1] = -127
    try:
        found = torch._int_mm(rows, weights.t())[:2, :2].tolist()
    except RuntimeError:  # older devices, and other builds of torch
        return False
    return bool(found == [[1024 * a * b for b in (127, -127)] for a in (127, -128)])


class ExactSums:
    """`(Σ (h8 - 128) * w8)₃₂` of every output, float32 `[rows, outputs]`.

    Args:
        weights: int8 `[inputs, outputs]`.
    """

    def __init__(self, weights: NDArray[np.int8], device: str) -> None:
        self._outputs = weights.shape[1]
        self._whole: Tensor | None = None
        self._blocks: list[tuple[slice, Tensor]] = []
        if has_whole_products(device):
            self._missing, others = (-size % _EIGHT for size in weights.shape)
            filled = np.pad(weights, ((0, self._missing), (0, others)))
            # By columns, which is how 8-bit products want it.
            self._whole = torch.tensor(filled.T, device=device).contiguous().t()
            return
        for block in _blocks(weights):
            part = weights[block].astype(np.float32)
            self._blocks.append((block, torch.tensor(part, device=device)))

    def __call__(self, states: Tensor) -> Tensor:
        """Of int8 states less 128, `[rows, inputs]`; at least `LEAST_ROWS`."""
        if self._whole is not None:
            if self._missing:
                states = functional.pad(states, (0, self._missing))
            return torch._int_mm(states, self._whole)[:, : self._outputs].float()
        floats = states.float()
        sums = [floats[:, block] @ weights for block, weights in self._blocks]
        if len(sums) == 1:
            return sums[0]
        return torch.stack([part.int() for part in sums]).sum(0, dtype=torch.int32).float()


class Affine:
    """A product whose sums are scaled."""

    def __init__(self, product: Product, device: str) -> None:
        self._sums = ExactSums(product.weights, device)
        self._scale = tensor_of(product.scale, device)

    def __call__(self, states: Tensor) -> Tensor:
        return self._sums(states) * self._scale


def tensor_of(values: Floats, device: str) -> Tensor:
    """A copy on a device, on a CPU too: what is changed in NumPy does not change there."""
    return torch.tensor(values, device=device)


def _blocks(weights: NDArray[np.int8]) -> list[slice]:
    """Ranges of inputs, as few as will do, in which no sum reaches 2**24 whatever the states."""
    reached = np.abs(weights.astype(np.int64)).cumsum(0) * _MOST
    blocks, start = [], 0
    while start < len(weights):
        before = reached[start - 1] if start else 0
        fits: NDArray[np.bool_] = np.all(reached[start:] - before < EXACT, axis=1)
        length = len(fits) if fits.all() else int(fits.argmin())
        blocks.append(slice(start, start + length))
        start += length
    return blocks
