"""MIDI ports: found by name, lost, and found again.

Nothing here waits for long but the driver itself: when a JACK server dies, python-rtmidi spins
for ever while it holds the interpreter lock. So whoever uses this runs in a process of its own,
ends it when `jack_watch` says that the server has gone, and is watched from outside.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from stream_rnn.midi.binding import SYSTEMS, DriverError, NoMidi, load
from stream_rnn.midi.messages import PortSpec

log = logging.getLogger("stream_rnn.midi")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hides what the C libraries write to stderr, which is much when a server is absent."""
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def pick_api(name: str) -> str:
    """The MIDI system of a name; for `auto`, the first that works here.

    Raises:
        NoMidi: it does not work, or there is no binding to it.
    """
    binding = load()
    wanted = [name] if name in SYSTEMS else binding.systems()
    for system in wanted:
        if system not in binding.systems():
            continue  # RtMidi would take another in its place
        try:
            with quiet():
                binding.output(system, "stream-rnn-test").delete()
        except DriverError:
            continue
        return system
    names = ", ".join(wanted) or "none"
    raise NoMidi(f"no MIDI system is running (tried: {names}); start jackd or load snd-seq")


def port_names(system: str, client: str = "stream-rnn-ports") -> tuple[list[str], list[str]]:
    """The names of all ports to send to, and of all to hear."""
    binding = load()
    with quiet():
        out, ear = binding.output(system, client), binding.input(system, client)
        try:
            return out.ports(), ear.ports()
        finally:
            out.delete()
            ear.delete()


def find_port(wanted: str, names: Sequence[str], own: str) -> int | None:
    """Where a port stands among names: the same name, or else the first that has it as a part.

    Case does not matter. Our own ports are passed over: nobody wants to hear themselves. JACK
    numbers clients of one name (`stream-rnn-01`).
    """
    plain, ours = wanted.casefold(), re.compile(re.escape(own) + r"(-\d+)?:")
    others = [(i, n.casefold()) for i, n in enumerate(names) if not ours.match(n)]
    for fits in (lambda name: name == plain, lambda name: plain in name):
        for index, name in others:
            if fits(name):
                return index
    return None


class Port:
    """A port that is wanted, connected or not.

    Args:
        spec: which.
        make: makes its end in the driver: an `Output` or an `Input`.
        client: our name among MIDI clients.
    """

    def __init__(self, spec: PortSpec, make: Callable[[], Any], client: str) -> None:
        self.spec, self._client = spec, client
        self._rt = make()
        self.connected: str | None = None
        self.own: str | None = None  # what our own end is called, where that is known
        self._refused = False  # and told so, for this connection

    def check(self) -> bool:
        """Looks whether the port is (still) there, and opens it if it came; true if so
        something changed.
        """
        before = self.connected
        if self.spec.virtual:
            return before is None and self._make()
        try:
            names = self._rt.ports()
        except DriverError:
            return False  # the system is going; its death is told of elsewhere
        if before is not None:
            if before in names:
                return False
            self.drop()
            return True
        index = find_port(self.spec.name, names, self._client)
        if index is None:
            return False
        try:
            self._rt.open(index, self.spec.name)
        except DriverError as error:
            log.warning("%s: %s", names[index], error)
            return False
        self.connected, self._refused = names[index], False
        return True

    def _make(self) -> bool:
        try:
            self._rt.open_virtual(self.spec.name)
        except DriverError as error:  # Windows cannot make any
            if not self._refused:
                log.warning("a port %r cannot be made here: %s", self.spec.name, error)
            self._refused = True
            return False
        self.connected = self.spec.name
        return True

    def drop(self) -> None:
        """What it is connected to is gone; `check` looks for another."""
        self.connected = self.own = None
        with contextlib.suppress(DriverError):  # nor need it be closed, then
            self._rt.close()

    def send(self, data: bytes) -> None:
        """Sends a message now. What the driver does not take is lost: its port is going."""
        try:
            self._rt.send(data)
        except DriverError as error:
            if not self._refused:
                log.warning("%s: %s", self.connected, error)
            self._refused = True

    def listen(self, hear: Callable[[bytes], None]) -> None:
        """Calls with each message that comes, on a thread of the driver's."""
        self._rt.listen(hear)

    def close(self) -> None:
        """Closes it."""
        self._rt.close()
        self._rt.delete()
