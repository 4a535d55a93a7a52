"""The page in a real browser, against a real server.

One Chromium and one server serve all tests; each test has a context and sessions of its own.
The page is driven as a person drives it, by roles and accessible names; what it shows is
compared with what the server says it sent.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from peers.chromium import PATIENCE, browsing, marks
from websockets.sync.client import ClientConnection, connect

sync_api = pytest.importorskip("playwright.sync_api")

# As in a browser with a person in front of it: no sound before the first click.
SILENT = "--autoplay-policy=document-user-activation-required"
ARTISTS = ("Anna", "Bert", "Clara", "Dora", "Emil", "Frida", "Gustav", "Hedwig")

pytestmark = marks


# The server


def make_models(root: Path) -> None:
    """A text model with artists, and one of each domain of music, all untrained."""
    import torch

    from stream_rnn.checkpoint import Card, save_model
    from stream_rnn.codecs.abc import AbcCodec
    from stream_rnn.codecs.base import Codec
    from stream_rnn.codecs.ensemble import EnsembleCodec
    from stream_rnn.codecs.performance import PerformanceCodec
    from stream_rnn.codecs.pianoroll import PianorollCodec
    from stream_rnn.codecs.tablature import TablatureCodec
    from stream_rnn.codecs.text import TextCodec
    from stream_rnn.codecs.touch import TouchCodec
    from stream_rnn.nets.network import Architecture, RecurrentNetwork

    torch.manual_seed(1)
    text = TextCodec("\n abcdefghijklmnopqrstuvwxyz")
    architecture = Architecture(text.size, len(ARTISTS), 32, 1, text.head)
    card = Card("verse", "Untrained verse", text.to_json(), architecture.to_json(), ARTISTS,
                {"rate": 30.0}, ("once upon ", "the night "))  # fmt: skip
    save_model(root / "verse", card, RecurrentNetwork(architecture), half=False)
    roll = PianorollCodec()
    architecture = Architecture(roll.size, 0, 32, 1, roll.head)
    # An untrained network would press half of the keys.
    card = Card("piano", "Untrained piano", roll.to_json(), architecture.to_json(), (),
                {"rate": 8.0, "density": -3.5})  # fmt: skip
    save_model(root / "piano", card, RecurrentNetwork(architecture), half=False)
    music: dict[str, tuple[Codec, dict[str, float]]] = {
        "tunes": (AbcCodec(["M:4/4", "K:Dmaj", *"ABcdef", "2", "|"]), {"rate": 24.0}),
        "recital": (PerformanceCodec(), {"rate": 60.0}),
        "guitar": (TablatureCodec(), {"rate": 12.0}),
        "band": (EnsembleCodec.usual(), {"rate": 8.0}),
        "hand": (TouchCodec(["x", "y", "pressure"], 16, 0.05), {"rate": 60.0}),
    }
    for name, (codec, defaults) in music.items():
        architecture = Architecture(codec.size, 0, 16, 1, codec.head)
        card = Card(name, f"Untrained {name}", codec.to_json(), architecture.to_json(), (),
                    defaults)  # fmt: skip
        save_model(root / name, card, RecurrentNetwork(architecture), half=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server."""
    models = tmp_path_factory.mktemp("models")
    make_models(models)
    log = tmp_path_factory.mktemp("log") / "stderr"
    command = [sys.executable, "-m", "stream_rnn", "serve", "--models", str(models)]
    command += ["--port", "0", "--no-osc"]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "listening on " in line, log.read_text()
            yield line.split("listening on ")[1].strip()
        finally:
            process.terminate()
            process.wait(20)


def sessions(server: str) -> dict[str, Any]:
    """What `/v1/sessions` says, by name."""
    with urllib.request.urlopen(f"{server}/v1/sessions", timeout=10) as response:
        return {s["session"]: s for s in json.load(response)["sessions"]}


