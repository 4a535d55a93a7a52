"""The binding python-rtmidi (1.5), which has wheels up to Python 3.12.

It does not report the death of a JACK server: it goes on "sending", and after some 2,300 messages
it spins for ever while it holds the interpreter lock. See `jack_watch`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import rtmidi

from stream_rnn.midi.binding import DriverError

_NUMBERS = {
    "alsa": rtmidi.API_LINUX_ALSA,
    "jack": rtmidi.API_UNIX_JACK,
    "core": rtmidi.API_MACOSX_CORE,
    "windows": rtmidi.API_WINDOWS_MM,
}


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (rtmidi.RtMidiError, NotImplementedError) as error:
        raise DriverError(str(error)) from None


class _End:
    def __init__(self, make: Callable[..., Any], system: str, client: str) -> None:
        with _told():
            self._rt = make(_NUMBERS[system], name=client)

    def ports(self) -> list[str]:
        with _told():
            return list(self._rt.get_ports())

    def open(self, index: int, name: str) -> None:
        with _told():
            self._rt.open_port(index, name)

    def open_virtual(self, name: str) -> None:
        with _told():
            self._rt.open_virtual_port(name)

    def close(self) -> None:
        with _told():
            self._rt.close_port()

    def delete(self) -> None:
        self._rt.delete()


class _Output(_End):
    def send(self, data: bytes) -> None:
        with _told():
            self._rt.send_message(data)


class _Input(_End):
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


class _Binding:
    def systems(self) -> Sequence[str]:
        names = {number: name for name, number in _NUMBERS.items()}
        return [names[number] for number in rtmidi.get_compiled_api() if number in names]

    def output(self, system: str, client: str) -> _Output:
        return _Output(rtmidi.MidiOut, system, client)

    def input(self, system: str, client: str) -> _Input:
        return _Input(rtmidi.MidiIn, system, client)


BINDING = _Binding()
