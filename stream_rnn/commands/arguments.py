"""Arguments that several commands share, and their values."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stream_rnn.errors import ConfigError
from stream_rnn.paths import bundled

AddCommand = Callable[[str, str, Callable[[Any], None]], argparse.ArgumentParser]
"""Adds a command: `(name, help text, function that runs it) -> its parser`."""


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def share(text: str) -> float:
    with contextlib.suppress(ValueError):
        if (value := float(text)) > 0:
            return value
    raise argparse.ArgumentTypeError(f"must be a number above 0, such as 0.75, not {text!r}")


def port(text: str) -> int:
    # getaddrinfo would wrap 99999 around to 34463.
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"must be a port, 0 to 65535, not {text!r}")
    return int(text)


def picture_file(text: str) -> Path:
    path = Path(text)
    if path.suffix != ".png":
        raise argparse.ArgumentTypeError(f"must end in .png, not {text!r}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: there is no folder {path.parent}")
    return path


def data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the folder of corpora (or STREAM_RNN_DATA)"
    )


def model_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a name under models/, or a folder")


def data_folder(given: Path | None) -> Path:
    folder = given or (Path(v) if (v := os.environ.get("STREAM_RNN_DATA")) else None)
    if folder is None:
        raise ConfigError("no folder of corpora: give --data DIR, or set STREAM_RNN_DATA")
    if not folder.is_dir():
        raise ConfigError(f"--data {folder}: no such folder")
    return folder


def model_folder(name: str) -> Path:
    as_path = Path(name)
    if (as_path / "card.json").exists():
        return as_path
    folder = bundled("models") / name
    if as_path.name == name and folder.is_dir():
        return folder
    from stream_rnn.checkpoint import find_models

    known = ", ".join(find_models(bundled("models"))) or "none"
    raise ConfigError(f"no model {name!r}; there are: {known}")


def blend(text: str | None, artists: Sequence[str]) -> dict[str, float] | None:
    """The weights of `NAME[=WEIGHT],…`; a name may contain commas and equals signs."""
    if text is None:
        return None
    weights = {}
    parts = text.split(",")
    while parts:
        # Take the longest beginning that is an artist; else one part, which is refused later.
        for take in range(len(parts), 0, -1):
            share = ",".join(parts[:take]).strip()
            name, equals, weight = share.rpartition("=")
            if not equals or share in artists:
                name, weight = share, "1"
            if take == 1 or (name.strip() in artists and "," not in weight):
                break
        try:
            weights[name.strip()] = float(weight)
        except ValueError:
            raise ConfigError(f"--artist: the weight {weight!r} is not a number") from None
        del parts[:take]
    return weights


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
