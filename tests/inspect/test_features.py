import numpy as np

from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.abc_text import tokenize
from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.codecs.performance import PerformanceCodec
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.inspect.features import Features, features_of, held_keys
from stream_rnn.train.corpus import Document


def of_text(text: str) -> Features:
    codec = TextCodec(sorted(set(text)))
    return features_of(codec, Document(np.array(codec.encode(text), np.uint16)))


def marked(text: str, name: str) -> str:
    """Where a feature of a text is above 0."""
    return "".join("x" if v > 0 else "." for v in of_text(text)[name])


def test_places_in_a_text() -> None:
    found = of_text("ab c\nd\n\nef")
    assert found["position in the line"].tolist() == [1, 2, 3, 4, 0, 1, 0, 0, 1, 2]
    assert found["position in the word"].tolist() == [1, 2, 0, 1, 0, 1, 0, 0, 1, 2]
    assert found["line of the stanza"].tolist() == [0, 0, 0, 0, 1, 1, 2, 0, 0, 0]
    coming = found["line end coming"]
    assert coming[:7].tolist() == [1] * 7
    assert np.isnan(coming[7:]).all()  # the end of a cut line is not known
    # At a line's end, the coming line end is that of the next line.
    twice = of_text("abcdefghijkl\nabcdefghijkl\n")["line end coming"]
    assert twice[:25].tolist() == [0] * 4 + [1] * 8 + [0] * 5 + [1] * 8


def test_what_a_text_is_inside_of() -> None:
    assert marked('a "bc" d', "inside quotes") == "..xxx..."
    assert marked('"a\n\n"b" c', "inside quotes") == "....xx..."[: len('"a\n\n"b" c')]
    assert marked("a “b\nc” «d» „e“ f", "inside quotes") == "..xxxx..xx..xx..."
    assert marked("‘it’s’ o’ ‘no\n\n’s", "inside quotes") == "xxxxx............"
    assert marked("f(a[1])", "bracket depth") == ".xxxxx."
    assert of_text("f(a[1])")["bracket depth"].tolist() == [0, 1, 1, 2, 2, 1, 0]
    assert marked("{/*}{*/}", "brace depth") == "xxxxxxx."
    assert marked("a/*b*/c", "inside a comment") == ".xxxx.."
    assert marked("a // b\nc", "inside a comment") == "..xxx..."
    assert marked("f( // (\n)", "bracket depth") == ".xxxxxxx."
    assert marked("ROMEO:\nAy me: no", "speaker's name") == "xxxxx..........."
    assert marked("a\n  b\nc", "indentation") == "..xxxx."


def test_a_roll() -> None:
    roll = np.zeros((8, 88), np.uint8)
    roll[1:3, [39, 43]] = 1  # C4, E4
    roll[3:, 39] = 1
    roll[5::2, 50] = 1
    found = features_of(PianorollCodec(4), Document(roll))
    assert np.isnan(found["melody (highest pitch)"][0])
    assert found["melody (highest pitch)"][1:4].tolist() == [64, 64, 60]
    assert found["harmony (lowest pitch)"][1:].tolist() == [60] * 7
    assert found["notes sounding"].tolist() == [0, 2, 2, 1, 1, 2, 1, 2]
    assert found["keys struck"].tolist() == [0, 2, 0, 0, 0, 1, 0, 1]
    # Most keys are struck in the odd frames, so the pulse falls there.
    assert found["pulse of 2 frames"].round().tolist() == [-1, 1] * 4


def test_a_tune() -> None:
    tokens = tokenize("M:2/4\nK:Am\nA2 ^c2|z4:|")
    codec = AbcCodec(sorted(set(tokens)))
    found = features_of(codec, Document(np.array(codec.encode(tokens), np.uint16)))
    assert tokens == ["M:2/4", "K:Amin", "A", "2", "^c", "2", "|", "z", "4", ":|"]
    assert found["position in the bar"].tolist() == [0, 0, 1, 2, 3, 4, 0, 1, 4, 0]
    assert found["pitch of the note"][2:].tolist() == [69, 69, 73, 73, 73, 73, 73, 73]
    assert found["bar is full"].tolist()[1:] == [0, 0, 0, 0, 1, 0, 0, 1, 0]
    assert found["minor mode"][1:].tolist() == [1] * 9
    assert found["after the first part"].tolist() == [0] * 9 + [1]


def test_events_hold_their_numbers_and_their_keys() -> None:
    codec = PerformanceCodec()
    symbols = codec.parse([{"velocity": 80}, {"on": 60}, {"on": 67}, {"shift": 0.5}, {"off": 60}])
    found = features_of(codec, Document(np.array(symbols, np.uint16)))
    assert found["notes sounding"].tolist() == [0, 1, 2, 2, 1]
    assert found["melody (highest pitch)"][1:].tolist() == [60, 67, 67, 67]
    assert found["latest on"][1:].tolist() == [60, 67, 67, 67]
    assert held_keys([{"on": 21}, {"off": 21}]).sum(1).tolist() == [1, 0]

    touch = TouchCodec(("x", "y"), 8, 0.05)
    symbols = touch.parse([[0.0, 1.0]])
    found = features_of(touch, Document(np.array(symbols, np.uint16)))
    assert set(found) == {"position in the whole", "latest x", "latest y"}


def test_a_bands_players_each_hold_their_own_gesture() -> None:
    codec = EnsembleCodec.usual()
    found = features_of(codec, Document(np.array(codec.encode([[1, 2, 3, 4], [5, 2, 0, 4]]))))
    assert found["latest player"].tolist() == [0, 1, 2, 3] * 2
    assert found["latest gesture of player 0"].tolist() == [1] * 4 + [5] * 4
    third = found["latest gesture of player 2"]
    assert np.isnan(third[:2]).all() and third[2:].tolist() == [3, 3, 3, 3, 0, 0]
    assert "latest gesture" not in found
