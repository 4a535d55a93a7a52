"""Sends controls as the messages that set them, so a fader at the same address follows. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stream_rnn.control_table import NORMS, TABLE
from stream_rnn.wire import events
from stream_rnn.wire.osc_answers import Message, flat

TIED = frozenset({"rate", "bpm"})  # setting one changes both
SILENT_WHERE_EMPTY = frozenset(n for n, row in TABLE.items() if row.kind in ("blend", "pitches"))


def touched(names: Iterable[str]) -> set[str]:
    """The controls that change when these are set."""
    found = set(names)
    return found | TIED if found & TIED else found


def fader_messages(
    session: str, controls: Mapping[str, Any], names: Iterable[str] | None = None
) -> dict[str, list[Message]]:
    """The messages of some controls, by control: the value, and the place of a fader for it.

    Args:
        controls: the controls, as in the WebSocket protocol.
        names: those that have changed; None for all that the session has.
    """
    messages: dict[str, list[Message]] = {}
    wanted = TABLE if names is None else touched(names)
    for name in TABLE:
        value = controls.get(name)
        if name not in wanted or (names is None and not value and name in SILENT_WHERE_EMPTY):
            continue
        if value is not None or name in SILENT_WHERE_EMPTY:
            shown = flat(value)
            if value is not None and TABLE[name].osc_type == "f":
                shown = float(value)
            messages[name] = [(f"/rnn/{session}/{name}", (shown,))]
        if value is not None and name in NORMS:
            place = NORMS[name].place(value)
            messages[name].append((f"/rnn/{session}/{name}/norm", (place,)))
    return messages


def news_of_faders(event: events.Event) -> dict[str, list[Message]]:
    """The messages for the controls that an event puts in force, by control.

    A pending change gives none; it is announced again when it takes effect.
    """
    match event:
        case events.Controlled(pending=False):
            return fader_messages(event.session, event.controls, event.changed)
        case events.Opened() | events.Rewound():
            return fader_messages(event.session, event.controls)
    return {}
