"""Text in visual order: Arabic, Hebrew and similar scripts run from right to left.

This is a small part of Unicode's bidirectional algorithm (UAX #9): no embeddings, overrides or
isolates, and one line at a time. Arabic letters get the form that their neighbours require, if
Unicode has it as a separate character; ligatures are not made.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_RIGHT, _LEFT, _NUMBER, _NEUTRAL = "R", "L", "N", ""
_STRONG = ("L", "R", "AL")
_KINDS = {"L": _LEFT, "R": _RIGHT, "AL": _RIGHT, "EN": _NUMBER, "AN": _NUMBER}
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_MIRRORED = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")
_TATWEEL = "\u0640"


class Line(NamedTuple):
    """A line as it is drawn.

    Attributes:
        order: for each place from left to right, the letter's index in the text.
        letters: the letters to draw at these places.
        from_right: whether the line begins at the right.
    """

    order: tuple[int, ...]
    letters: tuple[str, ...]
    from_right: bool


def is_from_right(letter: str) -> bool:
    """Whether a letter belongs to a script that runs from right to left."""
    return unicodedata.bidirectional(letter) in ("R", "AL")


def visual(text: str, *, from_right: bool | None = None) -> Line:
    """Puts a line's letters in visual order, from left to right.

    Args:
        from_right: whether its paragraph begins at the right; None: its first letter decides.
    """
    if not text or not (from_right or any(map(is_from_right, text))):
        return Line(tuple(range(len(text))), tuple(text), bool(from_right))
    if from_right is None:
        strong = (unicodedata.bidirectional(letter) for letter in text)
        from_right = next(name for name in strong if name in _STRONG) != "L"
    kinds = _kinds(text, from_right)
    _settle_brackets(text, kinds, from_right)
    levels = _levels(kinds, from_right)
    for at in range(len(text) - 1, -1, -1):  # trailing spaces run in the line's direction
        if not text[at].isspace():
            break
        levels[at] = int(from_right)
    order = list(range(len(text)))
    for level in range(max(levels), 0, -1):
        begin = 0
        while begin < len(order):
            end = begin
            while end < len(order) and levels[order[end]] >= level:
                end += 1
            order[begin:end] = reversed(order[begin:end])
            begin = max(end, begin + 1)
    shaped = joined(text)
    letters = (shaped[i].translate(_MIRRORED) if levels[i] % 2 else shaped[i] for i in order)
    return Line(tuple(order), tuple(letters), from_right)


def _kinds(text: str, from_right: bool) -> list[str]:
    """Each letter's kind: `_LEFT` to right, from `_RIGHT`, `_NUMBER` or `_NEUTRAL`."""
    classes = [unicodedata.bidirectional(letter) for letter in text]
    strong = ""
    for i, name in enumerate(classes):  # rules W1 to W3
        if name == "NSM":
            classes[i] = classes[i - 1] if i else "ON"
        elif name in _STRONG:
            strong = name
        elif name == "EN" and strong == "AL":
            classes[i] = "AN"
    padded = ["", *classes, ""]
    for i, name in enumerate(classes):  # W4: a sign within a number
        before, after = padded[i], padded[i + 2]
        if before == after and (before, name) in (("EN", "ES"), ("EN", "CS"), ("AN", "CS")):
            classes[i] = before
    padded = ["", *classes, ""]
    for i, name in enumerate(classes):  # W5: a sign beside a number
        if name == "ET" and "EN" in (padded[i], padded[i + 2]):
            classes[i] = "EN"
    strong = "R" if from_right else "L"
    for i, name in enumerate(classes):  # W7
        if name in _STRONG:
            strong = name
        elif name == "EN" and strong == "L":
            classes[i] = "L"
    return [_KINDS.get(name, _NEUTRAL) for name in classes]


def _settle_brackets(text: str, kinds: list[str], from_right: bool) -> None:
    """Gives both brackets of a pair one direction (N0): the line's, if it occurs between them."""
    base = _RIGHT if from_right else _LEFT
    for begin, end in _pairs(text, kinds):
        inside = {_side(kind) for kind in kinds[begin + 1 : end] if kind != _NEUTRAL}
        if not inside:
            continue
        side = base
        if base not in inside:
            before = (_side(kind) for kind in reversed(kinds[:begin]) if kind != _NEUTRAL)
            side = next(before, base)
        kinds[begin] = kinds[end] = side


def _pairs(text: str, kinds: Sequence[str]) -> list[tuple[int, int]]:
    """The indices at which pairs of brackets open and close, in the order of opening."""
    opened: list[int] = []
    pairs = []
    for at, letter in enumerate(text):
        if kinds[at] != _NEUTRAL:
            continue
        if letter in _CLOSES:
            opened.append(at)
        elif letter in _CLOSES.values():
            for depth in range(len(opened) - 1, -1, -1):
                if _CLOSES[text[opened[depth]]] == letter:
                    pairs.append((opened[depth], at))
                    del opened[depth:]
                    break
    return sorted(pairs)


def _side(kind: str) -> str:
    """The direction of a kind as its neighbours see it: a number counts as right-to-left."""
    return _LEFT if kind == _LEFT else _RIGHT


def _levels(kinds: Sequence[str], from_right: bool) -> list[int]:
    """The embedding level of each letter: odd levels run from right to left."""
    base = _RIGHT if from_right else _LEFT
    level = {_LEFT: 2 if from_right else 0, _RIGHT: 1, _NUMBER: 2}
    levels, i, before = [0] * len(kinds), 0, base
    while i < len(kinds):
        if kinds[i] != _NEUTRAL:
            levels[i] = level[kinds[i]]
            before = _side(kinds[i])
            i += 1
            continue
        end = next((j for j in range(i, len(kinds)) if kinds[j] != _NEUTRAL), len(kinds))
        after = _side(kinds[end]) if end < len(kinds) else base
        side = before if before == after else base
        levels[i:end] = [level[side]] * (end - i)
        i = end
    return levels


@functools.cache
def _forms() -> dict[str, dict[str, str]]:
    """The forms of each Arabic letter: `<initial>`, `<medial>`, `<final>`, `<isolated>`."""
    forms: dict[str, dict[str, str]] = {}
    for code in (*range(0xFB50, 0xFDFE), *range(0xFE70, 0xFEFD)):
        kind, *letters = unicodedata.decomposition(chr(code)).split()[:3] or [""]
        if kind.startswith("<") and len(letters) == 1:
            forms.setdefault(chr(int(letters[0], 16)), {})[kind] = chr(code)
    return forms


def joined(text: str) -> list[str]:
    """Each Arabic letter in the form that its neighbours require; others as they are."""
    forms = _forms()
    letters = list(text)
    # Combining marks do not separate the letters that they stand on.
    places = [i for i, letter in enumerate(text) if not unicodedata.combining(letter)]
    for at, i in enumerate(places):
        own = forms.get(text[i])
        if own is None:
            continue
        before = text[places[at - 1]] if at else ""
        after = text[places[at + 1]] if at + 1 < len(places) else ""
        leans = "<final>" in own and ("<initial>" in forms.get(before, {}) or before == _TATWEEL)
        leads = "<initial>" in own and ("<final>" in forms.get(after, {}) or after == _TATWEEL)
        kind = {(True, True): "<medial>", (True, False): "<final>", (False, True): "<initial>"}
        letters[i] = own.get(kind.get((leans, leads), "<isolated>"), text[i])
    return letters