@dataclass
class Client:
    """Another client of the server."""

    socket: ClientConnection

    def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Sends a message and returns its answer."""
        self.socket.send(json.dumps({"type": kind, "id": "ask", **fields}))
        while True:
            message: dict[str, Any] = json.loads(self.socket.recv(timeout=10))
            if message.get("id") == "ask":
                assert message["type"] != "error", message
                return message

    def history(self, session: str) -> list[dict[str, Any]]:
        """Every symbol that the session has."""
        position = self.ask("attach", session=session, after=-1)["position"]
        symbols: list[dict[str, Any]] = []
        while len(symbols) < position:
            message = json.loads(self.socket.recv(timeout=10))
            if message["type"] == "symbol":
                symbols.append(message)
        return symbols

    def text(self, session: str) -> str:
        """What the session has said."""
        return "".join(symbol["text"] for symbol in self.history(session))


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    with connect(server.replace("http", "ws") + "/v1/stream") as websocket:
        yield Client(websocket)


class Proxy:
    """Carries TCP to the server until it is cut."""

    def __init__(self, server: str) -> None:
        host, port = server.removeprefix("http://").split(":")
        self.server, self._target = server, (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._whole = True
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def cut(self) -> None:
        """Ends every connection, and lets none through."""
        with self._lock:
            self._whole = False
            for end in self._pairs:
                self._shut(end)

    def mend(self) -> None:
        """Lets connections through again."""
        self._whole = True

    def close(self) -> None:
        self.cut()
        self._shut(self._listener)
        self._accepting.join(5)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()
        for end in self._pairs:
            end.close()

    @staticmethod
    def _shut(end: socket.socket) -> None:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it had ended already

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._pairs += [near, far]
            for source, sink in ((near, far), (far, near)):
                thread = threading.Thread(target=self._carry, args=(source, sink))
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass  # cut
        self._shut(sink)


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    with closing(Proxy(server)) as it:
        yield it


# The browser


@dataclass
class Visit:
    """A page, and what it complained of."""

    page: Any
    errors: list[str] = field(default_factory=list)
    was_cut: bool = False  # then the browser may complain of connections that failed

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def slider(self, name: str) -> Any:
        return self.page.get_by_role("slider", name=name, exact=True)

    def know(self, name: str) -> Any:
        """One of the figures that the page shows to tests."""
        return self.page.evaluate(f"window.streamRnn.{name}")

    def until(self, condition: str, *arguments: Any) -> None:
        """Waits until a JavaScript expression over `page` (and `arg`) holds."""
        try:
            self.page.wait_for_function(
                f"(arg) => {{ const page = window.streamRnn; return {condition}; }}",
                arg=arguments[0] if arguments else None,
                timeout=PATIENCE,
            )
        except sync_api.TimeoutError:
            known = self.page.evaluate("JSON.stringify(window.streamRnn)")
            said = self.page.get_by_role("alert").inner_text()
            pytest.fail(f"never came true: {condition}; {known} {said!r} {self.errors}")

    def choose(self, model: str, *, rate: float = 60) -> None:
        """Chooses a model and, so that tests are short, a rate."""
        self.until("page.connected")
        self.page.get_by_label("Model", exact=True).select_option(model)
        self.slider("Rate").fill(str(rate))

    def play(self, model: str = "verse", *, rate: float = 60, symbols: int = 20) -> str:
        """Lets a model play until some symbols are shown; returns the session's name."""
        self.choose(model, rate=rate)
        self.button("Play").click()
        self.until("page.shown >= arg", symbols)
        name = self.know("session")
        assert isinstance(name, str)
        return name

    def pause(self) -> None:
        """Pauses, and waits until everything that came is shown."""
        self.button("Pause").click()
        self.until("page.state === 'paused'")

    def shown_text(self) -> str:
        """The verse in the document."""
        text = self.page.get_by_role("log").evaluate("(element) => element.textContent")
        assert isinstance(text, str)
        return text


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing(SILENT) as chromium:
        yield chromium


