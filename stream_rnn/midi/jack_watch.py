"""Listens to JACK's notices about ports and cords (connections), which RtMidi does not pass on.

RtMidi only knows the names of ports. A synthesizer that is back under its old name before anybody
looked is a new port, with no cord to it. A cord that is taken out in a patchbay leaves notes
sounding. And the death of the server goes unnoticed. ALSA, Core MIDI and Windows have no such
notices: see docs/midi.md.
"""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stream_rnn.midi.ports import quiet


@dataclass(frozen=True)
class Made:
    """A port with this name was registered."""

    name: str


@dataclass(frozen=True)
class Cord:
    """A cord between two ports was put in, or taken out."""

    source: str
    target: str
    put_in: bool


class Watch:
    """A JACK client that listens to the server's notices.

    Args:
        client: our name among MIDI clients; JACK adds numbers to equal names.
        on_death: called once when the server dies, on one of JACK's threads.
        on_news: called when `news` has a new entry, on one of JACK's threads.

    Raises:
        jack.JackError: no server is running.
    """

    def __init__(
        self, client: str, on_death: Callable[[], None], on_news: Callable[[], None]
    ) -> None:
        import jack

        self._pattern = re.escape(client) + r"(-[0-9]+)?:"
        self._error = jack.JackError
        self.news: deque[Made | Cord] = deque()
        with quiet():
            self._client = jack.Client("stream-rnn-watch", no_start_server=True)
        self._client.set_shutdown_callback(lambda status, reason: on_death())

        def registered(port: Any, begins: bool) -> None:
            if begins:
                self.news.append(Made(port.name))
                on_news()

        def connected(source: Any, target: Any, begins: bool) -> None:
            self.news.append(Cord(source.name, target.name, begins))
            on_news()

        self._client.set_port_registration_callback(registered)
        self._client.set_port_connect_callback(connected)
        self._client.activate()

    def ours(self) -> set[str]:
        """The names of our own ports."""
        return {port.name for port in self._client.get_ports(self._pattern)}

    def has_cord(self, ours: str, theirs: str) -> bool:
        """Whether our port `ours` is connected to the port `theirs`."""
        with contextlib.suppress(self._error):
            port = self._client.get_port_by_name(ours)
            return theirs in {p.name for p in self._client.get_all_connections(port)}
        return False
