"""Debian's Chromium, driven by Playwright, and what a page of ours says to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PATIENCE = 20_000  # ms; the machine may be busy with other things

marks = [
    pytest.mark.peer,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium"),
]


@contextlib.contextmanager
def browsing(*flags: str) -> Iterator[Any]:
    """A Chromium, as Playwright's `Browser`."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS, *flags])
        yield chromium
        chromium.close()


class Sight:
    """One page of ours, in a context of its own."""

    def __init__(self, browser: Any, url: str, before: str = "", **options: Any) -> None:
        """Visits an address; `before` is a script that runs ahead of the page's own."""
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        if before:
            self.page.add_init_script(before)
        self.page.goto(url)

    def __enter__(self) -> Sight:
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()

    def until(self, condition: str, argument: Any = None) -> None:
        """Waits until a JavaScript expression over `page` (`window.streamRnn`) and `arg` holds."""
        sync_api = pytest.importorskip("playwright.sync_api")
        script = f"(arg) => {{ const page = window.streamRnn; return {condition}; }}"
        try:
            self.page.wait_for_function(script, arg=argument, timeout=PATIENCE)
        except sync_api.TimeoutError:
            known = self.page.evaluate("JSON.stringify(window.streamRnn ?? null)")
            pytest.fail(f"never came true: {condition}; {known} {self.page.inner_text('body')!r}")

    def know(self, expression: str) -> Any:
        """The value of such an expression."""
        return self.page.evaluate(
            f"(() => {{ const page = window.streamRnn; return {expression}; }})()"
        )

    def press(self, name: str) -> None:
        """Clicks a button by its name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def play(self, model: str = "verse", symbols: int = 5) -> str:
        """Plays, and waits until some symbols are shown; returns the session's name."""
        self.until("page?.connected")
        self.page.get_by_label("Model", exact=True).select_option(model)
        self.press("Play")
        self.until("page.shown >= arg", symbols)
        return str(self.know("page.session"))


def said(text: str) -> str:
    """A JavaScript expression: whether the page says something, wherever."""
    return f"document.body.innerText.includes({json.dumps(text)})"