@pytest.fixture
def visit(browser: Any, server: str) -> Iterator[Any]:
    """Opens pages; what they complain of fails the test."""
    contexts = []
    visits = []

    def open_page(
        path: str = "/", *, at: str = server, width: int = 1280, height: int = 800, **options: Any
    ) -> Visit:
        viewport = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        it = Visit(page)
        visits.append(it)
        page.on("console", lambda m: it.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: it.errors.append(str(error)))
        page.goto(at + path)
        return it

    yield open_page
    for context in contexts:
        context.close()
    for it in visits:
        cut = ("WebSocket connection to", "Failed to load resource: net::ERR_")
        forgiven = cut if it.was_cut else ()
        assert [e for e in it.errors if not any(words in e for words in forgiven)] == []


def await_equal(get: Any, wanted: Any, seconds: float = 10.0) -> None:
    """Waits for what takes its way through page and server."""
    deadline = time.monotonic() + seconds
    while (got := get()) != wanted:
        assert time.monotonic() < deadline, f"{got!r}, not {wanted!r}"
        time.sleep(0.05)


# Verse


def test_shows_what_the_server_sent(visit: Any, client: Client) -> None:
    it = visit()
    it.choose("verse")
    it.page.get_by_label("Prime", exact=True).fill("once upon ")
    it.button("Play").click()
    it.until("page.text.length > 60")
    name = it.know("session")
    it.pause()
    history = client.history(name)
    it.until("page.text.length === arg", len(history))
    assert it.shown_text() == "".join(symbol["text"] for symbol in history)
    assert "".join(it.page.locator(".fed").all_text_contents()) == "once upon "
    assert it.know("last") == len(history) - 1
    assert f"session={name}" in it.page.url


def test_pause_stops_and_play_goes_on(visit: Any, server: str, client: Client) -> None:
    it = visit()
    name = it.play()
    it.pause()
    assert sessions(server)[name]["status"] == "paused"
    position = sessions(server)[name]["position"]
    it.until("page.text.length === arg", position)
    it.page.wait_for_timeout(400)
    assert sessions(server)[name]["position"] == position
    assert len(it.shown_text()) == position
    it.button("Play").click()
    it.until("page.text.length > arg", position + 10)
    it.pause()
    await_equal(it.shown_text, client.text(name))


def test_space_plays_and_pauses_but_not_where_one_writes(visit: Any) -> None:
    it = visit()
    it.choose("verse")
    it.page.locator("body").press(" ")
    it.until("page.shown > 5")
    it.page.locator("body").press(" ")
    it.until("page.state === 'paused'")
    it.page.get_by_label("Prime", exact=True).press_sequentially("a b")
    assert it.page.get_by_label("Prime", exact=True).input_value() == "a b"
    assert it.know("state") == "paused"


def test_reset_starts_over(visit: Any, client: Client) -> None:
    it = visit()
    name = it.play(symbols=80)
    it.pause()
    before = client.text(name)
    it.button("Reset").click()
    it.until("page.text.length === 0 && page.last === -1")
    it.button("Play").click()
    it.until("page.text.length > 40")
    it.pause()
    await_equal(it.shown_text, client.text(name))
    # The seed is the same, and a stream is a function of it.
    assert it.shown_text()[:40] == before[:40]


def test_a_prime_is_fed_into_the_stream(visit: Any, client: Client) -> None:
    it = visit()
    name = it.play()
    it.button("the night").click()
    it.until("document.querySelector('.fed') !== null")
    it.pause()
    assert "the night " in client.text(name)
    await_equal(it.shown_text, client.text(name))


def test_page_stays_small(visit: Any, client: Client) -> None:
    it = visit()
    name = it.play()
    it.pause()
    for i in range(4):
        line = "a line of a long poem without an end\n" if i % 2 else "one line " * 4
        client.ask("feed", session=name, symbols=line * 100)
    text = client.text(name)
    assert len(text) > 14_000
    it.until("page.last === arg", len(text) - 1)
    it.until("page.shown > arg", len(text) - 1)
    shown = it.shown_text()
    assert 7000 < len(shown) < 10_000 and text.endswith(shown)
    assert it.page.evaluate("document.querySelectorAll('#verse *').length") < 2000
    client.ask("close", session=name)  # or the engine would go on reading it for a while


