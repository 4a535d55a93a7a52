import csv
import os
import random
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.abc_text import tokenize
from stream_rnn.codecs.bars import bars_add_up
from stream_rnn.codecs.base import ints_from_bytes
from stream_rnn.codecs.performance import Note, decode_notes, encode_notes, midi_from_notes
from stream_rnn.codecs.pianoroll import PianorollCodec, midi_from_roll
from stream_rnn.codecs.playlist import PlaylistCodec
from stream_rnn.codecs.tablature import TablatureCodec, notes_of
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import CheckpointError, DataError
from stream_rnn.train.augment import augmenter, transposed
from stream_rnn.train.corpus import Document
from stream_rnn.train.data import corpus_of_card, load_corpus
from stream_rnn.train.feed import Chunk, Feed
from stream_rnn.train.folk import Tune, read_tunes, tablature, tune_keys
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import split_documents
from stream_rnn.train.texts import Song, name_keys, read_songs, song_keys

SHARES = (0.6, 0.2, 0.2)
SONGS = DataRecipe("songs.csv", "songs_csv", by_artist=True, split=SHARES, least=1)


def songs(count: int) -> list[Song]:
    return [
        Song(f"artist {i % 3}", f"song {i}", f"line one of {i}\nline two") for i in range(count)
    ]


