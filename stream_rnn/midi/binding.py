"""What the program needs of a MIDI driver, whichever Python binding of RtMidi is installed.

There are two, since neither has wheels everywhere: python-rtmidi ends at Python 3.12, and
supriya-midi is a pre-release. `load` takes the one that can be imported. What differs between
them ends here: the numbers of their systems, their exceptions, what their callbacks are given.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from stream_rnn.errors import StreamRnnError

SYSTEMS = ("alsa", "jack", "core", "windows")  # MIDI systems, as `[midi] api` names them

# The module that speaks with each, and what to install for it.
BINDINGS = {
    "stream_rnn.midi.python_rtmidi": "python-rtmidi",
    "stream_rnn.midi.supriya": "supriya-midi",
}
TO_INSTALL = "'python-rtmidi>=1.5,<2'" if sys.version_info < (3, 13) else "supriya-midi==26.10b4"


class NoMidi(StreamRnnError):
    """There is no MIDI system here, or none of the kind that was asked for."""


class DriverError(StreamRnnError):
    """The driver refused what was asked of it."""


class Output(Protocol):
    """An end of ours that sends. Each method raises `DriverError` if the driver refuses."""

    def ports(self) -> list[str]:
        """The names of all ports that it could be connected to."""

    def open(self, index: int, name: str) -> None:
        """Connects it to a port by its place among `ports`; `name` is what ours is called."""

    def open_virtual(self, name: str) -> None:
        """Makes a port that others connect to."""

    def send(self, data: bytes) -> None:
        """Sends one message now.

        Raises:
            ValueError: it is no message.
        """

    def close(self) -> None:
        """Disconnects it; it may be opened again."""

    def delete(self) -> None:
        """Gives it back to the driver, for good."""


class Input(Protocol):
    """An end of ours that hears: as `Output`, but it listens instead of sending."""

    def ports(self) -> list[str]: ...
    def open(self, index: int, name: str) -> None: ...
    def open_virtual(self, name: str) -> None: ...
    def close(self) -> None: ...
    def delete(self) -> None: ...

    def listen(self, hear: Callable[[bytes], None]) -> None:
        """Calls with each message that comes, on a thread of the driver's.

        It holds for as long as the input does, however often that is closed and opened.
        """


class Binding(Protocol):
    """A binding that was imported."""

    def systems(self) -> Sequence[str]:
        """Those of `SYSTEMS` that it was built with, the likeliest first."""

    def output(self, system: str, client: str) -> Output:
        """A new end that sends.

        Raises:
            DriverError: the system is not running.
        """

    def input(self, system: str, client: str) -> Input:
        """A new end that hears.

        Raises:
            DriverError: the system is not running.
        """


@functools.cache
def _import() -> Binding | str:
    """The binding, or what is missing. Kept, since the MIDI process asks four times a second."""
    if sys.platform == "linux":
        # The wheels carry a libjack of their own, and that of supriya-midi is too old for the
        # jackd of Debian 12 ("protocol mismatch"); neither is PipeWire's. The system's own
        # libjack is what speaks with the server that runs here, and what is loaded first counts.
        with contextlib.suppress(OSError):
            ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)
    reasons = []
    for module, package in BINDINGS.items():
        try:
            binding: Binding = importlib.import_module(module).BINDING
        except ImportError as error:
            reasons.append(f"{package}: {error}")
            continue
        return binding
    return (
        f"no MIDI, since no binding of RtMidi can be imported ({'; '.join(reasons)}); "
        f"install one into this environment: pip install {TO_INSTALL}"
    )


def load() -> Binding:
    """The binding that is installed here.

    Raises:
        NoMidi: none is; the message says what to install.
    """
    found = _import()
    if isinstance(found, str):
        raise NoMidi(found)
    return found
