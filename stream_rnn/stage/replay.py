"""Sends viewers a session's past: from where on, and what they have to know first."""

from __future__ import annotations

from collections.abc import Iterator

from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.session import Session
from stream_rnn.stage.events import rewound_event, symbol_event
from stream_rnn.stage.subscribers import Viewer
from stream_rnn.wire import events


def resume(
    session: Session, after: int | None, epoch: int | None
) -> tuple[int | None, events.Rewound | None]:
    """Where to go on for a viewer that has seen a session's past up to `after`.

    Args:
        epoch: the epoch of that past; none if the viewer does not say.

    Returns:
        The first position to send, none for live symbols only; and `rewound`, if a part of
        what the viewer has seen is no longer the session's past.

    Raises:
        ProtocolError: `bad_position`: the session has not come so far; or `bad_value`.
    """
    if after is None:
        if epoch is not None:
            raise ProtocolError(
                "bad_value", "epoch says which past `after` belongs to; send both", field="epoch"
            )
        return None, None
    parting = None if epoch is None else session.epochs.parting(epoch)
    if parting is not None and parting <= after:
        return parting, rewound_event(session, parting)
    if after >= max(session.position, 1):
        raise ProtocolError(
            "bad_position",
            f"after must be below {session.position}, the session's position",
            field="after",
        )
    return after + 1, None


def replay(viewer: Viewer, session: Session, start: int) -> None:
    """Sends a viewer the past from `start` up to now, at the viewer's own pace."""
    stop, epoch = session.position, session.epoch
    if start < session.journal.first:
        viewer.tell(_gap(session, start - 1, session.journal.first))
        start = session.journal.first
    if start < stop:
        viewer.history(lambda: _past(session, start, stop, epoch))


def _past(session: Session, start: int, stop: int, epoch: int) -> Iterator[events.Past]:
    """The symbols of an epoch from `start` to `stop`, read while the session goes on.

    Symbols that the journal drops meanwhile become a `gap`. If a new past begins meanwhile, the
    old one is sent up to the position where they part, and a `gap` covers the rest. The viewer may
    still get live symbols of the old past after that, before it hears of the new one.
    """
    n = start
    while n < (end := _end(session, stop, epoch)):
        if n < (first := session.journal.first):
            yield _gap(session, n - 1, min(first, end))
            n = first
            continue
        for committed in session.since(n):
            if committed.n >= _end(session, stop, epoch):
                break
            n = committed.n + 1
            yield symbol_event(session, committed, epoch)
    if n < stop:
        yield _gap(session, n - 1, stop)


def _end(session: Session, stop: int, epoch: int) -> int:
    parting = session.epochs.parting(epoch)
    return stop if parting is None else min(stop, parting)


def _gap(session: Session, after: int, before: int) -> events.Gap:
    return events.Gap(session.name, after, before)
