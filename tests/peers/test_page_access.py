"""What the page keeps to itself and asks of the browser: the token, and a screen that stays on."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from peers.chromium import Sight, browsing, marks, said
from support import make_models

from stream_rnn.bench.serve import running_server

pytestmark = marks

TOKEN = "geheim ß&/"
QUOTED = "geheim+%C3%9F%26%2F"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[str]:
    with running_server(models) as (_, address):
        yield address


@pytest.fixture(scope="module")
def guarded(models: Path) -> Iterator[str]:
    """The address of a server that asks for a token."""
    with running_server(models, "--token", TOKEN) as (_, address):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as chromium:
        yield chromium


# Pages of other servers


ASKS = """async ([address, token]) => {
    const Authorization = `Bearer ${token}`;  // such a request is asked about first (CORS)
    const answers = {};
    for (const path of ["/v1/models", "/v1/sessions"]) {
        const answer = await fetch(address + path, { headers: { Authorization } });
        answers[path] = await answer.json();
    }
    const refused = await fetch(address + "/v1/models");
    answers.refused = [refused.status, await refused.text()];
    answers.hello = await new Promise((resolve, reject) => {
        const url = address.replace("http", "ws") + "/v1/stream?token=" + token;
        const socket = new WebSocket(url, "stream-rnn.v1");
        socket.onmessage = ({ data }) => resolve(JSON.parse(data).type);
        socket.onerror = () => reject(new Error("no WebSocket"));
    });
    return answers;
}"""


@contextlib.contextmanager
def elsewhere(folder: Path) -> Iterator[str]:
    """Another web server with a page on it."""
    (folder / "index.html").write_text("<!doctype html><title>ours</title>")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_that_was_allowed_reads_and_streams_and_others_do_not(
    models: Path, browser: Any, tmp_path: Path
) -> None:
    with elsewhere(tmp_path) as ours:
        with running_server(models, "--token", "t", "--origin", f"{ours}/") as (_, address):
            with Sight(browser, ours) as sight:
                answers = sight.page.evaluate(ASKS, [address, "t"])
                assert [model["name"] for model in answers["/v1/models"]["models"]] == [
                    "roll", "verse",
                ]  # fmt: skip
                assert answers["/v1/sessions"] == {"sessions": []}
                assert answers["refused"][0] == 401 and "token" in answers["refused"][1]
                assert answers["hello"] == "hello"
            # The same page under another name is another origin.
            with Sight(browser, ours.replace("127.0.0.1", "localhost")) as sight:
                said = sight.page.evaluate(
                    f"(given) => ({ASKS})(given).catch((error) => error.message)", [address, "t"]
                )
                assert said == "Failed to fetch"


# The token


def test_the_token_leaves_the_address_and_goes_on_working(guarded: str, browser: Any) -> None:
    with Sight(browser, f"{guarded}/?token={QUOTED}") as sight:
        assert sight.page.url == f"{guarded}/"
        assert sight.know("history.length") == 2, "about:blank and this; no way back to the token"
        name = sight.play()
        assert sight.page.url == f"{guarded}/?session={name}"
        sight.page.reload()
        sight.until("page?.state === 'playing' && page.shown > 5")
        assert sight.page.url == f"{guarded}/?session={name}"
        # Links are for other tabs and devices, which have to come in, too.
        for link in ("Stage view", "Fork"):
            with sight.context.expect_page() as opened:
                sight.page.get_by_role("link", name=link).click()
            there = opened.value
            there.wait_for_function("() => window.streamRnn?.connected && streamRnn.shown > 2")
            assert "token" not in there.url and "geheim" not in there.url
            there.close()
        assert "token" not in sight.page.url and "geheim" not in sight.page.inner_text("body")


def test_a_copied_link_lets_others_in(guarded: str, browser: Any) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with Sight(browser, f"{guarded}/?token={QUOTED}", permissions=permissions) as sight:
        name = sight.play()
        sight.press("Copy link")
        sight.until(said("The link is copied"))
        link = sight.page.evaluate("navigator.clipboard.readText()")
        assert link == f"{guarded}/?session={name}&token={QUOTED}"
        with Sight(browser, link) as friend:
            friend.until("page?.state === 'playing'")
            assert friend.page.url == f"{guarded}/?session={name}"


def test_a_link_is_copied_where_there_is_no_clipboard_to_ask(guarded: str, browser: Any) -> None:
    """As on a page that comes by http:// from another machine."""
    before = 'Object.defineProperty(navigator, "clipboard", { value: undefined });'
    with Sight(browser, f"{guarded}/?token={QUOTED}", before) as sight:
        name = sight.play()
        sight.press("Copy link")
        sight.until(said("The link is copied"))
        sight.page.locator("#prime").focus()
        sight.page.keyboard.press("Control+V")
        assert sight.page.locator("#prime").input_value().endswith(f"session={name}&token={QUOTED}")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "The server asks for a token: open the page with ?token=… in its address."),
        ("?token=wrong", "The server does not take this token"),
        ("?token=%FF%FE", "The server does not take this token"),
    ],
)
def test_without_the_right_token_the_page_says_what_to_do(
    guarded: str, browser: Any, query: str, words: str
) -> None:
    with Sight(browser, f"{guarded}/{query}") as sight:
        sight.until(said(words))
        sight.until(said("no connection"))
        assert not sight.know("page.connected")


