"""Any value that a client may send is read or refused quickly, and always with our own error.

Each of these values once took seconds, or never ended, or raised another error.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.checkpoint import find_models, read_card
from stream_rnn.codecs.base import Codec
from stream_rnn.errors import DataError, ProtocolError
from stream_rnn.paths import bundled
from stream_rnn.stage.limits import Limits
from stream_rnn.wire.messages import MAX_MESSAGE

MODELS = find_models(bundled("models"))
NAMES = ("lyrics", "folk", "tabs", "band", "controller", "nottingham", "performance")
CODECS = {name: read_card(MODELS[name]).make_codec() for name in NAMES}
TUNE = "X:1\nM:4/4\nK:C\n"
LONG: dict[str, list[Any]] = {
    "folk": [
        "L:1e9999999\nA", "A" + "9" * 5000, "A/" + "9" * 5000, "A" + "/" * 5000, "A" * 65_000,
        "(3" * 2000 + "-" * 4000, "A-" * 4000, "Z99|" * 2000, TUNE + "Z100" * 1500, '["' * 4000,
        "[" + "A" * 8000 + "]", "K:C " + "^f" * 4000, "V:1 " + "octave=1 " * 900, "!" * 8000,
        "M:" + "1+" * 4000 + "1/4", "+" * 8000, "a" + "'" * 8000, ["A" * 15] * 4000,
        TUNE + "%%begintext\n" * 500, "K:" + " " * 8000, ":" * 8000, "1-" * 4000 + "11",
    ],
    "lyrics": ["a" + "\u0315\u0300" * 16_000, "\ufdfa" * 20_000, "\u33c2" * 21_000,
               "\u0344" * 16_000, ["é" * 15] * 4000],
    "tabs": ["\n".join(f"{c}|" + "-" * 9000 for c in "eBGDAE"), "E|\n" * 20_000, "|D0 " * 16_000],
    "band": ["0 0 0 0\n" * 8000, "9" * 60_000 + " 0 0 0", [[0] * 4] * 9000],
    "controller": ["0 0 0\n" * 10_000, "0." + "1" * 60_000 + " 0 0", "1e400 nan inf"],
    "nottingham": [[[]] * 21_000, [[60] * 20_000], [[10**400]]],
    "performance": [[{"shift": 60}] * 3000, [{"on": 10**400}], [{"shift": 1e308}]],
}  # fmt: skip


def understood(codec: Codec, value: Any) -> list[int] | None:
    try:
        return Limits().parse(codec, value, "symbols")
    except ProtocolError as error:
        assert error.code == "bad_value" and len(str(error)) < 400
        return None


@pytest.mark.parametrize(("name", "number"), [(n, i) for n in LONG for i in range(len(LONG[n]))])
def test_what_would_take_long_is_refused_or_read_at_once(name: str, number: int) -> None:
    began = time.process_time()
    understood(CODECS[name], LONG[name][number])
    assert time.process_time() - began < 1.0  # on a busy machine; on a free one a twentieth


def test_as_many_symbols_as_may_be_sent_are_not_too_long() -> None:
    most = Limits().prime
    for name, value in {
        "lyrics": "e\u0301a" * (most // 2),
        "folk": ("M:6/8\nK:D\n" + "A2 B>c (3ABc | d2-|d2 z/ ^f |\n" * 300)[: most * 7 // 5],
        "tabs": "|D0 - D2 - " * (most // 4),
        "band": "0 1 2 3\n" * (most // 4),
        "controller": "0.5000 0.2500 0.7500\n" * (most // 3),
    }.items():
        found = understood(CODECS[name], value)
        assert found is not None and len(found) > most // 2
    assert understood(CODECS["lyrics"], "a" * (most + 1)) is None


ABC = st.text(st.sampled_from("ABcz,'^_=/123|:[](){}<>-+!\"%\n\\ KMLVXIZy.~"), max_size=60)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | ABC,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ABC, inner, max_size=2),
)


@given(st.sampled_from(NAMES), ANYTHING)
def test_whatever_is_sent_is_symbols_or_refused(name: str, value: Any) -> None:
    if len(json.dumps(value)) < MAX_MESSAGE:
        understood(CODECS[name], value)


@given(ABC, st.booleans())
def test_whatever_looks_like_abc_is_tokens_or_not_understood(text: str, whole: bool) -> None:
    codec = CODECS["folk"]
    try:
        codec.parse(TUNE + text if whole else text)
    except DataError as error:
        assert str(error)
