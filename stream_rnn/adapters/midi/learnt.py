"""Keeps learnt controllers in a file of their own, so that they survive a restart.

The file has the form of `serve.toml`, so that its lines can be moved there.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from stream_rnn.config import SOURCES, MidiControl, read_config
from stream_rnn.errors import ConfigError

log = logging.getLogger("stream_rnn.midi")

HEAD = "# Controllers that were learnt live; written by stream-rnn at each /rnn/midi/learn.\n"


class LearntFile:
    """The file of learnt controllers.

    Args:
        path: the file, which need not exist yet.

    Raises:
        ConfigError: its folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not os.access(path.parent, os.W_OK):
            raise ConfigError(f"[midi] learnt: {path.parent.resolve()} cannot be written to")

    def read(self) -> list[MidiControl]:
        """Reads the controllers that were learnt before.

        Raises:
            ConfigError: the file is invalid.
        """
        return list(read_config(self._path).midi.control) if self._path.exists() else []

    def write(self, bindings: Iterable[MidiControl]) -> None:
        """Replaces the file's contents atomically. An error is only logged: the show goes on."""
        made = self._path.with_name(self._path.name + ".new")
        try:
            with made.open("w", encoding="utf-8") as file:
                file.write("\n".join([HEAD, *(toml_lines(b) for b in bindings)]))
                file.flush()
                os.fsync(file.fileno())
            made.replace(self._path)
        except OSError as error:
            log.error("%s: %s; what was learnt is not kept", self._path, error.strerror)


# These fields come first. Fields that are not in ALWAYS are written only if not at their default.
FIRST = (*SOURCES, "control", "session", "channel")
ALWAYS = ("control", "session")


def toml_lines(binding: MidiControl) -> str:
    """Writes a binding as lines of `serve.toml`."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(MidiControl)}
    values = {name: getattr(binding, name) for name in (*FIRST, *defaults)}
    said = [n for n, value in values.items() if n in ALWAYS or value != defaults[n]]
    return "\n".join(["[[midi.control]]", *(f"{n} = {_written(values[n])}" for n in said), ""])


def _written(value: str | float | bool) -> str:
    # A JSON value is a TOML value, except that TOML also wants this character escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