def test_without_storage_the_token_works_until_a_reload(guarded: str, browser: Any) -> None:
    refuses = """Object.defineProperty(window, "sessionStorage", {
        get() { throw new DOMException("denied", "SecurityError"); } });"""
    with Sight(browser, f"{guarded}/?token={QUOTED}", refuses) as sight:
        sight.play()
        assert "token" not in sight.page.url
        sight.page.reload()
        sight.until(said("The server asks for a token"))


def test_a_server_that_comes_back_is_no_trouble(server: str, browser: Any) -> None:
    """The WebSocket failed while it was away, and the question why reaches it as it is back."""
    with Sight(browser, server) as sight:
        heard = sight.page.evaluate(
            """async () => {
                const { Trouble } = await import("/js/trouble.js");
                const heard = [];
                window.fetch = async () => {
                    const answer = answers[heard.length];
                    if (!answer) throw new TypeError("Failed to fetch");
                    return new Response(null, { status: answer });
                };
                const answers = [0, 204, 0, 204, 204, 204];
                const trouble = new Trouble(new URL("http://localhost/v1/stream"));
                for (const _ of answers) {
                    const words = await trouble.find();
                    heard.push([words !== "", trouble.isOver]);
                }
                return heard;
            }"""
        )
        nothing, again, proxy = [False, False], [False, True], [True, False]
        assert heard == [nothing, again, nothing, again, proxy, proxy]


# The wake lock


# In place of the browser's, so that what is asked of it can be counted and refused. It is let go
# as the browser lets it go: when the page is hidden.
LOCKS = """
window.locks = { asked: 0, held: 0, refuse: false, hold: null };
Object.defineProperty(navigator, "wakeLock", { value: { async request(kind) {
    if (kind !== "screen") throw new TypeError(kind);
    locks.asked += 1;
    if (locks.hold) await locks.hold;
    if (locks.refuse) throw new DOMException("the battery is low", "NotAllowedError");
    const lock = new EventTarget();
    const hidden = () => document.hidden && lock.release();
    lock.released = false;
    lock.release = async () => {
        if (lock.released) return;
        lock.released = true;
        locks.held -= 1;
        document.removeEventListener("visibilitychange", hidden);
        lock.dispatchEvent(new Event("release"));
    };
    document.addEventListener("visibilitychange", hidden);
    locks.held += 1;
    return lock;
} } });
let hidden = false;
Object.defineProperty(document, "hidden", { get: () => hidden });
window.hide = (value) => { hidden = value; document.dispatchEvent(new Event("visibilitychange")); };
"""


