"""Whatever a client sends, it is answered, and the other sessions never notice."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from talker import Talker, Witness
from websockets.exceptions import ConnectionClosed


@pytest.fixture
def witness(address: str) -> Iterator[Witness]:
    """Watches another session during a test, and afterwards judges what it saw."""
    with Witness(address) as witness:
        yield witness


def error_for(talker: Talker, text: str | bytes) -> dict[str, object]:
    talker.socket.send(text)
    return talker.until("error")


BAD = {
    "not JSON": ("{", "bad_json", None),
    "empty": ("", "bad_json", None),
    "an array": ("[]", "bad_message", None),
    "a number": ("17", "bad_message", None),
    "deep": ("[" * 30000, "bad_message", None),
    "no type": ("{}", "unknown_type", "type"),
    "unknown type": ('{"type":"opne"}', "unknown_type", "type"),
    "unknown field": ('{"type":"play","session":"a","loud":1}', "unknown_field", "loud"),
    "missing field": ('{"type":"play"}', "bad_message", "session"),
    "wrong type": ('{"type":"rewind","session":"a","to":"x"}', "bad_message", "to"),
    "bad name": ('{"type":"open","model":"verse","session":"../a"}', "bad_message", "session"),
    "unknown model": ('{"type":"open","model":"nope"}', "unknown_model", "model"),
    "model as a path": ('{"type":"open","model":"../../etc"}', "unknown_model", "model"),
    "unknown session": ('{"type":"play","session":"nope"}', "unknown_session", "session"),
    "unknown artist": (
        '{"type":"open","model":"verse","controls":{"artist":{"Zed":1}}}',
        "unknown_artist", "controls.artist",
    ),
    "artist weights of zero": (
        '{"type":"open","model":"verse","controls":{"artist":{"Ada":0}}}',
        "bad_value", "controls.artist",
    ),
    "NaN": ('{"type":"open","model":"verse","controls":{"temperature":NaN}}', "bad_json", None),
    "infinite": (
        '{"type":"open","model":"verse","controls":{"temperature":1e999}}', "bad_message", None,
    ),
    "negative": (
        '{"type":"open","model":"verse","controls":{"temperature":-1}}',
        "bad_value", "controls.temperature",
    ),
    "huge": (
        '{"type":"open","model":"verse","controls":{"rate":1e300}}', "bad_value", "controls.rate",
    ),
    "huge whole": (
        '{"type":"open","model":"verse","controls":{"top_k":' + "9" * 400 + "}}",
        "bad_value", "controls.top_k",
    ),
    "a string for a number": (
        '{"type":"open","model":"verse","controls":{"temperature":"hot"}}',
        "bad_value", "controls.temperature",
    ),
    "true for a number": (
        '{"type":"open","model":"verse","controls":{"temperature":true}}',
        "bad_value", "controls.temperature",
    ),
    "negative seed": ('{"type":"open","model":"verse","seed":-1}', "bad_message", "seed"),
    "huge seed": (
        '{"type":"open","model":"verse","seed":' + "9" * 40 + "}", "bad_message", "seed",
    ),
    "half a surrogate": (
        '{"type":"open","model":"verse","prime":"\\ud800"}', "bad_json", None,
    ),
    "a prime for another domain": (
        '{"type":"open","model":"verse","prime":[[60]]}', "bad_value", "prime",
    ),
}  # fmt: skip


def test_bad_messages_are_answered_one_by_one(address: str, witness: Witness) -> None:
    with Talker(address) as talker:
        for name, (text, code, field) in BAD.items():
            error = error_for(talker, text)
            assert (error["code"], error.get("field")) == (code, field) or (
                code == "bad_message" and field is None and error["code"] == code
            ), (name, error)
            assert len(str(error["message"])) > 10, name
        assert error_for(talker, b"\x00\x01")["code"] == "text_only"
        for id in (7, "seven"):
            bad = {"type": "open", "model": "nope", "id": id}
            assert error_for(talker, json.dumps(bad))["id"] == id
        assert error_for(talker, '{"type":"opne","id":"mine"}')["id"] == "mine"
        assert talker.ask("ping", "pong", t0=0)["type"] == "pong"


def test_a_message_of_10_mb_closes_only_its_connection(address: str, witness: Witness) -> None:
    with Talker(address, max_size=None) as talker:
        with contextlib.suppress(ConnectionClosed):
            talker.socket.send(json.dumps({"type": "open", "model": "m" * 10_000_000}))
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                talker.next()
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009


def test_half_a_utf8_sequence_closes_only_its_connection(address: str, witness: Witness) -> None:
    with Talker(address) as talker:
        mask = os.urandom(4)
        data = b'{"type":"open","model":"\xe2\x82"}'
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        frame = struct.pack("!BB", 0x81, 0x80 | len(data)) + mask + masked
        talker.socket.socket.sendall(frame)
        with pytest.raises(ConnectionClosed) as closed:
            talker.next()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1007


def test_noise_on_the_port_is_survived(address: str, witness: Witness) -> None:
    host, port = address.removeprefix("http://").split(":")
    for noise in (os.urandom(4096), b"GET / HTTP/1.1\r\n" + b"x" * 100_000, b"\r\n" * 1000, b""):
        with socket.create_connection((host, int(port))) as raw:
            with contextlib.suppress(OSError):
                raw.sendall(noise)


def test_ten_thousand_opens_meet_the_limit(address: str, witness: Witness) -> None:
    with Talker(address) as talker:
        codes: dict[str, int] = {}
        for batch in range(100):
            for n in range(100):
                talker.say("open", model="verse", id=batch * 100 + n, play=False)
            for _ in range(100):
                answer = talker.until("opened", "error")
                code = answer.get("code", "opened")
                codes[code] = codes.get(code, 0) + 1
        assert codes.keys() == {"opened", "too_many_sessions"}
        assert codes["opened"] <= 64 and sum(codes.values()) == 10_000
        assert "close one" in answer["message"] or "limit" in answer["message"]
        for message in [m for m in talker.heard if m["type"] == "opened"]:
            talker.ask("close", "closed", session=message["session"])


def test_a_reader_that_stops_reading_is_told_of_the_gap(address: str, witness: Witness) -> None:
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
    host, port = address.removeprefix("http://").split(":")
    small.connect((host, int(port)))
    with Talker(address, sock=small, max_queue=1) as talker:
        names = [f"slow{n}" for n in range(16)]
        for name in names:
            talker.ask("open", "opened", model="verse", session=name, controls={"rate": 200})
        time.sleep(4)
        seen: dict[str, int] = dict.fromkeys(names, -1)
        gaps = 0
        for message in talker.heard:
            if message["type"] == "symbol":
                seen[message["session"]] = message["n"]
        while gaps < len(names):
            message = talker.next()
            name = message.get("session", "")
            if message["type"] == "symbol":
                assert message["n"] == seen[name] + 1, "nothing is missing but what a gap tells"
                seen[name] = message["n"]
            elif message["type"] == "gap":
                gaps += 1
                assert message["after"] == seen[name] < message["before"]
                seen[name] = message["before"] - 1
        # What was missed can be fetched.
        other = Talker(address)
        other.ask("attach", "opened", session=names[0], after=-1)
        assert [m["n"] for m in other.symbols(500)] == list(range(500))
        for name in names:
            other.ask("close", "closed", session=name)
        other.close()
