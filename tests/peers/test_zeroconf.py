"""Announced by zeroconf, found by others: in a network namespace, so that nothing leaves here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers.programs import needs, running, until
from support import make_models

pytestmark = [
    pytest.mark.peer,
    needs("ip"),
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces are for root"),
]

HERE = "10.9.9.1"
STRANGER = "10.8.8.1"

# A browser of OSC by others, in a process of its own: it finds the server by zeroconf alone.
BROWSER = """
import json, sys, time
from pythonoscquery.osc_query_browser import OSCQueryBrowser
from pythonoscquery.osc_query_client import OSCQueryClient
browser, end = OSCQueryBrowser(), time.monotonic() + 20
while time.monotonic() < end:
    if browser.get_discovered_osc() and browser.get_discovered_oscquery():
        break
    time.sleep(0.1)
(osc,), (query,) = browser.get_discovered_osc(), browser.get_discovered_oscquery()
client = OSCQueryClient(query)
info, node = client.get_host_info(), client.query_node("/rnn/main/channel")
print(json.dumps({
    "osc": [osc.name, osc.parsed_addresses(), osc.port],
    "query": [query.name, query.parsed_addresses(), query.port],
    "info": [info.name, info.osc_ip, info.osc_port, info.osc_transport, info.ws_port],
    "node": [node.full_path, node.value, node.access.value],
}), flush=True)
sys.stdin.read()  # until the server has gone
time.sleep(0.5)
print(json.dumps([len(browser.get_discovered_osc()), len(browser.get_discovered_oscquery())]))
browser.zc.close()
"""


@pytest.fixture
def inside() -> Iterator[list[str]]:
    """The words before a command that run it in a network of its own, which is only a loopback."""
    name = f"rnn{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no namespaces here: {made.stderr.strip()}")
    try:
        for words in (
            "link set lo up", "link set lo multicast on", f"addr add {HERE}/24 dev lo",
            f"addr add {STRANGER}/24 dev lo", "route add 224.0.0.0/4 dev lo",
        ):  # fmt: skip
            subprocess.run(["ip", "-n", name, *words.split()], check=True)
        yield ["ip", "netns", "exec", name]
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_a_browser_finds_the_server_and_reads_its_tree(
    inside: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever proxy there is, the browser of others would use it.
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    config = tmp_path / "serve.toml"
    config.write_text(
        f"""
        [osc]
        host = "{HERE}"
        allow = ["10.9.9.0/24"]
        [discovery]
        port = 0
        name = "the rig"
        [[session]]
        name = "main"
        model = "verse"
        """
    )
    log = tmp_path / "log"
    serve = [sys.executable, "-m", "stream_rnn", "serve", "--no-spare"]
    serve += ["--port", "0", "--osc-port", "0"]
    serve += ["--models", str(make_models(tmp_path / "models")), "--config", str(config)]
    with log.open("wb") as out:
        with running([*inside, *serve], stdout=out, stderr=out, patience=15) as server:
            text = until(lambda: "listening on http" in log.read_text() and log.read_text(),
                         60, log.read_text)  # fmt: skip
            assert isinstance(text, str)
            osc, query = (
                int(re.findall(rf"{what}://{HERE}:(\d+)", text)[0]) for what in ("udp", "http")
            )
            with running(
                [*inside, sys.executable, "-c", BROWSER],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            ) as browser:  # fmt: skip
                assert browser.stdout is not None and browser.stdin is not None
                found: dict[str, Any] = json.loads(browser.stdout.readline())
                assert found == {
                    "osc": ["the rig._osc._udp.local.", [HERE], osc],
                    "query": ["the rig._oscjson._tcp.local.", [HERE], query],
                    "info": ["the rig", HERE, osc, "UDP", None],
                    "node": ["/rnn/main/channel", [1], 3],
                }
                check_strangers(inside, query)
                server.terminate()
                server.wait(15)
                browser.stdin.close()
                assert json.loads(browser.stdout.readline()) == [0, 0], "it said goodbye"


ASK = """
import http.client, sys
there = http.client.HTTPConnection(sys.argv[2], int(sys.argv[3]), source_address=(sys.argv[1], 0))
there.request("GET", "/rnn/main")
print(there.getresponse().status)
"""


def check_strangers(inside: list[str], port: int) -> None:
    """Who may not send OSC may not look either."""
    for source, status in ((HERE, "200"), (STRANGER, "403")):
        ask = [*inside, sys.executable, "-c", ASK, source, HERE, str(port)]
        said = subprocess.run(ask, capture_output=True, text=True)
        assert said.stdout.strip() == status, said
