"""Recurrent states as bytes, which snapshots hold.

    "SRN1" | length of the name (1 byte) | name of the numerics (ASCII) | values (float32, "<f4")

The values are those of the hidden states and then of the cells, a layer after the other. Any
machine reads them, and none takes a state of other numerics for one of its own, which would go
on as another stream.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stream_rnn.errors import EngineError

FORMAT = b"SRN1"


def pack(numerics: str, parts: Sequence[Tensor]) -> bytes:
    """Values of a state in portable form, with the name of the numerics that they are of."""
    name = numerics.encode("ascii")
    values = torch.cat([part.flatten() for part in parts]).cpu().numpy().astype("<f4")
    return b"".join((FORMAT, bytes([len(name)]), name, values.tobytes()))


def unpack(data: bytes, numerics: str, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """The values again, as tensors of these shapes, on the CPU.

    Raises:
        EngineError: it is of another form, other numerics or another model.
    """
    start = len(FORMAT) + 1
    if data[: len(FORMAT)] != FORMAT or len(data) < start:
        raise EngineError(f"a state begins with {FORMAT!r}, not {data[: len(FORMAT)]!r}")
    end = start + data[start - 1]
    name = data[start:end].decode("ascii", "replace")
    if name != numerics:
        raise EngineError(f"the state is of {name!r} numerics, and the engine's are {numerics!r}")
    sizes = [shape.numel() for shape in shapes]
    if len(data) - end != 4 * sum(sizes):
        raise EngineError("the state does not fit the model")
    values = torch.from_numpy(np.frombuffer(data, "<f4", offset=end).astype(np.float32))
    parts, end = [], 0
    for size, shape in zip(sizes, shapes, strict=True):
        parts.append(values[end : end + size].view(shape))
        end += size
    return parts
