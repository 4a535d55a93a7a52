"""100,000 packets that nobody should send, while another session plays on in time."""

from __future__ import annotations

import contextlib
import math
import random
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import make_models, resident
from talker import Talker, Witness

from stream_rnn.bench.serve import children
from stream_rnn.control_table import NORMS, TABLE
from stream_rnn.errors import ProtocolError
from stream_rnn.wire import osc

PACKETS = 100_000
BATCH = 100  # what the socket's buffer surely holds
RATE = 1500  # packets a second: a slow machine reads as many, and keeps none waiting for long
ODD = 20_000
WARM = 10_000
GROWTH = 16e6  # bytes

Running = tuple[subprocess.Popen[str], str, int]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A server that hears a sender however much it sends: process, HTTP address, OSC port."""
    models, config, log = make_models(tmp_path), tmp_path / "serve.toml", tmp_path / "log"
    config.write_text("[osc]\nrate = 1000000\n")
    command = [sys.executable, "-m", "stream_rnn", "serve", "--no-spare"]
    command += ["--port", "0", "--osc-port", "0"]
    command += ["--models", str(models), "--config", str(config)]
    with log.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            port = re.search(r"OSC on udp://127.0.0.1:(\d+)", log.read_text())
            assert port, log.read_text()
            yield process, line.split("listening on ")[1].strip(), int(port[1])
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()
    assert "Traceback" not in log.read_text()


def bundle(*elements: bytes, time: bytes = bytes(8), sizes: list[int] | None = None) -> bytes:
    """A bundle that may lie about its elements' sizes."""
    sizes = sizes or [len(e) for e in elements]
    inside = (struct.pack(">i", n) + e for n, e in zip(sizes, elements, strict=True))
    return b"#bundle\0" + time + b"".join(inside)


def make_real() -> list[bytes]:
    """What a program could send, to a session that there is not above all."""
    message = osc.message_bytes
    return [
        message("/rnn/nobody/temperature", 0.5),
        message("/rnn/n*/temperature/norm", 0.5),
        message("/rnn/{nobody,none}/artist", "Ada", 2.0, "Bo", 1),
        message("/rnn/nobody/feed", "to be or not"),
        message("/rnn/nobody/pitches", 60, 64, 67),
        message("/rnn/subscribe", "witness", 9),
        message("/rnn/midi/learn", "temperature"),
        message("/rnn/ping", 7),
        message("/rnn/nobody/x", b"a blob of some length"),
        *(
            osc.bundle_bytes(
                time.time() + ahead, [("/rnn/nobody/feed", ("x",)), ("/rnn/nobody/step", (1,))]
            )
            for ahead in (0, 5, 10, 15, 20, 25, 30, 60)
        ),
    ]


def make_noise(dice: random.Random, real: list[bytes], n: int) -> bytes:
    """A packet: real, or real once, or never."""
    packet = dice.choice(real)
    match n % 8:
        case 0:
            return dice.randbytes(dice.randrange(200))
        case 1:  # cut short
            return packet[: dice.randrange(len(packet))]
        case 2:  # elements of a size that is not theirs: negative ones above all
            size = dice.choice([-4, -1, 0, -(2**31), 2**31 - 1, len(packet) + 4, 3])
            return bundle(packet, packet, sizes=[size, len(packet)])
        case 3:
            for _ in range(dice.randrange(2, 8)):
                packet = bundle(packet, dice.choice(real), time=dice.randbytes(8))
            return packet
        case 4:
            return b"#bundle\0" + dice.randbytes(4 * dice.randrange(30))
        case 5 if n % 1000 == 5:
            return osc.message_bytes("/rnn/nobody/feed", "a" * dice.randrange(50_000))[:-4]
        case _:
            damaged = bytearray(packet)
            for _ in range(dice.randrange(4)):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            return bytes(damaged)


# Every address that there is, and values of every type: those that are read, and in place.
ACTIONS = (
    *TABLE, *(f"{name}/norm" for name in NORMS), "open", "feed", "feed/in_time", "prime", "lead",
    "touch", "step", "play", "pause", "reset", "rewind", "fork", "close", "loudness", "feed/x",
)  # fmt: skip
GENERAL = (
    "subscribe", "unsubscribe", "reply", "panic", "models", "sessions", "ping", "midi/learn",
    "midi/forget", "",
)  # fmt: skip
NUMBERS = (
    *(("f", x) for x in (0.0, 1.0, -1.0, 0.5, 1.5, 1e30, math.nan, math.inf, -math.inf)),
    *(("d", x) for x in (0.25, 1e300, -1e300, math.nan, math.inf)),
    *(("i", x) for x in (0, 1, -1, 7, 60, 9000, 2**31 - 1, -(2**31))),
    *(("h", x) for x in (0, 2**53, 2**63 - 1, -(2**63))),
    *(("t", x) for x in (0, 1, 2**64 - 1)),
)  # fmt: skip
OTHERS = (
    *(("s", x) for x in (
        "", "a", "verse", "roll", "odd", "odd2", "beat", "bar", "paused", "temperature", "prime",
        "seed", "on", "shift", "string", "Ada", "Ada=0.5 Bo=1e999", "D dorian", "60 64", "*",
        "[z-a]", "{a,", "\N{SNOWMAN}" * 9, "9" * 5000, "link", "/",
    )),
    ("b", b"abc"), ("b", b"\0" * 64), ("T", True), ("F", False), ("N", None),
)  # fmt: skip


