"""OSCQuery: our OSC addresses as a tree of JSON, and the WebSocket's commands. No sockets.

It follows the proposal at github.com/Vidvox/OSCQueryProposal: a client gets a node by its OSC
address as an HTTP path, and one attribute of it by the query (`/rnn/main/temperature?VALUE`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stream_rnn.control_table import NORMS, TABLE
from stream_rnn.errors import ProtocolError
from stream_rnn.wire.osc_answers import flat

Json = dict[str, Any]

NO_VALUE, READ, WRITE, READ_WRITE = 0, 1, 2, 3
ATTRIBUTES = frozenset({"FULL_PATH", "CONTENTS", "DESCRIPTION", "TYPE", "ACCESS", "VALUE", "RANGE"})
# Attributes of the proposal that have no meaning here.
UNUSED = frozenset({"TAGS", "EXTENDED_TYPE", "UNIT", "CLIPMODE", "CRITICAL", "OVERLOADS", "HTML"})
USED = ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "LISTEN", "PATH_ADDED", "PATH_REMOVED")
EXTENSIONS = {**dict.fromkeys(USED, True), **dict.fromkeys(sorted(UNUSED), False)}
MAX_INT = 2**31 - 1

ACTIONS: dict[str, tuple[str, str]] = {
    "play": ("N", "plays the session"),
    "pause": ("N", "pauses the session"),
    "reset": ("N", "starts the session again from the beginning"),
    "close": ("N", "ends the session"),
    "open": ("s", "opens a session with this model; put a free name in place of this session's"),
    "model": ("s", "lets another model play, under the same name"),
    "step": ("i", "makes so many symbols at once, while the session is paused"),
    "rewind": ("i", "goes back to a position"),
    "feed": ("s", "puts symbols into the stream"),
    "feed/in_time": ("s", "puts symbols into the stream, each in place of the next one to come"),
    "prime": ("s", "starts the session again from these symbols"),
    "lead": ("i", "bands: the gesture, 0 to 8, that the lead holds; -1 for the network's own"),
    "touch": ("ffi", "bands: x, y, and whether the lead's finger is down"),
    "fork": ("s", "opens a session of this name with the same past"),
}
GENERAL: dict[str, tuple[str, str]] = {
    "panic": ("N", "pauses everything that plays"),
    "models": ("N", "lists the models"),
    "sessions": ("N", "lists the sessions and their state"),
    "ping": ("i", "is answered by /rnn/pong"),
    "subscribe": ("s", "sends a session's symbols to the sender from now on"),
    "unsubscribe": ("s", "ends a subscription"),
    "reply": ("i", "sends answers and symbols to this port of the sender's machine from now on"),
    "midi/learn": ("s", "lets the next MIDI controller that moves move this control"),
    "midi/forget": ("s", "unbinds the MIDI controllers of this control"),
}


@dataclass(frozen=True)
class SessionInfo:
    """What the tree shows of a session.

    Attributes:
        controls: the values of its controls, as the WebSocket protocol shows them.
        choices: the words that a control can be set to, for controls that take words.
        absent: controls that have no meaning for its model.
    """

    description: str
    controls: Mapping[str, Any]
    choices: Mapping[str, Iterable[str]] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Host:
    """What `?HOST_INFO` shows; without the address if the server listens on a wildcard."""

    name: str
    osc_ip: str | None
    osc_port: int
    ws_port: int

    def to_json(self) -> Json:
        """In the form of the proposal."""
        where = {} if self.osc_ip is None else {"OSC_IP": self.osc_ip}
        return {
            "NAME": self.name,
            "EXTENSIONS": EXTENSIONS,
            **where,
            "OSC_PORT": self.osc_port,
            "OSC_TRANSPORT": "UDP",
            "WS_PORT": self.ws_port,
        }


class Namespace:
    """The OSCQuery tree.

    Args:
        sessions: by name; a session is looked up only when it is asked for.

    Attributes:
        sessions: as given.
    """

    def __init__(self, sessions: Mapping[str, SessionInfo]) -> None:
        self.sessions = sessions

    def node(self, path: str, ready: Mapping[str, Any] | None = None) -> Json | None:
        """Returns the node at an OSC address with all nodes below it; None if there is none.

        Args:
            ready: the sessions' nodes, if they are made already; see `covers_all`.
        """
        if not path.startswith("/") or "//" in path:
            return None
        names = [name for name in path.split("/") if name]
        if len(names) >= 2 and names[0] == "rnn" and names[1] in self.sessions:
            top = self.session(names[1])
            names = names[2:]
        else:
            inside = _methods("/rnn", GENERAL)
            if covers_all(path):
                inside |= {n: self.session(n) for n in self.sessions} if ready is None else ready
            rnn = _container("/rnn", "sessions, and actions that concern them all", inside)
            top = _container("/", "stream-rnn", {"rnn": rnn})
        for name in names:
            top = top.get("CONTENTS", {}).get(name)
            if top is None:
                return None
        return top

    def values(self, session: str) -> dict[str, int | float | str]:
        """Returns all values of a session that can be read, by address."""
        if session not in self.sessions:
            return {}
        nodes = list(self.session(session)["CONTENTS"].values())
        nodes += [norm for node in nodes for norm in node.get("CONTENTS", {}).values()]
        return {node["FULL_PATH"]: node["VALUE"][0] for node in nodes if "VALUE" in node}

    def session(self, name: str) -> Json:
        """Makes the node of a session."""
        base, session = f"/rnn/{name}", self.sessions[name]
        inside = {
            control: self._control(f"{base}/{control}", control, session)
            for control in TABLE
            if control not in session.absent
        }
        inside |= _methods(base, ACTIONS)
        return _container(base, session.description, inside)

    def _control(self, path: str, name: str, session: SessionInfo) -> Json:
        row = TABLE[name]
        tag = row.osc_type
        node = _method(path, tag, row.help)
        node["ACCESS"] = READ_WRITE
        value = session.controls.get(name)
        if tag == "f" and value is not None:
            value = float(value)
        node["VALUE"] = [value if tag == "i" and value is not None else flat(value)]
        if name in session.choices:
            node["RANGE"] = [{"VALS": list(session.choices[name])}]
        elif row.is_number:
            least, most = row.legal
            node["RANGE"] = [{"MIN": least, "MAX": min(most, MAX_INT)}]
        if name in NORMS:
            node["CONTENTS"] = {"norm": self._norm(path, name, node["VALUE"][0])}
        return node

    def _norm(self, path: str, name: str, value: float) -> Json:
        fader = NORMS[name]
        ends = f"{fader.least:g} to {fader.most:g}"
        return {
            **_method(f"{path}/norm", "f", f"{name} from {ends}, for a fader"),
            "ACCESS": READ_WRITE,
            "VALUE": [fader.place(value)],
            "RANGE": [{"MIN": 0.0, "MAX": 1.0}],
        }


def covers_all(path: str) -> bool:
    """Whether the node at an address has all sessions below it."""
    return path in ("/", "/rnn", "/rnn/")


def _container(path: str, description: str, inside: Json) -> Json:
    return {
        "FULL_PATH": path,
        "DESCRIPTION": description,
        "ACCESS": NO_VALUE,
        "CONTENTS": inside,
    }


def _methods(base: str, table: Mapping[str, tuple[str, str]]) -> Json:
    """Makes the nodes of a table, by name; `feed/in_time` becomes a node within `feed`."""
    nodes: Json = {}
    for name, what in table.items():
        outer, _, inner = name.partition("/")
        if not inner:
            nodes[name] = _method(f"{base}/{name}", *what)
            continue
        around = nodes.setdefault(outer, _container(f"{base}/{outer}", outer, {}))
        around.setdefault("CONTENTS", {})[inner] = _method(f"{base}/{name}", *what)
    return nodes


def _method(path: str, tag: str, description: str) -> Json:
    return {"FULL_PATH": path, "DESCRIPTION": description, "ACCESS": WRITE, "TYPE": tag}


def respond(
    namespace: Namespace,
    host: Host,
    path: str,
    query: str,
    ready: Mapping[str, Any] | None = None,
) -> tuple[int, bytes]:
    """Answers an HTTP request with a status and a body: JSON if it is 200, else the reason.

    Args:
        path: the URL's path, decoded.
        query: the URL's query: empty, `HOST_INFO`, or the name of an attribute.
        ready: see `Namespace.node`.
    """
    if query == "HOST_INFO":
        return 200, msgspec.json.encode(host.to_json())
    if query and query not in ATTRIBUTES | UNUSED:
        known = ", ".join(sorted(ATTRIBUTES))
        return 400, f"there is no attribute {query!r}; there are: {known}\n".encode()
    node = namespace.node(path, ready)
    if node is None:
        return 404, f"there is no node {path!r}\n".encode()
    if query and query not in node:
        return 204, b""
    return 200, msgspec.json.encode({query: node[query]} if query else node)


# Commands of the WebSocket


class _Command(msgspec.Struct, frozen=True):
    command: str = msgspec.field(name="COMMAND")
    data: Any = msgspec.field(name="DATA", default=None)


_commands = msgspec.json.Decoder(_Command)


def parse_command(text: str) -> tuple[str, str]:
    """Reads a command of a client: `LISTEN` or `IGNORE`, and the address.

    Raises:
        ProtocolError: the text is not such a command.
    """
    try:
        command = _commands.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ProtocolError("bad_json", f"not a command: {error}") from None
    if command.command not in ("LISTEN", "IGNORE") or not isinstance(command.data, str):
        raise ProtocolError(
            "bad_message",
            'send {"COMMAND": "LISTEN", "DATA": "/rnn/SESSION/CONTROL"}, or the same with IGNORE',
        )
    return command.command, command.data


def command_json(command: str, data: str) -> str:
    """Makes a command to a client, such as `PATH_ADDED` with an address."""
    return msgspec.json.encode({"COMMAND": command, "DATA": data}).decode()
