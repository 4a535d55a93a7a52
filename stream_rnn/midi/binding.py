"""One interface to the MIDI driver for both Python bindings of RtMidi.

There are two bindings, because neither has wheels everywhere: python-rtmidi ends at Python 3.12,
and supriya-midi is a pre-release. `load` takes the one that can be imported. Their differences
stay behind this interface: the numbers of MIDI systems, exceptions and callback arguments.
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

# Our module for each binding, and the package to install for it.
BINDINGS = {
    "stream_rnn.midi.python_rtmidi": "python-rtmidi",
    "stream_rnn.midi.supriya": "supriya-midi",
}
TO_INSTALL = "'python-rtmidi>=1.5,<2'" if sys.version_info < (3, 13) else "supriya-midi==26.10b4"


class NoMidi(StreamRnnError):
    """This machine has no MIDI system, or not the one that was asked for, or no binding."""


class DriverError(StreamRnnError):
    """The driver refused a request."""


class End(Protocol):
    """A port of our own. Each method raises `DriverError` if the driver refuses."""

    def ports(self) -> list[str]:
        """The names of all ports that this one can be connected to."""

    def open(self, index: int, name: str) -> None:
        """Connects to a port, given by its index in `ports`; `name` is our own port's name."""

    def open_virtual(self, name: str) -> None:
        """Makes a port that other programs connect to."""

    def close(self) -> None:
        """Disconnects; the port may be opened again."""

    def delete(self) -> None:
        """Returns the port to the driver for good."""


class Output(End, Protocol):
    """A sending port."""

    def send(self, data: bytes) -> None:
        """Sends one message now.

        Raises:
            ValueError: `data` is not a MIDI message.
        """


class Input(End, Protocol):
    """A receiving port."""

    def listen(self, hear: Callable[[bytes], None]) -> None:
        """Calls `hear` with each message that comes in, on one of the driver's threads.

        This stays in force until `delete`, however often the port is closed and opened.
        """


class Binding(Protocol):
    """An imported binding."""

    def systems(self) -> Sequence[str]:
        """Those of `SYSTEMS` that the binding was built with, the likeliest first."""

    def output(self, system: str, client: str) -> Output:
        """A new sending port.

        Raises:
            DriverError: the system is not running.
        """

    def input(self, system: str, client: str) -> Input:
        """A new receiving port.

        Raises:
            DriverError: the system is not running.
        """


@functools.cache
def _import() -> Binding | str:
    """The binding, or what to install. Cached: the MIDI process asks four times a second."""
    if sys.platform == "linux":
        # The wheels bring their own libjack. That of supriya-midi is too old for the jackd of
        # Debian 12 ("protocol mismatch"), and neither is PipeWire's. The system's libjack fits
        # the server that runs here. It is loaded first, so the bindings use it.
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
        NoMidi: there is none; the message says what to install.
    """
    found = _import()
    if isinstance(found, str):
        raise NoMidi(found)
    return found