def test_letters_settle_into_runs(visit: Any) -> None:
    it = visit()
    it.play(symbols=100)
    assert it.page.evaluate("document.querySelectorAll('.fresh').length") > 0
    it.pause()
    it.until("document.querySelectorAll('.fresh').length === 0")
    elements = it.page.evaluate("document.querySelectorAll('.run').length")
    assert elements <= 2 * (it.shown_text().count("\n") + it.shown_text().count("\f") + 1)


def test_no_letter_moves_for_those_who_want_it_calm(visit: Any, client: Client) -> None:
    it = visit(reduced_motion="reduce")
    name = it.play(symbols=60)
    assert it.page.evaluate("document.querySelectorAll('.fresh').length") == 0
    it.pause()
    await_equal(it.shown_text, client.text(name))


# Controls


def test_temperature_reaches_the_session(visit: Any, server: str) -> None:
    it = visit()
    name = it.play()
    it.slider("Temperature").fill("1.45")
    await_equal(lambda: sessions(server)[name]["controls"]["temperature"], 1.45)
    # The first letter that obeys is marked.
    it.until("document.querySelector('.tick') !== null")
    assert it.page.locator(".cue").first.get_attribute("data-label") == "temperature 1.45"


def test_a_dragged_slider_is_coalesced(visit: Any, server: str) -> None:
    it = visit()
    name = it.play()
    it.page.evaluate(
        """() => {
            window.sent = 0;
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (data) {
                if (data.includes('"control"')) window.sent += 1;
                return send.call(this, data);
            };
        }"""
    )
    started = time.monotonic()
    it.page.evaluate(
        """async () => {
            const slider = document.getElementById("rate");
            for (let i = 0; i < 60; i += 1) {
                slider.value = 20 + i / 2;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
                await new Promise((done) => setTimeout(done, 5));
            }
        }"""
    )
    took = time.monotonic() - started
    await_equal(lambda: sessions(server)[name]["controls"]["rate"], 49.5)
    sent = it.page.evaluate("window.sent")
    assert 2 <= sent <= 3 + took * 20


def test_artists_are_added_blended_and_removed(visit: Any, server: str) -> None:
    it = visit()
    name = it.play()
    for word in ("hed", "cla"):
        it.page.get_by_label("Add artist", exact=True).fill(word)
        it.page.keyboard.press("Enter")
    await_equal(lambda: sessions(server)[name]["controls"]["artist"], {"Clara": 0.5, "Hedwig": 0.5})
    it.slider("Clara").fill("25")
    await_equal(lambda: sessions(server)[name]["controls"]["artist"], {"Clara": 0.2, "Hedwig": 0.8})
    assert it.page.locator(".voice output").all_text_contents() == ["80%", "20%"]
    it.button("Remove").first.click()
    await_equal(lambda: sessions(server)[name]["controls"]["artist"], {"Clara": 1.0})
    it.button("Remove").first.click()
    await_equal(lambda: len(sessions(server)[name]["controls"]["artist"]), len(ARTISTS))


def test_what_others_do_moves_the_desk(visit: Any, client: Client) -> None:
    it = visit()
    name = it.play()
    controls = {"temperature": 0.35, "artist": {"Emil": 3, "Dora": 1}, "seed": 77}
    client.ask("control", session=name, controls=controls)
    await_equal(it.slider("Temperature").input_value, "0.35")
    await_equal(it.page.locator(".voice output").all_text_contents, ["75%", "25%"])
    await_equal(it.page.get_by_label("Seed", exact=True).input_value, "77")
    client.ask("pause", session=name)
    it.until("page.state === 'paused'")


def test_what_is_set_before_playing_holds_from_the_start(visit: Any, server: str) -> None:
    it = visit()
    it.choose("verse", rate=25)
    it.slider("Temperature").fill("0.5")
    it.page.get_by_label("Seed", exact=True).fill("1234")
    it.button("Play").click()
    it.until("page.shown > 3")
    controls = sessions(server)[it.know("session")]["controls"]
    assert [controls[c] for c in ("temperature", "seed", "rate")] == [0.5, 1234, 25]


