"""A network on a device: what `ReferenceKernel` does, on tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from stream_rnn.engine.kernels.cuda_cells import UPDATES
from stream_rnn.engine.kernels.cuda_draw import ChordDraw
from stream_rnn.engine.kernels.cuda_functions import centred
from stream_rnn.engine.kernels.cuda_sums import Affine, tensor_of
from stream_rnn.engine.numerics.layout import Layout


class DeviceNetwork:
    """Steps rows. States are int8, and 128 less than those of docs/numerics.md.

    Attributes:
        architecture: the network's.
        chords: what draws with the joint head, if there is one.
    """

    def __init__(self, layout: Layout, device: str) -> None:
        network = layout.network
        self.architecture = network.architecture
        self._table = tensor_of(layout.table, device)
        self._update = UPDATES[self.architecture.cell]
        self._layers = [
            (
                layer.below and Affine(layer.below, device),
                Affine(layer.own, device),
                tensor_of(layer.bias, device),
                tensor_of(layer.parameters, device),
            )
            for layer in layout.layers
        ]
        self._output = Affine(network.output, device)
        self._bias = tensor_of(network.output_bias, device)
        self.chords: ChordDraw | None = None
        if network.voices is not None and network.keys is not None:
            voices = tensor_of(network.voices, device)
            self.chords = ChordDraw(voices, Affine(network.keys, device))

    def step(
        self, symbols: Tensor, constants: Tensor, hidden: Tensor, cells: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The states after one symbol more.

        Args:
            symbols: int64 `[rows]` indices or `[rows, keys]` of 0 and 1: the symbol before.
            constants: `[rows, gates]`.
            hidden, cells: `[rows, layers, units]`; they are left as they are.
        """
        states: list[Tensor] = []
        remembered: list[Tensor] = []
        for number, (below, own, bias, parameters) in enumerate(self._layers):
            before = hidden[:, number]
            if number == 0:
                inputs = self._looked_up(symbols) + constants
            elif below:
                inputs = below(states[-1]) + bias
            else:
                before = torch.cat([states[-1], before], 1)
                inputs = bias
            made, cell = self._update(inputs, own(before), cells[:, number], parameters)
            states.append(centred(made))
            remembered.append(cell)
        return torch.stack(states, 1), torch.stack(remembered, 1)

    def outputs(self, states: Tensor) -> Tensor:
        """What the head is given, of the last layer's states, `[rows, outputs]`."""
        return self._output(states) + self._bias

    def _looked_up(self, symbols: Tensor) -> Tensor:
        # Of keys, a sum of few rows, each a whole multiple of the same: exact in any order.
        return symbols.float() @ self._table if self.architecture.keys else self._table[symbols]
