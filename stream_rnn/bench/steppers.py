"""Ways to step a network that `bench engine` compares. Each steps all of its rows once."""

from __future__ import annotations

import numpy as np
import torch

from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.kernels.integer import IntegerKernel
from stream_rnn.engine.kernels.paths import Path
from stream_rnn.engine.messages import Plan, Settings
from stream_rnn.engine.offline import kernel_of
from stream_rnn.engine.slots import Slots
from stream_rnn.engine.steering import Steering
from stream_rnn.nets.network import RecurrentNetwork, State
from stream_rnn.nets.quantised import quantise

ROLLBACK = 32  # as many positions as an engine keeps


class Ours:
    """The integer kernel: step and draw in one call."""

    def __init__(self, network: RecurrentNetwork, rows: int, path: Path) -> None:
        tensors = {name: part.numpy() for name, part in network.state_dict().items()}
        self._kernel = IntegerKernel(quantise(network.architecture, tensors), path)
        self._rows, steering = np.arange(rows), Steering(self._kernel, _codec(network), rows)
        self._room = self._kernel.room(2 * rows)
        for row in range(rows):
            steering.plan(row, [(0, Settings(seed=row))])
            self._kernel.put(self._room, row, self._kernel.zero_state(1))
        steering.follow(self._rows, np.zeros(rows, np.int64))
        self._settings, self.symbols = steering.settings, np.zeros((rows, 1), np.int64)
        self._at, self._after = self._rows, self._rows + rows
        self._positions = np.zeros(rows, np.int64)

    def step(self) -> None:
        self._kernel.advance(
            self.symbols, self._rows, self._positions, self._settings, self._at, self._after,
            self._room, self.symbols,
        )  # fmt: skip
        self._positions += 1
        self._at, self._after = self._after, self._at


class Sessions:
    """The engine's slots: all that an engine does for a batch, but for choosing and sending it."""

    def __init__(self, network: RecurrentNetwork, rows: int) -> None:
        codec = _codec(network)
        self.slots = Slots(kernel_of(network), codec, count=rows, rollback=ROLLBACK, batch=rows)
        self._rows = np.array([self.slots.open(key) for key in range(rows)])
        for key, row in enumerate(self._rows.tolist()):
            self.slots.plan(row, Plan(key, 1, 0, ((0, Settings(seed=key)),), b""))

    def step(self) -> None:
        self.slots.advance(self._rows)


def _codec(network: RecurrentNetwork) -> TextCodec:
    return TextCodec("".join(chr(33 + i) for i in range(network.architecture.symbols - 1)))


class Library:
    """`nn.LSTM`, and a draw by torch."""

    def __init__(self, network: RecurrentNetwork, rows: int) -> None:
        self._network = network
        self._symbols = torch.zeros(rows, 1, dtype=torch.long)
        self._artists = torch.zeros(rows, 1, 0)
        self._state: State = network.zero_state(rows)

    def step(self) -> None:
        logits, self._state = self._network(self._symbols, self._artists, self._state)
        self._symbols = torch.multinomial(logits[:, 0].softmax(1), 1)


class Many:
    """The same, one session at a time."""

    def __init__(self, network: RecurrentNetwork, rows: int) -> None:
        self._sessions = [Library(network, 1) for _ in range(rows)]

    def step(self) -> None:
        for session in self._sessions:
            session.step()