def test_a_refusal_is_shown(visit: Any) -> None:
    it = visit()
    it.play()
    it.page.get_by_label("Seed", exact=True).fill("9999999999999999")
    it.page.get_by_label("Seed", exact=True).press("Enter")
    toast = it.page.get_by_role("alert").get_by_text("seed must be from 0 to")
    toast.wait_for()


# Connections and viewers


def test_after_a_lost_connection_every_letter_is_there_once(
    visit: Any, proxy: Proxy, client: Client
) -> None:
    it = visit(at=proxy.address)
    name = it.play()
    for _ in range(2):
        proxy.cut()
        it.until("!page.connected")
        last = it.know("last")
        it.page.get_by_text("reconnecting").wait_for()
        it.page.wait_for_timeout(500)  # the stream goes on without us
        proxy.mend()
        it.until("page.connected && page.last > arg + 25", last)
    it.pause()
    await_equal(it.shown_text, client.text(name))
    it.was_cut = True


def test_a_reset_while_we_were_away_is_noticed(visit: Any, proxy: Proxy, client: Client) -> None:
    it = visit(at=proxy.address)
    name = it.play(symbols=15)
    proxy.cut()
    it.until("!page.connected")
    client.ask("control", session=name, controls={"seed": 5, "rate": 200})
    client.ask("reset", session=name)
    last = it.know("last")
    await_equal(lambda: sessions(proxy.server)[name]["position"] > last + 20, True)
    proxy.mend()
    it.until("page.connected && page.state === 'playing' && page.last > arg + 20", last)
    it.pause()
    await_equal(it.shown_text, client.text(name))
    it.was_cut = True


def test_a_rewind_while_we_were_away_is_noticed(visit: Any, proxy: Proxy, client: Client) -> None:
    it = visit(at=proxy.address)
    name = it.play(symbols=30)
    proxy.cut()
    it.until("!page.connected")
    client.ask("rewind", session=name, to=10)
    client.ask("control", session=name, controls={"seed": 5, "rate": 200})
    last = it.know("last")
    await_equal(lambda: sessions(proxy.server)[name]["position"] > last + 20, True)
    assert sessions(proxy.server)[name]["epoch"] == 1
    proxy.mend()
    it.until("page.connected && page.state === 'playing' && page.last > arg + 20", last)
    it.pause()
    await_equal(it.shown_text, client.text(name))
    it.was_cut = True


def test_a_change_that_waits_for_its_bar_is_shown_until_it_holds(
    visit: Any, client: Client, server: str
) -> None:
    it = visit()
    name = it.play(symbols=10)
    client.ask("attach", session=name)
    # The bar does not come before everybody has looked: it is paused, right after one.
    client.ask("pause", session=name)
    position = sessions(server)[name]["position"]
    step = {"type": "step", "session": name, "count": 16 - position % 16 + 1}
    client.socket.send(json.dumps(step))  # its answer are the symbols
    await_equal(lambda: sessions(server)[name]["position"] % 16, 1)
    client.ask("control", session=name, controls={"temperature": 1.5, "artist": "Emil"}, at="bar")
    heat = it.page.locator("#temperature-value")
    sync_api.expect(heat).to_have_attribute("data-next", "1.5")
    sync_api.expect(it.page.locator("#blend h2")).to_have_attribute("data-next", "Emil")
    sync_api.expect(heat).to_have_text("1")  # it does not hold yet
    late = visit(f"/?session={name}")
    late.until("page.state === 'paused'")
    sync_api.expect(late.page.locator("#temperature-value")).to_have_attribute("data-next", "1.5")
    client.ask("control", session=name, controls={"temperature": 0.5})
    sync_api.expect(heat).to_have_text("0.5")
    for one in (it, late):  # the other change is still to come
        sync_api.expect(one.page.locator("#temperature-value[data-next]")).to_have_count(0)
        sync_api.expect(one.page.locator("#blend h2")).to_have_attribute("data-next", "Emil")
    client.ask("play", session=name)
    sync_api.expect(it.page.locator("#blend h2[data-next]")).to_have_count(0)
    assert sessions(server)[name]["controls"]["artist"] == {"Emil": 1.0}