def written(folder: Path, text: str | bytes, name: str = "songs.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def split(which: list[Song]) -> dict[str, list[Song]]:
    return split_documents(which, SHARES, song_keys)


# Songs


def test_songs_are_read_with_extra_columns_quotes_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = (
        '\ufeffartist,song,link,text\nA,One,/x,"la, ""la"" \r\nla"\n B ,Two,/y,  lo\n,None,/z,x\n'
    )
    assert read_songs(written(tmp_path, text), SONGS).songs == [
        Song("A", "One", 'la, "la"\nla'),
        Song("B", "Two", "lo"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header", ["artist,song,link,text", "Artist,Title,Lyrics", "LYRICS,singer,Track,id"]
)
def test_a_song_table_has_the_usual_columns_in_any_case_and_order(
    tmp_path: Path, delimiter: str, header: str
) -> None:
    cells = {"a": "A, the band", "s": "One; two", "l": "la\tla,\nlo; le"}
    kinds = {"artist": "a", "singer": "a", "song": "s", "title": "s", "track": "s",
             "text": "l", "lyrics": "l"}  # fmt: skip
    names = header.split(",")
    path = tmp_path / "songs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(names)
        writer.writerow([cells.get(kinds.get(name.lower(), ""), "x") for name in names])
    assert read_songs(path, SONGS).songs == [Song("A, the band", "One; two", "la\tla,\nlo; le")]


def test_a_recipe_may_name_the_columns_and_the_encoding(tmp_path: Path) -> None:
    path = written(tmp_path, "who,what,verse,text\nÉlan,Été,là,no\n".encode("cp1252"))
    recipe = DataRecipe(
        "songs.csv", "songs_csv", artist_column="WHO", title_column="what",
        text_column="verse", encoding="cp1252",
    )  # fmt: skip
    assert read_songs(path, recipe).songs == [Song("Élan", "Été", "là")]
    with pytest.raises(DataError, match="line 1: no column 'artist'; it has 'who', 'what'"):
        read_songs(path, DataRecipe("songs.csv", "songs_csv", encoding="cp1252"))
    with pytest.raises(DataError, match="set data.text_column to the one that is meant"):
        read_songs(written(tmp_path, "artist,song,word\nA,B,C\n"), SONGS)
    path.write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"line 1: not UTF-8; convert it .* or set data.encoding"):
        read_songs(path, SONGS)


def test_text_is_composed_whatever_form_it_came_in(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, "artist,song,text\nÉlan,Été,où çà\n")
        path = written(tmp_path, text)
        assert read_songs(path, SONGS).songs == [Song("Élan", "Été", "où çà")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column 'artist'"),
        ("artist,song,link\nA,B,C\n", "line 1: no column 'text'"),
        ("artist,song,text\nA,B,C,D\n", "no songs in it; "),
        ("artist,song,text\nA,B,C,D\n", "line 2: too many columns; is a quotation mark missing"),
        ('artist,song,text\nA,B,"la"la\n', "line 2: ',' expected after '\"'"),
        (b"artist,song,text\nA,B,C\nA,\xe9t\xe9,C\n", "line 3: not UTF-8"),
        ("artist,song,text\n", "no songs in it"),
        ("artist,song,text\nA,B,\n", "no songs in it"),
    ],
)
def test_what_is_wrong_with_a_song_table_is_named_with_its_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_songs(path, SONGS)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "line", "said"),
    [
        ("A,B\n", 3, "too few columns"),
        ("A,B,C,D\n", 3, "too many columns; is a quotation mark missing?"),
        ('A,B,"la\nla\nla"\nA,B\n', 6, "too few columns"),
        ('A,B,"la\nla\nla\n', 3, "unexpected end of data"),
        ('A,B,"la"la\nX,Y,Z\n', 3, "',' expected after '\"'"),
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_and_named_with_its_line(
    tmp_path: Path, rows: str, line: int, said: str
) -> None:
    path = written(tmp_path, "artist,song,text\nA,B,C\n" + rows)
    read = read_songs(path, SONGS)
    assert read.songs[0] == Song("A", "B", "C")
    assert read.left_out == (f"{path}, line {line}: {said}",)
    assert len(read.songs) == 1 + ("X,Y,Z" in rows or '"la\nla\nla"' in rows)


def test_bytes_that_are_not_utf8_are_named_by_line_however_far_into_the_file(
    tmp_path: Path,
) -> None:
    rows = "".join(f"A,Song {i},{'x' * 60}\n" for i in range(2000)).encode()
    path = written(tmp_path, b"artist,song,text\n" + rows + b"A,B,\xff\n" + rows)
    with pytest.raises(DataError, match="line 2002: not UTF-8"):
        read_songs(path, SONGS)


# Splits


def test_no_song_stands_in_two_sets_even_under_another_title() -> None:
    several = songs(300)
    again = [Song(s.artist, s.title.upper() + "!", f"so {s.title}") for s in several[:100]]
    renamed = [Song(s.artist, f"renamed {i}", s.text) for i, s in enumerate(several[100:200])]
    sets = split(several + again + renamed)
    where: dict[str, set[str]] = {}
    for name, part in sets.items():
        for song in part:
            for key in song_keys(song):
                where.setdefault(key, set()).add(name)
    assert all(len(names) == 1 for names in where.values())
    assert sum(map(len, sets.values())) == 500
    sizes = [len(sets[n]) / 500 for n in ("train", "valid", "test")]
    np.testing.assert_allclose(sizes, SHARES, atol=0.08)


def test_the_split_does_not_depend_on_order_or_on_songs_added_later() -> None:
    several = songs(200)
    before = split(several)
    more = several + [Song("newcomer", f"new {i}", f"quite new {i}") for i in range(100)]
    random.Random(1).shuffle(more)
    after = split(more)
    for name, part in before.items():
        assert {s.title for s in part} == {s.title for s in after[name] if s.artist != "newcomer"}


def test_songs_in_other_scripts_have_keys_of_their_own() -> None:
    one, two = Song("А", "Парус", "Белеет парус"), Song("А", "ПАРУС!", "Что ищет он")
    assert set(song_keys(one)) & set(song_keys(two))
    assert not set(song_keys(one)) & set(song_keys(Song("А", "Сон", "В полдневный жар")))


def test_titles_that_share_only_a_latin_word_have_keys_of_their_own() -> None:
    several = [
        Song("周杰伦", f"夜曲{chr(0x4E00 + i)} (Live)", f"我們的歌{chr(0x4E00 + i)}")
        for i in range(200)
    ]
    keys = [frozenset(song_keys(song)) for song in several]
    assert len(set().union(*keys)) == 400
    sizes = {name: len(part) for name, part in split(several).items()}
    assert min(sizes.values()) > 10
    accented = Song("A", "Été à la (Live)", "x")
    assert set(song_keys(accented)) & set(song_keys(Song("A", "Été, à la: live!", "y")))


@pytest.mark.parametrize("heading", ["I", "(Intro)", "[Verse 1: Elvis]", "1.", "", "CANTO II"])
def test_a_heading_does_not_tell_one_song_from_another(heading: str) -> None:
    several = [Song("A", f"Title {i}", f"{heading}\nIt was night number {i}") for i in range(60)]
    assert len({frozenset(song_keys(song)) for song in several}) == 60
    assert min(len(part) for part in split(several).values()) > 3
    again = Song("A", "Another title", f"{heading}\nIt was night, number 7!")
    assert set(song_keys(again)) & set(song_keys(several[7]))


def test_names_of_a_list_are_told_by_all_their_letters() -> None:
    assert set(name_keys(Song("", "", "Ulcer"))) == set(name_keys(Song("", "", "ulcer!")))
    assert set(name_keys(Song("", "", "Ulcer"))) != set(name_keys(Song("", "", "Ulcers")))


def test_a_corpus_knows_its_artists_and_learns_from_the_training_set_alone(tmp_path: Path) -> None:
    with (tmp_path / "songs.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("artist", "song", "text"), *((s.artist, s.title, s.text) for s in songs(60))]
        )
    corpus = load_corpus(SONGS, tmp_path)
    assert corpus.artists == ("artist 0", "artist 1", "artist 2")
    assert isinstance(corpus.codec, TextCodec)
    texts = {s.text: s for s in songs(60)}
    for name, part in split(read_songs(tmp_path / "songs.csv", SONGS).songs).items():
        assert len(corpus.splits[name]) == len(part)
        for document in corpus.splits[name]:
            song = texts[corpus.codec.decode(document.symbols)]
            assert corpus.artists[document.artist] == song.artist
    sizes = corpus.sizes()
    assert sum(s["documents"] for s in sizes.values()) == 60

    with pytest.raises(DataError, match="does not know the artist 'artist 0'"):
        load_corpus(SONGS, tmp_path, corpus.codec, ("artist 1", "artist 2"))


@pytest.mark.parametrize(
    ("recipe", "text", "said"),
    [
        (DataRecipe("none.csv", "songs_csv"), "", "none.csv: no such file or folder"),
        (SONGS, "artist,song,text\n" + "A,b,c\n" * 9, "two artists or more, found 1"),
        (DataRecipe("songs.csv", "text"), "short", "5 characters; at least 1000"),
        (DataRecipe("songs.csv", "text", split=(0.5, 0.5, 0.0)), "ab " * 999, "in the test set"),
        (DataRecipe("songs.csv", "text"), b"a\nb\n\xff", "line 3: not UTF-8"),
        (DataRecipe("songs.csv", "rolls_mat"), b"no mat", "not a piano-roll .mat file"),
        (DataRecipe("songs.csv", "midi"), "", "no .mid files"),
        (DataRecipe("songs.csv", "performances"), "", "no .mid files"),
        (DataRecipe("songs.csv", "lines"), " \n\n", "no names in it"),
        (DataRecipe("songs.csv", "lines"), b"caf\xe9\n" * 9, "line 1: not UTF-8"),
        (DataRecipe("songs.csv", "lines", column="Title"), "A,B\n1,2\n", "no column 'Title'"),
        (DataRecipe("songs.csv", "lines", least=1, split=(1, 0, 0)), "a name", "in the valid set"),
    ],
)
def test_a_corpus_that_cannot_be_used_is_refused(
    tmp_path: Path, recipe: DataRecipe, text: str | bytes, said: str
) -> None:
    written(tmp_path, text)
    with pytest.raises(DataError, match=said):
        load_corpus(recipe, tmp_path)


def test_a_short_path_is_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n").write_text("short")  # an n is in what is said of it
    with pytest.raises(DataError, match=r"^n: the text has 5 characters; at least 1000 are needed"):
        load_corpus(DataRecipe("n", "text"), Path())
    (tmp_path / "n").write_bytes(b"\xff")
    with pytest.raises(DataError, match="^n, line 1: not UTF-8"):
        load_corpus(DataRecipe("n", "text"), Path())


def test_prose_is_cut_in_the_order_it_stands(tmp_path: Path) -> None:
    text = "".join(chr(97 + i // 100) * 100 for i in range(0, 2000, 1))
    written(tmp_path, text, "prose.txt")
    corpus = load_corpus(DataRecipe("prose.txt", "text", split=(0.5, 0.2, 0.3)), tmp_path)
    lengths = [len(corpus.splits[n][0].symbols) for n in ("train", "valid", "test")]
    np.testing.assert_allclose(np.array(lengths) / len(text), (0.5, 0.2, 0.3), atol=1e-4)


def test_a_cards_corpus_is_the_one_it_was_trained_on(tmp_path: Path) -> None:
    written(tmp_path, "prose " * 500, "prose.txt")
    codec = TextCodec(" eoprs")
    recipe = {"source": "prose.txt", "format": "text", "least": 1}
    card = Card("m", "M", codec.to_json(), {}, data={"recipe": recipe})
    assert corpus_of_card(card, tmp_path).sizes()["train"]["symbols"] == 2699
    for data in ({}, {"recipe": {"source": 3}}):
        with pytest.raises(CheckpointError, match="'m' does not say how to read its corpus"):
            corpus_of_card(Card("m", "M", codec.to_json(), {}, data=data), tmp_path)


def test_a_text_is_cut_in_the_order_that_the_recipe_says_and_does_not_end(tmp_path: Path) -> None:
    text = "".join(f"line {i}\n" for i in range(1000)).strip()
    written(tmp_path, text, "prose.txt")

    def sets(*order: str) -> dict[str, str]:
        options = {"order": order} if order else {}
        recipe = DataRecipe("prose.txt", "text", least=1, split=(0.7, 0.1, 0.2), **options)  # type: ignore[arg-type]
        splits = load_corpus(recipe, tmp_path).splits
        codec = load_corpus(recipe, tmp_path).codec
        assert isinstance(codec, TextCodec)
        assert list(splits) == ["train", "valid", "test"]
        assert not any(d.ends for part in splits.values() for d in part)
        return {name: codec.decode(part[0].symbols) for name, part in splits.items()}

    usual, moved = sets(), sets("valid", "train", "test")
    assert usual["train"] + usual["valid"] + usual["test"] == text
    assert moved["valid"] + moved["train"] + moved["test"] == text
    assert usual["test"] == moved["test"]
    assert len(moved["train"]) == pytest.approx(0.7 * len(text), abs=1)


def test_the_texts_of_a_folder_are_read_as_one_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, words in (("b.TXT", "bee "), ("a.tex", "ah "), ("c.md", "see "), ("LICENCE", "x")):
        (tmp_path / "t").mkdir(exist_ok=True)
        written(tmp_path / "t", words * 200, name)
    recipe = DataRecipe("t", "text", least=1, split=(0.8, 0.1, 0.1))
    corpus = load_corpus(recipe, tmp_path)
    assert isinstance(corpus.codec, TextCodec)
    read = "".join(corpus.codec.decode(part[0].symbols) for part in corpus.splits.values())
    assert read == "\n\n".join((words * 200).strip() for words in ("ah ", "bee ", "see "))
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"none: no \.txt, \.text, \.md, \.tex files in it"):
        load_corpus(DataRecipe("none", "text"), tmp_path)


def test_prose_is_read_in_passages_that_begin_with_a_paragraph_and_do_not_end(
    tmp_path: Path,
) -> None:
    paragraphs = [f"{i:04}" + " la" * 20 for i in range(300)]
    written(tmp_path, "\n\n".join(paragraphs), "prose.txt")
    recipe = DataRecipe("prose.txt", "text", passage=500, least=1, split=(0.8, 0.1, 0.1))
    corpus = load_corpus(recipe, tmp_path)
    assert isinstance(corpus.codec, TextCodec)
    newline = corpus.codec.vocabulary.index("\n")
    augment = augmenter(recipe, newline)
    assert augment is not None
    (whole,) = corpus.splits["train"]
    begun = set()
    for seed in range(60):
        piece = augment(whole, np.random.default_rng(seed), 0.0)
        text = corpus.codec.decode(piece.symbols)
        assert 375 <= len(text) <= 500 and text[:4].isdigit() and text[4:7] == " la"
        assert not piece.ends
        begun.add(text[:4])
    assert len(begun) > 40
    # A passage begins at a line in a text without blank lines, and anywhere without lines.
    flat = Document(np.where(whole.symbols == newline, newline + 1, whole.symbols), ends=False)
    assert len(augment(flat, np.random.default_rng(1), 0.0).symbols) == 500


def test_a_list_of_names_is_a_document_a_line_each_name_once(tmp_path: Path) -> None:
    names = [f"Band {i}" for i in range(200)]
    written(tmp_path, "\ufeff" + "\r\n".join(["", *names, " Band   7 ", "band 8", ""]), "n.txt")
    corpus = load_corpus(DataRecipe("n.txt", "lines", split=SHARES, least=1), tmp_path)
    assert isinstance(corpus.codec, TextCodec)
    found = {
        name: {corpus.codec.decode(d.symbols) for d in part} for name, part in corpus.splits.items()
    }
    assert sorted(n for part in found.values() for n in part) == sorted([*names, "band 8"])
    assert any({"Band 8", "band 8"} <= part for part in found.values())  # one name: one set
    assert all(d.ends for part in corpus.splits.values() for d in part)


def test_names_may_stand_in_a_column_with_their_artists_in_another(tmp_path: Path) -> None:
    rows = "".join(f"{'AB'[i % 2]},{i},Name {i}\n" for i in range(60))
    written(tmp_path, "Series,Episode,Title\n" + rows, "n.csv")
    recipe = DataRecipe(
        "n.csv", "lines", column="Title", artist_column="Series", by_artist=True, split=SHARES,
        least=1,
    )  # fmt: skip
    corpus = load_corpus(recipe, tmp_path)
    assert isinstance(corpus.codec, TextCodec)
    assert corpus.artists == ("A", "B")
    for document in (d for part in corpus.splits.values() for d in part):
        number = int(corpus.codec.decode(document.symbols).removeprefix("Name "))
        assert document.artist == number % 2


def test_a_list_is_cut_in_the_order_it_came_and_into_sessions(tmp_path: Path) -> None:
    names = [f"song {i % 30}" for i in range(100)]
    text = "\n".join(names[:30]) + "\n\n\n" + "\n".join(names[30:]) + "\n"
    written(tmp_path, text, "p.txt")
    recipe = DataRecipe("p.txt", "playlist", split=(0.5, 0.2, 0.3), least=1)
    corpus = load_corpus(recipe, tmp_path)
    assert isinstance(corpus.codec, PlaylistCodec)
    found = {
        name: [corpus.codec.decode(d.symbols) for d in part] for name, part in corpus.splits.items()
    }
    assert found == {
        "train": [names[:30], names[30:50]], "valid": [names[50:70]], "test": [names[70:]]
    }  # fmt: skip
    assert all(d.ends for part in corpus.splits.values() for d in part)
    written(tmp_path, "a\nb\n", "p.txt")
    with pytest.raises(DataError, match="2 names in it; at least 50"):
        load_corpus(recipe, tmp_path)


# Tunes


def abc_tune(number: int, bars: str, title: str = "") -> str:
    return f"X:{number}\nT:{title or number}\nM:2/4\nL:1/8\nK:G\n{bars}||\n\n"


def test_tunes_whose_bars_add_up_are_read_and_one_melody_stands_in_one_set(
    tmp_path: Path,
) -> None:
    letters = "CDEFGABcdefgab"
    dice = random.Random(1)
    melodies = ["|".join("".join(dice.choices(letters, k=4)) for _ in range(6)) for _ in range(80)]
    text = "".join(abc_tune(i, melody) for i, melody in enumerate(melodies))
    text += "".join(abc_tune(i, melody + "|G4", "again") for i, melody in enumerate(melodies))
    text += abc_tune(7, "GABc|GAB|" + "GABc|" * 5)
    text += abc_tune(8, "V:1\n" + melodies[0] + "\nV:2\n" + melodies[0])
    text += abc_tune(9, "&" + melodies[0], "Overlaid") + "no tune\n"
    (tmp_path / "tunes").mkdir()
    written(tmp_path / "tunes", text.replace("\n", "\r\n"), "x.abc")
    read = read_tunes(tmp_path / "tunes")
    tunes, where = read.tunes, f"{tmp_path}/tunes/x.abc, X:"
    assert len(tunes) == 160
    said = "a bar is not as long as its meter (bar 2 has 3 eighths, not 4)"
    assert read.left_out == (
        f"{where}7, 7: {said}",
        f"{where}8, 8: it has several voices",
        f"{where}9, Overlaid: not understood as ABC: {('&' + melodies[0])[:20]!r}",
    )
    single = [Tune(str(i), t.tokens) for i, t in enumerate(tunes)]  # known by melody alone
    parts = split_documents(single, SHARES, tune_keys)
    assert all(part for part in parts.values())
    for part in parts.values():
        numbers = {int(t.title) % 80 for t in part}
        assert len(part) == 2 * len(numbers)

    recipe = DataRecipe("tunes", "abc", split=(0.6, 0.2, 0.2), least=1)
    # Half of them have the title "again" and each has a twin in the other half: all are one group.
    with pytest.raises(DataError, match="nothing to read in|no ABC token"):
        load_corpus(recipe, tmp_path)
    written(tmp_path / "tunes", text.replace("T:again\n", ""), "x.abc")
    corpus = load_corpus(recipe, tmp_path)
    assert isinstance(corpus.codec, AbcCodec)
    assert sum(s["documents"] for s in corpus.sizes().values()) == 160
    for document in (d for part in corpus.splits.values() for d in part):
        assert bars_add_up(corpus.codec.decode(document.symbols))


def test_a_file_says_before_its_tunes_what_is_so_of_all(tmp_path: Path) -> None:
    bars = "^GAgc|GABc|GABc|GABc||"
    header = "%abc-2.1\nA book of tunes\nM:2/4\nL:1/8\nK:G\n%%propagate-accidentals octave\n\n"
    path = tmp_path / "folder" / "X.ABC"
    path.parent.mkdir()
    text = f"{header}X:1\nT:Öl\nK:C\n{bars}\n \nX:2\nM:4/8\nK:C\nV:1\n{bars}\n[V:1]A4||\n\nwords\n"
    path.write_text(text, encoding="latin-1")
    (path.parent / "._X.abc").write_bytes(b"\0\5\x16\7\xff")
    (path.parent / "notes.abc").mkdir()
    read = read_tunes(path.parent, "latin-1")
    assert [t.where for t in read.tunes] == [f"{path}, X:1, Öl", f"{path}, X:2"]
    assert [t.tokens[:2] for t in read.tunes] == [("M:2/4", "K:Cmaj"), ("M:4/8", "K:Cmaj")]
    assert {t.pitches[2] for t in read.tunes} == {79}  # `g` in the octave above a `^G`
    with pytest.raises(DataError, match=r"X.ABC, line 9: not UTF-8"):
        read_tunes(path)
    with pytest.raises(DataError, match=r"that can be used .2 × a file that cannot be read"):
        read_tunes(path.parent)


def test_tunes_with_rare_tokens_are_left_out_and_counted(tmp_path: Path) -> None:
    melody = "{}|dcBA|GBdB|{}2 G2"
    starts = ["".join(random.Random(i).choices("CDEFGABcde", k=4)) for i in range(60)]
    tunes = [
        abc_tune(i, melody.format(start, "A" if i else "^D")) for i, start in enumerate(starts)
    ]
    written(tmp_path, "".join(tunes), "x.abc")
    recipe = DataRecipe("x.abc", "abc", split=(0.6, 0.2, 0.2), least=2)
    corpus = load_corpus(recipe, tmp_path)
    why = "it has '^D', which occurs in fewer than 2 tunes of the training set"
    assert corpus.left_out == (f"{tmp_path}/x.abc, X:0, 0: {why}",)
    with pytest.raises(DataError, match=r"x.abc, X:0, 0: it has '\^D'"):
        load_corpus(recipe, tmp_path, strict=True)
    again = load_corpus(recipe, tmp_path, corpus.codec)
    assert again.left_out == (
        f"{tmp_path}/x.abc, X:0, 0: it has '^D', which this model does not know",
    )
    assert again.sizes() == corpus.sizes()

    low = abc_tune(60, melody.format("G,,2G,,2", "A"))
    fast = abc_tune(61, melody.format("G/8A/4B/8c3/2G2", "A"))
    written(tmp_path, "".join([*tunes, low, fast]), "x.abc")
    corpus = load_corpus(DataRecipe("x.abc", "tabs", split=(0.6, 0.2, 0.2)), tmp_path)
    why = "beyond the guitar's strings, or too fast for 4 columns a beat"
    assert sorted(corpus.left_out) == [f"{tmp_path}/x.abc, X:{n}, {n}: {why}" for n in (60, 61)]
    assert sum(size["documents"] for size in corpus.sizes().values()) == 60


def test_a_tune_for_guitar_keeps_its_notes_lengths_and_bars() -> None:
    tokens = tokenize("M:6/8\nK:G\nD|G2A B>cd|z2e-e3|1 [2 (3gab g2||")
    symbols = tablature(tokens, 4)
    assert symbols is not None
    words = TablatureCodec(4).show(symbols)
    notes = [(n.pitch + 12, n.start, n.stop) for n in notes_of(symbols, 0.5)]  # in eighths
    triplet = [(79, 13.0, 13.5), (81, 13.5, 14.5), (83, 14.5, 15.0)]
    assert notes == [
        (62, 0, 1), (67, 1, 3), (69, 3, 4), (71, 4, 5.5), (72, 5.5, 6), (74, 6, 7),
        (76, 9, 13), *triplet, (79, 15.0, 17.0),
    ]  # fmt: skip
    assert words.split("\n")[0].count("|") == 5
    assert tablature(tokenize("M:6/8\nK:G\nC,,2|"), 4) is None  # below the guitar
    assert tablature(tokenize("M:6/8\nK:G\nG/4A/4B|"), 4) is None  # too fast for the columns


@pytest.mark.parametrize(
    ("abc", "said"),
    [
        ("nothing", "no ABC tunes in it$"),
        (abc_tune(1, "GA|" * 9), "that can be used .1 × a bar is not as long"),
        (b"X:1\nT:\xe9\n", "line 2: not UTF-8"),
    ],
)
def test_tunes_that_cannot_be_used_are_refused(tmp_path: Path, abc: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_tunes(written(tmp_path, abc, "x.abc"))


# Rolls


def made_mat(path: Path) -> DataRecipe:
    """A small file laid out as the benchmark's are: object arrays of rolls."""
    from scipy.io import savemat

    generator = np.random.default_rng(1)
    sets = {}
    for name, count in (("traindata", 4), ("validdata", 2), ("testdata", 1)):
        sets[name] = np.empty((1, count), object)
        for i in range(count):
            sets[name][0, i] = (generator.random((5 + i, 88)) < 0.1).astype(np.uint8)
    savemat(path / "made.mat", sets)
    return DataRecipe("made.mat", "rolls_mat")


def official(path: Path) -> tuple[Path, DataRecipe] | None:
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("STREAM_RNN_DATA", beside))
    name = "pianoroll_bl2012/Nottingham.mat"
    return (folder, DataRecipe(name, "rolls_mat")) if (folder / name).exists() else None


@pytest.mark.parametrize("source", ["made", "official"])
def test_rolls_are_read_in_their_published_sets(tmp_path: Path, source: str) -> None:
    # A clone alone does not have the official files; a made-up file replaces them.
    folder, recipe = (official(tmp_path) if source == "official" else None) or (
        tmp_path,
        made_mat(tmp_path),
    )
    corpus = load_corpus(recipe, folder)
    documents = [len(corpus.splits[n]) for n in ("train", "valid", "test")]
    assert documents == ([4, 2, 1] if folder == tmp_path else [694, 173, 170])
    for part in corpus.splits.values():
        for document in part:
            assert document.symbols.shape[1] == 88
            assert document.symbols.max() <= 1


def test_mat_files_that_are_cut_short_or_hold_something_else_are_refused(tmp_path: Path) -> None:
    from scipy.io import savemat

    recipe = made_mat(tmp_path)
    whole = (tmp_path / "made.mat").read_bytes()
    for data in (b"", whole[:100], whole[:200], whole[: len(whole) // 2], whole[:-3]):
        (tmp_path / "made.mat").write_bytes(data)
        with pytest.raises(DataError, match="made.mat: not a piano-roll .mat file"):
            load_corpus(recipe, tmp_path)
    savemat(tmp_path / "made.mat", {"traindata": [[1]], "validdata": [[1]], "testdata": [[1]]})
    with pytest.raises(DataError, match=r"piece 0 of traindata has shape \(\), not "):
        load_corpus(recipe, tmp_path)


@pytest.mark.parametrize(
    ("roll", "said"),
    [
        (np.full((4, 88), 7.5), "piece 0 of testdata has 7.5 in it; rolls have only 0 and 1"),
        (np.full((4, 88), np.nan), "piece 0 of testdata has nan in it"),
        (np.full((4, 88), 2, np.uint8), "piece 0 of testdata has 2 in it"),
        (np.full((4, 88), "x"), "piece 0 of testdata "),
    ],
)
def test_rolls_are_of_0_and_1(tmp_path: Path, roll: np.ndarray, said: str) -> None:
    from scipy.io import loadmat, savemat

    recipe = made_mat(tmp_path)
    sets = {k: v for k, v in loadmat(tmp_path / "made.mat").items() if not k.startswith("__")}
    sets["testdata"][0, 0] = roll
    savemat(tmp_path / "made.mat", sets)
    with pytest.raises(DataError, match=f"made.mat: {said}"):
        load_corpus(recipe, tmp_path)


def test_a_mat_file_with_a_wrong_byte_is_refused_in_a_line(tmp_path: Path) -> None:
    from scipy.io import loadmat, savemat

    recipe = made_mat(tmp_path)
    sets = {k: v for k, v in loadmat(tmp_path / "made.mat").items() if not k.startswith("__")}
    savemat(tmp_path / "made.mat", sets, do_compression=True)
    data = bytearray((tmp_path / "made.mat").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 30] = bytes(30)
    (tmp_path / "made.mat").write_bytes(data)
    with pytest.raises(DataError, match=r"made.mat: not a piano-roll .mat file \(.*\)$"):
        load_corpus(recipe, tmp_path)


def test_rolls_without_frames_are_passed_over_and_told_unless_there_are_no_others(
    tmp_path: Path,
) -> None:
    from scipy.io import loadmat, savemat

    recipe = made_mat(tmp_path)
    data = loadmat(tmp_path / "made.mat")
    sets = {k: v for k, v in data.items() if not k.startswith("__")}
    sets["traindata"][0, 0] = np.zeros((0, 88), np.uint8)
    savemat(tmp_path / "made.mat", sets)
    corpus = load_corpus(recipe, tmp_path)
    assert len(corpus.splits["train"]) == 3
    told = f"{tmp_path}/made.mat: piece 0 of traindata has no frames"
    assert corpus.left_out == (told,)
    sets["traindata"][0, 2] = np.zeros((0, 0))  # as Matlab writes an empty one
    savemat(tmp_path / "made.mat", sets)
    corpus = load_corpus(recipe, tmp_path)
    assert len(corpus.splits["train"]) == 2
    assert corpus.left_out == (told, told.replace("piece 0", "piece 2"))
    sets["testdata"][0, 0] = np.zeros((0, 88), np.uint8)
    savemat(tmp_path / "made.mat", sets)
    with pytest.raises(DataError, match="nothing to read in the test set"):
        load_corpus(recipe, tmp_path)


@pytest.mark.parametrize("format", ["midi", "performances"])
def test_a_midi_file_without_notes_is_left_out_and_named(tmp_path: Path, format: Any) -> None:
    composed(tmp_path, 9)
    midi_from_notes([]).save(tmp_path / "A" / "silent.mid")
    recipe = DataRecipe(".", format, split=SHARES)
    (left_out,) = load_corpus(recipe, tmp_path).left_out
    assert f"{tmp_path}/A/silent.mid: no notes" in left_out
    with pytest.raises(DataError, match=r"A/silent\.mid: no notes"):
        load_corpus(recipe, tmp_path, strict=True)


def test_a_folder_of_midi_files_is_split_by_piece(tmp_path: Path) -> None:
    for i in range(30):
        roll = np.zeros((4, 88), np.uint8)
        roll[:, i] = 1
        midi_from_roll(roll, steps_per_beat=4).save(tmp_path / f"{i}.MID")
    corpus = load_corpus(DataRecipe(".", "midi", split=SHARES), tmp_path)
    assert isinstance(corpus.codec, PianorollCodec)
    pieces = [int(d.symbols.argmax(1)[0]) for part in corpus.splits.values() for d in part]
    assert sorted(pieces) == list(range(30))


def composed(folder: Path, count: int) -> None:
    """A folder of MIDI files of two composers: A plays below the middle C, B above."""
    for i in range(count):
        name = "AB"[i % 2]
        (folder / name).mkdir(exist_ok=True)
        pitch = 40 + i % 10 if name == "A" else 70 + i % 10
        notes = [Note(k * 0.5, k * 0.5 + 0.3, pitch + k, 60 + k) for k in range(8)]
        midi_from_notes(notes).save(folder / name / f"{i}.mid")


@pytest.mark.parametrize("format", ["performances", "midi"])
def test_the_folders_of_midi_files_are_their_composers(tmp_path: Path, format: Any) -> None:
    composed(tmp_path, 30)
    recipe = DataRecipe(".", format, by_artist=True, split=SHARES)
    corpus = load_corpus(recipe, tmp_path)
    assert corpus.artists == ("A", "B")
    for document in (d for part in corpus.splits.values() for d in part):
        pack = corpus.codec.pack(document.symbols)
        symbols = ints_from_bytes(pack, corpus.codec.width)
        events = [corpus.codec.event(s) for s in symbols]
        pitches = [p for e in events for p in e.get("notes", ())]
        pitches += [e["event"]["on"] for e in events if "on" in e.get("event", {})]
        assert pitches and all((p > 60) == document.artist for p in pitches)
    midi_from_notes([Note(0, 1, 60, 60)]).save(tmp_path / "stray.mid")
    with pytest.raises(DataError, match=r"stray\.mid: not in an artist's folder"):
        load_corpus(recipe, tmp_path)


def test_a_performance_is_moved_and_stretched_anew_each_time() -> None:
    notes = [Note(k * 0.5, k * 0.5 + 0.25, 50 + k, 64) for k in range(10)]
    document = Document(encode_notes(notes), artist=3)
    augment = augmenter(DataRecipe("", "performances", transpose=4, stretch=0.1))
    assert augment is not None
    seen = set()
    for seed in range(40):
        made = augment(document, np.random.default_rng(seed), 0.5)
        found = decode_notes(made.symbols.tolist())
        assert made.artist == 3 and made.ends
        assert [n.pitch - found[0].pitch for n in found] == list(range(10))
        assert 4.5 * 0.89 < found[-1].start < 4.5 * 1.11
        seen.add((found[0].pitch, round(found[-1].start, 2)))
    assert len(seen) > 30
    assert {pitch for pitch, _ in seen} == set(range(46, 55))


@pytest.mark.parametrize(
    ("settle", "late"), [(0.0, (0.85, 1)), (0.5, (0.4, 0.6)), (1.0, (0, 0.15))]
)
def test_pieces_settle_in_their_own_key_towards_the_end(
    settle: float, late: tuple[float, float]
) -> None:
    roll = np.zeros((2, 88), np.uint8)
    roll[:, 40] = 1
    augment = augmenter(DataRecipe("", "midi", transpose=6, settle=settle))
    assert augment is not None

    def moved(progress: float) -> float:
        """The share of times that the piece is moved."""
        dice = np.random.default_rng(1)
        made = [augment(Document(roll), dice, progress) for _ in range(400)]
        return float(np.mean([not d.symbols[0, 40] for d in made]))

    assert moved(0.0) > 0.85
    assert late[0] <= moved(0.95) <= late[1]


@pytest.mark.parametrize("semitones", [-11, -1, 0, 1, 11])
def test_a_roll_is_moved_unless_a_note_would_leave_the_keyboard(semitones: int) -> None:
    roll = np.zeros((2, 88), np.uint8)
    roll[0, 11] = roll[1, 76] = 1
    moved = transposed(roll, semitones)
    assert np.argwhere(moved).tolist() == [[0, 11 + semitones], [1, 76 + semitones]]
    roll[0, 0] = roll[1, 87] = 1
    np.testing.assert_array_equal(transposed(roll, semitones), roll)


# Chunks


def documents(count: int) -> list[Document]:
    """Document `i` repeats the symbol `i + 1`, which identifies it; lengths differ."""
    return [Document(np.full(1 + i * 3 % 11, i + 1, np.uint16), artist=i % 2) for i in range(count)]


def feed(count: int = 7, **options: object) -> Feed:
    chosen = {"rows": 3, "chunk": 5, "seed": 1, "restart": 0.5, **options}
    return Feed(documents(count), np.zeros((), np.uint16), **chosen)  # type: ignore[arg-type]


def lanes(source: Feed, chunks: int) -> list[list[tuple[int, int, int, bool]]]:
    """For each row, (input, target, artist, begins from a zero state) where the mask is 1."""
    rows: list[list[tuple[int, int, int, bool]]] = [[] for _ in source.lanes]
    for _ in range(chunks):
        chunk: Chunk = next(source)
        assert set(np.unique(chunk.mask)) <= {0.0, 1.0}
        for row, found in enumerate(rows):
            used = int(chunk.mask[row].sum())
            assert chunk.mask[row, :used].all()  # what is left over is at the end
            for t in range(used):
                found.append(
                    (
                        int(chunk.inputs[row, t]),
                        int(chunk.targets[row, t]),
                        int(chunk.artists[row, t]),
                        bool(chunk.restart[row]) and t == 0,
                    )
                )
    return rows


@pytest.mark.parametrize("restart", [0.0, 0.5, 1.0])
def test_every_document_is_read_once_an_epoch_from_boundary_to_boundary(restart: float) -> None:
    (row,) = lanes(feed(rows=1, restart=restart), 150)
    order, i = [], 0
    while i < len(row):
        symbol = row[i][1]
        framed = [0, *[symbol] * (1 + (symbol - 1) * 3 % 11), 0]
        here = row[i : i + len(framed) - 1]
        if len(here) < len(framed) - 1:
            break
        assert [(a, b) for a, b, _, _ in here] == list(zip(framed, framed[1:], strict=False))
        assert {artist for _, _, artist, _ in here} == {(symbol - 1) % 2}
        assert not any(restarts for *_, restarts in here[1:])
        order.append(symbol)
        i += len(here)
    epochs = [order[e : e + 7] for e in range(0, len(order) - 6, 7)]
    assert len(epochs) > 5
    assert all(sorted(epoch) == list(range(1, 8)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_rows_read_side_by_side_leave_no_document_out() -> None:
    source = feed(rows=3)
    rows = lanes(source, 200)
    begun = Counter(target for row in rows for given, target, _, _ in row if given == 0)
    assert begun.total() + sum(read == 0 for _, read in source.lanes) == source.dealt
    assert max(begun.values()) - min(begun[i] for i in range(1, 8)) <= 2


@pytest.mark.parametrize(("restart", "least", "most"), [(0.0, 0, 0), (0.5, 0.3, 0.7), (1.0, 1, 1)])
def test_a_share_of_the_documents_begins_from_a_zero_state(
    restart: float, least: float, most: float
) -> None:
    (row,) = lanes(feed(rows=1, restart=restart), 400)
    begins = [restarts for given, _, _, restarts in row if given == 0]
    assert begins[0]  # there is no state yet
    assert least <= np.mean(begins[1:]) <= most


@pytest.mark.parametrize("transpose", [0, 5])
def test_a_feed_goes_on_from_its_state_as_if_it_had_never_stopped(transpose: int) -> None:
    generator = np.random.default_rng(3)
    rolls = [Document((generator.random((n, 88)) < 0.05).astype(np.uint8)) for n in range(1, 9)]

    def make(seed: int = 1) -> Feed:
        return Feed(
            rolls, np.zeros(88, np.uint8), rows=3, chunk=5, seed=seed, restart=0.5,
            augment=augmenter(DataRecipe("", "midi", transpose=transpose)),
        )  # fmt: skip

    def same(a: Chunk, b: Chunk) -> bool:
        return all(np.array_equal(vars(a)[k], vars(b)[k]) for k in vars(a))

    source = make()
    for _ in range(23):
        next(source)
    twin = make()
    next(twin)
    twin.restore(source.state())
    assert twin.dealt == source.dealt > 2 * len(rolls)
    assert all(same(next(source), next(twin)) for _ in range(40))
    other = make(seed=2)
    source = make()
    assert not all(same(next(source), next(other)) for _ in range(3))
