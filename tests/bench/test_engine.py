from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch

from stream_rnn import cli
from stream_rnn.bench import engine, onnx_peer
from stream_rnn.bench.peak import TURNS, Peak
from stream_rnn.bench.steppers import Ours, Sessions
from stream_rnn.engine.kernels.paths import PATHS, Path, has
from stream_rnn.nets.network import Architecture, RecurrentNetwork

SMALL = {"hidden": 16, "layers": 2, "symbols": 11, "turns": 2, "turn": 0.001}
KINDS = ("batched", "onnx_float32", "onnx_int8")


def test_each_peer_has_its_ratio() -> None:
    threads = torch.get_num_threads()
    result = engine.bench_engine(**SMALL, rows=(1, 64))  # type: ignore[arg-type]
    peers = {"per_session_64"} | {f"{kind}_{rows}" for kind in KINDS for rows in (1, 64)}
    assert result["ratios"].keys() == peers
    assert result["steps_per_second"].keys() == peers | {"ours_1", "ours_64", "engine_64"}
    assert min(*result["steps_per_second"].values(), *result["ratios"].values()) > 0
    assert 0 < result["engine_share_64"] < 2 and result["peak_share_64"] >= 0
    assert result["path"] in PATHS and result["peak"]["path"] in PATHS
    assert ("tiles" in result) == (result["path"] == "amx")
    assert not result["skipped"] and json.dumps(result)
    assert torch.get_num_threads() == threads
    told = engine.describe(result)
    assert "onnx_int8_64" in told and "engine_64" in told and "products of 8 bits" in told


def test_without_onnx_there_is_a_line_and_no_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(onnx_peer.importlib, "import_module", missing)
    result = engine.bench_engine(**SMALL, rows=(1,))  # type: ignore[arg-type]
    assert result["ratios"].keys() == {"batched_1"}
    assert result["skipped"] in engine.describe(result)
    assert "stream-rnn[bench]" in result["skipped"]
    assert engine.breaches(result) == []


def test_a_bound_that_is_missed_is_named() -> None:
    good = {"ratios": {"onnx_int8_64": 1.3, "onnx_int8_1": 1.6, "per_session_64": 200.0,
                       "batched_64": 0.1}, "peak_share_64": 0.65}  # fmt: skip
    assert engine.breaches(good) == []
    bad = {"ratios": good["ratios"] | {"onnx_int8_1": 1.59}, "peak_share_64": 0.6}  # type: ignore[operator]
    assert engine.breaches(bad) == ["onnx_int8_1: 1.59, not 1.6", "peak_share_64: 0.6, not 0.65"]


def test_products_of_a_network_are_counted() -> None:
    """Of the first layer its own states, of the next both, of the last the outputs."""
    a = Architecture(7, 0, 10, 3, "categorical")
    assert engine.products(a) == 10 * 40 + 2 * 20 * 40 + 10 * 7


@pytest.mark.parametrize("path", [path for path in PATHS.values() if has(path)])
def test_the_peak_is_of_as_many_products_as_it_says(path: Path) -> None:
    peak = Peak(path)
    peak.run()
    assert peak.products > 100_000
    if path.group == 4 and not path.tiles:  # 1 * 1, and three times nothing
        assert (peak._sums[: path.rows * path.width] == 1 + TURNS).all()
        assert peak.products == path.rows * path.width * 4 * TURNS


def test_ours_draws_for_every_row_and_the_engine_does_the_same() -> None:
    network = RecurrentNetwork(Architecture(11, 0, 16, 1, "categorical")).requires_grad_(False)
    ours, sessions = Ours(network, 5, PATHS["plain"]), Sessions(network, 5)
    for n in range(40):
        ours.step()
        sessions.step()
        kept = sessions.slots._states
        rows = [kept.place(slot, n) for slot in range(5)]
        assert (kept.symbols[rows, 0] == ours.symbols[::1, 0]).all()
    assert len(set(ours.symbols[:, 0].tolist())) > 1


@pytest.mark.parametrize(("name", "near"), [("onnx_float32", 1e-5), ("onnx_int8", 0.2)])
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
    assert json.loads(out)["ratios"].keys() == {f"{kind}_1" for kind in KINDS} and not err
