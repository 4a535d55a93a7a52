from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.adapters.oscquery.tree import (
    Host,
    Namespace,
    SessionInfo,
    command_json,
    parse_command,
    respond,
)
from stream_rnn.control_table import NORMS, TABLE
from stream_rnn.errors import ProtocolError
from stream_rnn.wire import events, osc
from stream_rnn.wire import messages as wire
from stream_rnn.wire.osc_answers import answers
from stream_rnn.wire.osc_requests import requests

VALUES = {
    "temperature": 0.5, "artist": {"Ada": 1.0}, "rate": 20.0, "bpm": 300.0, "top_k": 0,
    "top_p": 1.0, "density": 0.0, "velocity": 80, "transpose": 0, "channel": 1,
    "seed": 2**53 - 1, "sync": "free",
}  # fmt: skip
SESSIONS = {
    "main": SessionInfo("a session", VALUES, {"artist": ("Ada", "Bo"), "sync": ("free", "link")}),
    "plain": SessionInfo("another", VALUES, absent=frozenset({"artist", "pitches"})),
}
TREE = Namespace(SESSIONS)
HOST = Host("stream-rnn", "127.0.0.1", 8766, 8767)


def get(path: str, query: str = "") -> Any:
    status, body = respond(TREE, HOST, path, query)
    assert status == 200
    return json.loads(body)


def nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(n for inner in node.get("CONTENTS", {}).values() for n in nodes(inner))]


def test_a_control_has_all_that_a_fader_needs() -> None:
    node = get("/rnn/main/temperature")
    norm = node.pop("CONTENTS")["norm"]
    assert node == {
        "FULL_PATH": "/rnn/main/temperature", "TYPE": "f", "ACCESS": 3, "VALUE": [0.5],
        "RANGE": [{"MIN": 0.0, "MAX": 100.0}],
        "DESCRIPTION": "how daring: 0 always draws the likeliest",
    }  # fmt: skip
    assert norm["FULL_PATH"] == "/rnn/main/temperature/norm" and norm["VALUE"] == [0.25]
    assert get("/rnn/main/artist", "RANGE") == {"RANGE": [{"VALS": ["Ada", "Bo"]}]}
    assert get("/rnn/main/artist", "VALUE") == {"VALUE": ["Ada=1"]}
    assert get("/rnn/main/channel", "VALUE") == {"VALUE": [1]}


def test_the_tree_is_whole_and_every_node_stands_where_its_path_says() -> None:
    root = get("/")
    paths = [node["FULL_PATH"] for node in nodes(root)]
    assert len(paths) == len(set(paths))
    for node in nodes(root):
        assert get(node["FULL_PATH"]) == node
        assert ("VALUE" in node) == bool(node["ACCESS"] & 1)
        assert ("TYPE" in node) == bool(node["ACCESS"])
        assert ("CONTENTS" in node) or node["ACCESS"]
    for control in TABLE:
        assert f"/rnn/main/{control}" in paths
    assert {p.split("/")[3] for p in paths if p.endswith("/norm")} == set(NORMS)
    assert "/rnn/plain/artist" not in paths and "/rnn/plain/pitches" not in paths


def test_every_method_takes_what_its_type_says() -> None:
    example = {"i": 1, "f": 0.5, "s": "main", "N": None}
    for node in nodes(get("/")):
        if node["ACCESS"] & 2:
            arguments = tuple(example[tag] for tag in node["TYPE"])
            assert requests(node["FULL_PATH"], arguments, SESSIONS)
    # Actions are sent with nil by some browsers of OSC.
    nil = b"/rnn/main/play\0\0,N\0\0"
    assert osc.parse_packet(nil)[0].arguments == (None,)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/", "", 200), ("/rnn/", "", 200), ("/rnn/main", "CONTENTS", 200),
        ("/rnn/main/play", "VALUE", 204), ("/rnn", "TYPE", 204), ("/rnn/main/rate", "UNIT", 204),
        ("/rnn/main/pitches", "RANGE", 204),
        ("/rnn/main/rate", "VALEU", 400), ("/rnn/main/rate", "VALUE&RANGE", 400),
        ("/nothing", "", 404), ("/rnn/other", "", 404), ("/rnn/main/rate/x", "VALUE", 404),
        ("rnn/main", "", 404), ("//rnn/main", "", 404), ("/rnn//main", "", 404),
        ("/nothing", "HOST_INFO", 200),
    ],
)  # fmt: skip
def test_what_there_is_not_is_told_by_the_status(path: str, query: str, status: int) -> None:
    answered, body = respond(TREE, HOST, path, query)
    assert answered == status and (body == b"") == (status == 204)


