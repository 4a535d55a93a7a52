"""The events that viewers are sent, made from a session and from what happens to it."""

from __future__ import annotations

from collections.abc import Iterable

from stream_rnn.sessions.band import BandSession, Played
from stream_rnn.sessions.control_log import Entry, tied
from stream_rnn.sessions.journal import Committed
from stream_rnn.sessions.session import Session
from stream_rnn.wire import events


def opened_event(session: Session) -> events.Opened:
    """What a session is, for a viewer that has just come."""
    controls = session.controls
    return events.Opened(
        session.name,
        session.card.name,
        controls.to_json(),
        controls.seed,
        session.position,
        session.playing,
        session.epoch,
        silent=session.silent,
        pending=[_change(session, e.position, e.changes) for e in session.pending] or None,
    )


def controlled_event(
    session: Session, position: int, changed: Iterable[str], before: Iterable[Entry] = ()
) -> events.Controlled:
    """A change of controls, with all controls that are in force from there on.

    Args:
        position: of the first symbol that obeys.
        before: the changes that were pending, some of which this change may have withdrawn.
    """
    change = _change(session, position, changed)
    names = tied(change.changed)
    gone = [
        events.Cancelled(entry.position, sorted(names & entry.changes.keys()))
        for entry in before
        if not names.isdisjoint(entry.changes)
    ]
    return events.Controlled(
        session.name, position, change.controls, change.changed, change.pending, gone or None
    )


def _change(session: Session, position: int, changed: Iterable[str]) -> events.Change:
    controls = session.controls_at(position).to_json()
    return events.Change(position, controls, sorted(changed), position > session.position)


def rewound_event(session: Session, position: int) -> events.Rewound:
    """Tells that the session has a new past, and goes on from `position`."""
    controls = session.controls_at(position).to_json()
    return events.Rewound(session.name, position, controls, session.epoch)


def symbol_event(session: Session, committed: Committed, epoch: int | None = None) -> events.Symbol:
    """A committed symbol, as clients see it.

    Args:
        epoch: the past to which it belongs; none for the session's present one.
    """
    shown = session.codec.event(committed.symbol)
    if session.spells:
        shown["sounds"] = _sounds(session, committed)
    if committed.velocity and "on" in shown.get("event", ()):
        shown["velocity"] = committed.velocity
    return events.Symbol(
        session.name,
        committed.n,
        committed.due,
        fed=committed.fed,
        epoch=session.epoch if epoch is None else epoch,
        **shown,
    )


def _sounds(session: Session, committed: Committed) -> list[events.SpeltNote]:
    """The note or rest that begins with a symbol and ends the one before; empty if none does."""
    sound = committed.sound
    if sound is None:
        return []
    seconds = round(session.seconds_of(committed), 6)
    return [events.SpeltNote(sound.pitch, seconds, committed.n - sound.ago)]


def touch_event(session: BandSession, played: Played) -> events.Touch:
    """A touch of an ensemble's player, which falls between the symbols."""
    touch = played.touch
    point = events.TouchPoint(
        played.player,
        round(touch.x, 4),
        round(touch.y, 4),
        int(touch.down),
        session.pitch_of(played),
    )
    return events.Touch(session.name, played.due, point, played.fed)
