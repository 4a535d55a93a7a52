"""How the page looks to a performer and to an audience: what is in view, and what is not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from peers.chromium import Sight, browsing, marks
from support import make_categorical_model, make_models

from stream_rnn.bench.serve import running_server
from stream_rnn.codecs.ensemble import EnsembleCodec

pytestmark = marks

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = make_models(tmp_path_factory.mktemp("models"))
    for players in (2, 3, 8):
        make_categorical_model(models / f"band-{players}", EnsembleCodec.usual(players))
    with running_server(models) as (_, address):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as chromium:
        yield chromium


@pytest.mark.parametrize("count", range(1, 9))
def test_no_place_of_a_band_stays_empty(server: str, browser: Any, count: int) -> None:
    gap = 20.0
    with Sight(browser, server) as sight:
        for width, height in [(1340.0, 760.0), (960.0, 700.0), (366.0, 390.0), (300.0, 900.0)]:
            places = sight.page.evaluate(
                """async (given) => (await import("/js/band-view.js")).seats(...given)""",
                [count, width, height, gap],
            )
            assert len(places) == count
            # The places and the gaps between them are the whole.
            rows = sorted({place["y"] for place in places})
            assert sum(
                (place["wide"] + gap) * (place["high"] + gap) for place in places
            ) == pytest.approx((width + gap) * (height + gap))
            in_rows = [[p for p in places if p["y"] == y] for y in rows]
            for row in in_rows:
                assert row[0]["x"] == 0
                assert row[-1]["x"] + row[-1]["wide"] == pytest.approx(width)
            assert len(in_rows[0]) <= len(in_rows[-1]) <= len(in_rows[0]) + 1
            off = [abs(math.log(place["wide"] / place["high"] / 1.6)) for place in places]
            assert max(off) < 1.2 or count < 4, "wide enough for words, high enough for a finger"


INKED = """(canvas) => {
    const { width, height } = canvas;
    const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    const found = new Set();
    for (let y = 4; y < height; y += 8) for (let x = 4; x < width; x += 8) {
        if (data[4 * (y * width + x) + 3]) {
            found.add(`${Math.floor((4 * x) / width)} ${Math.floor((4 * y) / height)}`);
        }
    }
    return found.size;
}"""


@pytest.mark.parametrize("players", [2, 3, 8])
def test_a_band_fills_the_stage(server: str, browser: Any, players: int) -> None:
    with Sight(browser, server) as sight:
        sight.play(f"band-{players}", symbols=3 * players)
        sight.until("page.notes.drawn === arg", players)
        sight.press("Pause")
        assert sight.page.locator("#roll").evaluate(INKED) == 16, "of 4 times 4 parts"


@pytest.mark.parametrize("model", ["band-8", "roll", "verse"])
def test_a_laptop_shows_the_whole_desk(server: str, browser: Any, model: str) -> None:
    for height in (720, 800, 900, 960, 1040, 1200):
        with Sight(browser, server, viewport={"width": 1440, "height": height}) as sight:
            sight.play(model)
            desk = sight.page.locator("#desk")
            assert desk.evaluate("(desk) => desk.scrollHeight - desk.clientHeight") <= 0
            assert sight.page.get_by_role("button", name="Copy link").is_visible()


def test_on_a_phone_the_sound_button_hides_nobody(server: str, browser: Any) -> None:
    with Sight(browser, server, viewport=PHONE) as sight:
        sight.play("band-3")
        button, roll = (sight.page.locator(name).bounding_box() for name in ("#sound", "#roll"))
        assert button["y"] >= roll["y"] + roll["height"]
        assert button["y"] + button["height"] <= sight.know("innerHeight") * 0.58 + 1
        for figure in sight.page.locator("#figures div").all():
            if figure.is_visible():
                box = figure.bounding_box()
                assert box["x"] + box["width"] <= button["x"]


def test_an_audience_sees_neither_pointer_nor_button(server: str, browser: Any) -> None:
    with Sight(browser, server) as desk:
        name = desk.play("roll")
        with Sight(browser, f"{server}/?stage&session={name}") as stage:
            stage.until("page?.state === 'playing' && page.shown > 3")
            seen = """[getComputedStyle(document.getElementById("sound")).opacity,
                       getComputedStyle(document.getElementById("stage")).cursor]"""
            stage.until(f"{seen}.join() === '0,none'")
            # Whoever works the projector moves the mouse, and finds it.
            stage.page.mouse.move(300, 300)
            stage.page.mouse.move(320, 300)
            stage.until(f"{seen}.join() === '1,auto'")
            stage.press("Sound on")
            stage.until("page.notes.voices > 0")


def test_the_newest_line_is_in_view_on_a_slow_machine(server: str, browser: Any) -> None:
    """Five frames a second, as of a small computer behind a large projector."""
    slow = (
        "window.requestAnimationFrame = (draw) => setTimeout(() => draw(performance.now()), 200);"
    )
    with Sight(browser, server, slow) as sight:
        sight.until("page?.connected")
        sight.page.get_by_label("Model", exact=True).select_option("verse")
        sight.page.get_by_label("Prime", exact=True).fill("ab\n" * 60)
        sight.page.get_by_role("slider", name="Rate", exact=True).fill("60")
        sight.press("Play")
        sight.until("page.shown > 240")
        sight.page.wait_for_timeout(1000)
        newest, stage = (
            sight.page.locator(name).bounding_box() for name in (".line >> nth=-1", "#scroller")
        )
        assert newest["y"] + newest["height"] < stage["height"] * 0.75


def test_history_has_the_colour_of_what_is_in_force(server: str, browser: Any) -> None:
    """A page that joins does not know what was; a seam would say that something changed."""
    with Sight(browser, server) as desk:
        desk.until("page?.connected")
        desk.page.get_by_label("Model", exact=True).select_option("verse")
        desk.page.get_by_role("slider", name="Temperature", exact=True).fill("1.6")
        name = desk.play(symbols=30)
        with Sight(browser, f"{server}/?session={name}") as other:
            other.until("page?.state === 'playing' && page.shown > 60")
            other.press("Pause")
            inks = (
                """new Set([...document.querySelectorAll(".run")].map((r) => r.dataset.ink)).size"""
            )
            assert other.know(inks) == 1
