from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from support import House, make_models

torch.set_num_threads(1)
# No deadline, since the machine may be busy with something else. The examples are the same each
# time, so that a failure is due to a change; HYPOTHESIS_PROFILE=search looks for others, and
# `make quick` tries a few of them.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("quick", deadline=None, derandomize=True, max_examples=10)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with two tiny models, `verse` and `roll`."""
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def house(models: Path) -> House:
    return House(models)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of real programs come last: quick tests should fail first."""
    items.sort(key=lambda item: "peers" in item.path.parts)


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
