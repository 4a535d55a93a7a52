"""The device that networks are computed on."""

from __future__ import annotations

import torch

from stream_rnn.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The torch device for `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: `cuda` was asked for, and torch finds no CUDA device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no CUDA device; use --device cpu")
    return torch.device(name)


def device_works(device: torch.device) -> bool:
    """Whether a device still computes; after some errors CUDA refuses everything."""
    try:
        return float((torch.ones(2, device=device) + 1).sum()) == 4.0
    except RuntimeError:
        return False