def test_a_link_shows_the_same_session(visit: Any, client: Client) -> None:
    first = visit()
    name = first.play(symbols=40)
    second = visit(f"/?session={name}")
    second.until("page.state === 'playing' && page.text.length > 20")
    second.pause()
    first.until("page.state === 'paused'")
    text = client.text(name)
    await_equal(first.shown_text, text)
    await_equal(second.shown_text, text)
    second.page.reload()
    second.until("page.state === 'paused'")
    await_equal(second.shown_text, text)


def test_the_stage_shows_the_verse_alone_and_follows_the_model(visit: Any) -> None:
    desk = visit()
    name = desk.play(symbols=10)
    link = desk.page.get_by_role("link", name="Stage view")
    assert "stage" in link.get_attribute("href") and name in link.get_attribute("href")
    stage = visit("/" + link.get_attribute("href"))
    stage.until("page.state === 'playing' && page.shown > 10")
    assert not stage.button("Play").is_visible()
    assert not stage.slider("Temperature").is_visible()
    # The performer takes another model: the same session's name, another stream.
    desk.page.get_by_label("Model", exact=True).select_option("piano")
    stage.until("page.state === 'playing' && page.notes.drawn > 5")
    assert stage.know("session") == desk.know("session") == name


def test_a_name_that_nobody_has_opened_yet_is_kept(visit: Any, server: str) -> None:
    it = visit("/?session=tonight")
    it.until("page.state === 'waiting'")
    it.button("Play").click()
    it.until("page.shown > 0")
    assert sessions(server)["tonight"]["status"] == "playing"


FADERS = ("temperature", "rate", "density", "velocity", "transpose")


@pytest.mark.parametrize("model", ["verse", "piano", "band"])
def test_the_faders_have_the_ranges_that_hello_gives(
    visit: Any, client: Client, model: str
) -> None:
    hello = json.loads(client.socket.recv(timeout=10))
    it = visit()
    it.choose(model)
    domain = next(m["domain"] for m in hello["models"] if m["name"] == model)
    for name in FADERS:
        row = hello["controls"][name]
        input = it.page.locator(f"#{name}")
        have = {key: float(input.get_attribute(key)) for key in ("min", "max", "step")}
        assert have == {key: row["fader"][key] for key in have}
        fits = domain in row.get("domains", [domain])
        sounds = domain != "text" or name in ("temperature", "rate")
        assert input.is_visible() == (fits and sounds), name
    scales = domain in hello["controls"]["pitches"]["domains"]
    assert it.page.get_by_label("Scale", exact=True).is_visible() == scales


# Piano


BLANK = """(canvas) => canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data.every((channel) => channel === 0)"""


def test_the_piano_is_drawn_and_sounds(visit: Any, server: str) -> None:
    it = visit()
    name = it.play("piano", rate=10, symbols=12)
    canvas = it.page.get_by_role("img", name=re.compile("Piano roll"))
    assert canvas.is_visible()
    assert not canvas.evaluate(BLANK)
    it.until("page.notes.on > 5 && page.notes.voices > 0")
    it.button("Sound off").wait_for()  # the click on Play was the gesture that sound needs
    it.page.get_by_label("Scale", exact=True).select_option("minor pentatonic")
    it.page.get_by_label("Tonic", exact=True).select_option("A")
    await_equal(lambda: sessions(server)[name]["controls"].get("pitches"), "A minor pentatonic")
    it.slider("Density").fill("-1")
    it.slider("Velocity").fill("100")
    it.slider("Transpose").fill("-12")
    dials = {"density": -1, "velocity": 100, "transpose": -12}
    await_equal(lambda: {dial: sessions(server)[name]["controls"][dial] for dial in dials}, dials)
    it.pause()
    it.until("page.notes.voices === 0")


@pytest.mark.parametrize("model", ["tunes", "recital", "guitar", "band", "hand"])
def test_every_domain_is_drawn_and_sounds(visit: Any, client: Client, model: str) -> None:
    it = visit()
    name = it.play(model, symbols=30)
    assert not it.page.get_by_role("img", name=re.compile("Piano roll")).evaluate(BLANK)
    it.until("page.notes.drawn > 1 && page.notes.on > 1 && page.notes.voices > 0")
    it.pause()
    it.until("page.notes.voices === 0")
    if model == "tunes":
        await_equal(it.shown_text, client.text(name))


