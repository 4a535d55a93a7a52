"""The binding python-rtmidi (1.5), which has wheels up to Python 3.12.

It does not report the death of a JACK server: it goes on "sending", and after some 2,300 messages
it spins for ever while it holds the interpreter lock. See `jack_watch`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import rtmidi

from stream_rnn.midi.binding import Binding, DriverError, End, Input, Output

_NUMBERS = {
    "alsa": rtmidi.API_LINUX_ALSA,
    "jack": rtmidi.API_UNIX_JACK,
    "core": rtmidi.API_MACOSX_CORE,
    "windows": rtmidi.API_WINDOWS_MM,
}


class _End(End):
    def __init__(self, make: Callable[..., Any], system: str, client: str) -> None:
        with self._told():
            self._rt = make(_NUMBERS[system], name=client)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (rtmidi.RtMidiError, NotImplementedError) as error:
            raise DriverError(str(error)) from None


class _Output(_End, Output):
    pass


class _Input(_End, Input):
    _hear: Callable[[bytes], None] | None = None

    def listen(self, hear: Callable[[bytes], None]) -> None:
        self._hear = hear
        self._rt.ignore_types(sysex=True, timing=False, active_sense=True)
        self._listen()

    def _listen(self) -> None:
        if (hear := self._hear) is not None:
            self._rt.set_callback(lambda event, data=None: hear(bytes(event[0])))

    def close(self) -> None:
        super().close()
        self._listen()  # closing removes the callback


BINDING = Binding(
    lambda system, client: _Output(rtmidi.MidiOut, system, client),
    lambda system, client: _Input(rtmidi.MidiIn, system, client),
    _NUMBERS,
    rtmidi.get_compiled_api,
)
