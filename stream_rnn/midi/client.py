"""The gateway's end of the pipe to the MIDI process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from stream_rnn.errors import StreamRnnError
from stream_rnn.midi.messages import (
    EndNotes,
    MidiOptions,
    Ping,
    Play,
    Report,
    decode_events,
    encode,
)
from stream_rnn.pipe import Child

START_TIMEOUT = 15.0


class ChildMidi:
    """The MIDI process, on the running event loop.

    Args:
        options: the wanted ports.
        on_event: called with each report from the process.
        on_death: called when the process ends without having been stopped.
    """

    def __init__(
        self,
        options: MidiOptions,
        on_event: Callable[[Report], None],
        on_death: Callable[[], None],
    ) -> None:
        def on_body(body: bytes) -> None:
            for event in decode_events(body):
                on_event(event)

        self._on_body = on_body
        self._child = Child(
            "stream_rnn.midi.process", msgspec.to_builtins(options), on_body, on_death
        )
        self.kill = self._child.kill
        self._waiting: list[tuple[float, int, bytes]] = []

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._child.pid

    async def start(self) -> None:
        """Starts the process and waits for its first report on the ports.

        Raises:
            StreamRnnError: the process did not start.
        """
        self._waiting = []
        try:
            self._on_body(await self._child.start(START_TIMEOUT))
        except (TimeoutError, EOFError) as error:
            raise StreamRnnError(f"the MIDI process did not start: {error}") from None

    def play(self, messages: Sequence[tuple[float, int, bytes]]) -> None:
        """Plays messages, (time, port, bytes). One turn of the event loop sends a single frame."""
        if messages and not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting += messages

    def _flush(self) -> None:
        if self._waiting:
            self._child.send(encode([Play(tuple(self._waiting))]))
            self._waiting = []

    def end_notes(self) -> None:
        """Drops all waiting messages and ends all sounding notes."""
        self._waiting = []
        self._child.send(encode([EndNotes()]))

    def ping(self) -> None:
        """Asks for a `Pong`."""
        self._child.send(encode([Ping()]))

    def stop(self) -> None:
        """Lets the process end all sounding notes, and then itself."""
        self._flush()
        self._child.stop(1.0)
