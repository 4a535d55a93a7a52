"""Clients that listen to values of the OSCQuery tree, and the messages that wait for them.

Of each value, only the latest waits: a slow client misses those in between, and queues stay short.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from stream_rnn.adapters.oscquery.tree import Namespace, command_json
from stream_rnn.errors import ProtocolError
from stream_rnn.wire import events
from stream_rnn.wire.osc import message_bytes

MAX_PATHS = 1024  # addresses that one client may listen to, and that messages may wait for
MAX_LISTENERS = 32
SILENT = 10.0  # seconds after which a client that listens to nothing may lose its place

Value = int | float | str


@dataclass(eq=False)
class Listener:
    """One client.

    Attributes:
        paths: by session, the addresses it listens to, each with the value it was sent last.
        waiting: messages that are to be sent, by the address that they are about.
        overrun: whether the client is given up.
        since: when it connected.
        asked: whether it has ever listened to a value.
        why: the reason for which it is given up.
    """

    paths: dict[str, dict[str, Value]] = field(default_factory=dict)
    waiting: dict[str, str | bytes] = field(default_factory=dict)
    overrun: bool = False
    since: float = 0.0
    asked: bool = False
    why: str = "too much waits to be read"
    _filled: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, path: str, message: str | bytes) -> None:
        """Queues a message about an address; it replaces one that waits about the same."""
        self.waiting.pop(path, None)
        self.waiting[path] = message
        self.overrun |= len(self.waiting) > MAX_PATHS
        self._filled.set()

    def give_up(self, why: str) -> None:
        """Gives the client up: it is sent nothing more but the reason."""
        self.overrun, self.why = True, why
        self._filled.set()

    async def next(self) -> str | bytes | None:
        """Waits for the next message and returns it; None if the client is given up."""
        while not self.waiting and not self.overrun:
            self._filled.clear()
            await self._filled.wait()
        return None if self.overrun else self.waiting.pop(next(iter(self.waiting)))


class Listeners:
    """All listening clients.

    Args:
        namespace: the OSCQuery tree.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._listeners: dict[Listener, None] = {}  # the oldest connection first

    def __len__(self) -> int:
        return len(self._listeners)

    def add(self, now: float) -> Listener | None:
        """Adds a client and returns it; None if there is no room.

        If need be, a client that has long been connected and never listened gives way to it.
        """
        if len(self._listeners) >= MAX_LISTENERS:
            silent = (one for one in self._listeners if not one.asked and now - one.since > SILENT)
            oldest = next(silent, None)
            if oldest is None:
                return None
            oldest.give_up("another client needs this place, and this one sent no LISTEN")
            self.remove(oldest)
        listener = Listener(since=now)
        self._listeners[listener] = None
        return listener

    def remove(self, listener: Listener) -> None:
        """Forgets a client that has disconnected or was given up."""
        self._listeners.pop(listener, None)

    def listen(self, listener: Listener, path: str) -> None:
        """Has a client told whenever the value at an address changes.

        Raises:
            ProtocolError: there is no value at that address, or the client listens to too many.
        """
        session = _session_of(path)
        value = self._namespace.values(session).get(path)
        if value is None:
            raise ProtocolError("unknown_address", f"there is no value at {path!r}")
        paths = listener.paths.setdefault(session, {})
        if path not in paths and sum(map(len, listener.paths.values())) >= MAX_PATHS:
            raise ProtocolError("too_many_paths", f"a client may listen to {MAX_PATHS} values")
        paths[path] = value
        listener.asked = True

    def ignore(self, listener: Listener, path: str) -> None:
        """Has a client told no more about an address."""
        listener.paths.get(_session_of(path), {}).pop(path, None)
        listener.waiting.pop(path, None)

    def tell(self, event: events.Event) -> None:
        """Tells clients of a session's news; called by the stage."""
        match event:
            case events.Opened(session=session):
                self._changed("PATH_ADDED", session)
            case events.Closed(session=session):
                self._changed("PATH_REMOVED", session)
            case events.Controlled() | events.Rewound() | events.Reset():
                self._push(event.session)

    def _changed(self, command: str, session: str) -> None:
        path = f"/rnn/{session}"
        for listener in self._listeners:
            for gone in listener.paths.pop(session, {}):
                listener.waiting.pop(gone, None)
            listener.put(path, command_json(command, path))

    def _push(self, session: str) -> None:
        listening = [one for one in self._listeners if one.paths.get(session)]
        values = self._namespace.values(session) if listening else {}
        for listener in listening:
            sent = listener.paths[session]
            for path in sent.keys() & values.keys():
                if values[path] != sent[path]:
                    sent[path] = values[path]
                    listener.put(path, message_bytes(path, values[path]))


def _session_of(path: str) -> str:
    _, _, session, *_ = [*path.split("/"), "", ""]
    return session
