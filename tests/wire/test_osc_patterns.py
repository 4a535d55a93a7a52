"""Address patterns mean what OSC says, and take little time whatever they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.errors import ProtocolError
from stream_rnn.wire.osc_patterns import MAX_PATTERN, MAX_STARS, fits, is_pattern, matching

NAMES = ["a", "b", "ab", "ba", "abc", "a-c", "seven", "past12"]
PIECES = {
    # of a pattern, and what each is as a regular expression
    "*": ".*", "?": ".", "[ab]": "[ab]", "[!ab]": "[^ab]", "[a-c]": "[a-c]", "[a-]": "[a-]",
    "{a,ab}": "(?:a|ab)", "{,b}": "(?:|b)", "{}": "(?:)", "a": "a", "b": "b", "-": "-", "c": "c",
}  # fmt: skip


@given(st.lists(st.sampled_from(sorted(PIECES)), max_size=6), st.text("abc-", max_size=6))
def test_a_pattern_matches_what_a_regular_expression_would(pieces: list[str], name: str) -> None:
    pattern = "".join(pieces)
    if is_pattern(pattern) and pattern.count("*") <= MAX_STARS:
        expected = re.fullmatch("".join(PIECES[piece] for piece in pieces), name)
        assert fits(pattern, name) == bool(expected)


@pytest.mark.parametrize(
    "pattern",
    [
        "{a,aa}" * 30 + "b", "{,a}" * 40 + "b", "*{a,aa,aaa}*{a,aa}*{a,aaa}*b", "?" * 200,
        "*a*a*a*b", "[a-z]*[a-z]*[a-z]*[a-z]b", "{" + "a,aa,aaa," * 25 + "b}{a,aa}",
    ],
)  # fmt: skip
def test_a_pattern_with_more_ways_to_match_than_can_be_tried_is_read_at_once(pattern: str) -> None:
    assert matching(pattern, ["a" * 64] * 200, or_none=True) == []


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("*" * 5, "4 stars"), ("[ab]" * 9, "8 sets"), ("?" * (MAX_PATTERN + 1), "256 characters"),
        ("[z-a]", "is not"), ("[!]", "is not"), ("x*", "no session"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_pattern_is_said(pattern: str, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        matching(pattern, NAMES)


def test_names_that_a_pattern_lists_are_found_in_the_order_of_the_names() -> None:
    assert matching("{ba,seven,a}", NAMES) == ["a", "ba", "seven"]
    assert matching("past[0-9]?", NAMES) == ["past12"]
    assert matching("plain", NAMES) == ["plain"]
