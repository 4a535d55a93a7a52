"""The definition of the recurrent networks: layers over one-hot symbols and an artist.

Each step's input is the symbol before, as a one-hot vector (or a frame's 0s and 1s), together
with a vector over the artists: a one-hot vector in training, any convex blend when performing.
The recurrent state is a value that is passed in and handed back.

For training and scoring, `RecurrentNetwork.forward` runs whole sequences, through torch's fused
kernels where torch has the cell. For stepping, a kernel (`engine/kernels`) takes the weights from
`layer_weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stream_rnn.nets.architecture import Architecture as Architecture
from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.heads import Chords
from stream_rnn.nets.multiplicative import PARAMETERS, MultiplicativeLSTM


class State(NamedTuple):
    """Recurrent state, `[layers, rows, hidden]` each; `cell` has width 0 if the cell has none."""

    hidden: Tensor
    cell: Tensor


class LayerWeights(NamedTuple):
    """One layer's weights, in the form that `cells.Update` takes.

    Attributes:
        inputs: `[inputs, gates * hidden]`.
        recurrent: `[hidden, gates * hidden]`.
        bias: `[gates * hidden]`, added to the product with the inputs.
        parameters: `[parameters, gates * hidden]`.
    """

    inputs: Tensor
    recurrent: Tensor
    bias: Tensor
    parameters: Tensor


class RecurrentNetwork(nn.Module):
    """Stacked recurrent layers, a linear map to the outputs, and perhaps the joint head.

    Args:
        architecture: its description.
        inputs: of the first layer, if its inputs are not the symbols and the artists themselves;
            a subclass that overrides `encode` says so.

    Attributes:
        chords: the joint head, or None.
    """

    def __init__(self, architecture: Architecture, *, inputs: int | None = None) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.recurrent = _layers(a, a.symbols + a.artists if inputs is None else inputs)
        self.dropout = nn.Dropout(a.dropout)
        self.output = nn.Linear(a.hidden, a.outputs)
        joint = a.head == "nade"
        self.chords = Chords(a.symbols, a.head_hidden) if joint else None
        for name, parameter in self.recurrent.named_parameters():
            if parameter.is_meta:
                continue  # without values; torch would load its compiler to initialise it
            if name == "weight_ih_l0":
                # As with an embedding, only a few inputs are 1 at a time. So these weights start
                # at unit variance; at torch's 1/sqrt(hidden) their effect would drown.
                nn.init.normal_(parameter)
            elif "weight_hh" in name:
                for gate in parameter.data.chunk(CELLS[a.cell].gates):
                    nn.init.orthogonal_(gate)
            elif name.startswith("bias"):
                nn.init.zeros_(parameter)
                if CELLS[a.cell].remembers and "bias_hh" not in name:
                    # A forget gate that starts open (Jozefowicz, Zaremba, Sutskever 2015).
                    parameter.data[a.hidden : 2 * a.hidden] = 1.0

    def layer_weights(self, layer: int) -> LayerWeights:
        """A layer's weights, laid out for `cells.CELLS`."""
        suffix = f"_l{layer}"
        named = dict(self.recurrent.named_parameters())
        mine = {k.removesuffix(suffix): v for k, v in named.items() if k.endswith(suffix)}
        inputs, recurrent = mine["weight_ih"].t(), mine["weight_hh"].t()
        none = inputs.new_zeros(0, inputs.shape[1])
        match self.architecture.cell:
            case "mi-lstm":
                rows = tuple(mine[name] for name in PARAMETERS)
                nothing = torch.zeros_like(mine["bias"])
                return LayerWeights(inputs, recurrent, nothing, torch.stack(rows))
            case "gru":
                return LayerWeights(inputs, recurrent, mine["bias_ih"], mine["bias_hh"][None])
            case _:
                return LayerWeights(inputs, recurrent, mine["bias_ih"] + mine["bias_hh"], none)

    def zero_state(self, rows: int) -> State:
        """The state before any symbol."""
        a, device = self.architecture, self.output.weight.device
        zeros = torch.zeros(a.layers, rows, a.hidden, device=device)
        return State(zeros, torch.zeros_like(zeros[..., : a.hidden * CELLS[a.cell].remembers]))

    def encode(self, symbols: Tensor) -> Tensor:
        """Symbols (`[...]` indices or `[..., 88]` keys) as inputs: floats `[..., symbols]`."""
        if not self.architecture.keys:
            return nn.functional.one_hot(symbols.long(), self.architecture.symbols).float()
        return symbols.float()

    def looked_up(self, symbols: Tensor) -> Tensor:
        """What `MultiplicativeLSTM.first` takes: indices where it can look rows up, else floats."""
        return symbols.float() if self.architecture.keys else symbols.long()

    def forward(self, symbols: Tensor, artists: Tensor, state: State) -> tuple[Tensor, State]:
        """Runs a stretch of symbols.

        Args:
            symbols: `[rows, time]` indices or `[rows, time, 88]` keys.
            artists: each row's blend, `[rows, artists]`, or `[rows, time, artists]`.
            state: the state before the first of them.

        Returns:
            Outputs for the symbol after each, `[rows, time, outputs]`, and the new state. The
            outputs are logits, unless the head is `nade`, which computes logits from them.
        """
        blend = artists if artists.ndim == 3 else artists[:, None, :]
        if isinstance(self.recurrent, MultiplicativeLSTM):
            first = self.recurrent.first(self.looked_up(symbols), blend)
            outputs, after = self.recurrent(first, tuple(state))
            return self.output(self.dropout(outputs)), State(*after)
        blend = blend.expand(-1, symbols.shape[1], -1)
        inputs = torch.cat([self.encode(symbols), blend], dim=2)
        remembers = CELLS[self.architecture.cell].remembers
        outputs, *after = self._run(inputs, tuple(state) if remembers else state.hidden)
        return self.output(self.dropout(outputs)), State(*after, *state[1 + remembers :])

    def _run(self, inputs: Tensor, state: Tensor | tuple[Tensor, ...]) -> Sequence[Tensor]:
        """Torch's layers over `[rows, time, inputs]`: the outputs, and the parts of the state.

        The products are computed in the inputs' number format.
        """
        a, layers = self.architecture, self.recurrent
        # As `nn.LSTM` and its siblings do, but with weights that may have been dropped.
        kernels: dict[str, Callable[..., Sequence[Tensor]]]
        kernels = {"lstm": torch.lstm, "gru": torch.gru, "tanh": torch.rnn_tanh}
        share = a.weight_drop if self.training else 0.0
        weights = [
            (nn.functional.dropout(w, share) if share and "weight_hh" in name else w).to(inputs)
            for name, w in layers.named_parameters()
        ]
        between = a.dropout if a.layers > 1 else 0.0
        return kernels[a.cell](
            inputs, state, weights, True, a.layers, between, self.training, False, True
        )


def _layers(a: Architecture, inputs: int) -> nn.Module:
    dropout = a.dropout if a.layers > 1 else 0.0
    if a.cell == "mi-lstm":
        return MultiplicativeLSTM(inputs, a.hidden, a.layers, dropout, a.weight_drop)
    kinds: dict[str, Callable[..., nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "tanh": nn.RNN}
    return kinds[a.cell](inputs, a.hidden, a.layers, batch_first=True, dropout=dropout)
