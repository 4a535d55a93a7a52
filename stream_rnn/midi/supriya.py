"""The binding supriya-midi (26.10b4), with wheels for Python 3.11 to 3.14, also for Linux on ARM.

When a JACK server has died, it refuses the next message. It reports as warnings what the other
binding raises, and only when a port is first used; so each port is used once when it is made.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import supriya_midi
from supriya_midi import RtMidiAPI, RtMidiErrorType

from stream_rnn.midi.binding import Binding, DriverError, End, Input, Output

_NUMBERS = {
    "alsa": RtMidiAPI.LINUX_ALSA,
    "jack": RtMidiAPI.UNIX_JACK,
    "core": RtMidiAPI.MACOSX_CORE,
    "windows": RtMidiAPI.WINDOWS_MM,
}


class _End(End):
    def __init__(self, make: Callable[..., Any], system: str, client: str) -> None:
        # The driver's error messages. They may come on a thread of its own, where an exception,
        # which supriya-midi raises by default, would end the process.
        self._complaints: list[str] = []
        try:
            self._rt = make(_NUMBERS[system], client)
        except RuntimeError as error:
            raise DriverError(str(error)) from None
        complaints = self._complaints  # not `self`, which the driver would then keep alive

        def complain(kind: Any, text: str, data: object = None) -> None:
            if kind is not RtMidiErrorType.DEBUG_WARNING:
                complaints.append(text)

        self._rt.set_error_callback(complain)
        try:
            self.ports()
        except DriverError:
            self.delete()
            raise

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        self._complaints.clear()
        try:
            yield
        except (RuntimeError, NotImplementedError) as error:
            raise DriverError(str(error)) from None
        if self._complaints:
            raise DriverError(self._complaints[0])

    def open(self, index: int, name: str) -> None:
        with self._closing():
            super().open(index, name)

    def open_virtual(self, name: str) -> None:
        with self._closing():
            super().open_virtual(name)

    @contextlib.contextmanager
    def _closing(self) -> Iterator[None]:
        try:
            yield
        except DriverError:
            self._rt.close_port()  # the binding believes that the port is open
            raise


class _Output(_End, Output):
    pass


class _Input(_End, Input):
    def listen(self, hear: Callable[[bytes], None]) -> None:
        self._rt.ignore_types(sysex=True, timing=False, active_sense=True)
        self._rt.set_callback(lambda message, delta, data: hear(bytes(message)))


BINDING = Binding(
    lambda system, client: _Output(supriya_midi.MidiOut, system, client),
    lambda system, client: _Input(supriya_midi.MidiIn, system, client),
    _NUMBERS,
    supriya_midi.get_compiled_apis,
)
