from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch

from stream_rnn import cli
from stream_rnn.bench import engine, onnx_peer
from stream_rnn.nets.network import Architecture, RecurrentNetwork

SMALL = {"hidden": 16, "layers": 2, "symbols": 11, "turns": 2, "turn": 0.001}


def test_each_peer_has_its_ratio() -> None:
    threads = torch.get_num_threads()
    result = engine.bench_engine(**SMALL, rows=(1, 64))  # type: ignore[arg-type]
    peers = {"per_session_64"} | {
        f"{kind}_{rows}" for kind in ("batched", "onnx", "onnx_int8") for rows in (1, 64)
    }
    assert result["ratios"].keys() == result["ratios_without_draw"].keys() == peers
    ours = {f"{kind}_{rows}" for kind in ("ours", "ours_undrawn") for rows in (1, 64)}
    assert result["steps_per_second"].keys() == peers | ours
    assert min(*result["steps_per_second"].values(), *result["ratios"].values()) > 0
    assert not result["skipped"] and json.dumps(result)
    assert torch.get_num_threads() == threads
    told = engine.describe(result)
    assert "onnx_int8_64" in told and "batches of at most 64" in told


def test_without_onnx_there_is_a_line_and_no_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(onnx_peer.importlib, "import_module", missing)
    result = engine.bench_engine(**SMALL, rows=(1,))  # type: ignore[arg-type]
    assert result["ratios"].keys() == {"batched_1"}
    assert result["skipped"] in engine.describe(result)
    assert "stream-rnn[bench]" in result["skipped"]


@pytest.mark.parametrize(("name", "near"), [("onnx", 1e-5), ("onnx_int8", 0.2)])
def test_onnx_steps_the_same_network(name: str, near: float) -> None:
    torch.manual_seed(2)
    network = RecurrentNetwork(Architecture(11, 0, 16, 2, "categorical"))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    steppers, skipped = onnx_peer.onnx_steppers(network, 3)
    assert not skipped
    step = steppers[name]
    for _ in range(4):
        step()
    logits = step.__self__.logits  # type: ignore[attr-defined]
    with torch.no_grad():
        expected, _ = network(torch.ones(3, 4, dtype=torch.long), torch.zeros(3, 1, 0),
                              network.zero_state(3))  # fmt: skip
    assert np.abs(logits - expected[:, -1].numpy()).max() < near
    assert expected.abs().max() > 1


def test_the_command_prints_one_document(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    small = functools.partial(engine.bench_engine, **SMALL, rows=(1,))  # type: ignore[arg-type]
    monkeypatch.setattr(engine, "bench_engine", small)
    assert cli.main(["bench", "engine", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["ratios"].keys() == {"batched_1", "onnx_1", "onnx_int8_1"} and not err
