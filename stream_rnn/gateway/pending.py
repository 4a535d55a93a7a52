"""What viewers are told of changes that wait for their beat or bar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stream_rnn.gateway.control_log import Entry, tied
from stream_rnn.gateway.session import Session


def controlled(session: Session, position: int, changed: Iterable[str]) -> dict[str, Any]:
    """The fields of `controlled`: what was changed, and all that is in force from there on."""
    fields: dict[str, Any] = {
        "position": position,
        "controls": session.controls_at(position).to_json(),
        "changed": sorted(changed),
    }
    if position > session.position:
        fields["pending"] = True
    return fields


def cancelled(before: Iterable[Entry], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The field of `controlled` that names what a change has taken the place of, if anything.

    Args:
        before: what was pending.
    """
    names = tied(changes)
    gone = [
        {"position": entry.position, "changed": sorted(names & entry.changes.keys())}
        for entry in before
        if not names.isdisjoint(entry.changes)
    ]
    return {"cancelled": gone} if gone else {}


def pending(session: Session) -> dict[str, Any]:
    """The field of `opened` for changes that are still to come, if there are any."""
    coming = [controlled(session, entry.position, entry.changes) for entry in session.pending]
    return {"pending": coming} if coming else {}
