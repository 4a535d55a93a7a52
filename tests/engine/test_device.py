import pytest
import torch

from stream_rnn.engine import device
from stream_rnn.engine.device import device_works, pick_device
from stream_rnn.errors import ConfigError


def test_a_device_that_computes_works() -> None:
    assert device_works("cpu")


def test_a_device_that_refuses_everything_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch, "ones", refuse)
    assert not device_works("cuda")


def test_auto_is_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_driver_has_device", lambda: True)
    for there, picked in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert pick_device("auto") == picked
    assert pick_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="cuda"):
        pick_device("cuda")
