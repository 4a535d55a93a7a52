"""The kernel by torch gives the reference's bits: on a CPU here, and on CUDA where that is."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from goldens import GOLDENS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from whole import CELLS, HEADS, WRITTEN, golden_by_advance, written_kind, written_network

from stream_rnn.checkpoint import find_models, load_counting, load_quantised, read_card
from stream_rnn.engine import kernels
from stream_rnn.engine import messages as m
from stream_rnn.engine.core import Core, EngineOptions
from stream_rnn.engine.kernels import cuda_functions, cuda_sums, cuda_trial, make_kernel
from stream_rnn.engine.kernels.cuda import CudaKernel
from stream_rnn.engine.kernels.cuda_batch import Kind
from stream_rnn.engine.kernels.cuda_sums import (
    LEAST_ROWS,
    ExactSums,
    has_whole_products,
    multiplies_whole,
)
from stream_rnn.engine.kernels.reference import ReferenceKernel
from stream_rnn.engine.numerics import functions, randoms
from stream_rnn.engine.numerics.sums import ExactSums as NumpySums
from stream_rnn.errors import ConfigError

MODELS = find_models(Path(__file__).parents[3] / "models")
CUDA = pytest.param(
    "cuda",
    marks=[
        pytest.mark.cuda,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    ],
)
DEVICES = ["cpu", CUDA]
# On a CPU, where it takes some seconds, one of each head.
A_FEW = ("star-trek", "nottingham", "nottingham-joint")
SHIPPED = [
    *(pytest.param("cpu", name, id=f"cpu-{name}") for name in A_FEW),
    *(
        pytest.param("cuda", name, id=f"cuda-{name}", marks=CUDA.marks)
        for name in MODELS
        if not name.endswith("-markov")
    ),
]


def whole_products(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """What `torch._int_mm` does on CUDA, and what it asks for there."""
    assert states.dtype == weights.dtype == torch.int8
    assert states.shape[0] > 16 and states.shape[1] % 8 == 0 and weights.shape[1] % 8 == 0
    assert weights.stride(0) == 1, "by columns"
    return (states.long() @ weights.long()).int()


@pytest.fixture(params=["floats", "whole"])
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to multiply, on whatever device."""
    if request.param == "whole":
        monkeypatch.setattr(cuda_sums, "has_whole_products", lambda device: True)
        monkeypatch.setattr(torch, "_int_mm", whole_products)
    return str(request.param)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", WRITTEN)
def test_written_networks_stream_what_they_always_did(device: str, name: str) -> None:
    assert golden_by_advance(CudaKernel(written_kind(name), device), 300) == WRITTEN[name]


@pytest.mark.parametrize(("device", "name"), SHIPPED)
def test_shipped_models_stream_what_they_always_did(device: str, name: str) -> None:
    network = load_quantised(MODELS[name], read_card(MODELS[name]))
    assert golden_by_advance(CudaKernel(network, device), 1000) == GOLDENS[name]


