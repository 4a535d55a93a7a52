"""The ports of the MIDI process: looked for, opened, lost, and what their going means.

What ends notes that somebody was left with goes out here; what was lost on the way in is told.
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

REPEATS = 3  # looks at the ports after which what ends notes was sent again: see `_end`


class Rack:
    """The ports, connected or not.

    Args:
        options: which are wanted.
        player: knows what sounds on them.
        tell: takes what the gateway should know.
        hear: takes each message that comes in, as (port, bytes), on a thread of the driver's.
        die: called when the MIDI server dies, on a thread of JACK's.
        ring: called when `learn_of_cords` has something to do, on a thread of JACK's.
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
        self.trouble = "not looked yet"
        self.watch: Watch | None = None
        self._repeats: deque[tuple[int, int, list[bytes]]] = deque()  # (how often, port, messages)

    def look(self, first: bool) -> None:
        """Looks for what came and what went; to be called a few times a second."""
        trouble = self.trouble
        if trouble:
            self._open_system()
        self._repeat()
        self._check_ports(first or trouble != self.trouble)

    def _check_ports(self, changed: bool) -> None:
        """Looks for what came and what went; tells of it, or if something else has `changed`."""
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
        """As `Port.check`; on JACK the name of our own end becomes known, too."""
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
        """Ends what was left sounding on a port that is connected anew.

        While JACK takes up a connection it may drop messages, so there they are sent again.
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

    # What JACK tells

    def learn_of_cords(self) -> None:
        """Reads JACK's notices."""
        while self.watch is not None and self.watch.news:
            news = self.watch.news.popleft()
            if isinstance(news, Cord):
                self._follow_cord(news)
            else:
                self._see_made(self.watch, news.name)

    def _see_made(self, watch: Watch, name: str) -> None:
        """A port was made. If we were connected to one of that name, that was another."""
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
                    "MIDI port %r: connected to %s again; what sounded there has ended",
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
            self._player.lose(number)  # until it is found
