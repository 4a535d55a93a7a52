"""The one definition of a network: recurrent layers over one-hot symbols and an artist.

Each step's input is the symbol before, as a one-hot vector (or a frame's 0s and 1s), beside
a vector over the artists: a one-hot vector in training, any convex blend when performing.
The recurrent state is a value, passed in and handed back.

`RecurrentNetwork.forward` runs whole sequences through torch's fused kernels, for training
and scoring. To step, a kernel (`engine/kernels`) takes the weights from `layer_weights`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stream_rnn.codecs.base import Head
from stream_rnn.errors import CheckpointError


class State(NamedTuple):
    """Recurrent state, `[layers, rows, hidden]` each."""

    hidden: Tensor
    cell: Tensor


@dataclass(frozen=True)
class Architecture:
    """What has to be known to build a network.

    Attributes:
        symbols: inputs and outputs for a symbol.
        artists: how many artists the input vector has; 0 for none.
        hidden: units in a layer.
        layers: how many layers are stacked.
        head: how the outputs are read.
        cell: which recurrent cell.
        dropout: share of units dropped in training, between layers and before the head.
    """

    symbols: int
    artists: int
    hidden: int
    layers: int
    head: Head
    cell: str = "lstm"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.cell != "lstm":
            raise CheckpointError(f"unknown cell {self.cell!r}; this version has: lstm")
        if self.head not in ("categorical", "bernoulli"):
            raise CheckpointError(f"unknown head {self.head!r}")
        for name, least in (("symbols", 1), ("artists", 0), ("hidden", 1), ("layers", 1)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= 65_536:
                raise CheckpointError(f"architecture: {name} is {value!r}")
        if not isinstance(self.dropout, int | float) or not 0 <= self.dropout < 1:
            raise CheckpointError(f"architecture: dropout is {self.dropout!r}")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Architecture:
        """The architecture that `to_json` described."""
        try:
            return cls(**data)
        except TypeError as error:
            raise CheckpointError(f"architecture: {error}") from None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class RecurrentNetwork(nn.Module):
    """Stacked LSTM layers and a linear head."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.recurrent = nn.LSTM(
            a.symbols + a.artists,
            a.hidden,
            a.layers,
            batch_first=True,
            dropout=a.dropout if a.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(a.dropout)
        self.output = nn.Linear(a.hidden, a.symbols)
        for name, parameter in self.recurrent.named_parameters():
            if name == "weight_ih_l0":
                # Only a few of these inputs are 1 at a time, as in an embedding, and like one
                # they start at unit variance; torch's 1/sqrt(hidden) drowns them.
                nn.init.normal_(parameter)
            elif "weight_hh" in name:
                for gate in parameter.data.chunk(4):
                    nn.init.orthogonal_(gate)
            elif "bias_ih" in name:
                # A forget gate that starts open (Jozefowicz, Zaremba, Sutskever 2015).
                nn.init.zeros_(parameter)
                parameter.data[a.hidden : 2 * a.hidden] = 1.0
            elif "bias_hh" in name:
                nn.init.zeros_(parameter)

    def layer_weights(self, layer: int) -> tuple[Tensor, Tensor, Tensor]:
        """A layer's weights for its inputs `[inputs, 4 * hidden]`, its weights for its own
        output of the step before `[hidden, 4 * hidden]`, and its bias `[4 * hidden]`."""
        weights = dict(self.recurrent.named_parameters())
        bias = weights[f"bias_ih_l{layer}"] + weights[f"bias_hh_l{layer}"]
        return weights[f"weight_ih_l{layer}"].t(), weights[f"weight_hh_l{layer}"].t(), bias

    def zero_state(self, rows: int) -> State:
        """The state before any symbol."""
        a, device = self.architecture, self.output.weight.device
        zeros = torch.zeros(a.layers, rows, a.hidden, device=device)
        return State(zeros, zeros.clone())

    def encode(self, symbols: Tensor) -> Tensor:
        """Inputs of symbols: `[...]` indices or `[..., 88]` keys, to floats `[..., symbols]`."""
        if self.architecture.head == "categorical":
            return nn.functional.one_hot(symbols.long(), self.architecture.symbols).float()
        return symbols.float()

    def forward(self, symbols: Tensor, artists: Tensor, state: State) -> tuple[Tensor, State]:
        """Runs a stretch of symbols.

        Args:
            symbols: `[rows, time]` indices or `[rows, time, 88]` keys.
            artists: each row's blend, `[rows, artists]`, or `[rows, time, artists]`.
            state: the state before the first of them.

        Returns:
            Logits for the symbol after each, `[rows, time, symbols]`, and the new state.
        """
        inputs = self.encode(symbols)
        if self.architecture.artists:
            blend = artists if artists.ndim == 3 else artists[:, None, :]
            blend = blend.expand(-1, inputs.shape[1], -1)
            inputs = torch.cat([inputs, blend], dim=2)
        outputs, (hidden, cell) = self.recurrent(inputs, (state.hidden, state.cell))
        return self.output(self.dropout(outputs)), State(hidden, cell)
