"""MIDI ports: found by name, lost, and found again.

Only the driver can block: when a JACK server dies, python-rtmidi spins for ever while it holds
the interpreter lock. So this code runs in a process of its own, which ends when `jack_watch`
reports the server's death and which the gateway watches.
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
    """Hides the C libraries' output on stderr. Without a MIDI server they write a lot."""
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
    """The MIDI system with this name; for `auto`, the first that works here.

    Raises:
        NoMidi: the system is not running, or there is no binding for it.
    """
    binding = load()
    wanted = [name] if name in SYSTEMS else binding.systems()
    for system in wanted:
        if system not in binding.systems():
            continue  # RtMidi would use another system instead
        try:
            with quiet():
                binding.output(system, "stream-rnn-test").delete()
        except DriverError:
            continue
        return system
    names = ", ".join(wanted) or "none"
    raise NoMidi(f"no MIDI system is running (tried: {names}); start jackd or load snd-seq")


def port_names(system: str) -> tuple[list[str], list[str]]:
    """The names of all ports that can be sent to, and of all that can be listened to."""
    binding = load()
    with quiet():
        out = binding.output(system, "stream-rnn-ports")
        ear = binding.input(system, "stream-rnn-ports")
        try:
            return out.ports(), ear.ports()
        finally:
            out.delete()
            ear.delete()


def find_port(wanted: str, names: Sequence[str], own: str) -> int | None:
    """The index of a wanted port in `names`: the same name, or else the first that contains it.

    Case does not matter. Our own ports are skipped, because nobody wants to hear themselves. JACK
    adds numbers to equal client names (`stream-rnn-01`).
    """
    plain, ours = wanted.casefold(), re.compile(re.escape(own) + r"(-\d+)?:")
    others = [(i, n.casefold()) for i, n in enumerate(names) if not ours.match(n)]
    for fits in (lambda name: name == plain, lambda name: plain in name):
        for index, name in others:
            if fits(name):
                return index
    return None


class Port:
    """A wanted port, connected or not.

    Args:
        spec: the port that is wanted.
        make: makes our own port, an `Output` or an `Input`.
        client: our name among MIDI clients.
    """

    def __init__(self, spec: PortSpec, make: Callable[[], Any], client: str) -> None:
        self.spec, self._client = spec, client
        self._rt = make()
        self.connected: str | None = None
        self.own: str | None = None  # the name of our own port, if it is known
        self._refused = False  # a refusal by the driver was logged for this connection

    def check(self) -> bool:
        """Looks for the wanted port and connects to it; returns whether it came or went."""
        before = self.connected
        if self.spec.virtual:
            return before is None and self._make()
        try:
            names = self._rt.ports()
        except DriverError:
            return False  # the system is dying, which is reported elsewhere
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
        except DriverError as error:  # Windows has no virtual ports
            if not self._refused:
                log.warning("the virtual port %r cannot be made: %s", self.spec.name, error)
            self._refused = True
            return False
        self.connected = self.spec.name
        return True

    def drop(self) -> None:
        """Disconnects from a port that is gone; `check` looks for it again."""
        self.connected = self.own = None
        with contextlib.suppress(DriverError):  # the driver may have closed it already
            self._rt.close()

    def send(self, data: bytes) -> None:
        """Sends a message now. If the driver refuses, the message is lost: its port is going."""
        try:
            self._rt.send(data)
        except DriverError as error:
            if not self._refused:
                log.warning("%s: %s", self.connected, error)
            self._refused = True

    def listen(self, hear: Callable[[bytes], None]) -> None:
        """Calls `hear` with each message that comes in, on one of the driver's threads."""
        self._rt.listen(hear)
