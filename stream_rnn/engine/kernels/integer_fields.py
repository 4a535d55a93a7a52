# mypy: ignore-errors
# LLVM's builder has no types.
"""What compiled code is told of a network, of slots and of room: numbers and addresses by name.

To be told of each array in each call would take longer than a row's draw. So an address or a number
each stands in one array of int64, which is made once for the same arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics.states import SlotSettings, State

STEP, OUTPUTS, DRAW = 1, 2, 4  # parts of a batch
AHEAD = 2  # rows: so early is asked for what a row needs
TOGETHER = 64  # rows for which a block of weights is read once: there is room for so many

CELLS = ("lstm", "mi-lstm", "gru", "tanh")
HEADS = ("categorical", "bernoulli", "nade")

NETWORK = {
    "cell": None, "head": None, "layers": None,
    "units": None,  # of a layer
    "constant_step": None,  # from one slot's constant to the next, 0 where all are the same
    "columns": None,  # of a layer, as they are packed, with their padding
    "symbols": None,  # or keys
    "given": None,  # numbers that say which symbol was before: one, or one a key
    "voice_units": None,
    "records": np.int64,  # `[layers + 2, len(RECORD)]`; see there
    "table": np.float32,  # `[symbols, columns]`
    "voices": np.float32,  # `[keys, voice_units]`
    "tiles": np.uint8,  # how AMX's are shaped
}  # fmt: skip
SETTINGS = {
    "constant": np.float32, "seed": np.int64, "temperature": np.float64, "sharp": np.float32,
    "top_k": np.int64, "top_p": np.float64, "density": np.float32, "may": np.uint8,
    "turns": None,  # whether a row of `may` is of the symbol before, and not of a slot
}  # fmt: skip
STATE = {"hidden": np.uint8, "memory": np.float32}  # memory: the cells'
CALL = {  # what changes from call to call, a number or `given` of them a row
    "symbols_before": np.int64, "slots": np.int64, "positions": np.int64,
    "at": np.int64, "after": np.int64,  # places of the states before and after
    "made": np.int64,
}  # fmt: skip
ROOM = {  # of `TOGETHER` rows, or of one
    "states_0": None, "states_1": None,  # what a layer multiplies, and what the next one will
    "states_width": None,
    "own_at": None,  # where a row's own state begins there, in layers that keep both apart
    "sums": np.int32, "below": np.int32, "sums_width": None,
    "outputs": np.float32, "outputs_width": None,
    "sounding": np.int64,  # `[rows, 1 + keys]`: how many, and which
    "open": np.uint8, "weights": np.int32, "odds": np.float32, "logs": np.float32,
    "silences": np.int64, "mood": np.float32,
    "reversed": np.int64,  # `[1]`: whether weights are read from the last on this time
}  # fmt: skip
FIELDS = {**NETWORK, **SETTINGS, **STATE, **CALL, **ROOM}
PLACES = {name: place for place, name in enumerate(FIELDS)}

# A product: its weights, where its sums begin, what they are worth, its blocks, and their groups.
PRODUCT = ("weights", "starts", "scales", "blocks", "groups")
# A layer's products with its own state and the one below, its bias and its parameters. Of the
# outputs `own` and `bias`; of the joint head `own`.
RECORD = (*(f"own_{name}" for name in PRODUCT), *(f"below_{name}" for name in PRODUCT),
          "bias", "parameters")  # fmt: skip


def told(network: Mapping[str, Any], settings: SlotSettings, state: State, room: Mapping[str, Any],
         ) -> NDArray[np.int64]:  # fmt: skip
    """The array of all fields. What is addressed there is not kept alive by it."""
    turns = network["head"] == 0 and len(settings.may) > 1
    given = {**settings._asdict(), **network, "turns": turns, "hidden": state.hidden,
             "memory": state.cell, **room}  # fmt: skip
    return np.array([number(given[name], kind) for name, kind in FIELDS.items()], np.int64)


def number(value, kind):
    """A number, or the address of an array, which is to be of a kind."""
    if not isinstance(value, np.ndarray):
        return int(value)
    if kind is not None and value.dtype != kind or not value.flags.c_contiguous:
        raise TypeError(f"an array of {value.dtype}; it must be of {kind}, and in C order")
    return value.ctypes.data


class Fields:
    """The fields, as code that is being written sees them.

    Args:
        array: int64.
        places: of each name in it.
    """

    def __init__(self, code, array, places=PLACES):
        self._code, self._array, self._places = code, array, places

    def number(self, name):
        """A number."""
        return self._array[self._places[name]]

    def array(self, name, kind=None):
        """An array; of the kind that it always has, unless one is said."""
        return self._code.array_at(self.number(name), kind or FIELDS[name])


def record(code, fields, index):
    """The record of a layer, or of what comes after the layers."""
    places = {name: place for place, name in enumerate(RECORD)}
    return Fields(code, fields.array("records").at(index * len(RECORD)), places)