@pytest.mark.parametrize("name", WRITTEN)
def test_the_reference_streams_the_same_by_what_an_engine_calls(name: str) -> None:
    assert golden_by_advance(ReferenceKernel(written_kind(name)), 300) == WRITTEN[name]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("head", HEADS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_batch_is_what_the_reference_makes(
    device: str, products: str, cell: str, head: str, seed: int
) -> None:
    """States at scattered places, any number of rows, every control, symbols that take turns."""
    dice = np.random.default_rng(seed)
    hidden, layers = int(dice.integers(1, 40)), int(dice.integers(1, 4))
    network = written_network(cell, head, hidden=hidden, layers=layers)
    kernel, reference = CudaKernel(network, device), ReferenceKernel(network)
    for rows in (1, int(dice.integers(2, LEAST_ROWS)), int(dice.integers(LEAST_ROWS, 90))):
        for bends in (False, True):
            of_one, of_other = (
                cuda_trial.outcome(each, network.architecture, rows, seed=seed, bends=bends)
                for each in (kernel, reference)
            )
            assert of_one == of_other


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("head", HEADS)
def test_what_is_not_drawn_is_stepped_and_its_symbol_left(device: str, head: str) -> None:
    """Many steps without a draw, of which none waits for the last, and then one with."""
    network = written_network("gru", head)
    a = network.architecture
    found = []
    for kernel in (CudaKernel(network, device), ReferenceKernel(network)):
        dice = np.random.default_rng(3)
        by = cuda_trial.some_settings(kernel, a, 5, dice, bends=True)
        room, slots = kernel.room(10), np.arange(5)
        for slot in slots:
            kernel.put(room, slot, kernel.zero_state(1))
        at, after, made = slots, slots + 5, np.full((5, a.symbols if a.keys else 1), 77)
        for n in range(40):
            symbols = dice.integers(0, 2, made.shape)
            by.constant[n % 5] = kernel.constant(dice.random(3).tolist())
            kernel.changed(n % 5)
            kernel.advance(symbols, slots, slots, by, at, after, room, made, draw=n == 39)
            at, after = after, at
            assert (made == 77).all() == (n < 39)
        states = [kernel.export_state(kernel.get(room, int(place))) for place in at]
        found.append((made.tolist(), states))
    assert found[0] == found[1]


@pytest.mark.parametrize("device", DEVICES)
def test_rooms_and_settings_may_be_exchanged(device: str) -> None:
    network = written_network()
    kernel = CudaKernel(network, device)
    first, again = (
        cuda_trial.outcome(kernel, network.architecture, 9, seed=seed, bends=True)
        for seed in (1, 1)
    )
    assert first == again
    assert first != cuda_trial.outcome(kernel, network.architecture, 9, seed=2, bends=True)


# Under an engine


def told_by_an_engine(models: Path, device: str) -> list[bytes]:
    """All that it sends of sessions that come, are changed, go back, are fed and go."""
    dice = random.Random(4)
    core = Core(EngineOptions(find_models(models), device=device, rollback=16, batch=48))
    codecs = {name: read_card(models / name).make_codec() for name in ("verse", "roll")}
    sent, opened, generation = [core.ready().left_out], {}, 0
    committed: dict[int, int] = {}

    def changed(key: int) -> m.Settings:
        codec, text = codecs[opened[key]], opened[key] == "verse"
        allowed = codec.pack(np.array([[dice.random() < 0.8 for _ in range(88)]]))
        return m.Settings(
            dice.choice([0.0, 0.6, 1.0, 1.4]), top_k=dice.choice([0, 3]),
            top_p=dice.choice([0.8, 1.0]), density=dice.uniform(-1, 1), seed=key,
            artists=dice.choice([(1.0, 0.0, 0.0), (0.2, 0.3, 0.5)]) if text else (),
            allowed=b"" if text or dice.random() < 0.5 else allowed,
        )  # fmt: skip

    for now in range(60):
        for key in {60: [], **{n * 3: range(n * 5, n * 5 + 5) for n in range(9)}}.get(now, []):
            opened[key], committed[key] = dice.choice(["verse", "roll"]), 0
            generation += 1
            plan = m.Plan(key, generation, 0, ((0, changed(key)),))
            sent.append(core.apply([m.Open(key, opened[key]), plan]))
        for key in dice.sample(sorted(opened), 5):
            generation += 1
            slots, slot = core._where[key]
            position = max(0, int(slots.next[slot]) - dice.randrange(12))
            codec = codecs[opened[key]]
            fed = b""
            if dice.random() < 0.5:
                fed = codec.pack(np.array([3, 1, 2]) if opened[key] == "verse" else np.eye(3, 88))
            later = (position + 4, changed(key))
            schedule = ((position, changed(key)), later)
            sent.append(core.apply([m.Plan(key, generation, position, schedule, fed)]))
        for key in opened:
            committed[key] += dice.randrange(10)
        columns = [np.array(list(committed)), np.array(list(committed.values()))]
        zeros = np.zeros(len(committed))
        arrays = (*columns, columns[1], zeros, zeros)
        core.apply([m.Credits(*(array.tobytes() for array in arrays))])
        while (made := core.step(float(now)))[0]:
            sent.append(made[0])
    assert not any(isinstance(event, m.Failed) for events in sent for event in events)
    assert any(isinstance(event, m.Snapshot) for events in sent for event in events)
    return [m.encode(events) for events in sent[1:]]


@pytest.mark.timeout(600)  # the CPU's kernel may be compiled first
@pytest.mark.parametrize("device", DEVICES)
def test_an_engine_sends_the_same_whatever_steps_it(
    models: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = told_by_an_engine(models, "cpu")
    if device == "cpu":
        monkeypatch.setenv("STREAM_RNN_KERNEL", "torch")
    assert told_by_an_engine(models, device) == expected


class Refusing(TorchDispatchMode):
    """Lets through what may be captured and is rounded once; all of it on one device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, found = str(func), func(*args, **(kwargs or {}))
        for word in ("scalar_dense", "nonzero", "masked_select", "addc", "addmm", "lerp", "pow"):
            assert word not in name
        if ".div." in name:
            assert all(isinstance(arg, torch.Tensor) for arg in args), "a product, on CUDA"
        assert not isinstance(found, torch.Tensor) or found.is_meta, f"{name} is the host's"
        return found


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("head", HEADS)
def test_what_is_captured_asks_the_device_nothing(products: str, cell: str, head: str) -> None:
    """On a device that has no numbers, so that nothing can be asked."""
    network = written_network(cell, head)
    kernel, dice = CudaKernel(network, "meta"), np.random.default_rng(1)
    room = kernel.room(10)
    by = cuda_trial.some_settings(kernel, network.architecture, 5, dice, bends=True)
    batch = kernel._batch(5, by, room)
    for kind in (Kind(False), Kind(True), Kind(True, True)):
        run = batch._captured(kind)
        with Refusing():
            run()
            batch._go_on()


# Its parts


@pytest.mark.parametrize("device", DEVICES)
def test_functions_give_the_bits_of_numpy(device: str) -> None:
    dice = np.random.default_rng(1)
    near = dice.normal(size=200_000) * 10 ** dice.uniform(-9, 2, 200_000)
    values = np.concatenate([near, np.arange(-126, 126.5, 0.5), [0.0, -0.0, 1e-42, -1e30, 1e30]])
    t = values.astype(np.float32)
    inside = t[np.abs(t) <= 126]
    on_device = {"exp2": inside, "log2": np.exp2(inside), "squashed": t, "chance": t, "bounded": t}
    for name, x in on_device.items():
        found = getattr(cuda_functions, name)(torch.tensor(x, device=device)).cpu().numpy()
        expected = getattr(functions, name)(x)
        np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32), name)
    y = functions.squashed(t)
    found = cuda_functions.centred(torch.tensor(y, device=device)).cpu().numpy()
    np.testing.assert_array_equal(found + np.int16(128), functions.eight_bits(y))


@pytest.mark.parametrize("device", DEVICES)
def test_random_numbers_are_those_of_numpy(device: str) -> None:
    dice = np.random.default_rng(2)
    seeds, positions = (dice.integers(-(2**63), 2**63, 500) for _ in range(2))
    hashes = cuda_functions.hashes_of(*(torch.tensor(x, device=device) for x in (seeds, positions)))
    found = cuda_functions.random_numbers(hashes, 90).cpu().numpy()
    np.testing.assert_array_equal(found, randoms.random_numbers(seeds, positions, 90))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("inputs", [1, 7, 1024, 1032, 1033, 5000])
def test_sums_are_right_however_many_the_inputs(device: str, products: str, inputs: int) -> None:
    dice = np.random.default_rng(inputs)
    weights = dice.integers(-127, 128, (inputs, 5)).astype(np.int8)
    weights[:, 0], weights[:, 1], weights[:, 2] = 127, -127, 0
    states = dice.integers(0, 256, (LEAST_ROWS, inputs)).astype(np.uint8)
    states[0], states[1] = 0, 255  # 0 is in no step's state, but in that of a forged snapshot
    centred = torch.tensor((states.astype(int) - 128).astype(np.int8), device=device)
    found = ExactSums(weights, device)(centred).cpu().numpy()
    expected = (states.astype(np.int64) - 128) @ weights.astype(np.int64)
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    within = np.maximum(states, 1)
    np.testing.assert_array_equal(
        NumpySums(weights)(within), (within.astype(np.int64) - 128) @ weights.astype(np.int64)
    )


@pytest.mark.parametrize(("inputs", "blocks"), [(1032, 1), (1033, 2), (5000, 5)])
def test_floats_are_split_before_a_sum_could_be_rounded(inputs: int, blocks: int) -> None:
    heavy, light = np.full((inputs, 2), 127, np.int8), np.full((inputs, 2), 1, np.int8)
    heavy[:, 1] = 0
    assert len(cuda_sums._blocks(heavy)) == blocks
    assert len(cuda_sums._blocks(light)) == 1


def test_a_device_that_adds_up_wrong_is_given_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    def saturated(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return whole_products(states, weights).clamp(-(2**15), 2**15 - 1)

    def absent(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("not implemented")

    for product, right in ((whole_products, True), (saturated, False), (absent, False)):
        monkeypatch.setattr(torch, "_int_mm", product)
        assert multiplies_whole("cpu") == right
    assert not has_whole_products("cpu")


# Which kernel is made


def test_it_is_made_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_RNN_KERNEL", "torch")
    assert isinstance(make_kernel(written_network()), CudaKernel)
    kernels.prepare()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", WRITTEN)
def test_on_cuda_it_is_made_and_steps_by_graphs(name: str) -> None:
    kernel = make_kernel(written_kind(name), "cuda")
    assert isinstance(kernel, CudaKernel)
    assert golden_by_advance(kernel, 60) == golden_by_advance(
        ReferenceKernel(written_kind(name)), 60
    )
    runs = [run for batch in kernel._batches.values() for run in batch._runs.values()]
    assert runs and all(isinstance(run.__self__, torch.cuda.CUDAGraph) for run in runs)


@pytest.mark.parametrize("fault", ["wrong", "error"])
def test_what_cuda_does_not_compute_to_the_bit_the_cpu_steps(
    fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A device that contracts, or that fails: here in the place of the device."""

    class Elsewhere(CudaKernel):
        def __init__(self, network: object, device: str) -> None:
            super().__init__(network, "cpu")  # type: ignore[arg-type]

        def put(self, room: object, place: int, state: object) -> None:
            if fault == "error":
                raise RuntimeError("CUDA error: no kernel image is available")
            super().put(room, place, state)  # type: ignore[arg-type]

    monkeypatch.setattr("stream_rnn.engine.kernels.cuda.CudaKernel", Elsewhere)
    monkeypatch.setattr(
        cuda_functions, "chance", lambda t: (1.0 + torch.exp2(t)).reciprocal(), raising=True
    )
    monkeypatch.setattr(
        "stream_rnn.engine.kernels.cuda_cells.chance", cuda_functions.chance, raising=True
    )
    with caplog.at_level(logging.WARNING):
        kernel = make_kernel(written_network("gru"), "cuda")
    assert type(kernel).__name__ == "IntegerKernel"
    assert ("other numbers" if fault == "wrong" else "no kernel image") in caplog.text


def test_a_name_that_is_forced_is_not_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_RNN_KERNEL", "torch")
    monkeypatch.setattr(cuda_trial, "gives_the_references_bits", lambda *a: False)
    with pytest.raises(ConfigError, match="torch"):
        make_kernel(written_network())


def test_what_counts_is_stepped_by_the_cpu() -> None:
    folder = MODELS["shakespeare-markov"]
    kernel = make_kernel(load_counting(folder, read_card(folder)), "cuda")
    assert type(kernel).__name__ == "CountingKernel"
