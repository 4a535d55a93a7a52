"""A file of weights is held against its card before it is loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from stream_rnn.checkpoint import (
    load_network,
    load_quantised,
    read_card,
    read_models,
    read_tensors,
    save_model,
    save_quantised,
)
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import BASELINES, GATES, Architecture, CountingArchitecture
from stream_rnn.nets.network import RecurrentNetwork
from stream_rnn.train.corpus import Document
from stream_rnn.train.counting import key_chains, ngrams


@pytest.mark.parametrize(
    ("cell", "head", "layers", "artists"),
    list(product(GATES, ("categorical", "bernoulli", "nade"), (1, 3), (0, 2))),
)
def test_an_architecture_knows_the_tensors_of_its_network(
    cell: str, head: Any, layers: int, artists: int
) -> None:
    made = Architecture(11, artists, 8, layers, head, cell, head_hidden=5 * (head == "nade"))
    weights = RecurrentNetwork(made).state_dict()
    assert made.tensors() == {name: tuple(tensor.shape) for name, tensor in weights.items()}
    assert made.parameters == sum(tensor.numel() for tensor in weights.values())


def test_a_baseline_knows_its_tables() -> None:
    text = Document(np.array([2, 3, 4, 2, 3], np.uint16))
    roll = Document(np.zeros((9, 88), np.uint8))
    for order, cell in enumerate(("unigram", "markov", "markov")):
        *_, tables = ngrams([text], 0, 5, order + 1)
        known = CountingArchitecture(5, 0, "categorical", cell, order).tensors()
        assert known == {name: (None,) for name in tables} and cell in BASELINES
        *_, tables = key_chains([roll], order + 1)
        known = CountingArchitecture(88, 0, "bernoulli", cell, order).tensors()
        assert known == {name: tuple(table.shape) for name, table in tables.items()}


@pytest.fixture(params=[1, 2])
def folder(models: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of a good model, of either format, whose card takes any weights that fit."""
    folder = Path(shutil.copytree(models / "verse", tmp_path / "verse"))
    if request.param == 2:
        card = read_card(folder)
        save_quantised(folder, card, load_quantised(folder, card))
    card = json.loads((folder / "card.json").read_text())
    del card["weights"]["sha256"]
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def parts(folder: Path) -> tuple[dict[str, Any], bytes]:
    """The header of a weights file, and what comes after it."""
    data = (folder / "weights.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def put(folder: Path, header: bytes, rest: bytes) -> None:
    length = len(header).to_bytes(8, "little")
    (folder / "weights.safetensors").write_bytes(length + header + rest)


def faults_of(folder: Path) -> Iterator[str]:
    """The errors of `read_models`, which needs no torch, and of loading."""
    cards, faults = read_models({"verse": folder})
    assert not cards
    yield from map(str, faults)
    for read in (read_tensors, load_network, load_quantised):
        with pytest.raises(CheckpointError) as caught:
            read(folder, read_card(folder))
        yield str(caught.value)


BIAS = "output.bias"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda h: h[BIAS].update(shape=[31]), "damaged or cut short (output.bias is from byte"),
        (lambda h: h[BIAS].update(shape=[10**9, 10**9, 10**9]), "damaged or cut short (output.bia"),
        (lambda h: h[BIAS].update(shape=[-30]), "output.bias.shape[0] is -30; it must be a whole"),
        (lambda h: h[BIAS].update(shape=[30.0]), "output.bias.shape[0] is 30.0; it must be a"),
        (lambda h: h[BIAS].update(shape=[2] * 9), "output.bias.shape is [2, 2, 2, 2, 2, 2, ...];"),
        (lambda h: h[BIAS].update(shape=[5, 6]), "output.bias is [5, 6], and should be [30]"),
        (lambda h: h[BIAS].update(dtype="I32"), "output.bias is of I32, and should be of "),
        (lambda h: h[BIAS].update(dtype="F128"), "output.bias.dtype is 'F128'; it must be 'F16'"),
        (
            lambda h: h[BIAS].update(data_offsets=[4, 124]),
            "damaged or cut short (output.bias is fr",
        ),
        (lambda h: h[BIAS].update(data_offsets=[0, 2**40]), "output.bias.data_offsets[1] is 1099"),
        (lambda h: h[BIAS].update(data_offsets=[0]), "data_offsets is [0]; it must be a list of 2"),
        (lambda h: h.update({BIAS: 3}), "output.bias is 3; it must be an object"),
        (lambda h: h.update(other=h.pop(BIAS)), "does not fit the card: output.bias is missing"),
        (lambda h: h.clear(), "bytes of tensors; there must be 0"),
    ],
)
def test_a_header_that_claims_something_else_is_refused(
    folder: Path, spoil: Callable[[dict[str, Any]], object], said: str
) -> None:
    header, rest = parts(folder)
    spoil(header)
    put(folder, json.dumps(header).encode(), rest)
    for fault in faults_of(folder):
        assert fault.startswith(f"{folder / 'weights.safetensors'}: ") and said in fault
        assert fault.isprintable()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"[" * 100_000, "nested deeper than 32 levels"),
        (b"[]", "its header is []; it must be an object"),
        (b'{"a": NaN}', "NaN is no number"),
        (b"", "Expecting value"),
        (b"\xff\xfe", "can't decode byte"),
        (b'{"a": 1, "a": 1}', "'a' is given twice"),
    ],
)
def test_a_header_that_is_none_is_refused(folder: Path, header: bytes, said: str) -> None:
    put(folder, header, parts(folder)[1])
    for fault in faults_of(folder):
        assert f"damaged or cut short ({'cannot' if 'its' not in said else ''}" in fault
        assert said in fault and fault.isprintable()


