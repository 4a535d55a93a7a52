"""Documents that are nearly the same are found, kept in one set, and reported."""

import csv
import random
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.performance import Note, midi_from_notes
from stream_rnn.codecs.pianoroll import midi_from_roll
from stream_rnn.train.data import load_corpus
from stream_rnn.train.duplicates import near_duplicates, of_melodies, of_rolls, of_texts, shingles
from stream_rnn.train.recipe import DataRecipe

SHARES = (0.6, 0.2, 0.2)
WORDS = [f"word{i}" for i in range(300)]


def verse(seed: int, words: int = 60) -> list[str]:
    dice = random.Random(seed)
    return [dice.choice(WORDS) for _ in range(words)]


def test_a_text_is_found_with_other_marks_words_changed_or_a_verse_less() -> None:
    one = verse(1)
    changed = [word if i % 20 else "other" for i, word in enumerate(one)]
    texts = [
        " ".join(one),
        " ".join(verse(2)),
        ", ".join(one).upper() + "!",
        " ".join(changed),
        " ".join(one[:35]),
        " ".join(verse(3)),
    ]
    pairs = near_duplicates(of_texts(texts))
    groups = {0}
    for one_of, other in pairs:
        if one_of in groups or other in groups:
            groups |= {one_of, other}
    assert groups == {0, 2, 3, 4}
    assert not {1, 5} & {i for pair in pairs for i in pair}


def test_a_text_without_spaces_is_compared_by_letters() -> None:
    dice = random.Random(1)
    song = "".join(chr(0x4E00 + dice.randrange(900)) for _ in range(120))
    other = "".join(chr(0x4E00 + dice.randrange(900)) for _ in range(120))
    assert near_duplicates(of_texts([song, other, song[:90] + other[:20]])) == [(0, 2)]


def test_commonplaces_and_short_texts_join_nobody() -> None:
    chorus = " ".join(["la"] * 30)
    assert near_duplicates(of_texts([f"{chorus} {w}" for w in WORDS])) == []
    refrain = " ".join(verse(9, 30))
    assert near_duplicates(of_texts([f"{refrain} {' '.join(verse(i))}" for i in range(80)])) == []
    assert near_duplicates(of_texts(["good morning to you"] * 5)) == []


@given(st.lists(st.integers(0, 2**40), max_size=40), st.integers(1, 6))
def test_shingles_are_of_runs(items: list[int], length: int) -> None:
    runs = {tuple(items[i : i + length]) for i in range(len(items) - length + 1)}
    assert len(shingles(items, length)) == len(runs)


def test_music_is_found_in_another_key_and_tempo() -> None:
    dice = random.Random(1)
    tune = [60 + dice.randrange(12) for _ in range(60)]
    other = [60 + dice.randrange(12) for _ in range(60)]
    melodies = of_melodies([tune, other, [p + 5 for p in tune]])
    assert near_duplicates(melodies) == [(0, 2)]

    def roll(pitches: list[int], frames: int) -> np.ndarray:
        made = np.zeros((len(pitches) * frames, 88), np.uint8)
        for i, pitch in enumerate(pitches):
            made[i * frames : (i + 1) * frames, [pitch - 21, pitch - 14]] = 1
        return made

    rolls = of_rolls([roll(tune, 2), roll(other, 2), roll([p + 3 for p in tune], 4)])
    assert near_duplicates(rolls) == [(0, 2)]
    assert near_duplicates(of_rolls([np.zeros((0, 88), np.uint8)] * 2)) == []


def test_a_cover_stands_in_the_set_of_what_it_covers(tmp_path: Path) -> None:
    with (tmp_path / "songs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["artist", "song", "text"])
        for i in range(100):
            writer.writerow(["A", f"song {i}", " ".join(verse(i))])
            writer.writerow(["B", f"cover of {i}", "oh " + " ".join(verse(i))])
    corpus = load_corpus(DataRecipe("songs.csv", "songs_csv", split=SHARES, least=1), tmp_path)
    where = {}
    for name, part in corpus.splits.items():
        for document in part:
            text = corpus.codec.show(document.symbols).removeprefix("oh ")
            assert where.setdefault(text, name) == name
    assert len(where) == 100 and set(where.values()) == {"train", "valid", "test"}
    assert corpus.remark.startswith("100 documents are nearly the same as another")


def test_a_piece_stands_in_one_set_under_every_name(tmp_path: Path) -> None:
    for i in range(60):
        dice = random.Random(i)
        pitches = [48 + dice.randrange(24) for _ in range(40)]
        notes = [Note(t * 0.25, t * 0.25 + 0.25, p, 64) for t, p in enumerate(pitches)]
        roll = np.zeros((40, 88), np.uint8)
        roll[np.arange(40), [p - 21 for p in pitches]] = 1
        for name, shift in (("one", 0), ("again", 2)):
            moved = [Note(n.start, n.stop, n.pitch + shift, n.velocity) for n in notes]
            for format, file in (
                ("performances", midi_from_notes(moved)),
                ("midi", midi_from_roll(np.roll(roll, shift, axis=1), steps_per_beat=4)),
            ):
                (tmp_path / format).mkdir(exist_ok=True)
                file.save(tmp_path / format / f"{name}-{i}.mid")
    for format in ("performances", "midi"):
        recipe = DataRecipe(format, format, split=SHARES)  # type: ignore[arg-type]
        corpus = load_corpus(recipe, tmp_path)
        assert all(len(part) % 2 == 0 for part in corpus.splits.values())
        assert corpus.remark.startswith("60 documents are")


def test_published_sets_stay_and_say_what_they_hold(tmp_path: Path) -> None:
    dice = np.random.default_rng(1)
    pieces = [(dice.random((60, 88)) < 0.03).astype(np.uint8) for _ in range(5)]
    np.savez(
        tmp_path / "x.npz", train_0=pieces[0], train_1=pieces[1], valid_0=pieces[2],
        test_0=pieces[1], test_1=pieces[3],
    )  # fmt: skip
    corpus = load_corpus(DataRecipe("x.npz", "rolls"), tmp_path)
    assert {name: len(part) for name, part in corpus.splits.items()} == {
        "train": 2, "valid": 1, "test": 2
    }  # fmt: skip
    assert corpus.remark == (
        "pieces of the published test set that are nearly the same as others: 1 like one in train"
    )
