from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.playlist import MAX_NAMES, PlaylistCodec
from stream_rnn.errors import CheckpointError, DataError

names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
lists = st.lists(st.lists(names, min_size=1, max_size=9), min_size=1, max_size=4)


@given(lists)
def test_names_come_back_from_their_symbols_and_the_codec_from_its_card(
    several: list[list[str]],
) -> None:
    codec = PlaylistCodec.learn(several, least=1)
    again = PlaylistCodec.from_json(codec.to_json())
    for some in several:
        symbols = again.encode(some)
        assert again.decode(symbols) == some
        assert again.parse("".join(again.event(s)["text"] for s in symbols)) == symbols
        assert again.parse(some) == symbols
        assert codec.unpack(codec.pack(codec.unpack(codec.pack(symbols)))).tolist() == symbols


def test_a_rare_or_unheard_name_may_be_fed_but_is_not_drawn(tmp_path: Path) -> None:
    codec = PlaylistCodec.learn([["a", "b", "a"], ["b", "c"]], least=2)
    assert codec.encode(["a", "b", "c", "d"]) == [2, 3, 1, 1]
    assert codec.suppressed == (1,)
    assert codec.event(0) == {"text": "\n", "event": {"end": 1}}
    assert codec.event(2) == {"text": "a\n", "event": {"name": "a"}}
    assert codec.parse(" a \n\n b\n") == [2, 3]
    codec.write_file([2, 3, 0, 2], tmp_path / "x.txt", 120.0)
    assert (tmp_path / "x.txt").read_text() == "a\nb\n\na\n"


def test_a_prime_is_names_or_a_file_of_them(tmp_path: Path) -> None:
    codec = PlaylistCodec(["a", "b", "the sea"])
    assert codec.read_prime("b\n the  sea \nx") == [3, 4, 1]
    file = tmp_path / "heard.txt"
    file.write_text("\n a\r\nb\n \n\nthe\tsea\n\n")
    assert codec.read_prime(str(file)) == [2, 3, 0, 4], "a blank line ends a session"
    codec.write_file([2, 0, 4, 3], file, 120.0)
    assert codec.read_prime(str(file)) == [2, 0, 4, 3]
    file.write_bytes(b"caf\xe9")
    for path in (file, tmp_path / "none.txt"):
        with pytest.raises(DataError, match=path.name):
            codec.read_prime(str(path))


def test_what_is_no_playlist_is_refused() -> None:
    codec = PlaylistCodec(["a"])
    for value in (3, [3], None):
        with pytest.raises(DataError, match="takes a list of names"):
            codec.parse(value)
    with pytest.raises(DataError, match="no name occurs 2 times"):
        PlaylistCodec.learn([["a"]], least=2)
    with pytest.raises(DataError, match="at most 20000"):
        PlaylistCodec.learn([[str(i) for i in range(MAX_NAMES + 1)]], least=1)
    for broken in (None, "ab", ["a", "a"], ["a\nb"], [" a"], ["a  b"], [""], [1], ["…"]):
        with pytest.raises(CheckpointError):
            PlaylistCodec.from_json({"names": broken})