@pytest.mark.parametrize("length", [2**63, 2**31, 2**20 + 1])
def test_a_header_that_would_be_huge_is_not_read(folder: Path, length: int) -> None:
    path = folder / "weights.safetensors"
    with path.open("wb") as file:
        file.write(length.to_bytes(8, "little") + b"{")
        file.truncate(2**30)
    for fault in faults_of(folder):
        assert "1073741824 bytes, which do not begin with a header of safetensors" in fault


@pytest.mark.parametrize(
    ("name", "dtype", "size", "said"),
    [
        ("output.weights", "U8", 1, "output.weights is of U8, and should be of I8"),
        ("output.scale", "F16", 2, "output.scale is of F16, and should be of F32"),
        ("table", "F64", 8, "table is of F64, and should be of F16 or F32"),
        ("table", "BF16", 2, "table is of BF16, and should be of F16 or F32"),
    ],
)
@pytest.mark.parametrize("folder", [2], indirect=True)
def test_what_is_served_has_the_dtypes_that_it_is_computed_with(
    folder: Path, name: str, dtype: str, size: int, said: str
) -> None:
    header, _ = parts(folder)
    header[name]["dtype"], end = dtype, 0
    for at, tensor in header.items():
        if at != "__metadata__":
            begin, stop = tensor["data_offsets"]
            length = int(np.prod(tensor["shape"])) * size if at == name else stop - begin
            tensor["data_offsets"], end = [end, end + length], end + length
    put(folder, json.dumps(header).encode(), bytes(end))
    for fault in faults_of(folder):
        assert said in fault


@pytest.mark.parametrize("folder", [2], indirect=True)
def test_8_bit_weights_of_another_architecture_are_refused(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["architecture"] |= {"cell": "gru"}
    (folder / "card.json").write_text(json.dumps(card))
    for fault in faults_of(folder):
        assert "does not fit the card: table is [30, 128], and should be [30, 96]" in fault


@pytest.mark.parametrize("folder", [1, 2], indirect=True)
def test_a_format_that_is_not_the_files_is_refused(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["format"] = 3 - card["format"]
    (folder / "card.json").write_text(json.dumps(card))
    for fault in faults_of(folder):
        assert "is missing" in fault and fault.isprintable()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("folder", [1], indirect=True)
def test_floats_of_any_size_are_read_without_torch(folder: Path, dtype: torch.dtype) -> None:
    path = folder / "weights.safetensors"
    tensors = {name: tensor.to(dtype) for name, tensor in load_file(path).items()}
    save_file(tensors, path)
    for name, found in read_tensors(folder, read_card(folder)).items():
        assert found.flags.aligned and found.flags.writeable
        assert found.astype(np.float64).tolist() == tensors[name].double().tolist()


@pytest.mark.parametrize("folder", [1], indirect=True)
def test_a_weight_beyond_float32_is_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    tensors = {name: tensor.double() for name, tensor in load_file(path).items()}
    tensors["output.weight"][1, 2] = 1e300
    save_file(tensors, path)
    for load in (load_network, load_quantised):
        with pytest.raises(CheckpointError, match="output.weight has"):
            load(folder, read_card(folder))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_who_loads_them(
    folder: Path, bad: float
) -> None:
    card = read_card(folder)
    network = load_network(folder, card)
    with torch.no_grad():
        network.state_dict()["output.weight"][3, 4] = bad
    save_model(folder, card, network, half=True)
    with pytest.raises(CheckpointError, match="safetensors: output.weight has values that are"):
        load_network(folder, read_card(folder))
    with pytest.raises(CheckpointError, match="safetensors: output.weight has a number that is"):
        load_quantised(folder, read_card(folder))
