"""A network in whole numbers in the place of the trained one, for `train.evaluate`: with torch.

So a score is of what is served. It is what `train.evaluate.Scored` asks for, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream_rnn.engine.kernels import prepare
from stream_rnn.engine.kernels.integer import IntegerKernel
from stream_rnn.engine.kernels.reference import ReferenceKernel
from stream_rnn.engine.numerics.chords import ChordDraw
from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.states import State as WholeState
from stream_rnn.engine.numerics.sums import ExactSums
from stream_rnn.nets.network import State
from stream_rnn.nets.quantised import QuantisedNetwork


class Runs(Protocol):
    """What is needed of a kernel."""

    def zero_state(self, rows: int) -> WholeState: ...

    def constant(self, blend: Sequence[float]) -> Floats: ...

    def run(
        self, symbols: NDArray[Any], constants: Floats, state: WholeState
    ) -> tuple[Floats, WholeState]:
        """The outputs after each symbol of a stretch, `[rows, time, outputs]`, and the state.

        Args:
            symbols: `[rows, time]` indices or `[rows, time, keys]` of 0 and 1.
            constants: `[rows, gates]`.
        """
        ...


def serve(network: QuantisedNetwork) -> ServedNetwork:
    """A network as it is served; by the compiled kernel, ten times as fast as the reference."""
    prepare()
    return ServedNetwork(network, IntegerKernel(network))


def serve_slowly(network: QuantisedNetwork) -> ServedNetwork:
    """The same by the reference, which need not be compiled."""
    return ServedNetwork(network, ReferenceRuns(network))


class ReferenceRuns(ReferenceKernel):
    """The reference, over stretches."""

    def run(
        self, symbols: NDArray[Any], constants: Floats, state: WholeState
    ) -> tuple[Floats, WholeState]:
        found = []
        for column in symbols.swapaxes(0, 1):
            state = self.step(column, constants, state)
            found.append(self.outputs(state))
        return np.stack(found, 1), state


class ServedNetwork:
    """Scores as `RecurrentNetwork` does.

    Attributes:
        architecture: the network's.
        chords: what makes logits of the outputs, where the head is joint.
    """

    def __init__(self, network: QuantisedNetwork, kernel: Runs) -> None:
        self.architecture, self._kernel = network.architecture, kernel
        self.chords = None
        if network.voices is not None and network.keys is not None:
            sums = ExactSums(network.keys.weights)
            self.chords = ServedChords(ChordDraw(network.voices, sums, network.keys.scale))

    def eval(self) -> ServedNetwork:
        """It is not trained."""
        return self

    def zero_state(self, rows: int) -> State:
        """The state before any symbol, `[layers, rows, hidden]` each."""
        return State(*map(torch.from_numpy, self._kernel.zero_state(rows)))

    def __call__(self, symbols: Tensor, artists: Tensor, state: State) -> tuple[Tensor, State]:
        """Runs a stretch of symbols; see `RecurrentNetwork.forward`."""
        kernel = self._kernel
        constants = np.stack([kernel.constant(blend) for blend in artists.double().tolist()])
        now = WholeState(state.hidden.numpy(), state.cell.numpy())
        outputs, now = kernel.run(symbols.numpy(), constants, now)
        return torch.from_numpy(outputs), State(*map(torch.from_numpy, now))


class ServedChords:
    """The joint head's logits of frames that are known; see `nets.heads.Chords`."""

    def __init__(self, chords: ChordDraw) -> None:
        self._chords = chords

    def logits(self, outputs: Tensor, chords: Tensor) -> Tensor:
        """Logits of each key, given those above it, `[..., keys]`."""
        frames = chords.numpy().reshape(-1, chords.shape[-1]).astype(np.int64)
        keys = frames.shape[1]
        flat = outputs.numpy().reshape(len(frames), -1)
        bias, mood = flat[:, :keys], flat[:, keys:].copy()
        above = frames[:, ::-1].cumsum(1)[:, ::-1] - frames  # how many sound above a key
        found = np.zeros_like(bias)
        rows = np.arange(len(frames))
        for stage in range(int(frames.sum(1).max()) + 1):
            odds = self._chords.odds(bias[rows], mood[rows])
            found[rows] = np.where(above[rows] == stage, odds, found[rows])
            here = frames[rows].astype(bool) & (above[rows] == stage)  # one key, or none
            rows, key = rows[here.any(1)], here.argmax(1)[here.any(1)]
            mood[rows] += self._chords.voices[key]
        return torch.from_numpy(found.reshape(chords.shape))