def test_host_info_says_where_osc_is() -> None:
    info = get("/", "HOST_INFO")
    assert info.pop("EXTENSIONS")["LISTEN"] is True
    assert info == {
        "NAME": "stream-rnn", "OSC_IP": "127.0.0.1", "OSC_PORT": 8766, "OSC_TRANSPORT": "UDP",
        "WS_PORT": 8767,
    }  # fmt: skip
    assert "OSC_IP" not in Host("x", None, 1, 2).to_json()


def test_values_are_those_that_can_be_read() -> None:
    values = TREE.values("main")
    assert values["/rnn/main/rate"] == 20.0 and values["/rnn/main/rate/norm"] == 19 / 59
    assert values["/rnn/main/bpm/norm"] == 1.0, "beyond the fader's range"
    readable = [n["FULL_PATH"] for n in nodes(get("/rnn/main")) if n["ACCESS"] & 1]
    assert sorted(values) == sorted(readable)
    assert TREE.values("other") == {}


def test_every_action_of_the_map_has_its_node() -> None:
    paths = {node["FULL_PATH"] for node in nodes(get("/"))}
    general = ("panic", "models", "sessions", "ping", "subscribe", "unsubscribe", "reply")
    actions = ("open", "play", "pause", "reset", "close", "step", "rewind", "fork", "prime")
    assert {f"/rnn/{name}" for name in (*general, "midi/learn", "midi/forget")} <= paths
    assert {f"/rnn/main/{name}" for name in (*actions, "feed", "feed/in_time", "lead")} <= paths


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("artist", {"Ada": 0.25, "Emily Dickinson": 0.75}),
        ("artist", {"Ada": 1.0}),
        ("pitches", [60, 64, 67]),
        ("pitches", "D dorian"),
        ("pitches", None),
        ("seed", 2**53 - 1),
        ("sync", "link"),
        ("density", -0.5),
    ],
)
def test_what_is_shown_can_be_written_back(name: str, value: object) -> None:
    tree = Namespace({"main": SessionInfo("", {**VALUES, name: value})})
    shown = tree.values("main")[f"/rnn/main/{name}"]
    (request,) = requests(f"/rnn/main/{name}", (shown,), ["main"])
    assert isinstance(request, wire.Control) and request.controls == {name: value}
    event = events.Controlled("main", position=7, controls={name: value}, changed=[name])
    ((_, (_, told, _)),) = answers(event)
    (request,) = requests(f"/rnn/main/{name}", (told,), ["main"])
    assert isinstance(request, wire.Control) and request.controls == {name: value}


def test_commands() -> None:
    assert parse_command('{"COMMAND":"LISTEN","DATA":"/a"}') == ("LISTEN", "/a")
    assert parse_command('{"COMMAND":"IGNORE","DATA":"/a","MORE":1}') == ("IGNORE", "/a")
    assert json.loads(command_json("PATH_ADDED", "/rnn/x")) == {
        "COMMAND": "PATH_ADDED", "DATA": "/rnn/x",
    }  # fmt: skip


@given(st.text(max_size=60) | st.sampled_from(["[" * 3000, '{"COMMAND":"LISTEN","DATA":1}', "1"]))
def test_other_commands_are_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match=r"not a command|send \{"):
        parse_command(text)
