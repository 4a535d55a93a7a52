"""Where compiled code is kept: named after what it was compiled from, and no error if nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_rnn.engine.kernels import compiling
from stream_rnn.engine.kernels.compiling import cache_folder, here, is_cached, kept_as, object_file
from stream_rnn.engine.kernels.paths import PATHS

PLAIN = PATHS["plain"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "stream-rnn"


def test_it_is_kept_in_the_users_cache(cache: Path) -> None:
    assert cache_folder() == cache and cache.is_dir()


def test_what_is_kept_is_compiled_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(compiling, "compiled", lambda *_: made.append(1) or b"code")
    assert not is_cached(PLAIN)
    assert object_file(PLAIN) == b"code" and is_cached(PLAIN)
    assert object_file(PLAIN) == b"code" and len(made) == 1
    (kept,) = cache.iterdir()
    for damage in (b"", b"short", kept.read_bytes()[:-1]):
        kept.write_bytes(damage)
        assert object_file(PLAIN) == b"code"
    assert len(made) == 4 and list(cache.iterdir()) == [kept]


def test_where_it_cannot_be_kept_it_is_made(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.touch()  # a file where the folder would be
    monkeypatch.setattr(compiling, "compiled", lambda *_: b"code")
    assert cache_folder() is None and not is_cached(PLAIN)
    assert object_file(PLAIN) == b"code"


def test_it_is_named_after_its_sources_and_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = here(PLAIN)
    names = {kept_as(PLAIN, machine), kept_as(PLAIN, machine._replace(processor="another"))}
    monkeypatch.setattr(compiling, "PARTS", compiling.PARTS[:-1])
    names.add(kept_as(PLAIN, machine))
    assert len(names) == 3 and all(name.startswith("plain-") for name in names)
