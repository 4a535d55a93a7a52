from pathlib import Path

import mido
import pytest

from stream_rnn.errors import DataError
from stream_rnn.train.data import load_corpus
from stream_rnn.train.recipe import DataRecipe


def write_tune(path: Path, key: int) -> None:
    track = mido.MidiTrack()
    for i in range(8):
        track.append(mido.Message("note_on", note=40 + key + i, velocity=80, time=20))
        track.append(mido.Message("note_off", note=40 + key + i, velocity=0, time=200))
    mido.MidiFile(tracks=[track]).save(path)


def test_a_folder_of_files_is_read_by_the_ending_that_the_codec_reads(tmp_path: Path) -> None:
    for i in range(30):
        write_tune(tmp_path / f"{i}.MID", i)
        (tmp_path / f"{i}.txt").write_text("not music")
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    recipe = DataRecipe(tmp_path.name, "files", codec="performance", split=(0.6, 0.2, 0.2))
    corpus = load_corpus(recipe, tmp_path.parent)
    assert sum(map(len, corpus.splits.values())) == 30
    assert len(corpus.left_out) == 1 and "bad.mid" in corpus.left_out[0]


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("not music")
    with pytest.raises(DataError, match=r"no \.mid files in it"):
        load_corpus(DataRecipe(tmp_path.name, "files", codec="performance"), tmp_path.parent)
