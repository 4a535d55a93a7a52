"""Reads a weights file (safetensors), and checks it by its header before that. No torch.

The file has eight bytes that say how long the header is, the header, which is JSON, and the
tensors, one after another. So what a file claims can be compared with the architecture and with
the file's own size before anything is allocated.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import Architecture, CountingArchitecture, Shape
from stream_rnn.nets.stored import stored_tensors
from stream_rnn.schema import items, one_of, parse_json, table, whole, wrong

MOST_BYTES = 2**31  # of a file
_MOST_HEADER = 2**20
_LENGTH = 8  # bytes that say how long the header is
_FLOATS = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}
_WHOLES = {"U8": 1, "I8": 1, "I16": 2, "I32": 4, "I64": 8}
_SIZES = _FLOATS | _WHOLES
_NUMPY = {
    "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8",
    "U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
}  # fmt: skip
_PLACE = whole(0, MOST_BYTES)
_TENSOR = table(
    {
        "dtype": one_of(*_SIZES),
        "shape": items(_PLACE, 8),
        "data_offsets": items(_PLACE, 2, least=2),
    }
)


def check_weights(
    file: BinaryIO, size: int, architecture: Architecture | CountingArchitecture, number: int
) -> None:
    """Checks that a file has the tensors of an architecture, and nothing else.

    Args:
        file: at its beginning; it is left at any place.
        size: of the file, in bytes.
        number: the card's format.

    Raises:
        CheckpointError: the file is damaged, or does not fit.
    """
    try:
        header = _read_header(file, size)
    except CheckpointError as error:
        raise CheckpointError(f"damaged or cut short ({error})") from None
    if misfit := _misfit(header, _wanted(architecture, number)):
        raise CheckpointError(f"does not fit the card: {misfit}")


def tensors_of(data: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of a file that has been checked, each an array of its own.

    BF16, which NumPy does not have, becomes float32.
    """
    header = _read_header(io.BytesIO(data), len(data))
    start = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    found = {}
    for name, tensor in header.items():
        kind, shape = tensor["dtype"], tensor["shape"]
        here = start + tensor["data_offsets"][0]
        values = np.frombuffer(data, _NUMPY[kind], math.prod(shape), here)
        if kind == "BF16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        found[name] = values.astype(values.dtype.newbyteorder("=")).reshape(shape)
    return found


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


def _wanted(
    architecture: Architecture | CountingArchitecture, number: int
) -> Mapping[str, tuple[Shape, tuple[str, ...], str]]:
    """Of each tensor its shape, the dtypes that it may have, and those in words."""
    if isinstance(architecture, CountingArchitecture):  # in both formats
        shapes = architecture.tensors()
        return {name: (shape, tuple(_WHOLES), "whole numbers") for name, shape in shapes.items()}
    if number == 1:
        floats = architecture.tensors()
        return {name: (shape, tuple(_FLOATS), "floats") for name, shape in floats.items()}
    stored = stored_tensors(architecture)
    return {name: (*of, " or ".join(of.dtypes)) for name, of in stored.items()}


def _misfit(
    header: Mapping[str, Any], wanted: Mapping[str, tuple[Shape, tuple[str, ...], str]]
) -> str | None:
    """What is wrong with the first tensor that does not fit, is missing or is one too many."""
    for name, (shape, dtypes, kind) in wanted.items():
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
