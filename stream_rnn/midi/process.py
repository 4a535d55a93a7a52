"""MIDI as a process of its own: waits for each message's exact moment, and watches the ports.

Started by `midi.client.ChildMidi` as `python -m stream_rnn.midi.process END OPTIONS`. When the
pipe closes, however the gateway ended, it ends every note and then itself.
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
from stream_rnn.midi.binding import DriverError, NoMidi, load
from stream_rnn.midi.jack_watch import Cord, Watch
from stream_rnn.midi.messages import (
    LATENESS,
    Event,
    Heard,
    MidiOptions,
    Ping,
    Play,
    Pong,
    Ports,
    Silence,
    Silenced,
    Unheard,
    decode_commands,
    encode,
)
from stream_rnn.midi.player import Player
from stream_rnn.midi.ports import Port, pick_api, quiet
from stream_rnn.pipe import FrameReader, frame
from stream_rnn.system import be_prompt

log = logging.getLogger("stream_rnn.midi")

SCAN = 0.25  # seconds between looks at the ports
GAP = 0.003  # a look takes up to a millisecond, so it waits for a gap in the music of so much
SILENT_GATEWAY = 3.0  # seconds without a word from the gateway until it is taken for hung
BACKLOG = 1 << 20  # bytes that wait for a gateway that does not read; then it hears no more
LAST_WORDS = 0.1  # seconds that the driver has to send what was said last
PRIORITY = 10
REPEATS = 3  # looks at the ports after which what ends notes was sent again: see `_end`
GONE = 3  # exit code: the MIDI server has died


class Process:
    """The loop and what it holds."""

    def __init__(self, connection: socket.socket, options: MidiOptions) -> None:
        self._connection, self._options = connection, options
        connection.setblocking(False)
        self._unsaid = bytearray()
        self._deaf = False  # what is heard finds no room
        self._player = Player(len(options.outs))
        self._outs: list[Port] = []
        self._ins: list[Port] = []
        self._watch: Watch | None = None
        self._trouble = "not looked yet"
        self._heard: deque[Heard] = deque()
        self._dead = False
        self._read_bell, self._bell = socket.socketpair()  # Windows can only wait for sockets
        self._bell.setblocking(False)
        self._scanned = -SCAN
        self._late: list[float] = []
        self._repeats: deque[tuple[int, int, list[bytes]]] = deque()  # (how often, port, messages)

    def run(self) -> int:
        """Serves until the pipe closes or the MIDI server dies; returns the exit code."""
        with self._read_bell, self._bell:
            return self._serve()

    def _serve(self) -> int:
        reader, spoken = FrameReader(), time.monotonic()
        while True:
            now = time.monotonic()
            for due, port, data in self._player.due(now):
                self._outs[port].send(data)
                self._late.append(time.monotonic() - due)
            self._look_at_ports(now)
            wake = min(self._player.first(), self._scanned + SCAN + GAP)
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
                self._learn_of_cords()
                self._say(self._take_heard())
            if self._connection in ready:
                data = self._connection.recv(1 << 18)
                if not data:
                    return 0
                spoken = time.monotonic()
                for body in reader.feed(data):
                    self._obey(body)
            elif time.monotonic() - spoken > SILENT_GATEWAY:
                if self.silence():
                    log.error("the gateway says nothing; what sounded was ended")
                spoken = float("inf")

    def _obey(self, body: bytes) -> None:
        for command in decode_commands(body):
            match command:
                case Play(messages):
                    for moment, port, data in messages:
                        self._player.push(moment, port, data)
                case Silence():
                    self.silence()
                case Ping():
                    self._say([self._account()])

    def _say(self, events: Sequence[Event]) -> None:
        """Never waits for the gateway: notes have to end though it hang."""
        deaf = len(self._unsaid) > BACKLOG
        if deaf:
            events = [event for event in events if not isinstance(event, Heard)]
            if not self._deaf:
                log.error("the gateway does not read; what is heard is lost")
        elif self._deaf:
            events = [*(Unheard(number) for number in range(len(self._ins))), *events]
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
            self._unsaid.clear()  # that it is gone is seen where it is read from

    def _take_heard(self) -> list[Event]:
        return [self._heard.popleft() for _ in range(len(self._heard))]

    def _account(self) -> Pong:
        late, self._late = self._late, []
        counts = [0] * (len(LATENESS) + 1)
        for seconds in late:
            counts[bisect_left(LATENESS, seconds)] += 1
        return Pong(tuple(counts), max(late, default=0.0), sum(late))

    def silence(self) -> bool:
        """Ends what sounds; says whether something did."""
        ends = self._player.silence()
        if ends:
            self._say([Silenced(time.monotonic())])
        for port, data in ends:
            self._outs[port].send(data)
        return bool(ends)

    # Ports

    def _look_at_ports(self, now: float) -> None:
        late = now - self._scanned - SCAN
        if late < 0 or (late < SCAN and self._player.first() - now < GAP):
            return
        first = self._scanned < 0
        self._scanned = now
        trouble = self._trouble
        if trouble:
            self._open_system()
        self._repeat()
        self._check_ports(first or trouble != self._trouble)

    def _check_ports(self, changed: bool) -> None:
        """Looks for what came and what went; tells of it, or if something else has `changed`."""
        for number, port in enumerate(self._outs):
            if port.check():
                changed = True
                if port.connected is None:
                    self._player.lose(number)
                    continue
                self._name_own(port)
                self._end(number, self._player.find(number))
        for port in self._ins:
            if port.check():
                changed = True
                self._name_own(port)
        if changed:
            self._tell_ports()

    def _tell_ports(self) -> None:
        outs = tuple(p.connected for p in self._outs) or (None,) * len(self._options.outs)
        ins = tuple(p.connected for p in self._ins) or (None,) * len(self._options.ins)
        # What was heard goes first: a key that goes down is let go when its port has gone.
        self._say([*self._take_heard(), Ports(outs, ins, self._trouble)])

    def _end(self, number: int, ends: list[bytes], repeats: int = REPEATS) -> None:
        """Ends what was left sounding on a port that is connected anew.

        While JACK takes up a connection it may drop messages, so there they are sent again.
        """
        if not ends:
            return
        self._say([Silenced(time.monotonic())])
        for data in ends:
            self._outs[number].send(data)
        if self._watch is not None and repeats:
            self._repeats.append((repeats - 1, number, ends))

    def _repeat(self) -> None:
        for _ in range(len(self._repeats)):
            left, number, ends = self._repeats.popleft()
            self._end(number, self._player.harmless(number, ends), left)

    # What JACK tells

    def _name_own(self, port: Port) -> None:
        if self._watch is not None and port.connected is not None:
            known = {p.own for p in (*self._outs, *self._ins)}
            new = sorted(self._watch.ours() - known)
            port.own = new[0] if len(new) == 1 else None

    def _learn_of_cords(self) -> None:
        while self._watch is not None and self._watch.news:
            news = self._watch.news.popleft()
            if isinstance(news, Cord):
                self._follow_cord(news)
            else:
                self._see_made(self._watch, news.name)

    def _see_made(self, watch: Watch, name: str) -> None:
        """A port was made. If we were connected to one of that name, that was another."""
        gone = [
            port for port in (*self._outs, *self._ins)
            if port.connected == name and port.own and not watch.has_cord(port.own, name)
        ]  # fmt: skip
        for port in gone:
            port.drop()
            if port in self._outs:
                self._player.lose(self._outs.index(port))
        if gone:
            self._tell_ports()
            self._check_ports(False)

    def _follow_cord(self, cord: Cord) -> None:
        for number, port in enumerate(self._outs):
            if port.own != cord.source:
                continue
            if not cord.put_in:
                self._player.unplug(number, cord.target, time.monotonic())
                log.info("MIDI port %r: disconnected from %s", port.spec.name, cord.target)
            elif (ends := self._player.plug(number, cord.target)) is not None:
                self._end(number, ends)
                log.info(
                    "MIDI port %r: connected to %s again; what sounded there has ended",
                    port.spec.name, cord.target,
                )  # fmt: skip
        for number, port in enumerate(self._ins):
            if port.own == cord.target and not cord.put_in:
                self._say([*self._take_heard(), Unheard(number)])
                log.info("MIDI port %r: disconnected from %s", port.spec.name, cord.source)

    def _open_system(self) -> None:
        options = self._options
        try:
            system, binding = pick_api(options.api), load()
            with quiet():
                for spec in options.outs:
                    self._outs.append(
                        Port(spec, lambda: binding.output(system, options.client), options.client)
                    )
                for number, spec in enumerate(options.ins):
                    port = Port(spec, lambda: binding.input(system, options.client), options.client)
                    port.listen(lambda data, number=number: self._hear(number, data))  # type: ignore[misc]
                    self._ins.append(port)
            if system == "jack":
                self._watch = Watch(options.client, self._die, self._ring)
        except (NoMidi, DriverError) as error:
            self._outs, self._ins = [], []
            self._trouble = str(error)
            for number in range(len(options.outs)):
                self._player.lose(number)
            return
        self._trouble = ""
        for number in range(len(options.outs)):
            self._player.lose(number)  # until it is found

    # On threads of the driver's

    def _hear(self, port: int, data: bytes) -> None:
        self._heard.append(Heard(port, time.monotonic(), data))
        self._ring()

    def _die(self) -> None:
        self._dead = True
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # it rings already, or we are at the end
            self._bell.send(b"!")


def _hurry() -> None:
    """Real-time priority where the system grants it: see docs/installations.md."""
    be_prompt(PRIORITY)
    sys.setswitchinterval(5e-4)  # seconds that what is heard may keep what is due waiting
    gc.collect()
    gc.freeze()


def main() -> int:
    """Entry point of the child."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # A supervisor may send these to every process. They are for the gateway, which ends us when
    # it has drained.
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
        process.silence()
        time.sleep(LAST_WORDS)
    logging.shutdown()
    # Not by way of the driver's own clean-up, which can hang when its server has died.
    os._exit(code)


if __name__ == "__main__":
    main()
