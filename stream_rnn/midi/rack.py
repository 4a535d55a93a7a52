"""The ports of the MIDI process: finds and opens them, and acts when they go or come back.

When a port comes back, the rack sends messages that end the notes left sounding there. When input
may have been lost, it reports that to the gateway.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from stream_rnn.midi.binding import DriverError, NoMidi, load
from stream_rnn.midi.jack_watch import Cord, Watch
from stream_rnn.midi.messages import MidiOptions, Ports, Report, Silenced, Unheard
from stream_rnn.midi.player import Player
from stream_rnn.midi.ports import Port, pick_api, quiet

log = logging.getLogger("stream_rnn.midi")

REPEATS = 3  # how often messages that end notes are sent again, once a look: see `_end`


class Rack:
    """The ports, connected or not.

    Args:
        options: the wanted ports.
        player: knows which notes sound on them.
        tell: called with reports for the gateway.
        hear: called with each incoming (port, bytes), on one of the driver's threads.
        die: called when the MIDI server dies, on one of JACK's threads.
        ring: called when `learn_of_cords` has something to do, on one of JACK's threads.
    """

    def __init__(
        self,
        options: MidiOptions,
        player: Player,
        tell: Callable[[Sequence[Report]], None],
        hear: Callable[[int, bytes], None],
        die: Callable[[], None],
        ring: Callable[[], None],
    ) -> None:
        self._options, self._player, self._tell = options, player, tell
        self._hear, self._die, self._ring = hear, die, ring
        self.outs: list[Port] = []
        self.ins: list[Port] = []
        self.trouble = "the ports have not been looked for yet"
        self.watch: Watch | None = None
        self._repeats: deque[tuple[int, int, list[bytes]]] = deque()  # (how often, port, messages)

    def look(self, first: bool) -> None:
        """Looks for ports that came or went; to be called a few times a second."""
        trouble = self.trouble
        if trouble:
            self._open_system()
        self._repeat()
        self._check_ports(first or trouble != self.trouble)

    def _check_ports(self, changed: bool) -> None:
        """Looks for ports that came or went; reports all ports if any did, or if `changed`."""
        for number, port in enumerate(self.outs):
            if self._check(port):
                changed = True
                if port.connected is None:
                    self._player.lose(number)
                else:
                    self._end(number, self._player.find(number))
        if any([self._check(port) for port in self.ins]) or changed:
            self._tell_ports()

    def _check(self, port: Port) -> bool:
        """`Port.check`; on JACK, also finds out the name of our own port."""
        watch = self.watch if port.connected is None else None
        before = watch.ours() if watch else set()
        changed = port.check()
        if changed and watch and port.connected is not None:
            new = watch.ours() - before
            port.own = new.pop() if len(new) == 1 else None
        return changed

    def _tell_ports(self) -> None:
        outs = tuple(p.connected for p in self.outs) or (None,) * len(self._options.outs)
        ins = tuple(p.connected for p in self.ins) or (None,) * len(self._options.ins)
        self._tell([Ports(outs, ins, self.trouble)])

    def _end(self, number: int, ends: list[bytes], repeats: int = REPEATS) -> None:
        """Ends the notes that were left sounding on a port that is connected again.

        JACK may drop messages while it makes a connection, so on JACK they are sent repeatedly.
        """
        if not ends:
            return
        self._tell([Silenced(time.monotonic())])
        for data in ends:
            self.outs[number].send(data)
        if self.watch is not None and repeats:
            self._repeats.append((repeats - 1, number, ends))

    def _repeat(self) -> None:
        for _ in range(len(self._repeats)):
            left, number, ends = self._repeats.popleft()
            if self.outs[number].connected is not None:
                self._end(number, self._player.harmless(number, ends), left)

    # JACK's notices

    def learn_of_cords(self) -> None:
        """Reads JACK's notices."""
        while self.watch is not None and self.watch.news:
            news = self.watch.news.popleft()
            if isinstance(news, Cord):
                self._follow_cord(news)
            else:
                self._see_made(self.watch, news.name)

    def _see_made(self, watch: Watch, name: str) -> None:
        """A port was made. If we were connected to this name, the old port is gone."""
        gone = [
            port for port in (*self.outs, *self.ins)
            if port.connected == name and port.own and not watch.has_cord(port.own, name)
        ]  # fmt: skip
        for port in gone:
            port.drop()
            if port in self.outs:
                self._player.lose(self.outs.index(port))
        if gone:
            self._tell_ports()
            self._check_ports(False)

    def _follow_cord(self, cord: Cord) -> None:
        for number, port in enumerate(self.outs):
            if port.own != cord.source:
                continue
            if not cord.put_in:
                self._player.unplug(number, cord.target, time.monotonic())
                log.info("MIDI port %r: disconnected from %s", port.spec.name, cord.target)
            elif (ends := self._player.plug(number, cord.target)) is not None:
                self._end(number, ends)
                log.info(
                    "MIDI port %r: connected to %s again; notes left sounding there were ended",
                    port.spec.name, cord.target,
                )  # fmt: skip
        for number, port in enumerate(self.ins):
            if port.own == cord.target and not cord.put_in:
                self._tell([Unheard(number)])
                log.info("MIDI port %r: disconnected from %s", port.spec.name, cord.source)

    def _open_system(self) -> None:
        options = self._options
        try:
            system, binding = pick_api(options.api), load()
            with quiet():
                for spec in options.outs:
                    self.outs.append(
                        Port(spec, lambda: binding.output(system, options.client), options.client)
                    )
                for number, spec in enumerate(options.ins):
                    port = Port(spec, lambda: binding.input(system, options.client), options.client)
                    port.listen(lambda data, number=number: self._hear(number, data))  # type: ignore[misc]
                    self.ins.append(port)
            if system == "jack":
                self.watch = Watch(options.client, self._die, self._ring)
        except (NoMidi, DriverError) as error:
            self.outs, self.ins = [], []
            self.trouble = str(error)
            for number in range(len(options.outs)):
                self._player.lose(number)
            return
        self.trouble = ""
        for number in range(len(options.outs)):
            self._player.lose(number)  # until the port is found
