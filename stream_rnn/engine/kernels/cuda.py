"""The kernel of CUDA devices: numerics 1 by torch. Step and draw of a batch happen on the device.

`docs/numerics.md` is what it does; `reference` is what it is held against, and reads alike. States
and settings lie on the device. It runs on torch's CPU device too, which is how it is tested
without CUDA; an engine does so where `STREAM_RNN_KERNEL` is `torch`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stream_rnn.engine.kernels.cuda_batch import Batch, Kind, Mirror, Places
from stream_rnn.engine.kernels.cuda_network import DeviceNetwork
from stream_rnn.engine.kernels.cuda_sums import LEAST_ROWS
from stream_rnn.engine.numerics.layout import lay_out
from stream_rnn.engine.numerics.states import SlotSettings, State, WholeStates
from stream_rnn.nets.quantised import QuantisedNetwork

_ZERO = np.uint8(128)


class CudaKernel(WholeStates):
    """`ReferenceKernel` on a device.

    Args:
        device: `cuda`, or `cpu`.
    """

    def __init__(self, network: QuantisedNetwork, device: str = "cuda") -> None:
        # A sum of keys' rows needs all 24 bits of a float32; TF32 would multiply with 11.
        torch.set_float32_matmul_precision("highest")
        layout = lay_out(network)  # not kept: what is on the device is all that is needed
        super().__init__(layout)
        self._device = device
        self._network = DeviceNetwork(layout, device)
        self._room: Places | None = None  # that the batches are of, and so is the mirror
        self._mirror: Mirror | None = None
        self._batches: dict[int, Batch] = {}
        self._pool: Any = None
        self._changed: set[int] = set()

    def room(self, places: int) -> Any:
        """Room for so many states: `Places`."""
        zero = self.zero_state(1)
        kinds = (torch.int8, torch.float32)
        room = Places(
            *(
                torch.empty(
                    (places + 1, part.shape[0], part.shape[2]), dtype=kind, device=self._device
                )
                for part, kind in zip(zero, kinds, strict=True)
            )
        )
        self.put(room, places, zero)
        return room

    def put(self, room: Any, place: int, state: State) -> None:
        """Writes a state of one row into a place."""
        centred = (state.hidden[:, 0] ^ _ZERO).view(np.int8)
        room.hidden[place] = torch.tensor(centred, device=self._device)
        room.cell[place] = torch.tensor(state.cell[:, 0], device=self._device)

    def get(self, room: Any, place: int) -> State:
        """The state in a place, as one row: a copy."""
        hidden, cell = (part[place].cpu().numpy().copy() for part in room)
        return State((hidden.view(np.uint8) ^ _ZERO)[:, None], cell[:, None])

    def changed(self, slot: int) -> None:
        """Takes note that a slot's settings are not those on the device."""
        self._changed.add(slot)

    def advance(
        self, symbols: NDArray[np.int64], slots: NDArray[np.int64], positions: NDArray[np.int64],
        settings: SlotSettings, at: NDArray[np.int64], after: NDArray[np.int64], room: Places,
        made: NDArray[np.int64], *, draw: bool = True,
    ) -> None:  # fmt: skip
        """Steps and draws; see `Kernel.advance`.

        Without a draw nothing is waited for: the next call may come while the device computes.
        """
        batch = self._batch(len(slots), settings, room)
        batch.run(symbols, (slots, positions, at, after), self._kind(settings, slots, draw))
        if draw:
            made[:] = batch.made(len(slots))

    def _kind(self, settings: SlotSettings, slots: NDArray[np.int64], draw: bool) -> Kind:
        if not draw:
            return Kind(False)
        match self.architecture.head:
            case "categorical":
                bends = (settings.top_k[slots] > 0) | (settings.top_p[slots] < 1)
            case "bernoulli":
                temperature = settings.temperature[slots]
                bends = (temperature != 0) & (temperature != 1)
            case _:
                return Kind(True)
        return Kind(True, bool(bends.any()))

    def _batch(self, rows: int, settings: SlotSettings, room: Places) -> Batch:
        """The batches of the size that so many rows are rounded up to."""
        if self._mirror is None or self._mirror.given is not settings or self._room is not room:
            self._mirror = Mirror(settings, self._device, keys=self.architecture.keys)
            self._room, self._batches = room, {}
            if self._device == "cuda":  # a new one, since the old one ends with its last graph
                self._pool = torch.cuda.graph_pool_handle()
        elif self._changed:
            self._mirror.update(sorted(self._changed))
        self._changed.clear()
        size = max(LEAST_ROWS, 1 << (rows - 1).bit_length())
        if size not in self._batches:
            self._batches[size] = Batch(
                size, self._network, self._mirror, room, self._device, self._pool
            )
        return self._batches[size]
