"""The page behind a real nginx: with the lines of docs/installing.md, and without some of them."""

from __future__ import annotations

import contextlib
import re
import socket
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from peers.chromium import Sight, browsing, marks, said
from peers.programs import free_port, needs, running, stream_rnn, until
from support import make_models
from talker import Talker

pytestmark = [*marks, needs("nginx")]

DOCS = Path(__file__).parents[2] / "docs" / "installing.md"
# A process of its own, which writes nothing outside its folder and ends with the tests.
CONFIG = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}
}}
"""


def documented() -> tuple[str, str]:
    """The two locations of docs/installing.md: for a whole name, and under a path."""
    blocks = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    locations = [re.search(r" *location .*?\n {4}\}\n", block, re.DOTALL) for block in blocks]
    whole, path = (textwrap.dedent(found[0]) for found in locations if found)
    return whole, path


def without(location: str, *lines: str) -> str:
    """The location, from which lines that contain something were left out."""
    kept = [line for line in location.splitlines() if not any(what in line for what in lines)]
    assert len(kept) < len(location.splitlines())
    return "\n".join(kept)


WHOLE, PATH = documented()
UPGRADE = ("proxy_http_version", "Upgrade", "Connection")
LOCATIONS = {
    "whole": WHOLE,
    "path": PATH,
    "host handed on": WHOLE.replace("}", "    proxy_set_header Host $http_host;\n}"),
    "another name": WHOLE.replace("}", "    proxy_set_header Host stage.example;\n}"),
    "no upgrade": without(WHOLE, *UPGRADE),
    "no upgrade under a path": without(PATH, *UPGRADE),
    "not allowed": WHOLE,
    "path not taken away": PATH.replace("8765/;", "8765;"),
    "no slash": PATH.replace("/rnn/", "/rnn"),
    "nobody there": WHOLE + WHOLE.replace("/ {", "/v1/ {").replace("8765", "{dead}"),
}
NOT_ALLOWED = {"another name", "not allowed"}  # of which the server knows nothing


@dataclass
class Proxied:
    """nginx before a server: an address for each location, and what the server logs."""

    addresses: dict[str, str]
    log: Path
    direct: str

    def __getitem__(self, name: str) -> str:
        return self.addresses[name]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("nginx")
    ports = {name: free_port(socket.SOCK_STREAM) for name in LOCATIONS}
    dead = str(free_port(socket.SOCK_STREAM))
    log = folder / "server.log"
    origins = [f"--origin=http://127.0.0.1:{port}/" for name, port in ports.items()
               if name not in NOT_ALLOWED]  # fmt: skip
    models = make_models(folder / "models")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(stream_rnn(models, log, *origins))
        own = server.http.rpartition(":")[2]
        servers = [
            f"server {{ listen 127.0.0.1:{ports[name]}; "
            f"{location.replace('{dead}', dead).replace('8765', own)} }}"
            for name, location in LOCATIONS.items()
        ]
        (folder / "nginx.conf").write_text(
            CONFIG.format(folder=folder, servers="\n".join(servers)), encoding="utf-8"
        )
        command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]
        stack.enter_context(running(command))
        for port in ports.values():
            until(lambda port=port: answers(port), 15, (folder / "error.log").read_text)  # type: ignore[misc]
        at = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        yield Proxied(at, log, server.http)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as chromium:
        yield chromium


def test_the_documented_lines_are_those_of_the_tests() -> None:
    assert WHOLE.startswith("location / {") and "proxy_pass http://127.0.0.1:8765;" in WHOLE
    assert PATH.startswith("location /rnn/ {") and "proxy_pass http://127.0.0.1:8765/;" in PATH
    assert all(line in where for line in UPGRADE for where in (WHOLE, PATH))


@pytest.mark.parametrize(
    ("where", "path"),
    [("whole", "/"), ("host handed on", "/"), ("path", "/rnn/"), ("path", "/rnn")],
)
def test_the_page_and_its_stream_work(
    proxied: Proxied, browser: Any, where: str, path: str
) -> None:
    with Sight(browser, proxied[where] + path) as sight:
        name = sight.play(symbols=30)
        under = path.rstrip("/") + "/"
        assert sight.page.url == f"{proxied[where]}{under}?session={name}"
        sight.press("Pause")
        sight.until("page.state === 'paused' && page.text.length === page.last + 1")
        shown = sight.know("page.text")
        # Another page finds it by its link, and by /v1/sessions how far it is.
        sight.page.reload()
        sight.until("page?.state === 'paused' && page.text === arg", shown)
    with Talker(proxied.direct) as talker:
        position = talker.ask("attach", "opened", session=name)["position"]
        assert position == len(shown)


def test_programs_stream_through_it(proxied: Proxied) -> None:
    for at in (proxied["whole"], proxied["path"] + "/rnn"):
        with Talker(at) as talker:
            talker.ask("open", "opened", model="verse", controls={"rate": 100})
            assert [symbol["n"] for symbol in talker.symbols(50)] == list(range(50))


@pytest.mark.parametrize(
    ("where", "path", "words"),
    [
        ("no upgrade", "/", "has to forward the headers Upgrade and Connection"),
        ("no upgrade under a path", "/rnn/", "has to forward the headers Upgrade and Connection"),
        ("not allowed", "/", "start the server with --origin {at}"),
        ("another name", "/", "not to 'stage.example'; if that name is yours, start the server"),
        ("path not taken away", "/rnn/", "a proxy that offers it under a path has to take"),
        ("nobody there", "/", "A proxy answers 502 Bad Gateway"),
        ("no slash", "/rnn", "script did not load"),
    ],
)
def test_the_page_says_what_is_missing(
    proxied: Proxied, browser: Any, where: str, path: str, words: str
) -> None:
    with Sight(browser, proxied[where] + path) as sight:
        sight.until(said(words.format(at=proxied[where])))


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("no upgrade", r"refused 127\.0\.0\.1: a WebSocket .*\(426\): .*Upgrade and Connection"),
        ("not allowed", r"refused 127\.0\.0\.1: WebSocket /v1/stream \(403\): .*--origin {at}"),
        ("another name", r"refused 127\.0\.0\.1: WebSocket /v1/stream \(421\): .*stage\.example"),
    ],
)
def test_the_log_says_it_once(proxied: Proxied, browser: Any, where: str, line: str) -> None:
    wanted = line.format(at=re.escape(proxied[where]))
    before = len(re.findall(wanted, proxied.log.read_text()))
    with Sight(browser, "about:blank") as sight:
        tried: list[Any] = []
        sight.page.on("websocket", lambda socket: tried.append(socket))
        sight.page.goto(proxied[where])
        until(lambda: sight.page.wait_for_timeout(100) or len(tried) >= 4)
    text = proxied.log.read_text()
    found = len(re.findall(wanted, text))
    # Another test may have had its line within the minute.
    assert found >= 1 and found - before <= 1, text
    assert "Traceback" not in text
