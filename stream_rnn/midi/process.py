"""The MIDI process: sends each message at its exact time, and watches the ports.

`midi.client.ChildMidi` starts it as `python -m stream_rnn.midi.process END OPTIONS`. When the
pipe closes, however the gateway ended, the process ends every note and then itself.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

import msgspec

from stream_rnn.handover import child_end
from stream_rnn.midi.messages import (
    LATENESS,
    EndNotes,
    Heard,
    MidiOptions,
    Ping,
    Play,
    Pong,
    Report,
    Silenced,
    Unheard,
    decode_commands,
    encode,
)
from stream_rnn.midi.player import Player
from stream_rnn.midi.rack import Rack
from stream_rnn.pipe import FrameReader, frame
from stream_rnn.system import be_prompt

log = logging.getLogger("stream_rnn.midi")

SCAN = 0.25  # seconds between looks at the ports
GAP = 0.003  # seconds; a look takes up to a millisecond, so it waits for such a gap in the music
SILENT_GATEWAY = 3.0  # seconds without a message from the gateway until it is taken to hang
BACKLOG = 1 << 20  # bytes that may wait for a gateway that does not read; then input is dropped
LAST_WORDS = 0.1  # seconds that the driver has to send the last messages
PRIORITY = 10
GONE = 3  # exit code: the MIDI server has died


class Process:
    """The MIDI process's loop."""

    def __init__(self, connection: socket.socket, options: MidiOptions) -> None:
        self._connection, self._options = connection, options
        connection.setblocking(False)
        self._unsaid = bytearray()
        self._deaf = False  # incoming messages are being dropped
        self._player = Player(len(options.outs))
        self._rack = Rack(options, self._player, self._tell, self._hear, self._die, self._ring)
        self._heard: deque[Heard] = deque()
        self._dead = False
        self._read_bell, self._bell = socket.socketpair()  # Windows can only wait for sockets
        self._bell.setblocking(False)
        self._scanned = -SCAN
        self._late: list[float] = []

    def run(self) -> int:
        """Serves until the pipe closes or the MIDI server dies; returns the exit code."""
        with self._read_bell, self._bell:
            return self._serve()

    def _serve(self) -> int:
        reader, spoken = FrameReader(), time.monotonic()
        while True:
            now = time.monotonic()
            for due, port, data in self._player.due(now):
                self._rack.outs[port].send(data)
                self._late.append(time.monotonic() - due)
            self._look_at_ports(now)
            # An overdue look has been put off for a message that is less than `GAP` away.
            wake = min(self._player.first(), max(self._scanned + SCAN, now + GAP))
            wait = max(0.0, wake - time.monotonic())
            doors = [self._connection, self._read_bell]
            full = [self._connection] if self._unsaid else []
            ready, writable, _ = select.select(doors, full, [], wait)
            if writable:
                self._talk()
            if self._read_bell in ready:
                self._read_bell.recv(4096)
                if self._dead:
                    log.error("the MIDI server has died")
                    return GONE
                self._rack.learn_of_cords()
                self._say(self._take_heard())
            if self._connection in ready:
                data = self._connection.recv(1 << 18)
                if not data:
                    return 0
                spoken = time.monotonic()
                for body in reader.feed(data):
                    self._obey(body)
            elif time.monotonic() - spoken > SILENT_GATEWAY:
                if self.end_notes():
                    log.error("no message from the gateway for %g s; notes ended", SILENT_GATEWAY)
                spoken = float("inf")

    def _obey(self, body: bytes) -> None:
        for command in decode_commands(body):
            match command:
                case Play(messages):
                    for moment, port, data in messages:
                        self._player.push(moment, port, data)
                case EndNotes():
                    self.end_notes()
                case Ping():
                    self._say([self._account()])

    def _say(self, events: Sequence[Report]) -> None:
        """Sends reports; never waits, because notes have to end even if the gateway hangs."""
        deaf = len(self._unsaid) > BACKLOG
        if deaf:
            events = [event for event in events if not isinstance(event, Heard)]
            if not self._deaf:
                log.error("the gateway does not read; incoming MIDI messages are lost")
        elif self._deaf:
            events = [*(Unheard(number) for number in range(len(self._rack.ins))), *events]
        self._deaf = deaf
        if events:
            self._unsaid += frame(encode(events))
            self._talk()

    def _talk(self) -> None:
        try:
            while self._unsaid:
                del self._unsaid[: self._connection.send(self._unsaid)]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._unsaid.clear()  # the next read sees that the gateway is gone

    def _tell(self, events: Sequence[Report]) -> None:
        """Sends reports on the ports, after the messages that came in on them before."""
        self._say([*self._take_heard(), *events])

    def _take_heard(self) -> list[Report]:
        return [self._heard.popleft() for _ in range(len(self._heard))]

    def _account(self) -> Pong:
        late, self._late = self._late, []
        counts = [0] * (len(LATENESS) + 1)
        for seconds in late:
            counts[bisect_left(LATENESS, seconds)] += 1
        return Pong(tuple(counts), max(late, default=0.0), sum(late))

    def end_notes(self) -> bool:
        """Ends all sounding notes; returns whether there were any."""
        ends = self._player.end_notes()
        if ends:
            self._say([Silenced(time.monotonic())])
        for port, data in ends:
            self._rack.outs[port].send(data)
        return bool(ends)

    # Ports

    def _look_at_ports(self, now: float) -> None:
        late = now - self._scanned - SCAN
        if late < 0 or (late < SCAN and self._player.first() - now < GAP):
            return
        first = self._scanned < 0
        self._scanned = now
        self._rack.look(first)

    # Called on the driver's threads

    def _hear(self, port: int, data: bytes) -> None:
        self._heard.append(Heard(port, time.monotonic(), data))
        self._ring()

    def _die(self) -> None:
        self._dead = True
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # the bell's buffer is full, or the process is ending
            self._bell.send(b"!")


def _hurry() -> None:
    """Takes real-time priority where the system grants it: see docs/installations.md."""
    be_prompt(PRIORITY)
    sys.setswitchinterval(5e-4)  # seconds that a thread with input may delay a message that is due
    gc.collect()
    gc.freeze()


def main() -> int:
    """Entry point of the child."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # A supervisor may send these signals to every process. Only the gateway acts on them; it ends
    # this process once it has drained.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    connection = child_end(sys.argv[1])
    process = Process(connection, msgspec.json.decode(sys.argv[2], type=MidiOptions))
    _hurry()
    code = 0
    try:
        code = process.run()
    except (BrokenPipeError, ConnectionResetError):
        log.info("the gateway is gone")
    if code != GONE:
        process.end_notes()
        time.sleep(LAST_WORDS)
    logging.shutdown()
    # Skip the driver's own clean-up, which can hang when its server has died.
    os._exit(code)


if __name__ == "__main__":
    main()
