"""What viewers are told of changes that wait for their beat or bar."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stream_rnn.sessions.control_log import Entry, tied
from stream_rnn.sessions.session import Session


def controlled(
    session: Session, position: int, changed: Iterable[str], before: Iterable[Entry] = ()
) -> dict[str, Any]:
    """The fields of `controlled`: what was changed, and all that is in force from there on.

    Args:
        before: what was pending, some of which the change has taken the place of.
    """
    fields: dict[str, Any] = {
        "position": position,
        "controls": session.controls_at(position).to_json(),
        "changed": sorted(changed),
    }
    if position > session.position:
        fields["pending"] = True
    names = tied(fields["changed"])
    gone = [
        {"position": entry.position, "changed": sorted(names & entry.changes.keys())}
        for entry in before
        if not names.isdisjoint(entry.changes)
    ]
    if gone:
        fields["cancelled"] = gone
    return fields


def pending(session: Session) -> dict[str, Any]:
    """The field of `opened` for changes that are still to come, if there are any."""
    coming = [controlled(session, entry.position, entry.changes) for entry in session.pending]
    return {"pending": coming} if coming else {}
