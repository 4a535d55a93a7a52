"""The device that networks are computed on. On a machine without a CUDA device: without torch."""

from __future__ import annotations

import ctypes
import sys

from stream_rnn.errors import ConfigError


def pick_device(name: str) -> str:
    """`cpu` or `cuda`, for `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: `cuda` was asked for, and torch finds no CUDA device.
    """
    if name == "cpu" or (name == "auto" and not _driver_has_device()):
        return "cpu"
    import torch  # takes a second

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise ConfigError("--device cuda: torch finds no CUDA device; use --device cpu")
    return "cpu"


def _driver_has_device() -> bool:
    """Whether NVIDIA's driver is there and knows of a device."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
        return not failed and count.value > 0
    except OSError:
        return False


def device_works(device: str) -> bool:
    """Whether a device still computes; after some errors CUDA refuses everything."""
    if device == "cpu":
        return True
    import torch

    try:
        return float((torch.ones(2, device=device) + 1).sum()) == 4.0
    except RuntimeError:
        return False
