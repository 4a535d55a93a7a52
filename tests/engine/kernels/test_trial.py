"""The trial tells a kernel that computes something else from one that does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stream_rnn.engine.kernels import integer
from stream_rnn.engine.kernels.paths import PATHS
from stream_rnn.engine.kernels.reference import ReferenceKernel
from stream_rnn.engine.kernels.trial import differs
from stream_rnn.engine.numerics.states import State
from stream_rnn.errors import ConfigError


class Saturating(ReferenceKernel):
    """Its sums are cut off, as `pmaddubsw` would do."""

    def outputs(self, state: State) -> Any:
        found = super().outputs(state)
        return np.clip(found, -np.abs(found).max() / 4, np.abs(found).max() / 4)


class Fused(ReferenceKernel):
    """A cell is another float in its last bit."""

    def step(self, *given: Any) -> State:
        made = super().step(*given)
        made.cell[-1, -1, -1] = np.nextafter(made.cell[-1, -1, -1], np.float32(2))
        return made


def test_it_says_what_differs() -> None:
    assert differs(ReferenceKernel) == ""
    assert "outputs" in differs(Saturating)
    assert "cells" in differs(Fused) and "states" not in differs(Fused)


def test_a_path_that_fails_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAM_RNN_KERNEL", raising=False)
    monkeypatch.setattr(integer, "_passes", lambda path: path.name == "plain")
    assert integer.choose_path() is PATHS["plain"]
    monkeypatch.setattr(integer, "_passes", lambda path: False)
    for name in (None, "plain"):
        with pytest.raises(ConfigError, match="plain does not compute"):
            integer.choose_path(name)


def test_a_path_that_llvm_refuses_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Any) -> None:
        raise RuntimeError("no such instruction")

    integer._passes.cache_clear()
    monkeypatch.setattr(integer, "loaded", refused)
    assert not integer._passes(PATHS["plain"])
    integer._passes.cache_clear()
