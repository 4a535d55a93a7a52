"""What JACK tells of its ports and cords, and RtMidi does not pass on.

RtMidi has names of ports only. A synthesizer that is back under its old name before anybody
looked is a new port with no cord to it; a cord that somebody takes out in a patchbay leaves what
sounds there sounding; and of a server that dies nothing is heard at all. ALSA, Core MIDI and
Windows have no such watch: see docs/midi.md.
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
    """A port of this name was registered."""

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
        client: our name among MIDI clients; JACK numbers those of one name.
        on_death: called once when the server dies, on a thread of JACK's.
        on_news: called when there is something in `news`, on a thread of JACK's.

    Raises:
        jack.JackError: there is no server.
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
        """The names of the ports of ours that there are."""
        return {port.name for port in self._client.get_ports(self._pattern)}

    def has_cord(self, ours: str, theirs: str) -> bool:
        """Whether a port of ours is connected to another."""
        with contextlib.suppress(self._error):
            port = self._client.get_port_by_name(ours)
            return theirs in {p.name for p in self._client.get_all_connections(port)}
        return False

    def close(self) -> None:
        """Watches no more."""
        self._client.close()
