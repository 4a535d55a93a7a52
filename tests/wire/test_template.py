from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.errors import ConfigError
from stream_rnn.sound.voice import Note
from stream_rnn.wire import osc
from stream_rnn.wire.template import FIELDS, Template, note_values

VALUES = {**note_values(Note(67, 80)), "seconds": 0.25, "n": 7, "session": "main", "char": "e",
          "name": "temperature", "value": 0.5, "norm": 0.25}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text", "address", "arguments"),
    [
        ("note", "/dirt/play s superpiano n {note} sustain {seconds}",
         "/dirt/play", ("s", "superpiano", "n", 7, "sustain", 0.25)),
        ("note", "/synth/{pitch}/on {velocity} {gain}", "/synth/67/on", (80, 80 / 127)),
        ("note", "/a 1 -2 +3 .5 1. -1e3 2e-1", "/a", (1, -2, 3, 0.5, 1.0, -1000.0, 0.2)),
        ("note", "/a \"1\" '0.5' nan inf 1x 0x10", "/a", ("1", "0.5", "nan", "inf", "1x", "0x10")),
        ("note", '  /a  "a b" \'c "d"\'  "say \\"hi\\" \\\\" ""  ',
         "/a", ("a b", 'c "d"', 'say "hi" \\', "")),
        ("char", "/letters/{session} {char} {n}", "/letters/main", ("e", 7)),
        ("char", '/text "<{char}>" {session}-{n} "{char}"', "/text", ("<e>", "main-7", "e")),
        ("symbol", "/cue/{session}", "/cue/main", ()),
        ("control", "/{name} {value}", "/temperature", (0.5,)),
        ("control", "/{session}/{name} {norm}", "/main/temperature", (0.25,)),
        ("off", "/synth/{session}/off {pitch} {note} {player}", "/synth/main/off", (67, 7, 0)),
    ],
)  # fmt: skip
def test_a_template_is_filled_in(
    kind: str, text: str, address: str, arguments: tuple[Any, ...]
) -> None:
    made = Template.parse(text, kind).message(VALUES)
    assert made == (address, arguments)
    assert [type(a) for a in made[1]] == [type(a) for a in arguments]


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("char", "/a {pitch}", r"char = '/a \{pitch\}': there is no \{pitch\} in a char template"),
        ("symbol", "/a {char}", r"no \{char\} .* there are: n, seconds, session"),
        ("note", "/a {loud}", r"no \{loud\} .* there are: gain, n, note, pitch"),
        ("off", "/a {velocity}", r"an off template; there are: note, pitch, player, session"),
        ("control", "/a {n}", r"a control template; there are: name, norm, session, value"),
        ("control", "/{value}", "an address takes no spaces"),
        ("note", "/a {}", r"no \{\} "),
        ("note", "/a {pitch", "a brace is not closed"),
        ("note", "dirt/play", "begins with an address"),
        ("note", "  ", "begins with an address"),
        ("note", '/a "b', "a quote is not closed"),
        ("note", '/a b"c"', "a quote is not closed, or is inside a word"),
        ("char", "/a/{char} 1", "an address takes no spaces"),
        ("note", "/a/{gain}", "an address takes no spaces"),
        ("note", "/a/* 1", "an address takes no spaces"),
        ("note", '"/a b" 1', "an address takes no spaces"),
    ],
)
def test_what_cannot_be_a_template_is_told(kind: str, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Template.parse(text, kind)


@given(st.sampled_from(sorted(FIELDS)), st.text(alphabet="/ab {}note\"'\\ 1.-e", max_size=30))
def test_any_text_is_a_template_that_can_be_sent_or_refused(kind: str, text: str) -> None:
    try:
        template = Template.parse(text, kind)
    except ConfigError as error:
        assert repr(text) in str(error)
        return
    (sent,) = osc.parse_packet(osc.message_bytes(*_flat(template.message(VALUES))))
    assert sent.address.startswith("/")


def _flat(message: tuple[str, tuple[Any, ...]]) -> tuple[Any, ...]:
    return (message[0], *message[1])