def test_the_screen_stays_on_while_it_plays(server: str, browser: Any) -> None:
    with Sight(browser, server, LOCKS) as sight:
        sight.until("page?.connected")
        assert sight.know("locks.asked") == 0
        sight.play()
        sight.until("locks.held === 1 && page.awake")
        sight.press("Pause")
        sight.until("locks.held === 0 && !page.awake")
        sight.press("Play")
        sight.until("locks.held === 1")
        # The browser takes it while the page is hidden, and it is asked for again.
        sight.know("hide(true)")
        assert sight.know("locks.held") == 0 and not sight.know("page.awake")
        sight.know("hide(false)")
        sight.until("locks.held === 1 && page.awake")
        assert sight.know("locks.asked") == 3
        # Paused while it was hidden, it stays as it is.
        sight.know("hide(true)")
        sight.press("Pause")
        sight.until("page.state === 'paused'")
        sight.know("hide(false)")
        sight.page.wait_for_timeout(200)
        assert sight.know("[locks.asked, locks.held]") == [3, 0]


def test_the_screen_of_who_only_watches_stays_on_too(server: str, browser: Any) -> None:
    with Sight(browser, server, LOCKS) as desk:
        name = desk.play()
        with Sight(browser, f"{server}/?stage&session={name}", LOCKS) as stage:
            stage.until("page?.state === 'playing' && locks.held === 1")
            desk.press("Pause")
            stage.until("page.state === 'paused' && locks.held === 0")


def test_a_lock_that_comes_after_the_pause_is_let_go(server: str, browser: Any) -> None:
    with Sight(browser, server, LOCKS) as sight:
        sight.know("locks.hold = new Promise((resolve) => { window.grant = resolve; }), 0")
        sight.play()
        sight.press("Pause")
        sight.until("page.state === 'paused'")
        assert sight.know("[locks.asked, locks.held]") == [1, 0]
        sight.know("grant()")
        sight.page.wait_for_timeout(200)
        assert sight.know("[locks.asked, locks.held]") == [1, 0] and not sight.know("page.awake")


def test_a_refused_lock_is_no_error_and_is_asked_for_again(server: str, browser: Any) -> None:
    with Sight(browser, server, LOCKS) as sight:
        wrong: list[str] = []
        sight.page.on("pageerror", lambda error: wrong.append(str(error)))
        sight.page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
        sight.know("locks.refuse = true")
        sight.play()
        assert sight.know("locks.asked") >= 1 and not sight.know("page.awake")
        sight.know("locks.refuse = false")
        sight.page.locator("#scroller").click()
        sight.until("page.awake && locks.held === 1")
        assert wrong == []


def test_the_browsers_own_lock_is_held(server: str, browser: Any) -> None:
    with Sight(browser, server) as sight:
        sight.play()
        sight.until("page.awake")
        sight.press("Pause")
        sight.until("!page.awake")


@pytest.mark.parametrize("missing", ["undefined", "null"])
def test_a_browser_without_locks_plays(server: str, browser: Any, missing: str) -> None:
    before = f'Object.defineProperty(navigator, "wakeLock", {{ value: {missing} }});'
    with Sight(browser, server, before) as sight:
        wrong: list[str] = []
        sight.page.on("pageerror", lambda error: wrong.append(str(error)))
        sight.play(symbols=20)
        sight.press("Pause")
        sight.until("page.state === 'paused'")
        assert wrong == []


def test_the_lock_is_kept_while_a_lost_connection_comes_back(server: str, browser: Any) -> None:
    before = (
        LOCKS
        + """
        const Real = WebSocket;
        window.WebSocket = function (...words) { return (window.socket = new Real(...words)); };
    """
    )
    with Sight(browser, server, before) as sight:
        sight.play()
        sight.until("locks.held === 1")
        sight.know("socket.close()")
        sight.until("!page.connected")
        assert sight.know("locks.held") == 1
        sight.until("page.connected && page.state === 'playing'")
        assert sight.know("[locks.asked, locks.held]") == [1, 1]
