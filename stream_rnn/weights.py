"""Checks a weights file (safetensors) by its header, before it is loaded. No torch.

The file has eight bytes that say how long the header is, the header, which is JSON, and the
tensors, one after another. So what a file claims can be compared with the architecture and with
the file's own size before anything is allocated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, BinaryIO

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import Architecture, CountingArchitecture
from stream_rnn.schema import items, one_of, parse_json, table, whole, wrong

MOST_BYTES = 2**31  # of a file
_MOST_HEADER = 2**20
_LENGTH = 8  # bytes that say how long the header is
_FLOATS = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}
_WHOLES = {"U8": 1, "I8": 1, "I16": 2, "I32": 4, "I64": 8}
_SIZES = _FLOATS | _WHOLES
_PLACE = whole(0, MOST_BYTES)
_TENSOR = table(
    {
        "dtype": one_of(*_SIZES),
        "shape": items(_PLACE, 8),
        "data_offsets": items(_PLACE, 2, least=2),
    }
)


def check_weights(
    file: BinaryIO, size: int, architecture: Architecture | CountingArchitecture
) -> None:
    """Checks that a file has the tensors of an architecture, and nothing else.

    Args:
        file: at its beginning; it is left at any place.
        size: of the file, in bytes.

    Raises:
        CheckpointError: the file is damaged, or does not fit.
    """
    try:
        header = _read_header(file, size)
    except CheckpointError as error:
        raise CheckpointError(f"damaged or cut short ({error})") from None
    if misfit := _misfit(header, architecture):
        raise CheckpointError(f"does not fit the card: {misfit}")


def _read_header(file: BinaryIO, size: int) -> Mapping[str, Any]:
    """The header, checked: the tensors in it fill the rest of the file exactly."""
    length = int.from_bytes(file.read(_LENGTH), "little")
    if size < _LENGTH or length > min(_MOST_HEADER, size - _LENGTH):
        raise CheckpointError(f"{size} bytes, which do not begin with a header of safetensors")
    header = parse_json(file.read(length))
    if not isinstance(header, dict):
        raise wrong("its header", header, "an object")
    header.pop("__metadata__", None)
    for name, tensor in header.items():
        _TENSOR.check(tensor, name)
    end = 0
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, stop = tensor["data_offsets"]
        needed = math.prod(tensor["shape"]) * _SIZES[tensor["dtype"]]
        if begin != end or stop - begin != needed:
            raise CheckpointError(
                f"{name} is from byte {begin} to {stop}; it must be from {end} to {end + needed}"
            )
        end = stop
    if (there := size - _LENGTH - length) != end:
        raise CheckpointError(f"{there} bytes of tensors; there must be {end}")
    return header


def _misfit(
    header: Mapping[str, Any], architecture: Architecture | CountingArchitecture
) -> str | None:
    """What is wrong with the first tensor that does not fit, is missing or is one too many."""
    counted = isinstance(architecture, CountingArchitecture)
    dtypes, kind = (_WHOLES, "whole numbers") if counted else (_FLOATS, "floats")
    wanted = architecture.tensors()
    for name, shape in wanted.items():
        if name not in header:
            return f"{name} is missing"
        found = header[name]["shape"]
        fits = len(found) == len(shape) and all(
            s in (None, f) for s, f in zip(shape, found, strict=True)
        )
        if not fits:
            should = ", ".join("any" if s is None else str(s) for s in shape)
            return f"{name} is {found}, and should be [{should}]"
        if header[name]["dtype"] not in dtypes:
            return f"{name} is of {header[name]['dtype']}, and should be of {kind}"
    return next((f"{name} is none of its tensors" for name in header if name not in wanted), None)
