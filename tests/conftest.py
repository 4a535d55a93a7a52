"""Fixtures and marks.

The process that shares tests out among others (pytest-xdist) reads this file, too, and the others
wait for it. So what takes long to import is imported where it is used.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support import House

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection(session: pytest.Session) -> None:
    """Says how Hypothesis is to search, before the first test file is read."""
    if session.config.pluginmanager.hasplugin("dsession"):
        return  # it shares tests out, and reads no test file
    from hypothesis import settings

    # No deadline, since the machine may be busy with something else. The examples are the same
    # each time, so that a failure is due to a change; HYPOTHESIS_PROFILE=search looks for others,
    # and `make quick` tries a few of them.
    settings.register_profile("same", deadline=None, derandomize=True)
    settings.register_profile("quick", deadline=None, derandomize=True, max_examples=5)
    settings.register_profile("search", deadline=None, max_examples=1000)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with two tiny models, `verse` and `roll`."""
    from support import make_models

    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def house(models: Path) -> House:
    from support import House

    return House(models)


# Test files that judge times: `make test` runs them after all others, with nothing beside them.
ALONE = {
    "integration": ("attacks", "floods", "osc_attacks"),
    "peers": ("bench_midi", "signals", "sonic_pi", "sonic_pi_target"),
}
# Test files that take many seconds: `make quick` leaves them out.
SLOW = {
    "tests": ("arrows", "models", "scores", "card", "control_table", "soak"),
    "http": ("doors",),
    "bench": ("backprop", "chords", "osc", "serve"),
    "engine": ("histories",),
    "kernels": ("cuda", "integer", "paths", "reference"),
    "inspect": ("command", "lettering", "pictures"),
    "midi": ("grid",),
    "sessions": ("course",),
    "stage": ("another_model", "machine"),
    "train": ("counting", "hard_ends", "loop", "playlist", "recipes", "rows"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks test files, and orders them: tests that need long, and mostly wait, beside others.

    In one process tests of real programs come last, because quick tests should fail first. Where
    several processes share the work (pytest-xdist), their files stand between the others, so that
    rarely two of them run at once.
    """
    for item in items:
        room, name = item.path.parent.name, item.path.stem.removeprefix("test_")
        if name in ALONE.get(room, ()):
            item.add_marker("alone")
        if name in SLOW.get(room, ()):
            item.add_marker("slow")
    files = list(dict.fromkeys(item.path for item in items))
    real = [path for path in files if path.parent.name in ("integration", "peers")]
    others = [path for path in files if path not in real]
    order = {path: float(i) for i, path in enumerate(others)}
    if "PYTEST_XDIST_WORKER" in os.environ:
        order |= {path: i * len(others) / max(1, len(real)) - 0.5 for i, path in enumerate(real)}
        order |= {path: -1.0 for path in others if path.stem in ("test_models", "test_scores")}
    else:
        order |= {path: len(others) + i for i, path in enumerate(real)}
    items.sort(key=lambda item: order[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where peers are required (CI), a skipped test of a peer counts as failed."""
    report = yield
    required = os.environ.get("STREAM_RNN_PEERS") == "required"
    if required and report.skipped and item.get_closest_marker("peer"):
        report.outcome = "failed"
        report.longrepr = f"a test of a real program was skipped: {report.longrepr}"
    return report
