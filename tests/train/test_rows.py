from pathlib import Path

import numpy as np
import pytest

from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.errors import DataError
from stream_rnn.train.data import load_corpus
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.rows import read_gestures, read_touches, simulated

SHARES = (0.6, 0.2, 0.2)


def test_a_simulated_band_copies_lags_and_changes_together() -> None:
    together, alone, changes = [], [], []
    for seed in range(20):
        rows = simulated(seed)
        np.testing.assert_array_equal(rows, simulated(seed))
        assert rows.shape[1] == 4 and 0 <= rows.min() and rows.max() <= 8
        lead, other = rows[20:-15, 0], rows[20:-15, 1]
        together.append(np.mean(lead == other))
        stranger = simulated(seed + 100)[20:-15, 1]
        length = min(len(lead), len(stranger))
        alone.append(np.mean(lead[:length] == stranger[:length]))
        changed = (np.diff(rows[20:-15], axis=0) != 0).sum(1)
        changes.append(np.mean(changed >= 2))
    assert np.mean(together) > 0.5 > 2 * np.mean(alone)  # they listen to each other
    # New ideas: two change within a second more often than by chance.
    assert np.mean(changes) > 0.01


def test_without_a_source_the_ensemble_is_simulated_and_each_player_leads(tmp_path: Path) -> None:
    corpus = load_corpus(DataRecipe("", "ensemble", split=SHARES), tmp_path)
    codec = corpus.codec
    assert isinstance(codec, EnsembleCodec)
    first = [np.array(codec.decode(d.symbols)) for d in corpus.splits["train"][:4]]
    for lead, rows in enumerate(first):
        np.testing.assert_array_equal(rows, np.roll(first[0], -lead, axis=1))
    assert len(corpus.splits["train"]) == 4 * (
        300 - len(corpus.splits["valid"] + corpus.splits["test"])
    )


def test_published_csvs_are_read_by_player_and_the_time_is_passed_over(tmp_path: Path) -> None:
    lines = [f"2014-08-14 18:40:{i:02},{i % 9},{(i + 1) % 9},0,8,3" for i in range(40)]
    for name in range(20):
        header = "time,ann,ben,col,dee,eve\n" if name % 2 else ""
        (tmp_path / f"{name}.csv").write_text(header + "\n".join(lines[name % 2 :]) + "\n")
    rows = read_gestures(tmp_path / "0.csv")
    assert rows.shape == (40, 4) and rows[9].tolist() == [0, 1, 0, 8]
    assert read_gestures(tmp_path / "1.csv").shape == (39, 4)
    corpus = load_corpus(DataRecipe(".", "ensemble", split=SHARES), tmp_path)
    assert len(corpus.splits["train"]) == 4 * (
        20 - len(corpus.splits["valid"] + corpus.splits["test"])
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rows in it"),
        ("time,a,b\n", "no rows in it"),
        ("time,a,b,c\n0.5,1,2,3\n1.5,1,2,3\n", "3 columns of gestures 0 to 8; 4 players"),
        ("1,2,3,4\n1,2,3,9\n", "3 columns of gestures"),
        (b"1,2,3,\xff\n", "cannot be read"),
    ],
)
def test_gestures_that_are_none_are_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=said):
        read_gestures(path)


def test_an_empty_folder_has_no_ensemble(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.csv files"):
        load_corpus(DataRecipe(".", "ensemble"), tmp_path)


@pytest.mark.parametrize("kind", ["npz of whole numbers", "npy", "csv"])
def test_a_recording_of_touches_is_cut_into_blocks_and_levels(tmp_path: Path, kind: str) -> None:
    values = np.random.default_rng(1).random((1000, 3))
    if kind == "npy":
        values[5] = np.nan  # as between the recordings of one collection
        np.save(tmp_path / "x.npy", values)
    elif kind == "csv":
        np.savetxt(tmp_path / "x.csv", values, delimiter=",")
    else:
        np.savez(tmp_path / "x.npz", (values * 127).round().astype(np.int64))
    source = next(tmp_path.iterdir()).name
    corpus = load_corpus(DataRecipe(source, "touch", split=SHARES), tmp_path)
    codec = corpus.codec
    assert isinstance(codec, TouchCodec)
    count = sum(len(d.symbols) for part in corpus.splits.values() for d in part)
    assert count == 3 * (1000 - (kind == "npy"))
    block = np.array(codec.decode(corpus.splits["train"][0].symbols))
    assert block.min() >= 0 and block.max() == 31


def test_touches_that_are_none_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", np.zeros((20, 3)))
    np.save(tmp_path / "wide.npy", np.zeros((400, 4)))
    np.save(tmp_path / "far.npy", np.full((400, 3), 300.0))
    np.save(tmp_path / "object.npy", np.array([{}] * 400), allow_pickle=True)
    (tmp_path / "no.npz").write_bytes(b"no")
    (tmp_path / "no.csv").write_text("1,2\n1\n")
    for name, said in (
        ("few.npy", "20 rows of 3 values; 200 rows"), ("wide.npy", "400 rows of 4 values"),
        ("far.npy", "must be 0 to 1"), ("object.npy", "not a table"), ("no.npz", "not a table"),
        ("no.csv", "not a table"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            read_touches(tmp_path / name)
