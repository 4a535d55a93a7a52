from pathlib import Path

import numpy as np
import pytest

from stream_rnn.codecs.base import int_to_bytes, ints_from_bytes
from stream_rnn.codecs.pianoroll import PianorollCodec, midi_from_roll
from stream_rnn.codecs.registry import CODECS, codec_from_json, file_writer, read_prime
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import CheckpointError, ConfigError, DataError

text, roll = TextCodec("ab\n"), PianorollCodec(4)


@pytest.mark.parametrize("codec", [text, roll])
def test_a_codec_comes_back_from_its_card(codec: TextCodec | PianorollCodec) -> None:
    again = codec_from_json(codec.to_json())
    assert type(again) is type(codec)
    assert codec.domain in CODECS
    assert again.to_json() == codec.to_json()


@pytest.mark.parametrize("data", [{}, {"domain": "tabla"}, {"domain": ["text"]}])
def test_an_unknown_domain_is_refused_and_the_known_ones_told(data: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="unknown domain .*; known: abc, .*, text"):
        codec_from_json(data)


@pytest.mark.parametrize("codec", [text, roll])
def test_a_history_holds_symbols_at_a_fixed_width(codec: TextCodec | PianorollCodec) -> None:
    symbols = [0, 2, 4]
    packed = b"".join(int_to_bytes(s, codec.width) for s in symbols)
    assert ints_from_bytes(packed, codec.width) == symbols
    assert codec.pack(codec.unpack(packed)) == packed


def test_a_prime_is_a_text_or_a_midi_files_notes(tmp_path: Path) -> None:
    assert read_prime(text, "") == read_prime(roll, "") == []
    assert read_prime(text, "ab") == text.encode("ab")
    notes = np.zeros((2, 88), np.uint8)
    notes[1, 39] = 1
    midi_from_roll(notes, steps_per_beat=4).save(tmp_path / "x.mid")
    assert read_prime(roll, str(tmp_path / "x.mid")) == [0, 1 << 39]
    with pytest.raises(DataError, match="not a readable MIDI file"):
        read_prime(roll, "O my love ")


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    file_writer(roll, tmp_path / "x.mid", 120.0)([0, 1 << 39])
    assert read_prime(roll, str(tmp_path / "x.mid")) == [0, 1 << 39]
    file_writer(text, tmp_path / "x.txt", 120.0)([*text.encode("a"), 0, *text.encode("b")])
    assert (tmp_path / "x.txt").read_text(encoding="utf-8") == "a\n\n\nb\n"


def test_a_text_is_printed_where_no_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    file_writer(text, None, 120.0)(text.encode("ab"))
    assert capsys.readouterr().out == "ab\n"


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--out x\.mid"):
        file_writer(roll, None, 120.0)
    with pytest.raises(ConfigError, match=r"pianoroll writes \.mid files"):
        file_writer(roll, tmp_path / "x.wav", 120.0)
    with pytest.raises(ConfigError, match=r"text writes \.txt files"):
        file_writer(text, tmp_path / "x.mid", 120.0)
    with pytest.raises(ConfigError, match="there is no folder .*nowhere"):
        file_writer(text, tmp_path / "nowhere" / "x.txt", 120.0)
