"""Interrupts a run, and saves and reads the state from which it can be resumed."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from stream_rnn.errors import CheckpointError
from stream_rnn.model_files import write_whole
from stream_rnn.train.recipe import Recipe

ENDS = (signal.SIGINT, signal.SIGTERM)
STATE = "run.safetensors"


@contextlib.contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Holds SIGINT and SIGTERM back, so that a step is always completed.

    Yields:
        A function that tells whether one of them has come.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread receives signals
        return
    before = {s: signal.signal(s, lambda number, frame: came.append(number)) for s in ENDS}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def generators(device: torch.device) -> dict[str, torch.Generator]:
    """The random generators of a run, by the names of their states in `run.safetensors`.

    Dropout draws from the generator of the device.
    """
    found = {"rng": torch.default_generator}
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        found["rng.cuda"] = torch.cuda.default_generators[index]
    return found


def write_state(folder: Path, tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> None:
    """Writes what `read_state` reads, completely or not at all.

    Raises:
        CheckpointError: it cannot be written.
    """
    plain = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    write_whole(folder / STATE, save(plain, {"facts": json.dumps(facts)}))


def read_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The facts and the tensors of a run.

    Raises:
        CheckpointError: there is nothing to resume, or it is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            facts: dict[str, Any] = json.loads(file.metadata()["facts"])
        return facts, load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: nothing to resume; start without --resume") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged ({error})") from None


def recipe_of(data: object, path: Path) -> Recipe:
    """The recipe of a saved run; an option that did not exist then has its default.

    Raises:
        CheckpointError: it is not a recipe.
    """
    try:
        return msgspec.convert(data, Recipe)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{path}: damaged ({error})") from None
