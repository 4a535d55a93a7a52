"""Counting networks with the interface of recurrent ones, so that the same code can use both.

They give logits for the symbol after each, and their state is a value. What they compute is in
`counting`, without torch; here are tensors around it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream_rnn.nets import counting
from stream_rnn.nets.architecture import CountingArchitecture as CountingArchitecture
from stream_rnn.nets.network import RecurrentNetwork, State


class Baseline:
    """A counting network that takes and gives tensors, on any device; it computes on the CPU.

    The state's `hidden` is the context: `[1, rows, width]` whole numbers as floats.

    Attributes:
        counts: what computes.
        width: the numbers in a context.
        chords: None, since baselines have no joint head; see `RecurrentNetwork`.
    """

    chords: None = None

    def __init__(self, counts: counting.CountingNetwork) -> None:
        self.counts, self.architecture, self.width = counts, counts.architecture, counts.width
        self._device = torch.device("cpu")

    def to(self, device: torch.device | str) -> Baseline:
        """Gives its tensors on that device from now on."""
        self._device = torch.device(device)
        return self

    def eval(self) -> Baseline:
        """It is not trained by steps, so this is all it can be."""
        return self

    def zero_state(self, rows: int) -> State:
        """The state before any symbol."""
        zeros = self._given(self.counts.zero_state(rows)[None])
        return State(zeros, zeros[..., :0])

    def contexts(self, symbols: Tensor, before: Tensor) -> Tensor:
        """The context after each symbol, `[rows, time, width]`.

        Args:
            symbols: `[rows, time]` indices or `[rows, time, keys]`.
            before: the context before the first, `[rows, width]`.
        """
        now, found = _taken(before), []
        for column in _taken(symbols).swapaxes(0, 1):
            now = self.counts.contexts_after(column, now)
            found.append(now)
        return self._given(np.stack(found, 1))

    def logits(self, contexts: Tensor) -> Tensor:
        """Logits of the next symbol, `[rows, symbols]`, given contexts `[rows, width]`."""
        return self._given(self.counts.logits(_taken(contexts)))

    def __call__(self, symbols: Tensor, artists: Tensor, state: State) -> tuple[Tensor, State]:
        """Runs a stretch of symbols; see `RecurrentNetwork.forward`. Artists are ignored."""
        contexts = self.contexts(symbols, state.hidden[0])
        logits = self.logits(contexts.flatten(0, 1))
        return logits.view(*contexts.shape[:2], -1), State(contexts[None, :, -1], state.cell)

    def _given(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)


Network = RecurrentNetwork | Baseline
"""A model that `eval` can score."""


def baseline(architecture: CountingArchitecture, tables: counting.Tables) -> Baseline:
    """The baseline that has these tables; see `counting`."""
    return Baseline(counting.counting_network(architecture, tables))


def _taken(values: Tensor) -> NDArray[np.int64]:
    return values.cpu().numpy().astype(np.int64)
