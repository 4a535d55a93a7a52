"""The ways in which the integer kernel multiplies, and which of them this processor has.

All give the same bits, since sums of whole numbers do not depend on their order.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding

_ARM = ("aarch64", "arm64")
_ARCH_PRCTL, _ASK_PERMISSION, _TILE_DATA = 158, 0x1023, 18  # of Linux on x86-64
_HWCAP, _ASIMDDP = 16, 1 << 20  # of Linux on 64-bit Arm


@dataclass(frozen=True)
class Path:
    """How products are made, and so how states and weights lie.

    Attributes:
        needs: features that the processor must have, by LLVM's names.
        lanes: numbers in a vector.
        together: units of a layer whose cells are computed side by side. With more than one vector
            of them, the processor has something to do while an operation is under way.
        vectors: vectors of sums side by side in a block of weights.
        rows: rows whose sums of a block the registers hold.
        group: inputs that an instruction multiplies and adds up.
        states: what a state is multiplied as. 8 bits without a sign are `h8`, others `h8 - 128`.
        without: features that are not compiled for, by the beginning of their names.
    """

    name: str
    needs: frozenset[str]
    lanes: int
    together: int
    vectors: int
    rows: int
    group: int
    states: type[np.integer[Any]]
    without: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Sums of a row in a block."""
        return self.lanes * self.vectors

    @property
    def tiles(self) -> bool:
        """Whether products are made by AMX: 16 rows of 64 states times 16 columns at once."""
        return self.name == "amx"

    def columns(self, outputs: int) -> int:
        """Sums of a row, with the padding of the last block."""
        return -(-outputs // self.width) * self.width

    def padded(self, inputs: int) -> int:
        """States of a row, with what products read beyond its end."""
        whole = 64 if self.tiles else 4 * self.group
        return -(-inputs // whole) * whole


_VNNI = frozenset({"avx512vnni", "avx512bw", "avx512vl"})
_BEFORE_512 = ("avx512", "amx", "avx10")
PATHS = {
    path.name: path
    for path in (  # from the fastest on
        Path("amx", _VNNI | {"amx-int8", "amx-tile"}, 16, 64, 2, 12, 4, np.uint8),
        Path("avx512-vnni", _VNNI, 16, 64, 4, 6, 4, np.uint8, ("amx",)),
        Path("avx-vnni", frozenset({"avxvnni"}), 8, 32, 2, 6, 4, np.uint8, _BEFORE_512),
        # `pmaddwd` multiplies 16 bits. `pmaddubsw` takes 8, and cuts off what 16 cannot hold.
        Path("avx2", frozenset({"avx2"}), 8, 8, 2, 6, 2, np.int16, _BEFORE_512),
        Path("sdot", frozenset({"dotprod"}), 4, 4, 4, 6, 4, np.int8),
        Path("plain", frozenset(), 4, 4, 2, 4, 1, np.int16),
    )
}


@cache
def features() -> frozenset[str]:
    """What this processor has, by LLVM's names, of what the system lets a process use."""
    try:
        found = {name for name, there in binding.get_host_cpu_features().items() if there}
    except RuntimeError:  # LLVM does not know how to ask here
        found = set()
    if platform.machine().lower() in _ARM and _multiplies_bytes():
        found.add("dotprod")
    if "amx-int8" in found and not _may_use_tiles():
        found -= {name for name in found if name.startswith("amx")}
    return frozenset(found)


def _multiplies_bytes() -> bool:
    """Whether a 64-bit Arm processor has `sdot`."""
    if sys.platform == "linux":
        return bool(ctypes.CDLL(None).getauxval(_HWCAP) & _ASIMDDP)
    return sys.platform == "darwin"  # every one of Apple's


def _may_use_tiles() -> bool:
    """Asks Linux for the room that AMX's registers need, once for all threads."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).syscall(_ARCH_PRCTL, _ASK_PERMISSION, _TILE_DATA) == 0)


def has(path: Path) -> bool:
    """Whether this processor has what a path needs."""
    return path.needs <= features()