def typed(address: str, *arguments: tuple[str, Any]) -> bytes:
    """A message by hand, as its sender wants the types: python-osc guesses some of them."""

    def padded(text: str) -> bytes:
        return text.encode() + bytes(4 - len(text.encode()) % 4)

    inside = b""
    for tag, value in arguments:
        if tag in "ifdht":
            inside += struct.pack(">" + {"h": "q", "t": "Q"}.get(tag, tag), value)
        elif tag == "s":
            inside += padded(value)
        elif tag == "b":
            inside += struct.pack(">i", len(value)) + value + bytes(-len(value) % 4)
    return padded(address) + padded("," + "".join(tag for tag, _ in arguments)) + inside


def make_odd(dice: random.Random) -> bytes:
    """A well-formed message to a real address, with values that may be anything."""
    session = dice.choice(["odd", "odd2", "o*", "nobody", "{odd,odd2}", "midi", "witnes"])
    general = dice.random() < 0.25
    where = dice.choice(GENERAL) if general else f"{session}/{dice.choice(ACTIONS)}"
    count = dice.choice((0, 1, 1, 1, 2, 2, 3, 4, 7))
    values = [dice.choice(NUMBERS if dice.random() < 0.5 else OTHERS) for _ in range(count)]
    return typed(f"/rnn/{where}", *values)


def test_values_of_every_type_to_every_address_are_done_or_told(server: Running) -> None:
    """Well-formed packets: none is refused as one, and none finds a bug (see the fixture)."""
    process, address, port = server
    dice = random.Random(2)
    with Witness(address), sender(port) as (noise, until_read):
        for name, model in (("odd", "verse"), ("odd2", "roll")):
            noise.send(osc.message_bytes(f"/rnn/{name}/open", model, 1))
        for start in range(0, ODD, BATCH):
            for _ in range(BATCH):
                odd = make_odd(dice)
                # What would stop the witness, or fill the house; as for the rest, anything goes.
                if not odd.startswith((b"/rnn/panic", b"/rnn/o*/fork")):
                    noise.send(odd)
            for name, model in (("odd", "verse"), ("odd2", "roll")):  # where it was closed
                noise.send(osc.message_bytes(f"/rnn/{name}/open", model, 1))
            until_read(start)
            time.sleep(BATCH / RATE)
    counted = metrics(address)
    assert counted["stream_rnn_osc_refused_total"] == counted["stream_rnn_osc_failed_total"] == 0
    assert counted["stream_rnn_engine_deaths_total"] == 0 and process.poll() is None


@contextlib.contextmanager
def sender(port: int) -> Iterator[tuple[socket.socket, Callable[[int], None]]]:
    """A socket to send noise from, and what waits until all that was sent before has been read."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as barrier,
    ):
        noise.connect(("127.0.0.1", port))
        barrier.connect(("127.0.0.1", port))
        barrier.settimeout(10)

        def until_read(number: int) -> None:
            barrier.send(osc.message_bytes("/rnn/ping", number))
            (pong,) = osc.parse_packet(barrier.recv(1024))
            assert (pong.address, pong.arguments) == ("/rnn/pong", (number,))

        yield noise, until_read


def is_refused(packet: bytes) -> bool:
    try:
        osc.parse_packet(packet)
    except ProtocolError:
        return True
    return False


def metrics(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{address}/metrics") as response:
        lines = [line.split() for line in response.read().decode().splitlines()]
    return {words[0]: float(words[1]) for words in lines if words[0] != "#"}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc is how memory is read")
def test_a_hundred_thousand_bad_packets_change_nothing(server: Running) -> None:
    process, address, port = server
    dice, real, memory = random.Random(1), make_real(), 0
    packets = [make_noise(dice, real, n) for n in range(PACKETS)]
    refused = sum(map(is_refused, packets))
    engines = children(process.pid)
    with Witness(address), sender(port) as (noise, until_read):
        begin = time.monotonic()
        for start in range(0, PACKETS, BATCH):
            for packet in packets[start : start + BATCH]:
                noise.send(packet)
            until_read(start)
            if start == WARM:
                memory = resident(process.pid)
            # As much as leaves the machine to others, whom the witness would blame on us.
            time.sleep(max(0.0, begin + (start + BATCH) / RATE - time.monotonic()))
        grown = resident(process.pid) - memory
    counted = metrics(address)
    assert counted["stream_rnn_osc_refused_total"] == refused > PACKETS / 2
    assert counted["stream_rnn_engine_deaths_total"] == 0 and children(process.pid) == engines
    assert grown < GROWTH
    with Talker(address) as talker:
        assert talker.ask("ping", "pong", t0=0)["type"] == "pong"
