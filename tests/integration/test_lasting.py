"""A real server that is killed at random moments: every session goes on as if it had not been."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import House, make_models
from websockets.sync.client import ClientConnection, connect

KILLS = int(os.environ.get("STREAM_RNN_KILLS", "3"))
SESSIONS = int(os.environ.get("STREAM_RNN_KILLED_SESSIONS", "6"))

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has none")


@contextlib.contextmanager
def serving(models: Path, state: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    command = [sys.executable, "-m", "stream_rnn", "serve", "--port", "0", "--osc-port", "0"]
    with log.open("ab") as said:
        process = subprocess.Popen(
            [*command, "--models", str(models), "--state", str(state), "--never-idle"],
            stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        try:
            line = process.stdout.readline().decode()
            assert "listening on " in line, log.read_text()
            yield process, line.split("listening on http")[1].strip()
        finally:
            process.kill()
            process.wait()


class Listener:
    """A client of all sessions, who notes every symbol and every change that was acknowledged."""

    def __init__(self) -> None:
        self.symbols: dict[str, list[Any]] = {}
        self.changes: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        self.instance = ""
        self._id = 0

    def join(self, address: str) -> None:
        self.open = contextlib.ExitStack()
        self.socket: ClientConnection = self.open.enter_context(connect(f"ws{address}/v1/stream"))
        hello = json.loads(self.socket.recv(10))
        assert hello["type"] == "hello" and hello["instance"] != self.instance
        self.instance = hello["instance"]

    def say(self, type: str, **fields: Any) -> dict[str, Any]:
        """Sends a request, and listens until it is answered."""
        self._id += 1
        self.socket.send(json.dumps({"type": type, "id": self._id, **fields}))
        end = time.monotonic() + 10
        while time.monotonic() < end:
            message = self.hear(end)
            if message is not None and message.get("id") == self._id:
                assert message["type"] != "error", message
                return message
        raise AssertionError(f"no answer to {type}")

    def hear(self, end: float) -> dict[str, Any] | None:
        """The next message; a symbol is the very next of its session."""
        try:
            message: dict[str, Any] = json.loads(self.socket.recv(max(0.0, end - time.monotonic())))
        except TimeoutError:
            return None
        if message["type"] == "symbol":
            past = self.symbols[message["session"]]
            assert message["n"] == len(past), message
            past.append(message["text"])
        return message

    def listen(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.hear(end)


def uninterrupted(house: House, number: int, name: str, listener: Listener) -> str:
    """What a session plays in which only the changes happened."""
    ear, symbols = house.join(), listener.symbols[name]
    house.say(ear, "open", model="verse", session=name, seed=number, play=False)
    for position, controls in [*listener.changes[name], (len(symbols), {})]:
        while (more := position - house.stage.sessions[name].position) > 0:
            house.say(ear, "step", session=name, count=min(more, 64))
            house.run(0.3)
        house.say(ear, "control", session=name, controls=controls)
    return "".join(ear.stream(name))


def test_killed_at_random_moments_every_session_goes_on_as_the_uninterrupted_stream(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    models = make_models(tmp_path / "models")
    dice, listener = random.Random(7), Listener()
    names = [f"s{number}" for number in range(SESSIONS)]
    paused, slowest = names[-1], 0.0
    log = tmp_path / "log"
    for kill in range(KILLS + 1):
        began = time.monotonic()
        with serving(models, tmp_path / "state", log) as (process, address):
            if kill:
                slowest = max(slowest, time.monotonic() - began)
            listener.join(address)
            for number, name in enumerate(names):
                if kill:
                    after = len(listener.symbols[name]) - 1
                    opened = listener.say("attach", session=name, after=after, epoch=0)
                    assert opened["playing"] == (name != paused)
                else:
                    listener.symbols[name], listener.changes[name] = [], []
                    listener.say("open", model="verse", session=name, seed=number,
                                 controls={"rate": 25})  # fmt: skip
            for _ in range(dice.randint(1, 4)):
                listener.listen(dice.uniform(0.0, 0.4))
                name = dice.choice(names[:-1])
                controls = {"temperature": dice.choice([0.3, 0.9, 1.6])}
                answer = listener.say("control", session=name, controls=controls)
                listener.changes[name].append((answer["position"], controls))
            if not kill:
                listener.say("pause", session=paused)
            listener.listen(dice.uniform(0.0, 0.5))
            process.kill()
            process.wait()
            with contextlib.suppress(Exception):
                while listener.hear(time.monotonic() + 5) is not None:
                    pass  # what was sent before it was killed
            with contextlib.suppress(Exception):
                listener.open.close()
    record_property("slowest_start", round(slowest, 2))
    house = House(models)
    for number, name in enumerate(names):
        heard = "".join(listener.symbols[name])
        assert len(heard) > (0 if name == paused else 10 * KILLS)
        assert uninterrupted(house, number, name, listener) == heard, name
    assert "Traceback" not in log.read_text()
