"""Recurrent states as bytes, as snapshots hold them.

    "SRN1" | length of the name (1 byte) | name of the numerics (ASCII) | values (float32, "<f4")

The values are the hidden states, layer by layer, and then the cell states. Any machine can read
them. A machine refuses a state of other numerics, because the stream would go on differently.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stream_rnn.errors import EngineError

FORMAT = b"SRN1"


def pack(numerics: str, parts: Sequence[Tensor]) -> bytes:
    """The values of a state in portable form, with the name of their numerics."""
    name = numerics.encode("ascii")
    values = torch.cat([part.flatten() for part in parts]).cpu().numpy().astype("<f4")
    return b"".join((FORMAT, bytes([len(name)]), name, values.tobytes()))


def unpack(data: bytes, numerics: str, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """The values of a state in portable form, as tensors of these shapes, on the CPU.

    Raises:
        EngineError: the state has another format, other numerics or another model's size.
    """
    start = len(FORMAT) + 1
    if data[: len(FORMAT)] != FORMAT or len(data) < start:
        raise EngineError(f"a state begins with {FORMAT!r}, not {data[: len(FORMAT)]!r}")
    end = start + data[start - 1]
    name = data[start:end].decode("ascii", "replace")
    if name != numerics:
        raise EngineError(f"the state has {name!r} numerics, but the engine computes {numerics!r}")
    sizes = [shape.numel() for shape in shapes]
    found, wanted = len(data) - end, 4 * sum(sizes)
    if found != wanted:
        raise EngineError(f"the state does not fit the model: {found} bytes, not {wanted}")
    values = torch.from_numpy(np.frombuffer(data, "<f4", offset=end).astype(np.float32))
    parts, end = [], 0
    for size, shape in zip(sizes, shapes, strict=True):
        parts.append(values[end : end + size].view(shape))
        end += size
    return parts