def test_the_lead_of_a_band_is_played_by_hand(visit: Any, client: Client) -> None:
    it = visit()
    name = it.play("band", rate=20, symbols=8)
    it.page.keyboard.press("3")
    it.page.get_by_role("button", name="3 slow taps", pressed=True).wait_for()
    it.until("page.last > arg", it.know("last") + 12)
    it.page.get_by_role("button", name="2 fast taps").click()
    it.page.get_by_role("button", name="2 fast taps", pressed=True).wait_for()
    it.until("page.last > arg", it.know("last") + 12)
    it.page.keyboard.press("0")
    it.page.get_by_role("button", name="let the network lead", disabled=True).wait_for()
    it.pause()
    led = [s["event"]["gesture"] for s in client.history(name) if s.get("fed")]
    assert 2 in led and led[-1] == 1 and set(led) == {2, 1}


def test_rewind_goes_on_another_way_from_there(visit: Any, client: Client) -> None:
    it = visit()
    name = it.play("verse", rate=20, symbols=100)
    it.pause()
    before = client.history(name)
    it.button("Rewind").click()
    it.until("page.last < arg", len(before) - 70)
    after = client.history(name)
    assert [s["text"] for s in after] == [s["text"] for s in before[: len(after)]]
    await_equal(it.shown_text, "".join(s["text"] for s in after))


def test_a_fork_is_a_twin_on_a_page_of_its_own(visit: Any, client: Client) -> None:
    it = visit()
    name = it.play(symbols=40)
    it.pause()
    twin = visit("/" + it.page.get_by_role("link", name="Fork").get_attribute("href"))
    twin.until("page.state === 'paused' && page.shown > 40")
    assert twin.know("session") != name
    await_equal(twin.shown_text, it.shown_text())
    twin.button("Play").click()
    twin.until("page.text.length > arg", len(it.shown_text()) + 10)
    assert it.know("state") == "paused"


def test_chords_are_written_to_prime_a_roll(visit: Any, client: Client) -> None:
    it = visit()
    it.choose("piano", rate=10)
    it.page.get_by_label("Prime", exact=True).fill("C4 Eb4 67 | a3")
    it.button("Play").click()
    it.until("page.shown > 12")
    symbols = client.history(it.know("session"))
    assert [s["notes"] for s in symbols if s.get("fed")] == [[60, 63, 67]] * 4 + [[57]] * 4


def test_sound_waits_for_a_gesture(visit: Any, client: Client) -> None:
    name = client.ask("open", model="piano")["session"]
    it = visit(f"/?session={name}")
    it.until("page.notes.on > 3")
    assert it.know("notes.voices") == 0
    it.button("Sound on").click()
    it.until("page.notes.voices > 0")
    it.button("Sound off").click()
    it.button("Sound on").wait_for()


def test_notes_end_when_the_connection_does(visit: Any, proxy: Proxy) -> None:
    it = visit(at=proxy.address)
    it.play("piano", rate=10, symbols=8)
    it.until("page.notes.voices > 0")
    proxy.cut()
    it.until("!page.connected && page.notes.voices === 0")
    it.was_cut = True


# The page


@pytest.mark.parametrize("model", ["verse", "piano"])
@pytest.mark.parametrize("path", ["/", "/?stage"])
def test_fits_a_phone(visit: Any, client: Client, model: str, path: str) -> None:
    name = client.ask("open", model=model, prime="a" * 200 if model == "verse" else [])["session"]
    it = visit(f"{path}{'&' if '?' in path else '?'}session={name}", width=390, height=844)
    it.until("page.shown > 5")
    assert it.page.evaluate("document.documentElement.scrollWidth") <= 390
    if path == "/":
        it.pause()
    client.ask("close", session=name)


