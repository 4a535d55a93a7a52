"""Rolls of JSON and of `.npz`; those of a `.mat` are in `test_data`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_rnn.errors import DataError
from stream_rnn.train.data import load_corpus
from stream_rnn.train.recipe import DataRecipe

CHORD = np.zeros((3, 88), np.uint8)
CHORD[:2, [39, 43]] = 1  # C and E, and a frame of silence


def loaded(path: Path, **more: Any) -> Any:
    return load_corpus(DataRecipe(path.name, "rolls", **more), path.parent)


def test_chorales_in_json_keep_their_sets_and_rests_are_silent(tmp_path: Path) -> None:
    piece = [[60, 64, -1, -1], [60.0, 64.0, None, float("nan")], [-1, -1, -1, -1]]
    path = tmp_path / "jsb.json"
    path.write_text(json.dumps({"train": [piece] * 3, "valid": [piece], "test": [piece, []]}))
    corpus = loaded(path)
    assert {name: len(part) for name, part in corpus.splits.items()} == {
        "train": 3, "valid": 1, "test": 1
    }  # fmt: skip
    np.testing.assert_array_equal(corpus.splits["test"][0].symbols, CHORD)
    assert corpus.left_out == (f"{path}: test piece 1 has no frames",)


def test_a_list_of_pieces_without_sets_is_split_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "pieces.json"
    path.write_text(json.dumps([[[60, 64], [64, 60], []] for _ in range(40)]))
    corpus = loaded(path, split=(0.6, 0.2, 0.2))
    sizes = {name: len(part) for name, part in corpus.splits.items()}
    assert sum(sizes.values()) == 40 and min(sizes.values()) > 0
    again = loaded(path, split=(0.6, 0.2, 0.2))
    assert {name: len(part) for name, part in again.splits.items()} == sizes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"songs": []}', "'songs' is not a set; it needs lists of pieces named train, valid"),
        ('{"train": 3}', "'train' is not a set"),
        ('{"train": [3]}', "train piece 0 is not a list of frames"),
        ('{"train": [[[60], [60.5]]]}', "train piece 0, frame 1 has 60.5, which is no MIDI pitch"),
        ('[[["C"]]]', "piece 0, frame 0 has 'C'"),
        ("[[[true]]]", "piece 0, frame 0 has True"),
        ("[[[20]]]", "piece 0, frame 0 has 20; pitches are 21 to 108"),
    ],
)
def test_json_that_is_no_music_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        loaded(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("keys", [88, 128])
@pytest.mark.parametrize("loud", [1, 90])
def test_arrays_of_88_or_128_keys(tmp_path: Path, keys: int, loud: int) -> None:
    roll = CHORD if keys == 88 else np.pad(CHORD, ((0, 0), (21, 19)))
    sets = {"train_0": roll, "train_1": roll, "validation": roll[None], "test/0": roll}
    path = tmp_path / "x.npz"
    np.savez(path, **{name: array * loud for name, array in sets.items()})
    corpus = loaded(path)
    assert {name: len(part) for name, part in corpus.splits.items()} == {
        "train": 2, "valid": 1, "test": 1
    }  # fmt: skip
    np.testing.assert_array_equal(corpus.splits["valid"][0].symbols, CHORD)


def test_arrays_that_name_no_sets_are_split(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, *[CHORD.astype(np.float32)] * 40)
    corpus = loaded(path, split=(0.6, 0.2, 0.2))
    assert sum(len(part) for part in corpus.splits.values()) == 40


def test_arrays_that_are_no_rolls_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    objects = np.empty(2, object)
    objects[:] = [CHORD, CHORD[:1]]
    high = np.zeros((3, 128))
    high[0, 120] = 1
    for arrays, said in (
        ({"train": objects}, "it holds Python objects, which are not read; save each piece"),
        ({"train": np.zeros(88)}, r"train has shape \(88,\)"),
        ({"train": np.zeros((4, 12))}, "train has 12 keys, not 88 or 128"),
        ({"train": np.full((4, 88), "x")}, "must be numbers"),
        ({"train": high}, "train has pitches beyond 21 to 108"),
    ):
        np.savez(path, **arrays)  # type: ignore[arg-type]
        with pytest.raises(DataError, match=said) as caught:
            loaded(path)
        assert str(path) in str(caught.value)
    path.write_bytes(b"no")
    with pytest.raises(DataError, match="not a file of arrays"):
        loaded(path)


def test_a_file_with_two_of_the_sets_is_refused_and_one_set_is_split(tmp_path: Path) -> None:
    path, piece = tmp_path / "chorales.json", [[60, 64], [62, 65]]
    path.write_text(json.dumps({"train": [piece] * 5, "test": [piece]}))
    with pytest.raises(DataError, match="sets named train and test; name all of train, valid"):
        loaded(path, split=(0.6, 0.2, 0.2))
    path.write_text(json.dumps({"train": [[[60 + i, 64]] * 3 for i in range(20)]}))
    corpus = loaded(path, split=(0.6, 0.2, 0.2))
    assert all(len(corpus.splits[name]) for name in ("train", "valid", "test"))
