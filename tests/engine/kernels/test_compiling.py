"""Where compiled code is kept: named after what it was compiled from, and no error if nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_rnn.engine.kernels.compiling import cache_folder


def test_it_is_kept_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = cache_folder()
    assert folder and folder.is_dir() and folder.parent == tmp_path / "stream-rnn"


def test_where_it_cannot_be_kept_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "inside"))
    assert cache_folder() is None
