from pathlib import Path

import numpy as np

from stream_rnn.codecs.performance import PerformanceCodec
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.codecs.playlist import PlaylistCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.inspect.look import document_of, songs_of
from stream_rnn.train.corpus import Document


def test_songs_have_names_that_a_person_can_find_them_by() -> None:
    roll = np.zeros((40, 88), np.uint8)
    roll[2:6, [39, 43]] = 1  # C4 below E4
    roll[6:9, 39] = 1
    roll[12:, 50] = 1
    silent = np.zeros((3, 88), np.uint8)
    songs = songs_of(PianorollCodec(4), [Document(roll)] * 9 + [Document(silent)], (), 20)
    assert [songs[0].name, songs[8].name] == ["piece 1: E4 C4 B4", "piece 9: E4 C4 B4"]
    assert songs[9].name == "piece 10"
    scale = np.eye(88, dtype=np.uint8)[20:60]
    (song, *_) = songs_of(PianorollCodec(4), [Document(scale)] * 8, (), 20)
    assert song.name == "piece 1: F2 F♯2 G2 A♭2 A2 B♭2 B2", "a name has room for no more"

    codec = PerformanceCodec()
    symbols = codec.parse([{"velocity": 80}, {"on": 60}, {"on": 67}, {"off": 60}, {"on": 60}])
    played = Document(np.array(symbols, np.uint16), 1)
    (song, *_) = songs_of(codec, [played] * 8, ("Bach", "Chopin"), 20)
    assert (song.name, song.group) == ("piece 1: C4 G4 C4", "Chopin")

    text = TextCodec("abc \n")
    (song, *_) = songs_of(text, [Document(np.array(text.encode("\n ab\nc"), np.uint16))] * 8, (), 9)
    assert song.name == "ab"
    touch = TouchCodec(("x", "y"), 8, 0.05)
    moved = Document(np.array(touch.parse([[0.0, 1.0]]), np.uint16))
    assert songs_of(touch, [moved] * 8, (), 20)[7].name == "piece 8"


def test_a_playlist_is_read_with_its_sessions(tmp_path: Path) -> None:
    codec = PlaylistCodec(["a", "b"])
    (tmp_path / "x.txt").write_text("a\n\nb\nb\n")
    assert document_of(codec, None, tmp_path / "x.txt").symbols.tolist() == [2, 0, 3, 3]
    (tmp_path / "x.list").write_text("a\nb\n")
    assert document_of(codec, None, tmp_path / "x.list").symbols.tolist() == [2, 3]
