"""Describes what a document from a file may hold, and checks documents against it.

A `Kind` describes one value, in words and as a test. Kinds of tables and lists are made of other
kinds. The first value that does not fit is refused, with its place: `codec.steps_per_beat is 0;
it must be a whole number from 1 to 96`.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream_rnn.errors import CheckpointError

DEEPEST = 32  # levels of nested lists and objects
LONGEST = 300  # characters of an error message
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Kind:
    """What a value must be.

    Attributes:
        wanted: in words, after "it must be".
        fits: whether a value is of this kind, apart from what it contains.
        inside: checks what a value contains, given the value and its place.
    """

    wanted: str
    fits: Callable[[Any], bool]
    inside: Callable[[Any, str], None] = lambda value, where: None

    def check(self, value: object, where: str) -> None:
        """Checks a value that stands at a place, such as `codec.period`.

        Raises:
            CheckpointError: it does not fit.
        """
        if not self.fits(value):
            raise wrong(where, value, self.wanted)
        self.inside(value, where)


def wrong(where: str, value: object, wanted: str) -> CheckpointError:
    """The error about a value that does not fit."""
    return CheckpointError(f"{where} is {shown(value)}; it must be {wanted}")


def shown(value: object) -> str:
    """A value in a few words, however long or deep it is."""
    return reprlib.repr(value)


def one_line(text: str, most: int = LONGEST) -> str:
    """A text as one line, safe for any terminal and log, and cut to `most` characters."""
    line = _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def whole(least: int, most: int) -> Kind:
    """A whole number, both bounds included."""
    return Kind(
        f"a whole number from {least} to {most}",
        lambda value: type(value) is int and least <= value <= most,
    )


def number(least: float, most: float) -> Kind:
    """A number, both bounds included; never NaN."""
    return Kind(
        f"a number from {least:g} to {most:g}",
        lambda value: type(value) in (int, float) and least <= value <= most,
    )


def text(most: int, *, least: int = 0) -> Kind:
    """A string of `least` to `most` characters."""
    size = f"{least} to {most}" if least else f"at most {most}"
    return Kind(
        f"a string of {size} characters",
        lambda value: isinstance(value, str) and least <= len(value) <= most,
    )


def line(most: int, *, least: int = 0) -> Kind:
    """The same, on one line: without control characters."""
    whole_text = text(most, least=least)
    return Kind(
        f"{whole_text.wanted} without control characters",
        lambda value: whole_text.fits(value) and not _UNPRINTABLE.search(value),
    )


def matching(pattern: str, wanted: str) -> Kind:
    """A string that matches a pattern as a whole."""
    compiled = re.compile(pattern)
    return Kind(wanted, lambda value: isinstance(value, str) and bool(compiled.fullmatch(value)))


def one_of(*values: object) -> Kind:
    """One of some values."""
    known = " or ".join(map(repr, values))
    return Kind(known, lambda value: any(type(value) is type(v) and value == v for v in values))


ANYTHING = Kind("anything", lambda value: True)
MAPPING = Kind("an object", lambda value: isinstance(value, Mapping))


def items(of: Kind, most: int, *, least: int = 0, unique: bool = False) -> Kind:
    """A list of items of one kind; if `unique`, none may be in it twice."""

    def inside(value: Sequence[Any], where: str) -> None:
        for i, item in enumerate(value):
            of.check(item, f"{where}[{i}]")
        if unique and len(set(value)) < len(value):
            seen: set[Any] = set()
            for i, item in enumerate(value):
                if item in seen:
                    raise CheckpointError(
                        f"{where}[{i}] is {shown(item)}, which is in the list twice"
                    )
                seen.add(item)

    size = f"{least} to {most}" if least else f"at most {most}"
    return Kind(
        f"a list of {size}, each {of.wanted}",
        lambda value: isinstance(value, list | tuple) and least <= len(value) <= most,
        inside,
    )


def table(
    needed: Mapping[str, Kind], other: Mapping[str, Kind] | None = None, *, more: bool = False
) -> Kind:
    """An object with certain fields.

    Args:
        needed: the fields that must be there.
        other: the fields that may be there.
        more: whether there may be any other fields.
    """
    kinds = {**needed, **(other or {})}

    def inside(value: Mapping[str, Any], where: str) -> None:
        before = f"{where}." if where else ""
        for name, kind in needed.items():
            if name not in value:
                raise CheckpointError(f"{before}{name} is missing; it must be {kind.wanted}")
        for name, item in value.items():
            if name in kinds:
                kinds[name].check(item, f"{before}{name}")
            elif not more:
                known = ", ".join(kinds)
                raise CheckpointError(f"{before}{name} is no field; there are: {known}")

    return Kind("an object", MAPPING.fits, inside)


class _Refused(ValueError):
    """Something that JSON, or Python's reader of it, allows, but documents here may not have."""


def parse_json(data: bytes) -> Any:
    """A JSON document, read strictly.

    It may have no NaN or infinity, no key twice in an object, no half of a surrogate pair (which
    cannot be encoded to be sent), and nothing nested beyond `DEEPEST` levels.

    Raises:
        CheckpointError: it is no such document; the message says where.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite,
        )  # fmt: skip
        _walk(value)
    except RecursionError:
        raise CheckpointError(f"cannot be read (nested deeper than {DEEPEST} levels)") from None
    except ValueError as error:
        raise CheckpointError(f"cannot be read ({error})") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Refused(f"{shown(twice)} is given twice in one object")
    return found


def _no_number(name: str) -> None:
    raise _Refused(f"{name} is no number in JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Refused(f"{shown(digits)} is too large for a number")
    return value


def _walk(document: object) -> None:
    """Checks that every string can be encoded, and that nothing is nested too deep."""
    level = [document]
    for _ in range(DEEPEST + 1):
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                value.encode()
            elif isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
        if not below:
            return
        level = below
    raise RecursionError
