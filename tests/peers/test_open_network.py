"""A server that is open to a network, and a phone on it: in namespaces, so that nothing leaves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.programs import needs, running
from support import make_models

pytestmark = [
    pytest.mark.peer,
    needs("ip"),
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces are for root"),
]

SERVER, PHONE = f"rnn-server-{os.getpid()}", f"rnn-phone-{os.getpid()}"
NETWORK = (
    f"-n {SERVER} link set lo up",
    f"-n {PHONE} link set lo up",
    f"link add wlan0 netns {SERVER} type veth peer name phone0 netns {PHONE}",
    f"link add docker0 netns {SERVER} type veth peer name inside0 netns {SERVER}",
    f"-n {SERVER} addr add 172.17.0.1/16 dev docker0",
    f"-n {SERVER} addr add 10.8.0.5/24 dev wlan0",
    f"-n {SERVER} addr add 10.9.0.5/24 dev wlan0",
    f"-n {SERVER} addr add fd00:9::5/64 dev wlan0 nodad",
    f"-n {PHONE} addr add 10.9.0.7/24 dev phone0",
    f"-n {PHONE} addr add 10.8.0.7/24 dev phone0",
    f"-n {PHONE} addr add fd00:9::7/64 dev phone0 nodad",
    f"-n {SERVER} link set wlan0 up",
    f"-n {SERVER} link set docker0 up",
    f"-n {PHONE} link set phone0 up",
    f"-n {SERVER} route add default via 10.9.0.1",
)


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """A wireless network with this machine and a phone on it, and a container's."""
    names = (SERVER, PHONE)
    made = subprocess.run(["ip", "netns", "add", SERVER], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no namespaces here: {made.stderr.strip()}")
    try:
        subprocess.run(["ip", "netns", "add", PHONE], check=True)
        for words in NETWORK:
            subprocess.run(["ip", *words.split()], check=True)
        yield
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("models"))


# Says what a request is answered with: the status, and the body's beginning.
GET = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers=dict(w.split("=", 1) for w in sys.argv[2:]))
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = opener.open(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read(300).decode())
"""


def asked(url: str, *headers: str) -> str:
    """What the phone is answered."""
    command = ["ip", "netns", "exec", PHONE, sys.executable, "-c", GET, url, *headers]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("0.0.0.0", ["10.9.0.5", "10.8.0.5", "127.0.0.1"]),
        ("::", ["10.9.0.5", "10.8.0.5", "[fd00:9::5]", "127.0.0.1"]),
        ("10.9.0.5", ["10.9.0.5"]),
    ],
)
def test_what_it_prints_is_what_a_phone_can_open(
    models: Path, tmp_path: Path, host: str, hosts: list[str]
) -> None:
    serve = ["ip", "netns", "exec", SERVER, sys.executable, "-m", "stream_rnn", "serve"]
    serve += ["--models", str(models), "--port", "0", "--no-osc", "--host", host]
    log = tmp_path / "log"
    with (
        log.open("wb") as err,
        running(
            [*serve, "--anyone"], stdout=subprocess.PIPE, stderr=err, patience=15
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        lines = [process.stdout.readline().decode() for _ in hosts]
        port = lines[0].rpartition(":")[2].strip()
        first, *others = [f"http://{where}:{port}" for where in hosts]
        assert lines == [
            f"stream-rnn: listening on {first}\n",
            *(f"stream-rnn: also at {other}\n" for other in others),
        ], log.read_text()
        for address in [first, *others]:
            if "127.0.0.1" not in address:
                assert asked(f"{address}/v1/models").startswith('200 {"models"')
        # A page whose name server points here is refused, and the log says whose it was.
        evil = asked(f"{first}/v1/models", "Host=evil.example", "Origin=http://evil.example")
        assert evil.startswith("421 this server answers to its addresses and names, not to")
        assert asked(f"{first}/v1/models", "Origin=http://evil.example").startswith("403 ")
    told = re.findall(r"refused (\S+): GET /v1/models \((\d+)\)", log.read_text())
    assert told == [("10.9.0.7", "421"), ("10.9.0.7", "403")]


def test_with_a_token_it_says_how_others_come_in_but_not_the_token(
    models: Path, tmp_path: Path
) -> None:
    serve = ["ip", "netns", "exec", SERVER, sys.executable, "-m", "stream_rnn", "serve"]
    serve += ["--models", str(models), "--port", "0", "--no-osc", "--host", "0.0.0.0"]
    log = tmp_path / "log"
    with (
        log.open("wb") as err,
        running(
            [*serve, "--token", "geheim"], stdout=subprocess.PIPE, stderr=err, patience=15
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        address = process.stdout.readline().decode().split("listening on ")[1].strip()
        assert asked(f"{address}/v1/models").startswith("401 ")
        assert asked(f"{address}/v1/models?token=geheim").startswith("200 ")
        assert asked(f"{address}/").startswith("200 <!doctype html>")
    said = log.read_text()
    assert "?token=TOKEN" in said and "geheim" not in said
