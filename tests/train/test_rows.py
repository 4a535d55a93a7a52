import datetime
from pathlib import Path

import numpy as np
import pytest

from stream_rnn.codecs.ensemble import EnsembleCodec, read_csv
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.errors import DataError
from stream_rnn.train.data import load_corpus
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.rows import SIMULATED, simulated
from stream_rnn.train.touches import read_recordings

SHARES = (0.6, 0.2, 0.2)


def test_a_simulated_band_follows_its_lead_lags_and_changes_together() -> None:
    together, alone, changes, taken_up, ahead = [], [], [], [], 0
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
        for t in range(21, len(rows) - 25):
            idea = rows[t, 0]
            if idea and (rows[t : t + 6, 0] == idea).all() and not (rows[t - 1] == idea).any():
                taken_up.append(np.mean(rows[t + 5, 1:] == idea))
                ahead += (rows[t, 1:] == idea).sum()
    assert np.mean(together) > 0.5 > 2 * np.mean(alone)  # they listen to each other
    # Two players change in the same second more often than by chance.
    assert np.mean(changes) > 0.01
    # A gesture that the lead stays with is taken up within seconds, but seldom at once.
    assert len(taken_up) > 50 and np.mean(taken_up) > 0.6 > 0.3 > ahead / (3 * len(taken_up))


def test_without_a_source_the_ensemble_is_simulated_and_the_first_leads(tmp_path: Path) -> None:
    corpus = load_corpus(DataRecipe("", "ensemble", split=SHARES), tmp_path)
    codec = corpus.codec
    assert isinstance(codec, EnsembleCodec)
    assert sum(map(len, corpus.splits.values())) == SIMULATED
    rows = np.array(codec.decode(corpus.splits["train"][0].symbols))
    assert any(np.array_equal(rows, simulated(seed)) for seed in range(10))


def test_published_csvs_are_read_by_player_and_each_player_leads(tmp_path: Path) -> None:
    lines = [f"2014-08-14 18:40:{i:02},{i % 9},{(i + 1) % 9},0,8,3" for i in range(40)]
    for name in range(20):
        header = "time,ann,ben,col,dee,eve\n" if name % 2 else ""
        (tmp_path / f"{name}.csv").write_text(header + "\n".join(lines[name % 2 :]) + "\n")
    rows = read_csv(tmp_path / "0.csv")
    assert len(rows) == 40 and rows[9] == [0, 1, 0, 8, 3]
    assert len(read_csv(tmp_path / "1.csv")) == 39
    corpus = load_corpus(DataRecipe(".", "ensemble", split=SHARES, players=4), tmp_path)
    held_out = len(corpus.splits["valid"] + corpus.splits["test"])
    assert len(corpus.splits["train"]) == 4 * (20 - held_out)
    codec = corpus.codec
    assert isinstance(codec, EnsembleCodec)
    first = [np.array(codec.decode(d.symbols)) for d in corpus.splits["train"][:4]]
    for lead, rolled in enumerate(first):
        np.testing.assert_array_equal(rolled, np.roll(first[0], -lead, axis=1))


@pytest.mark.parametrize(
    "text",
    [
        "time,ann,ben,col,dee\n2013-08-03 17:11:00,5,0,2,0\n2013-08-03 17:11:01,6,8,0,1\n",
        "\ufefftime,1,2,3,4\r\n2014-12-12T12:05:58.59,5,0,2,0\r\n2014-12-12T12:05:59.6,6,8,0,1\r\n",
        "time,ann,ben,col,dee\n0.0,5.0,,2.0,0.0\n1.0,6.0,8.0,0.0,1.0\n",
        ",lead,rnn-player-0,rnn-player-1,rnn-player-2\n0,5,0,2,0\n1,6,8,0,1\n",
        "lead,one,two,three\nVSS,N,ST,n\nBS,C,N,FT\n",
        "5,0,2,0\n6,8,0,1\n",
    ],
)
def test_the_time_and_the_header_may_be_there_or_not(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_csv(path) == [[5, 0, 2, 0], [6, 8, 0, 1]]
    band = EnsembleCodec.usual()
    assert band.read_prime(str(path)) == band.encode([[5, 0, 2, 0], [6, 8, 0, 1]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,a\n0.5,1\n1.5,1\n", "line 2: 1 players; there must be 2 to 8"),
        ("1,2,3,4,5,6,7,8,0\n", "line 1: 9 players; there must be 2 to 8"),
        ("time,a,b,c,d\n0.5,1,2,3,4\n1.5,1,2,3\n", "line 3: 3 players, not 4 as before"),
        ("1,2,3,4\n\n1,2,3,9\n", "line 3: '9' is not a gesture, 0 to 8"),
        ("time,a,b,c,d\n0,1,2,3,4\n1,1,2.5,3,4\n", "line 3: '2.5' is not"),
        ("time,a,b,c,d\n0,1,2,3,nan\n", "line 2: 'nan' is not"),
        (b"1,2,3,4\n1,2,3,\xff\n", "line 2: not UTF-8; convert it"),
        ('1,2,3,"4', "line 1: unexpected end of data"),
    ],
)
def test_gestures_that_are_none_are_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=said):
        read_csv(path)


