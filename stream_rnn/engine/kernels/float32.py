"""The 32-bit float kernel: every product has the shape of a full tile.

A matrix library may sum in another order for another number of rows, so the number is always
the same; empty lanes are stepped along and ignored. A test compares every lane.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stream_rnn.nets.network import RecurrentNetwork, State, Stepper


class Float32Kernel:
    """Steps `tile` rows at a time.

    Args:
        network: on the device to step on.
        tile: rows.
    """

    def __init__(self, network: RecurrentNetwork, tile: int) -> None:
        self.tile = tile
        self.architecture = network.architecture
        self._stepper = Stepper(network)

    def artist_bias(self, blend: Tensor) -> Tensor:
        """What a blend `[artists]` adds to the first layer's gates, `[4 * hidden]`."""
        return self._stepper.artist_bias(blend)

    @torch.inference_mode()
    def step(self, symbols: Tensor, artist_bias: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Stepper.step`; all arguments have `tile` rows."""
        assert len(artist_bias) == self.tile
        return self._stepper.step(symbols, artist_bias, state)
