import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_rnn.errors import ProtocolError
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire

CODES = {"bad_json", "unknown_type", "unknown_field", "bad_message"}
GOOD: list[tuple[dict[str, Any], wire.Message]] = [
    ({"type": "open", "model": "m"}, wire.Open("m")),
    (
        {"type": "open", "model": "m", "session": "a.B-1_", "seed": 2**53 - 1, "play": False,
         "prime": [[60]], "controls": {"rate": 3}, "id": 7},
        wire.Open("m", session="a.B-1_", seed=2**53 - 1, play=False, prime=[[60]],
                  controls={"rate": 3}, id=7),
    ),
    ({"type": "attach", "session": "s"}, wire.Attach("s")),
    ({"type": "attach", "session": "s", "after": -1}, wire.Attach("s", after=-1)),
    ({"type": "control", "session": "s", "controls": {}, "at": "bar"},
     wire.Control("s", {}, at="bar")),
    ({"type": "feed", "session": "s", "symbols": "ab"}, wire.Feed("s", "ab")),
    ({"type": "touch", "session": "s", "x": 0.5, "y": 1}, wire.Touch(session="s", x=0.5, y=1)),
    ({"type": "lead", "session": "s", "gesture": 3}, wire.Lead(session="s", gesture=3)),
    ({"type": "step", "session": "s"}, wire.Step("s", 1)),
    ({"type": "step", "session": "s", "count": 4096}, wire.Step("s", 4096)),
    ({"type": "play", "session": "s", "id": "x"}, wire.Play("s", id="x")),
    ({"type": "pause", "session": "s"}, wire.Pause("s")),
    ({"type": "reset", "session": "s"}, wire.Reset("s")),
    ({"type": "close", "session": "s"}, wire.Close("s")),
    ({"type": "rewind", "session": "s", "to": 0}, wire.Rewind("s", 0)),
    ({"type": "fork", "session": "s", "as": "t", "at": 4}, wire.Fork("s", "t", 4)),
    ({"type": "ping", "t0": 1.5}, wire.Ping(1.5)),
]  # fmt: skip

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
field_names = st.sampled_from(
    ["id", "session", "model", "controls", "at", "as", "to", "t0", "count", "symbols", "after"]
)
kinds = st.sampled_from([fields["type"] for fields, _ in GOOD])
nearly = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    kinds | values,
    st.dictionaries(field_names | st.text(), values | st.just("s"), max_size=6),
)


@pytest.mark.parametrize(("fields", "message"), GOOD)
def test_each_message_is_read_from_text_and_from_bytes(
    fields: dict[str, Any], message: wire.Message
) -> None:
    assert wire.decode(json.dumps(fields)) == message
    assert wire.decode(json.dumps(fields).encode()) == message


def test_the_table_above_holds_every_type() -> None:
    assert {fields["type"] for fields, _ in GOOD} == set(wire._types())


def refused(text: str | bytes) -> ProtocolError | None:
    """The error of a frame; any other exception fails the test."""
    try:
        wire.decode(text)
    except ProtocolError as error:
        assert error.code in CODES
        assert str(error)
        answer = json.loads(events.error_event(error, id=wire.request_id(text)).json)
        assert answer["type"] == "error"
        return error
    return None


@given(st.binary() | st.text(st.characters()))
@example(b"\xff{}")
@example("[" * 100_000)
@example('{"a":' * 100_000)
@example('"\ud800"')
@example('{"type":"ping","t0":1e999}')
@example('{"type":"ping","t0":NaN}')
def test_anything_that_is_not_a_message_is_only_ever_refused(text: str | bytes) -> None:
    assert refused(text) is not None


@given(nearly | values)
def test_any_json_is_a_message_or_refused(value: object) -> None:
    refused(json.dumps(value))


def message(**fields: object) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("text", "code", "field", "said"),
    [
        ("{", "bad_json", None, "not JSON"),
        (message(), "unknown_type", "type", "types are attach, close"),
        (message(type="sing"), "unknown_type", "type", "'sing'; types are"),
        (message(type=4), "unknown_type", "type", "types are"),
        ("[1]", "bad_message", None, "Expected `object`, got `array`"),
        (message(type="open"), "bad_message", "model", "missing required field `model`"),
        (message(type="open", model="m", sed=1), "unknown_field", "sed", "no field 'sed'"),
        (message(type="open", model=3), "bad_message", "model", "Expected `str`, got `int`"),
        (message(type="open", model="m", seed=2**53), "bad_message", "seed", "<= 9007"),
        (message(type="open", model="m", seed=True), "bad_message", "seed", "got `bool`"),
        (message(type="play", session="a/b"), "bad_message", "session", "letters, digits"),
        (message(type="play", session="x" * 65), "bad_message", "session", "1 to 64"),
        (message(type="control", session="s"), "bad_message", "controls", "missing"),
        (message(type="control", session="s", controls=[]), "bad_message", "controls", "object"),
        (message(type="control", session="s", controls={}, at="now!"), "bad_message", "at", "now!"),
        (message(type="step", session="s", count=0), "bad_message", "count", ">= 1"),
        (message(type="step", session="s", count=4097), "bad_message", "count", "<= 4096"),
        (message(type="rewind", session="s", to=-1), "bad_message", "to", ">= 0"),
        (message(type="fork", session="s", as_="t"), "unknown_field", "as_", "no field"),
        (message(type="feed", session="s", symbols=4), "bad_message", "symbols", "array"),
        (message(type="ping", t0="now"), "bad_message", "t0", "got `str`"),
        (message(type="ping", t0=1, id=[]), "bad_message", "id", "got `array`"),
    ],
)
def test_an_error_says_what_was_wrong_and_where(
    text: str, code: str, field: str | None, said: str
) -> None:
    error = refused(text)
    assert error is not None
    assert (error.code, error.field) == (code, field)
    assert said in str(error)


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ('{"type":"sing","id":"a"}', "a"),
        ('{"id":5}', 5),
        ('{"id":true}', None),
        ('{"id":[1]}', None),
        ("[]", None),
        ("{", None),
        ("[" * 100_000, None),
        ("\ud800", None),
    ],
)
def test_a_refused_message_is_answered_with_its_id_where_it_has_one(
    text: str, id: str | int | None
) -> None:
    assert wire.request_id(text) == id


def test_what_the_server_says_carries_type_first_and_only_what_is_known() -> None:
    fed = events.Fed("s", 7)
    assert fed.answering(0).json == b'{"type":"fed","session":"s","position":7,"id":0}'
    assert fed.json == b'{"type":"fed","session":"s","position":7}'
    assert fed.frame is fed.frame and fed.frame.endswith(fed.json), "encoded once for all clients"
    error = ProtocolError("bad_value", "no", field="controls.rate")
    assert json.loads(events.error_event(error, session="s", id="i").json) == {
        "type": "error", "id": "i", "code": "bad_value", "message": "no",
        "field": "controls.rate", "session": "s",
    }  # fmt: skip
    assert json.loads(events.error_event(ProtocolError("c", "m")).json).keys() == {
        "type", "code", "message",
    }  # fmt: skip
