from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from support import House

from stream_rnn.adapters.osc import presence, side
from stream_rnn.adapters.osc.side import OscSide
from stream_rnn.cli import main
from stream_rnn.config import Config, OscConfig, OscTarget
from stream_rnn.errors import ConfigError
from stream_rnn.serve.options import ServeOptions
from stream_rnn.serve.sides import make_osc
from stream_rnn.wire import osc


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[osc]\nhost = '0.0.0.0'", "say whose packets are accepted"),
        ("[osc]\nallow = ['studio']", "'studio' is neither an address nor a network"),
        ("[[osc.target]]\nport = 1\nnote = '/a {loud}'", "there is no {loud} in a note template"),
    ],
)
def test_what_is_wrong_in_the_file_ends_the_start_at_once(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    config = tmp_path / "serve.toml"
    config.write_text(text)
    serve = ["serve", "--port", "0", "--osc-port", "0", "--models", str(models)]
    assert main([*serve, "--config", str(config)]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[[osc.target]]\nport = 1", "[discovery]\nport = 0"])
def test_targets_and_discovery_need_osc(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    config = tmp_path / "serve.toml"
    config.write_text(text)
    serve = ["serve", "--port", "0", "--no-osc", "--models", str(models)]
    assert main([*serve, "--config", str(config)]) == 2
    assert "leave out --no-osc" in capsys.readouterr().err


def test_it_starts_targets_and_ends_what_sounds(house: House) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(5)
        target = OscTarget(port=there.getsockname()[1])
        config = Config(osc=OscConfig(target=(target,)))

        async def play() -> None:
            side = OscSide(house.stage, house.clock, config, 0)
            await side.start()
            house.say(house.join(), "open", model="roll", session="s", seed=1)
            house.run(2.0)
            side.end_notes()
            side.end_notes()  # once more does no harm

        asyncio.run(play())
        sounding: set[int] = set()
        struck = 0
        there.setblocking(False)
        for pitch, velocity in notes(there):
            struck += bool(velocity)
            (sounding.add if velocity else sounding.discard)(pitch)
        assert struck and not sounding


def test_it_looks_now_and_then_who_is_still_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side, "SWEEP", 0.01)
    monkeypatch.setattr(presence, "GRACE", 10.0)

    async def play() -> None:
        osc_side = OscSide(house.stage, house.clock, Config(), 0)
        await osc_side.start()
        house.say(house.join(), "open", model="verse", session="s", seed=1)
        viewers = house.stage.viewers("s")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
            there.bind(("127.0.0.1", 0))
            there.connect(osc_side.server.local)
            there.send(osc.message_bytes("/rnn/subscribe", "s"))
            for _ in range(30):
                house.clock.advance(6.0)
                await asyncio.sleep(0.01)
            assert house.stage.viewers("s") == viewers + 1, "it only listens"
        for _ in range(500):
            house.clock.advance(6.0)
            await asyncio.sleep(0.01)
            if house.stage.viewers("s") == viewers:
                break
        else:
            raise AssertionError("it is still thought to be there")
        osc_side.end_notes()

    asyncio.run(play())


def notes(there: socket.socket) -> list[tuple[int, int]]:
    """The notes among all that has arrived."""
    found = []
    while True:
        try:
            data = there.recv(1 << 16)
        except BlockingIOError:
            return found
        for timed in osc.parse_packet(data):
            if timed.address == "/rnn/s/note":
                found.append((timed.arguments[0], timed.arguments[1]))


def test_a_port_that_is_taken_is_told(house: House) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        side = OscSide(house.stage, house.clock, Config(), taken.getsockname()[1])
        with pytest.raises(ConfigError, match="choose another --osc-port, or --no-osc"):
            asyncio.run(side.start())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
def test_either_family_is_heard_answered_and_subscribed(
    house: House, host: str, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    caplog.set_level("INFO")
    with (
        socket.socket(family, socket.SOCK_DGRAM) as asker,
        socket.socket(family, socket.SOCK_DGRAM) as ear,
    ):
        for one in (asker, ear):
            one.bind((host, 0))
            one.settimeout(5)

        async def play() -> None:
            side = OscSide(house.stage, house.clock, Config(osc=OscConfig(host=host)), 0)
            await side.start()
            there = side.server.local
            for message in (
                osc.message_bytes("/rnn/s/open", "verse", 7, "paused"),
                osc.message_bytes("/rnn/s/step", 20),
            ):
                asker.sendto(message, there)
            await asyncio.sleep(0.1)
            house.run(1.0)
            asker.sendto(osc.message_bytes("/rnn/subscribe", "s", ear.getsockname()[1], -1), there)
            await asyncio.sleep(0.1)
            for _ in range(10):
                side.server.sweep()
                house.clock.advance(5.0)
            assert house.stage.viewers("s") == 2, "it is there"
            side.end_notes()

        run(play())
        assert osc.parse_packet(asker.recv(4096))[0].address == "/rnn/s/opened"
        assert osc.parse_packet(ear.recv(4096))[0].address == "/rnn/s/opened"
        assert len(osc.parse_packet(ear.recv(4096))) == 20
    shown = "[::1]" if ":" in host else host
    assert f"OSC on udp://{shown}:" in caplog.text


def test_an_open_server_asks_other_machines_for_its_token(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, object] = {}

    class Stop(Exception):
        """Ends the test: its arguments are all that it looks at."""

    def make(stage: object, clock: object, config: object, port: int, token: str | None) -> None:
        made["token"] = token
        raise Stop

    monkeypatch.setattr(side, "OscSide", make)
    options = ServeOptions(models=models, token="sesame")
    with pytest.raises(Stop):
        make_osc(options, cast(Any, None), cast(Any, None))
    assert made == {"token": "sesame"}
