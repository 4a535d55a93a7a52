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
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

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


class End:
    """A port of our own. Each method raises `DriverError` if the driver refuses.

    A binding says how it refuses (`_told`), and makes RtMidi's own port (`_rt`).
    """

    _rt: Any

    def _told(self) -> AbstractContextManager[None]:
        """Raises a refusal in the block as a `DriverError`."""
        raise NotImplementedError

    def ports(self) -> list[str]:
        """The names of all ports that this one can be connected to."""
        with self._told():
            return list(self._rt.get_ports())

    def open(self, index: int, name: str) -> None:
        """Connects to a port, given by its index in `ports`; `name` is our own port's name."""
        with self._told():
            self._rt.open_port(index, name)

    def open_virtual(self, name: str) -> None:
        """Makes a port that other programs connect to."""
        with self._told():
            self._rt.open_virtual_port(name)

    def close(self) -> None:
        """Disconnects; the port may be opened again."""
        with self._told():
            self._rt.close_port()

    def delete(self) -> None:
        """Returns the port to the driver for good."""
        self._rt.delete()


class Output(End):
    """A sending port."""

    def send(self, data: bytes) -> None:
        """Sends one message now.

        Raises:
            ValueError: `data` is not a MIDI message.
        """
        with self._told():
            self._rt.send_message(data)


class Input(End):
    """A receiving port."""

    def listen(self, hear: Callable[[bytes], None]) -> None:
        """Calls `hear` with each message that comes in, on one of the driver's threads.

        This stays in force until `delete`, however often the port is closed and opened.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Binding:
    """An imported binding.

    Attributes:
        output, input: make a port, given a system and our name among MIDI clients; they raise
            `DriverError` if the system is not running.
    """

    output: Callable[[str, str], Output]
    input: Callable[[str, str], Input]
    _numbers: Mapping[str, object]  # those of `SYSTEMS`, as the binding has them
    _built_with: Callable[[], Iterable[object]]

    def systems(self) -> list[str]:
        """Those of `SYSTEMS` that the binding was built with, the likeliest first."""
        names = {number: name for name, number in self._numbers.items()}
        return [names[number] for number in self._built_with() if number in names]


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