@pytest.mark.parametrize("text", ["", "time,a,b,c,d\n", "1,2,3,9\n", "1,2,3\n"])
def test_a_file_that_is_no_performance_of_the_band_is_left_out(tmp_path: Path, text: str) -> None:
    for i in range(30):
        (tmp_path / f"{i}.csv").write_text("1,2,3,4\n" * 9)
    (tmp_path / "bad.csv").write_text(text)
    recipe = DataRecipe(".", "ensemble", split=SHARES)
    corpus = load_corpus(recipe, tmp_path)
    assert sum(len(corpus.splits[name]) for name in ("valid", "test")) < 30
    (told,) = corpus.left_out
    assert f"{tmp_path}/bad.csv" in told
    with pytest.raises(DataError, match=r"bad\.csv"):
        load_corpus(recipe, tmp_path, strict=True)


@pytest.mark.parametrize("players", range(2, 9))
def test_a_band_has_as_many_players_as_most_of_its_recordings(tmp_path: Path, players: int) -> None:
    row = ",".join(str(i % 9) for i in range(1, players + 1))
    for i in range(30):
        (tmp_path / f"{i}.csv").write_text(f"{row}\n" * 9)
    (tmp_path / "one more.csv").write_text(f"{row},0\n" * 9 if players < 8 else f"{row}\n")
    corpus = load_corpus(DataRecipe(".", "ensemble", split=SHARES), tmp_path)
    codec = corpus.codec
    assert isinstance(codec, EnsembleCodec) and len(codec.columns) == players
    assert not corpus.left_out
    for documents in corpus.splits.values():
        for document in documents:
            assert sorted(codec.decode(document.symbols)[0]) == sorted(
                i % 9 for i in range(1, players + 1)
            )
    path = tmp_path / "0.csv"
    assert len(codec.read_prime(str(path))) == 9 * players


def test_a_smaller_band_can_be_asked_for_and_a_larger_one_is_said(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"{i}.csv").write_text("1,2,3\n" * 9)
    three = DataRecipe(".", "ensemble", split=SHARES)
    two = DataRecipe(".", "ensemble", split=SHARES, players=2)
    corpus = load_corpus(two, tmp_path)
    assert isinstance(corpus.codec, EnsembleCodec) and len(corpus.codec.columns) == 2
    with pytest.raises(DataError, match="3 players, but the band has 4; see data.players"):
        load_corpus(DataRecipe(".", "ensemble", players=4), tmp_path)
    trained = load_corpus(three, tmp_path).codec
    with pytest.raises(DataError, match="2 players; the model has 3"):
        (tmp_path / "two.csv").write_text("1,2\n")
        trained.read_prime(str(tmp_path / "two.csv"))


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
    np.save(tmp_path / "far.npy", np.full((400, 3), 300.0))
    np.save(tmp_path / "object.npy", np.array([{}] * 400), allow_pickle=True)
    np.save(tmp_path / "five.npy", np.full((400, 3), 5.0))  # MIDI's are whole numbers
    np.save(tmp_path / "text.npy", np.full((400, 3), "x"))
    np.savez(tmp_path / "cut.npz", np.zeros((400, 3)))
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "bent.npz").write_bytes(whole.replace(b"NUMPY", b"NUMPI"))
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "no.npz").write_bytes(b"no")
    (tmp_path / "no.csv").write_text("1,2\n1\n")
    (tmp_path / "word.csv").write_text("x,y,pressure\n" + "0.1,0.2,0.3\n" * 8 + "0.1,high,0\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "far.csv").write_text("0.5,0.5,1.5\n" * 400)
    (tmp_path / "latin.csv").write_bytes(b"0.5,0.5,0.5\n" * 9 + b"\xe9\n")
    for name, said in (
        ("few.npy", "20 rows of 3 values; 200 rows"),
        ("far.npy", "must be 0 to 1, or whole numbers 0 to 127; it has 300"),
        ("five.npy", "it has 5"), ("object.npy", "not a table"), ("text.npy", "not a table"),
        ("no.npz", "not a table"), ("cut.npz", "not a table"), ("bent.npz", "not a table"),
        ("empty.npy", r"not a table of touches \(empty, or cut short\)"),
        ("no.csv", "line 2: not 2 values"), ("word.csv", "line 10: 'high' is not a number"),
        ("empty.csv", "0 rows of 1 values"), ("far.csv", "it has 1.5"),
        ("latin.csv", "line 10: not UTF-8"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said) as caught:
            read_recordings(tmp_path / name)
        told = str(caught.value).removeprefix(f"{tmp_path / name}")
        assert told[0] in ":," and "\n" not in told and len(told) < 200


def rows_of(path: Path) -> np.ndarray:
    (rows,) = read_recordings(path).performances.values()
    return rows


def test_a_csv_of_touches_may_have_a_header_gaps_and_midis_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("x,y,pressure\n" + "0.5, 0.25,1\n,,\n0,nan,0\n# a pause\n\n" * 200)
    np.testing.assert_array_equal(rows_of(path), [[0.5, 0.25, 1.0]] * 200)
    path.write_text("127,0,1\n" * 200)
    np.testing.assert_array_equal(rows_of(path), [[1.0, 0.0, 1 / 127]] * 200)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 9])
