"""Every model that is shipped, streamed to a browser, OSC and MIDI at once."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pythonosc.osc_packet import OscPacket
from talker import Talker

from stream_rnn.bench.serve import running_server
from stream_rnn.checkpoint import find_models, read_card

ROOT = Path(__file__).parents[2]
MODELS = find_models(ROOT / "models")

SOUNDING = ("pianoroll", "performance", "abc", "tablature")


class Ear:
    """Hears what comes to a UDP port all the time, since a band says more than a socket holds."""

    def __init__(self, plug: socket.socket) -> None:
        self._plug = plug
        self._heard: set[str] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._plug.recv(1 << 16):
                self._heard |= {m.message.address for m in OscPacket(data).messages}

    def until(self, address: str) -> set[str]:
        """Which addresses were heard, once this one is among them."""
        end = time.monotonic() + 10
        while address not in self._heard:
            assert time.monotonic() < end, f"{address} did not come"
            time.sleep(0.02)
        return set(self._heard)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Ear]]:
    """A server of all models that plays to a plain OSC target, and to a port that is not there."""
    with contextlib.ExitStack() as stack:
        plug = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        plug.bind(("127.0.0.1", 0))
        config = tmp_path_factory.mktemp("config") / "serve.toml"
        config.write_text(
            f"[[osc.target]]\nport = {plug.getsockname()[1]}\n"
            f"[midi]\napi = 'jack'\n[[midi.out]]\nport = 'nobody-{os.getpid()}'\n"
            f"[[record]]\nfile = '{config.with_suffix('.mid')}'\n"
        )
        _, address = stack.enter_context(running_server(ROOT / "models", "--config", str(config)))
        yield address, Ear(plug)
        with contextlib.suppress(OSError):  # it is not connected, but this ends the listening
            plug.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("name", MODELS)
def test_it_streams_and_obeys(stage: tuple[str, Ear], name: str) -> None:
    address, ear = stage
    with Talker(address) as talker:
        opened = talker.ask("open", "opened", model=name, session=name, controls={"rate": 40})
        assert opened["type"] == "opened", opened
        talker.symbols(10)
        told = talker.ask("control", "controlled", session=name, controls={"temperature": 0.3})
        assert told["controls"]["temperature"] == 0.3 and told["position"] >= 10
        if len(artists := read_card(MODELS[name]).artists) > 1:
            blend = {artists[0]: 1, artists[1]: 3}
            told = talker.ask("control", "controlled", session=name, controls={"artist": blend})
            assert told["controls"]["artist"] == {artists[0]: 0.25, artists[1]: 0.75}
        symbols = talker.symbols(60, timeout=60)
        assert all({"text", "notes", "event"} & symbol.keys() for symbol in symbols)
        talker.ask("close", "closed", session=name)
    addresses = ear.until(f"/rnn/{name}/closed")
    shown = {f"/rnn/{name}/{kind}" for kind in ("char", "frame", "event", "gesture")}
    assert addresses & shown
    if read_card(MODELS[name]).make_codec().domain in SOUNDING:
        assert f"/rnn/{name}/note" in addresses
