"""Events, and the document that explains them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from stream_rnn.wire import events

DOCS = Path(__file__).parents[2] / "docs"
OSC_ONLY = {"learned", "forgotten"}  # only OSC can ask for these, and only OSC receives them


def subclasses(kind: type[events.Event]) -> Iterator[type[events.Event]]:
    """The event types that are sent; the others are only base classes."""
    below = kind.__subclasses__()
    for one in below:
        yield from subclasses(one)
    if not below:
        yield kind


KINDS = {str(kind.__struct_config__.tag): kind for kind in subclasses(events.Event)}


def fields(kind: Any) -> set[str]:
    """The names of a struct's fields, and of the fields of structs in them."""
    names = set()
    for name, hint in get_type_hints(kind).items():
        if name in kind.__struct_fields__:
            names.add(name)
            for inner in (hint, *get_args(hint), *(a for h in get_args(hint) for a in get_args(h))):
                if inspect.isclass(inner) and issubclass(inner, msgspec.Struct):
                    names |= fields(inner)
    return names


def rows(heading: str) -> list[tuple[set[str], set[str]]]:
    """The table under a heading: the names in the first column of a row, and in the others."""
    text = (DOCS / "protocol.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = []
    for line in section.splitlines():
        if line.startswith("|"):
            first, _, rest = line.strip("|").partition("|")
            found.append((names(first), names(rest)))
    return found


def names(text: str) -> set[str]:
    return set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", text))))


HEARD = rows("What you will hear")


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - OSC_ONLY))
def test_the_protocol_names_the_event_and_each_field(kind: str) -> None:
    (named,) = (rest for first, rest in HEARD if kind in first)
    if kind == "symbol":
        named = named.union(*(rest for _, rest in rows("What a symbol carries")))
    assert fields(KINDS[kind]) - {"id"} <= named
    assert "session" in named or "session" not in KINDS[kind].__struct_fields__


def test_the_protocol_names_no_event_that_is_not_there() -> None:
    assert set[str]().union(*(first for first, _ in HEARD)) == KINDS.keys() - OSC_ONLY


def test_what_only_osc_tells_is_in_its_document() -> None:
    text = (DOCS / "midi.md").read_text(encoding="utf-8")
    assert all(f"`/rnn/midi/{kind}" in text for kind in OSC_ONLY)


def test_fields_are_sent_where_they_say_something() -> None:
    plain = events.Symbol("s", 3, 1.5, text="a")
    assert plain.json == b'{"type":"symbol","session":"s","n":3,"due":1.5,"text":"a"}'
    rest = events.Symbol("s", 3, 1.5, text="z", sounds=[events.SpeltNote(None, 0.5, 1)], fed=True)
    assert msgspec.json.decode(rest.json) == {
        "type": "symbol", "session": "s", "n": 3, "due": 1.5, "text": "z", "fed": True,
        "sounds": [{"pitch": None, "seconds": 0.5, "n": 1}],
    }  # fmt: skip
    assert b'"sounds":[]' in events.Symbol("s", 3, 1.5, text="z", sounds=[]).json, "it goes on"
    assert b'"notes":[]' in events.Symbol("s", 3, 1.5, notes=[]).json, "silence"
    assert b'"gesture":null' in events.Led("s", 4, 0, None).json, "the network's"
    assert msgspec.json.decode(events.Closed("s").json) == {"type": "closed", "session": "s"}
    reset = events.Reset("s", 0, 0)
    assert reset.json == b'{"type":"reset","session":"s","position":0,"epoch":0}'


@pytest.mark.parametrize("id", ["", "x", 0, 7])
def test_the_id_is_in_the_answer_and_not_in_the_news(id: str | int) -> None:
    event = events.Paused("s", 4)
    said = msgspec.json.decode(event.json)
    assert msgspec.json.decode(event.answering(id).json) == {**said, "id": id}
    assert event.answering(None) is event and "id" not in msgspec.json.decode(event.json)