def test_touches_have_as_many_values_as_they_have(tmp_path: Path, width: int) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(1).random((400, width)))
    corpus = load_corpus(DataRecipe("x.npy", "touch", split=SHARES), tmp_path)
    assert isinstance(corpus.codec, TouchCodec) and len(corpus.codec.columns) == width
    named = ",".join(f"knob {i}" for i in range(width))
    (tmp_path / "x.csv").write_text(named + "\n" + (",".join(["0.5"] * width) + "\n") * 400)
    assert ",".join(read_recordings(tmp_path / "x.csv").columns) == named


def log_of(path: Path, rows: list[tuple[float, str, list[float]]]) -> None:
    start = datetime.datetime(2026, 1, 1)
    lines = []
    now = 0.0
    for wait, source, values in rows:
        now += wait
        when = (start + datetime.timedelta(seconds=now)).isoformat()
        lines.append(",".join([when, source, *map(str, values)]))
    path.write_text("\n".join(lines) + "\n")


def test_a_log_of_impsys_is_what_a_person_played_with_its_times(tmp_path: Path) -> None:
    played = [(0.25, "interface", [0.1, 0.9]), (0.25, "rnn", [0.5, 0.5])] * 300
    log_of(tmp_path / "2026-01-01T00-00-00-3d-mdrnn.log", played)
    read = read_recordings(next(tmp_path.iterdir()))
    assert read.timed and read.columns == ("x", "y")
    (rows,) = read.performances.values()
    np.testing.assert_allclose(rows, [[0.5, 0.1, 0.9]] * 299)

    log_of(tmp_path / "other.log", [(0.1, "rnn", [0.5, 0.5])] * 300)
    log_of(tmp_path / "wider.log", [(0.1, "rnn", [0.5, 0.5, 0.5])] * 300)
    (tmp_path / "what.log").write_text("it began\n")
    corpus = load_corpus(DataRecipe(".", "touch", split=SHARES), tmp_path)
    assert isinstance(corpus.codec, TouchCodec) and corpus.codec.timed
    assert corpus.codec.columns == ("dt", "x", "y")
    count = sum(len(d.symbols) for part in corpus.splits.values() for d in part)
    assert count == 3 * (299 + 299)
    what, wider = sorted(corpus.left_out)
    assert "what.log, line 1: not a line of IMPSY's log" in what
    assert "wider.log: its columns are not those of the other files" in wider


def test_a_data_set_of_impsys_is_read_without_running_it(tmp_path: Path) -> None:
    dice = np.random.default_rng(1)
    perfs = np.empty(5, object)
    for i in range(5):
        perfs[i] = np.concatenate([np.full((60 + i, 1), 0.1), dice.random((60 + i, 3))], axis=1)
    np.savez_compressed(tmp_path / "set-4d.npz", perfs=perfs)
    read = read_recordings(tmp_path / "set-4d.npz")
    assert read.timed and read.columns == ("x", "y", "pressure")
    for rows, expected in zip(read.performances.values(), perfs, strict=True):
        np.testing.assert_array_equal(rows, expected)
    corpus = load_corpus(DataRecipe("set-4d.npz", "touch", split=SHARES), tmp_path)
    assert corpus.codec.to_json()["timed"] is True
    with pytest.raises(DataError, match="3 values with times; the model has 3 without"):
        load_corpus(
            DataRecipe("set-4d.npz", "touch"), tmp_path, TouchCodec(("x", "y", "z"), 32, 0.05)
        )


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('it ran')",)


def test_a_data_set_that_calls_something_is_refused(tmp_path: Path) -> None:
    perfs = np.empty(2, object)
    perfs[:] = [np.zeros((200, 4)), Evil()]
    np.savez(tmp_path / "x.npz", perfs=perfs)
    with pytest.raises(DataError, match=r"it holds builtins\.exec, which is no array of numbers"):
        read_recordings(tmp_path / "x.npz")
    perfs[1] = np.array(["text"])
    np.savez(tmp_path / "x.npz", perfs=perfs)
    with pytest.raises(DataError, match="not a table of numbers"):
        read_recordings(tmp_path / "x.npz")
