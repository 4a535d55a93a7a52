"""The exact kernel: a row's step gives the same bits, whatever other rows are stepped with it.

A sum of floats depends on the order of summing, and a matrix library chooses the order by the
number of rows. So no sum here is ever rounded. Before a product, hidden states are rounded to
multiples of 2**-8, and weights to multiples of a power of two. That power is, for each output
unit, the finest for which the sum of all its terms fits in float32's 24 bits. Every term and
every partial sum is then exact, in any order, with fused multiply-adds or without, on a CPU or
on CUDA (in full float32: TF32 must be off), for any number of rows. At a hidden size of 512 this
leaves weights 8 to 10 bits, which costs less than 0.001 nats; `tests/test_models.py` measures it.

Everything else is elementwise. Torch's loops handle whole vectors, and the last few elements
singly, with other functions. So the units are padded with zeros to whole pairs of vectors. Nor
may threads split a loop, unless between rows; the engine uses a single thread.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from stream_rnn.engine.kernels.portable import pack, unpack
from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.network import RecurrentNetwork, State

HIDDEN_BITS = 8  # of a hidden state in a product, not counting its sign
BUDGET = 2**24  # float32 holds every integer up to this one
LANES = 32  # elements that torch's loops take at once: two vectors, of AVX-512 at most

# The last bit of a float32 of this size is worth 2**-HIDDEN_BITS.
ROUNDER = 1.5 * 2 ** (23 - HIDDEN_BITS)


class ExactProduct:
    """A matrix product whose sums are not rounded.

    Args:
        weight: `[inputs, outputs]`; a rounded copy is kept.
        bits: inputs are multiples of `2**-bits`, in [-1, 1].

    Attributes:
        weight: `[inputs, outputs]`, multiples of `unit`.
        unit: `[outputs]`, powers of two.

    Raises:
        ValueError: there are too many inputs for an exact sum.
    """

    def __init__(self, weight: Tensor, *, bits: int) -> None:
        most = BUDGET >> bits  # the largest sum of a column's weights, in units
        rounding = (len(weight) + 1) // 2
        if 2 * rounding > most:
            raise ValueError(f"{len(weight)} inputs: an exact product takes {most} at most")
        wide = weight.double()
        total = wide.abs().sum(0).clamp(min=2.0**-64)
        self.unit = torch.exp2(torch.ceil(torch.log2(total / (most - rounding))))
        # Contiguous: for a few rows of inputs the product takes half the time that it takes with
        # a transposed view, which is what the networks have.
        self.weight = ((wide / self.unit).round() * self.unit).float().contiguous()

    def __call__(self, inputs: Tensor) -> Tensor:
        """The product, `[rows, outputs]`, with inputs `[rows, inputs]`."""
        return torch.mm(inputs, self.weight)


class ExactKernel:
    """A network's weights laid out for stepping.

    The first layer's product with a one-hot vector is a row of a table, and its product with
    the artist blend is a constant of the session, so both leave the step.

    Args:
        network: the network, on the device that is to step it.

    Attributes:
        numerics: see `Kernel`; must be renamed when a step gives other bits than before.
        width: units of a layer, including the padding.
        gates: the gates of all units of a layer, which is the length of an artist bias.
    """

    numerics = "float32-exact-1"

    @torch.no_grad()
    def __init__(self, network: RecurrentNetwork) -> None:
        a = self.architecture = network.architecture
        self._cell = CELLS[a.cell]
        self.width = -(-a.hidden // LANES) * LANES
        self.gates = self._cell.gates * self.width
        self._recurrent: list[ExactProduct] = []
        self._below: list[ExactProduct] = []  # input weights of each layer but the first
        self._biases: list[Tensor] = []  # [gates] each
        self._parameters: list[Tensor] = []  # [parameters, gates] each
        for layer in range(a.layers):
            inputs, recurrent, bias, parameters = network.layer_weights(layer)
            self._recurrent.append(ExactProduct(self._square(recurrent), bits=HIDDEN_BITS))
            if layer:
                self._below.append(ExactProduct(self._square(inputs), bits=HIDDEN_BITS))
            else:
                table = self._wide(inputs)  # [symbols + artists, gates]
                self._table, self._artists = table[: a.symbols], table[a.symbols :].double()
            # The sign of a sum that is 0 may vary. Adding 0, and never -0, makes it +0.
            self._biases.append(self._wide(bias) + 0.0)
            self._parameters.append(self._wide(parameters) + 0.0)
        self._keys = ExactProduct(self._table, bits=0) if a.keys else None
        head = network.output.weight.t()  # [hidden, outputs]
        self._head = ExactProduct(self._tall(head), bits=HIDDEN_BITS)
        self._head_bias = network.output.bias + 0.0
        # A tensor, because torch takes twice as long to add a Python number.
        self._rounder = torch.full((self.width,), ROUNDER, device=head.device)

    def _wide(self, gates: Tensor) -> Tensor:
        """Pads each gate of `[..., gates * hidden]` from `hidden` to `width` units."""
        blocks = torch.unflatten(gates, -1, (-1, self.architecture.hidden))
        return pad(blocks, (0, self.width - self.architecture.hidden)).flatten(-2)

    def _tall(self, weight: Tensor) -> Tensor:
        """Pads `[hidden, ...]` to `[width, ...]`."""
        return pad(weight, (0, 0, 0, self.width - self.architecture.hidden))

    def _square(self, weight: Tensor) -> Tensor:
        return self._wide(self._tall(weight))

    def zero_state(self, rows: int) -> State:
        """The state before any symbol, `[layers, rows, width]` each; see `State`."""
        shape = (self.architecture.layers, rows, self.width)
        zeros = torch.zeros(shape, device=self._head_bias.device)
        return State(zeros, torch.zeros_like(zeros[..., : self.width * self._cell.remembers]))

    def artist_bias(self, blend: Tensor) -> Tensor:
        """The first layer's constant input, `[gates]`, for a blend `[artists]`.

        The sum is not exact, and need not be: it is computed for one session's blend alone.
        """
        named = torch.nonzero(blend).flatten()
        weighted = blend[named, None] * self._artists[named]
        return (self._biases[0] + weighted.sum(0)).float()

    def recurrent(self, state: State) -> list[Tensor]:
        """The part of a step that needs no symbol: the recurrent products, `[rows, gates]` each."""
        products = zip(self._recurrent, state.hidden, strict=True)
        return [product(self._rounded(hidden)) for product, hidden in products]

    def step(
        self,
        symbols: Tensor,
        artist_bias: Tensor,
        state: State,
        recurrent: list[Tensor] | None = None,
    ) -> State:
        """One step of each row.

        Args:
            symbols: the symbol before, `[rows]` indices or `[rows, 88]` keys (float).
            artist_bias: `[rows, gates]`, from `artist_bias`.
            state: `[layers, rows, width]`.
            recurrent: what `recurrent` returned for the state, if it was called. Overwritten.

        Returns:
            The new state.
        """
        hidden: list[Tensor] = []
        cell: list[Tensor] = []
        for layer, product in enumerate(self._recurrent):
            if layer:
                gates = self._below[layer - 1](self._rounded(hidden[-1]))
                gates += self._biases[layer]
            else:
                gates = self._keys(symbols) if self._keys else self._table.index_select(0, symbols)
                gates += artist_bias
            before = state.hidden[layer]
            new_hidden, new_cell = self._cell.update(
                gates,
                recurrent[layer] if recurrent else product(self._rounded(before)),
                before,
                state.cell[layer],
                self._parameters[layer],
            )
            hidden.append(new_hidden)
            cell.append(new_cell)
        if len(hidden) == 1:
            return State(hidden[0][None], cell[0][None])
        return State(torch.stack(hidden), torch.stack(cell))

    def logits(self, hidden: Tensor) -> Tensor:
        """The outputs, `[rows, outputs]`, for the last layer's hidden state, `[rows, width]`.

        They are logits, unless the head computes logits from them: see `RecurrentNetwork.forward`.
        """
        return self._head(self._rounded(hidden)).add_(self._head_bias)

    def export_state(self, state: State) -> bytes:
        """The state of one row in portable form, without the padding, which is zero."""
        return pack(self.numerics, [part[..., : self.architecture.hidden] for part in state])

    def import_state(self, data: bytes) -> State:
        """A state of one row from its portable form; see `Kernel.import_state`."""
        zero = self.zero_state(1)
        cut = [part[..., : self.architecture.hidden] for part in zero]
        values = unpack(data, self.numerics, [part.shape for part in cut])
        for part, value in zip(cut, values, strict=True):
            part.copy_(value)
        return zero

    def _rounded(self, hidden: Tensor) -> Tensor:
        """Rounds a hidden state to multiples of 2**-8, the last bit of its sum with the rounder."""
        return torch.add(hidden, self._rounder).sub_(self._rounder)
