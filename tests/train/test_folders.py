from pathlib import Path

import pytest

from stream_rnn.errors import DataError
from stream_rnn.train.data import load_corpus
from stream_rnn.train.recipe import DataRecipe


def test_a_folder_of_files_is_read_by_the_ending_that_the_codec_reads(tmp_path: Path) -> None:
    """A tablature can be written as MIDI, too, and is not read from it."""
    for i in range(30):
        (tmp_path / f"{i}.txt").write_text(f"|D{i % 5} - - - G{i // 5} - - -")
        (tmp_path / f"{i}.mid").write_bytes(b"MThd")
    recipe = DataRecipe(tmp_path.name, "files", codec="tablature", split=(0.6, 0.2, 0.2))
    corpus = load_corpus(recipe, tmp_path.parent)
    assert (sum(map(len, corpus.splits.values())), corpus.left_out) == (30, ())


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(b"MThd")
    with pytest.raises(DataError, match=r"no \.txt files in it"):
        load_corpus(DataRecipe(tmp_path.name, "files", codec="tablature"), tmp_path.parent)
