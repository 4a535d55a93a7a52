"""A network as it is trained: with an embedding, and with its own start and number format.

What is kept and served is a plain `RecurrentNetwork`. An embedding is only another way to find the
first layer's weights: multiplied with them it gives one row for each symbol, as a one-hot input
has. `served` does that multiplication, and nothing else knows of the embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stream_rnn.nets.architecture import Architecture
from stream_rnn.nets.network import RecurrentNetwork
from stream_rnn.train.recipe import OptimiserRecipe

FIRST = "recurrent.weight_ih_l0"
EMBEDDING = "embedding"


class Dropout(nn.Dropout):
    """Drops a share of values, in 256ths, with random bytes: that takes a quarter of the time.

    On a processor, `nn.Dropout` spends a sixth of a run on random numbers.
    """

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or values.device.type != "cpu":
            return super().forward(values)
        below, count = round(256 * self.p), values.numel()
        if not below:
            return values
        words = torch.empty(count // 8 + 1, dtype=torch.int64).random_(-(2**63), None)
        kept = (words.view(torch.uint8)[:count] >= below).view(values.shape)
        return values * kept.to(values.dtype).mul_(256 / (256 - below))


class TrainedNetwork(RecurrentNetwork):
    """A `RecurrentNetwork` that begins and computes as a recipe's `[train]` says.

    Attributes:
        embedding: `[symbols, numbers]`, or None if the symbols are inputs themselves.
    """

    def __init__(self, architecture: Architecture, options: OptimiserRecipe) -> None:
        a, width = architecture, options.embedding
        super().__init__(a, inputs=width + a.artists if width else None)
        self._options = options
        self.dropout = Dropout(a.dropout)
        self.embedding_dropout = Dropout(options.embedding_dropout)
        first = self.recurrent.get_parameter("weight_ih_l0")  # [gates, inputs]
        if options.initial == "uniform":
            self.recurrent.reset_parameters()  # type: ignore[operator]
        if width:
            nn.init.uniform_(first, -(a.hidden**-0.5), a.hidden**-0.5)
        else:
            # As in an embedding, few inputs are 1 at a time; so they start at unit variance, too.
            nn.init.normal_(first)
        if options.artist_start and a.artists:
            nn.init.normal_(first.data[:, -a.artists :], std=options.artist_start)
        self.embedding = nn.Parameter(torch.randn(a.symbols, width)) if width else None

    def encode(self, symbols: Tensor) -> Tensor:
        """Symbols as inputs: embedded `[..., numbers]`, or as `RecurrentNetwork` has them."""
        if self.embedding is None:
            return super().encode(symbols)
        if self.architecture.keys:
            found = symbols.float() @ self.embedding
        else:
            found = nn.functional.embedding(symbols.long(), self.embedding)
        dropped: Tensor = self.embedding_dropout(found)
        return dropped

    def looked_up(self, symbols: Tensor) -> Tensor:
        return super().looked_up(symbols) if self.embedding is None else self.encode(symbols)

    def _run(self, inputs: Tensor, state: Tensor | tuple[Tensor, ...]) -> Sequence[Tensor]:
        if not (self.training and self._options.bfloat16):
            return super()._run(inputs, state)
        small = (
            state.bfloat16() if isinstance(state, Tensor) else tuple(s.bfloat16() for s in state)
        )
        return [part.float() for part in super()._run(inputs.bfloat16(), small)]

    @torch.no_grad()
    def served(self) -> RecurrentNetwork:
        """The network that is kept: it computes the same, without the embedding.

        Where there is no embedding it shares this network's weights.
        """
        weights: dict[str, Any] = dict(self.state_dict())
        if (embedding := weights.pop(EMBEDDING, None)) is not None:
            first, width = weights[FIRST], embedding.shape[1]  # [gates, numbers + artists]
            weights[FIRST] = torch.cat([first[:, :width] @ embedding.t(), first[:, width:]], 1)
        with torch.device("meta"):  # its own initial weights would be thrown away
            network = RecurrentNetwork(self.architecture)
        network.load_state_dict(weights, assign=True)
        return network.eval()
