import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.text import BOUNDARY, MAX_VOCABULARY, UNKNOWN, TextCodec
from stream_rnn.errors import CheckpointError, DataError

codec = TextCodec("\n !\"',-.AEabcdeos")
known = st.text(st.sampled_from(codec.vocabulary))


@given(known)
def test_known_text_comes_back_as_it_was(text: str) -> None:
    assert codec.decode(codec.encode(text)) == text


@given(st.text())
def test_any_text_becomes_symbols_of_the_vocabulary(text: str) -> None:
    symbols = codec.encode(text)
    assert all(0 <= s < codec.size for s in symbols)
    assert len(symbols) >= len(unicodedata.normalize("NFC", text))


@given(st.lists(st.integers(0, MAX_VOCABULARY - 1)))
def test_packed_symbols_come_back_as_they_were(symbols: list[int]) -> None:
    packed = codec.pack(symbols)  # type: ignore[arg-type]
    assert len(packed) == len(symbols) * codec.width
    assert codec.unpack(packed).tolist() == symbols


@given(st.text(st.characters(exclude_characters=BOUNDARY + UNKNOWN, codec="utf-8"), min_size=1))
def test_a_codec_is_remade_from_its_json(characters: str) -> None:
    made = TextCodec(sorted(set(characters)))
    assert TextCodec.from_json(made.to_json()).vocabulary == made.vocabulary


def test_only_what_stands_often_enough_is_learnt() -> None:
    learnt = TextCodec.learn(["aaab", "aab\f�"] * 3, least=6)
    assert learnt.vocabulary == (BOUNDARY, UNKNOWN, "a", "b")
    assert TextCodec.learn(["aaab", "aab"], least=3).vocabulary[2:] == ("a",)


@given(st.text())
def test_a_text_is_the_same_in_every_unicode_form(text: str) -> None:
    known = TextCodec("éabce \u00c5çœ")
    forms = {form: known.encode(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}
    assert forms["NFC"] == forms["NFD"]
    assert known.decode(known.encode("e\u0301 c\u0327a")) == "é ça"


def test_too_many_characters_are_told_with_the_least_that_keeps_few_enough() -> None:
    characters = [chr(0x4E00 + i) for i in range(MAX_VOCABULARY + 100)]
    text = "".join(characters) + "".join(characters[:200])
    with pytest.raises(DataError, match=rf"^{len(characters)} different .*set data.least to 2$"):
        TextCodec.learn([text], least=1)
    assert len(TextCodec.learn([text], least=2).vocabulary) == 202


@pytest.mark.parametrize("texts", [[], [""], ["ab"]])
def test_a_corpus_without_frequent_characters_is_refused(texts: list[str]) -> None:
    with pytest.raises(DataError, match="at least 10 times.*is the corpus empty"):
        TextCodec.learn(texts)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("é", "e"),
        ("É", "E"),
        ("“ab”", '"ab"'),
        ("‘a’", "'a'"),
        ("a–b—c", "a-b--c"),
        ("…", "..."),
        ("ß", "ss"),
        ("Æ", "Ae"),
        ("\t", " "),
        ("日本", UNKNOWN * 2),
        ("z", UNKNOWN),
        ("ø", UNKNOWN),
        ("\u0301", UNKNOWN),
        ("½", UNKNOWN),
        ("🎹", UNKNOWN),
    ],
)
def test_a_missing_character_is_read_as_its_plainer_spelling_or_unknown(
    typed: str, read: str
) -> None:
    assert codec.decode(codec.encode(typed)) == read


def test_the_boundary_is_symbol_0_and_unknown_is_never_drawn() -> None:
    assert codec.boundary == 0
    assert codec.encode(BOUNDARY) == [0]
    assert codec.suppressed == (codec.encode(UNKNOWN)[0],)


def test_a_client_sends_a_string_or_a_list_of_strings() -> None:
    assert codec.parse("ab") == codec.parse(["a", "b"]) == codec.encode("ab")
    assert codec.event(codec.encode("b")[0]) == {"text": "b"}


@pytest.mark.parametrize("value", [None, 3, [1, 2], {"a": 1}, ["a", None], True])
def test_what_is_not_text_is_refused(value: object) -> None:
    with pytest.raises(DataError, match="a text model takes a string"):
        codec.parse(value)


def test_half_a_surrogate_pair_is_refused_and_its_place_named() -> None:
    with pytest.raises(DataError, match="half a surrogate pair at character 2"):
        codec.parse("ab\ud83d")
    with pytest.raises(DataError, match="character 1"):
        codec.parse(["a", "\udc00"])


@pytest.mark.parametrize("characters", ["aa", ["a", "bc"], [""], BOUNDARY, UNKNOWN])
def test_a_vocabulary_has_each_single_character_once(characters: str | list[str]) -> None:
    with pytest.raises(CheckpointError, match="single characters, each of them once"):
        TextCodec(characters)


def test_a_vocabulary_that_is_too_large_or_missing_is_refused() -> None:
    with pytest.raises(CheckpointError, match=f"more than {MAX_VOCABULARY}"):
        TextCodec(chr(0x4E00 + i) for i in range(MAX_VOCABULARY))
    with pytest.raises(
        CheckpointError, match="codec.characters is 5; it must be a string of 1 to 4094 characters"
    ):
        TextCodec.from_json({"domain": "text", "characters": 5})