def test_parts(visit: Any) -> None:
    """The modules that need no page, on their own."""
    it = visit()
    result = it.page.evaluate(
        """async () => {
            const { ClockSync } = await import("/js/clock.js");
            const { NoteTracker } = await import("/js/notes.js");
            const { Lead } = await import("/js/audio.js");
            const { shares, percents, search } = await import("/js/blend.js");
            const { ControlLog } = await import("/js/control-log.js");
            const { backoff } = await import("/js/connection.js");
            const { tint } = await import("/js/tint.js");
            const { ends, inputOf, reaching, valueOf } = await import("/js/faders.js");

            const clock = new ClockSync({ keep: 3 });
            clock.begin(100, 0);
            const guess = clock.offset;
            clock.add(0, 100.5, 100.5, 0.6); // slow, and only one way
            clock.add(1, 101.01, 101.01, 1.02);
            const offset = clock.offset;
            for (let i = 2; i < 5; i += 1) clock.add(i, i + 50.1, i + 50.1, i + 0.2);

            const tracker = new NoteTracker();
            const notes = [[0, [60, 64]], [1, [60]], [2, [60, 67]], [4, [60]]].map(
                ([n, pitches]) => tracker.frame(n, pitches));

            const lead = new Lead();
            const placed = [lead.place(0.02), lead.place(-0.1), lead.place(-0.1)];

            const log = new ControlLog();
            log.add(3, { temperature: 1 });
            log.add(8, { temperature: 2 }, [{ name: "temperature", label: "hot" }]);

            const bent = { min: 2, max: 42, step: 1, curve: 2 };
            return {
                guess, offset, forgotten: clock.offset, trip: clock.roundTrip,
                notes, released: tracker.release(), placed,
                shares: shares({ a: 3, b: 1 }), none: shares({ a: 0 }) === undefined,
                percents: percents({ a: 1 / 3, b: 1 / 3, c: 1 / 3 }),
                search: search(["Émile Zola", "Jean Zay", "Ezra"], "z"),
                log: [log.at(2)?.temperature, log.at(7).temperature, log.at(8).temperature],
                cues: log.cues(7, 8).map((cue) => cue.label),
                backoff: [0, 3, 99].map((attempt) => backoff(attempt, 0.5)),
                straight: ends({ min: -6, max: 6, step: 0.1, curve: 1 }),
                curved: { ends: ends(bent), half: valueOf(bent, 0.5), back: inputOf(bent, 12),
                          beyond: inputOf(bent, 99) },
                reaching: [0.5, 90, 20, undefined].map((value) => reaching(bent, value)),
                cold: tint(0), same: tint(0.7) === tint(0.71), beyond: tint(7) === tint(2),
            };
        }"""
    )
    assert result["guess"] == 100
    assert result["offset"] == pytest.approx(100)
    assert result["forgotten"] == pytest.approx(50)
    assert result["trip"] == pytest.approx(0.2)
    assert result["notes"] == [
        {"on": [60, 64], "off": []},
        {"on": [], "off": [64]},
        {"on": [67], "off": []},
        {"on": [60], "off": [60, 67]},  # a frame is missing: what was held is not known
    ]
    assert result["released"] == [60]
    assert result["placed"] == pytest.approx([0.05, 0.01, 0.01], abs=0.002)
    assert result["shares"] == {"a": 0.75, "b": 0.25} and result["none"]
    assert sorted(result["percents"].values()) == [33, 33, 34]
    assert result["search"] == ["Émile Zola", "Jean Zay", "Ezra"]
    assert result["log"] == [None, 1, 2] and result["cues"] == ["hot"]
    assert result["straight"] == {"min": -6, "max": 6, "step": 0.1}
    places = {"min": 0, "max": 1, "step": 0.001}
    assert result["curved"] == {"ends": places, "half": 12, "back": 0.5, "beyond": 1}
    reached = [(fader["min"], fader["max"]) for fader in result["reaching"]]
    assert reached == [(0.5, 42), (2, 90), (2, 42), (2, 42)]
    assert result["backoff"] == [250, 2000, 8000]
    assert result["cold"] == "140, 190, 240" and result["same"] and result["beyond"]
