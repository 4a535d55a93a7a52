from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop
from pythonosc.osc_message import OscMessage
from support import Ear, House
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stream_rnn.adapters.http import doors
from stream_rnn.adapters.http.attention import Attention
from stream_rnn.adapters.oscquery import listeners
from stream_rnn.adapters.oscquery import server as discovery
from stream_rnn.adapters.oscquery.server import Discovery
from stream_rnn.config import DiscoveryConfig
from stream_rnn.errors import ConfigError
from stream_rnn.wire.access import AllowList

OSC_PORT = 8766


@contextlib.asynccontextmanager
async def discovered(
    house: House, allow: AllowList | None = None, token: str | None = None
) -> AsyncIterator[Discovery]:
    config = DiscoveryConfig(port=0, name="rig")
    attention = Attention(asyncio.get_running_loop())
    made = Discovery(house.stage, attention, "127.0.0.1", allow or AllowList(), config, token)
    await made.start(OSC_PORT)
    try:
        yield made
    finally:
        await made.stop()


def fetch(port: int, path: str, **headers: str) -> tuple[int, Any]:
    """By Python's own HTTP client; the body, if it is JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        whole = response.headers["content-type"] == "application/json"
        return response.status, json.loads(body) if whole else body.decode()
    finally:
        connection.close()


async def get(made: Discovery, path: str, **headers: str) -> tuple[int, Any]:
    return await asyncio.to_thread(fetch, made.port, path, **headers)


def opened(house: House, name: str = "s", model: str = "verse") -> Ear:
    ear = house.join()
    house.say(ear, "open", model=model, session=name, play=False, seed=7)
    return ear


def talk(made: Discovery, **options: Any) -> connect:
    return connect(f"ws://127.0.0.1:{made.port}/", **options)


async def say(client: ClientConnection, command: str, path: object) -> None:
    await client.send(json.dumps({"COMMAND": command, "DATA": path}))


async def hear(client: ClientConnection) -> Any:
    """The next message: a command, or an address with its arguments."""
    async with asyncio.timeout(5):
        message = await client.recv()
    if isinstance(message, bytes):
        value = OscMessage(message)
        return value.address, value.params
    return json.loads(message)


async def sure(client: ClientConnection) -> None:
    """Waits until what was said before has been done: a wrong command is answered."""
    await say(client, "LISTEN", "/nothing")
    assert (await hear(client))["COMMAND"] == "ERROR"


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    made: Callable[[Any], Any] = request.param
    return made


def test_the_tree_is_read_by_http(house: House, run: Callable[[Any], Any]) -> None:
    ear = opened(house)
    opened(house, "r", "roll")
    house.say(ear, "control", session="s", controls={"artist": {"Ada": 1}, "temperature": 0.5})

    async def main() -> None:
        async with discovered(house) as made:
            status, root = await get(made, "/")
            assert (
                status == 200 and {"s", "r", "panic"} <= root["CONTENTS"]["rnn"]["CONTENTS"].keys()
            )
            assert await get(made, "/rnn/s/temperature?VALUE") == (200, {"VALUE": [0.5]})
            assert await get(made, "/rnn/s/artist?VALUE") == (200, {"VALUE": ["Ada=1"]})
            assert await get(made, "/rnn/s/artist?RANGE") == (
                200, {"RANGE": [{"VALS": ["Ada", "Bo", "Cy"]}]},
            )  # fmt: skip
            assert await get(made, "/rnn/s/seed?VALUE") == (200, {"VALUE": [7]})
            assert (await get(made, "/rnn/s/pitches"))[0] == 404, "a text has none"
            assert (await get(made, "/rnn/r/pitches"))[0] == 200
            assert (await get(made, "/rnn/s/pause?VALUE"))[0] == 204
            assert (await get(made, "/rnn/s/pause?LOUD"))[0] == 400
            info = (await get(made, "/?HOST_INFO"))[1]
            assert (info["NAME"], info["OSC_PORT"], info["WS_PORT"]) == ("rig", OSC_PORT, made.port)

    run(main())


def test_listeners_hear_of_changes_and_of_sessions(house: House, run: Callable[[Any], Any]) -> None:
    ear = opened(house)

    async def main() -> None:
        async with discovered(house) as made, talk(made) as client:
            await say(client, "LISTEN", "/rnn/s/temperature")
            await say(client, "LISTEN", "/rnn/s/rate/norm")
            await sure(client)
            house.say(ear, "control", session="s", controls={"temperature": 0.25, "top_k": 3})
            assert await hear(client) == ("/rnn/s/temperature", [0.25])
            house.say(ear, "control", session="s", controls={"temperature": 0.25})
            house.say(ear, "control", session="s", controls={"bpm": 15 * 30.5})
            assert await hear(client) == ("/rnn/s/rate/norm", [0.5]), "what did not change is not"
            opened(house, "t")
            assert await hear(client) == {"COMMAND": "PATH_ADDED", "DATA": "/rnn/t"}
            house.say(ear, "close", session="t")
            assert await hear(client) == {"COMMAND": "PATH_REMOVED", "DATA": "/rnn/t"}
            await say(client, "IGNORE", "/rnn/s/temperature")
            await sure(client)
            house.say(ear, "control", session="s", controls={"temperature": 0.75, "rate": 1})
            assert await hear(client) == ("/rnn/s/rate/norm", [0.0])
            house.say(ear, "close", session="s")
            assert await hear(client) == {"COMMAND": "PATH_REMOVED", "DATA": "/rnn/s"}

    run(main())


def test_a_rewind_brings_old_values_back(house: House) -> None:
    ear = opened(house)
    house.say(ear, "step", session="s", count=4)
    house.run(0.5)
    house.say(ear, "control", session="s", controls={"temperature": 0.5})

    async def main() -> None:
        async with discovered(house) as made, talk(made) as client:
            await say(client, "LISTEN", "/rnn/s/temperature")
            await sure(client)
            house.say(ear, "rewind", session="s", to=2)
            assert await hear(client) == ("/rnn/s/temperature", [1.0])

    asyncio.run(main())


def test_nobody_is_a_listener_of_the_session_for_looking_at_its_controls(house: House) -> None:
    async def main() -> None:
        async with discovered(house) as made, talk(made) as client:
            ear = opened(house)
            assert (await hear(client))["COMMAND"] == "PATH_ADDED"
            await say(client, "LISTEN", "/rnn/s/temperature")
            await sure(client)
            house.stage.leave(ear, house.clock.now())
            assert house.stage.viewers("s") == 0
            assert house.stage.sessions["s"].idle_since is not None

    asyncio.run(main())


BAD_COMMANDS = [
    "", "{", "[" * 3000, '{"COMMAND": "LOUD", "DATA": "/rnn/s/rate"}', '{"COMMAND": "LISTEN"}',
    '{"COMMAND": "LISTEN", "DATA": 7}', '{"COMMAND": "LISTEN", "DATA": "/rnn/s/play"}',
    '{"COMMAND": "LISTEN", "DATA": "rnn/s/rate"}', '{"COMMAND": "LISTEN", "DATA": "//rnn/s"}',
    '{"COMMAND": "LISTEN", "DATA": "/"}', '{"COMMAND": "LISTEN", "DATA": ""}',
]  # fmt: skip


def test_bad_commands_are_answered(house: House) -> None:
    ear = opened(house)

    async def main() -> None:
        async with discovered(house) as made, talk(made) as client:
            await client.send(b"\0binary is not read")
            await say(client, "IGNORE", "/x")
            for i, said in enumerate(BAD_COMMANDS):
                await client.send(said)
                error = await hear(client)
                assert error["COMMAND"] == "ERROR" and len(error["DATA"]) > 10, said
                await say(client, "LISTEN", "/rnn/s/rate")
                await sure(client)
                house.say(ear, "control", session="s", controls={"rate": 7 + i})
                assert await hear(client) == ("/rnn/s/rate", [7.0 + i]), said

    asyncio.run(main())


def test_there_may_be_so_many_listeners(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "MAX_LISTENERS", 2)

    async def main() -> None:
        async with discovered(house) as made, talk(made), talk(made):
            with pytest.raises(InvalidStatus) as refused:
                await talk(made)
            assert refused.value.response.status_code == 503

    asyncio.run(main())


def test_one_that_listens_to_nothing_gives_way_to_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "MAX_LISTENERS", 2)
    monkeypatch.setattr(listeners, "SILENT", 0.0)
    opened(house)

    async def main() -> None:
        async with discovered(house) as made, talk(made) as first, talk(made) as silent:
            await say(first, "LISTEN", "/rnn/s/rate")
            await sure(first)
            async with talk(made) as third:
                with pytest.raises(ConnectionClosed) as closed:
                    await hear(silent)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == discovery.TRY_AGAIN_LATER
                assert "this one sent no LISTEN" in closed.value.rcvd.reason
                await say(third, "LISTEN", "/rnn/s/rate")
                await sure(third)
                with pytest.raises(InvalidStatus):
                    await talk(made)
                assert made.listening == 2

    asyncio.run(main())


def test_silent_sockets_take_nobodys_place(
    house: House, monkeypatch: pytest.MonkeyPatch, run: Callable[[Any], Any]
) -> None:
    monkeypatch.setattr(doors, "REQUEST", 0.5)
    opened(house)

    async def main() -> None:
        async with discovered(house) as made:
            silent: list[socket.socket] = []

            def crowd() -> None:
                for _ in range(300):
                    silent.append(socket.create_connection(("127.0.0.1", made.port), 10))

            try:
                await asyncio.to_thread(crowd)
                for _ in range(200):
                    if (await get(made, "/rnn/s/rate?VALUE"))[0] == 200:
                        break
                    await asyncio.sleep(0.1)
                async with talk(made) as client:
                    await sure(client)
            finally:
                for one in silent:
                    one.close()

    run(main())


def test_a_token_is_asked_of_everybody(house: House) -> None:
    opened(house)

    async def main() -> None:
        async with discovered(house, token="sesame") as made:
            assert (await get(made, "/"))[0] == 401
            assert (await get(made, "/?token=wrong"))[0] == 401
            assert (await get(made, "/?token=sesame"))[0] == 200
            value = (200, {"VALUE": [20.0]})
            assert await get(made, "/rnn/s/rate?VALUE&token=sesame") == value
            assert await get(made, "/rnn/s/rate?token=sesame&VALUE") == value
            assert await get(made, "/rnn/s/rate?VALUE", Authorization="Bearer sesame") == value
            with pytest.raises(InvalidStatus) as refused:
                await talk(made)
            assert refused.value.response.status_code == 401
            async with connect(f"ws://127.0.0.1:{made.port}/?token=sesame") as client:
                await sure(client)
            async with talk(made, additional_headers={"Authorization": "Bearer sesame"}) as client:
                await sure(client)

    asyncio.run(main())


def test_bytes_that_are_no_utf8_are_answered(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    opened(house)

    async def main() -> None:
        async with discovered(house) as made:
            for path in ("/%ff", "/?%ff", "/rnn/%00", "/rnn/s?%fe=%ff", "/%e2%82"):
                assert (await get(made, path))[0] in (400, 404), path

    asyncio.run(main())
    assert not [record for record in caplog.records if record.exc_info]


def test_who_listens_to_too_much_is_refused_and_who_does_not_read_is_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "MAX_PATHS", 2)
    ear = opened(house)

    async def main() -> None:
        async with discovered(house) as made, talk(made) as client:
            for name in ("rate", "bpm", "rate", "top_k"):
                await say(client, "LISTEN", f"/rnn/s/{name}")
            error = await hear(client)
            assert error["DATA"] == "a client may listen to 2 values"
            # More at once than may wait, before the writer has its turn.
            for n in range(3):
                opened(house, f"t{n}")
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await hear(client)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == discovery.TRY_AGAIN_LATER
            house.say(ear, "control", session="s", controls={"rate": 7})

    asyncio.run(main())


@pytest.mark.slow
def test_who_reads_nothing_is_given_up_in_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "PATIENCE", 0.5)
    ear = opened(house, "r", "roll")

    async def main() -> None:
        async with discovered(house) as made:
            small = socket.socket()
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
            small.connect(("127.0.0.1", made.port))
            async with talk(made, sock=small, max_queue=1, close_timeout=0.1) as client:
                await say(client, "LISTEN", "/rnn/r/pitches")
                await sure(client)
                before = made.listening
                for n in range(4000):
                    pitches = list(range(21 + n % 2, 109))
                    house.say(ear, "control", session="r", controls={"pitches": pitches})
                    await asyncio.sleep(0)
                    if made.listening < before:
                        break
                for _ in range(60):
                    await asyncio.sleep(0.05 if made.listening else 0)
                assert not made.listening

    asyncio.run(main())


def test_pages_from_elsewhere_and_strangers_are_refused(house: House) -> None:
    async def main() -> None:
        async with discovered(house) as made:
            assert (await get(made, "/", Origin="http://evil.example"))[0] == 403
            assert (await get(made, "/", Host="evil.example"))[0] == 421
            assert (await get(made, "/", Host=f"localhost:{made.port}"))[0] == 200
            with pytest.raises(InvalidStatus) as refused:
                await talk(made, origin="http://evil.example")
            assert refused.value.response.status_code == 403
            forwarded = {"X-Forwarded-For": "10.0.0.1"}
            assert (await get(made, "/", **forwarded))[0] == 200, "the header is not believed"

    asyncio.run(main())


def test_a_port_that_is_taken_is_told(house: House) -> None:
    async def main() -> None:
        async with discovered(house) as made:
            config = DiscoveryConfig(port=made.port)
            attention = Attention(asyncio.get_running_loop())
            other = Discovery(house.stage, attention, "127.0.0.1", AllowList(), config)
            with pytest.raises(ConfigError, match=r"choose another \[discovery\] port"):
                await other.start(OSC_PORT)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("[::1].local", False), ("evil.example@localhost", False), ("e.example\\@localhost", False),
        ("localhost.", False), ("studio.local.evil.example", False), ("studio.local:x", False),
        ("STUDIO.local:80", True), ("studio.local.", False), ("127.1", False),
        ("192.168.1.5:8767", True), ("[fe80::1]:8767", True), ("studio.local", True),
        ("localhost:1", True), ("evil.example", False), ("local", False), ("", False), ("[", False),
        ("192.168.1.5.evil.example", False),
    ],
)  # fmt: skip
def test_only_names_that_no_dns_gives_are_ours(host: str, ours: bool) -> None:
    assert discovery.is_ours(host) == ours
