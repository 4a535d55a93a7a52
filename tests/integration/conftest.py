from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import make_models

from stream_rnn.bench.serve import running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real server of the tiny models, as process and address; one for a test module."""
    models: Path = make_models(tmp_path_factory.mktemp("served"))
    with running_server(models, "--max-sessions", "64") as running:
        yield running


@pytest.fixture
def address(server: tuple[subprocess.Popen[str], str]) -> str:
    return server[1]
