"""What viewers are told of a session, as events."""

from __future__ import annotations

from typing import Any

from stream_rnn.sessions.band import BandSession, Played
from stream_rnn.sessions.journal import Committed
from stream_rnn.sessions.pending import pending
from stream_rnn.sessions.session import Session
from stream_rnn.wire import messages as wire


def opened_event(session: Session) -> wire.Event:
    """What a session is, for who has come to view it."""
    controls = session.controls
    return wire.event(
        "opened",
        session=session.name,
        model=session.card.name,
        controls=controls.to_json(),
        seed=controls.seed,
        position=session.position,
        playing=session.playing,
        epoch=session.epoch,
        **({"silent": True} if session.silent else {}),
        **pending(session),
    )


def sounds(session: Session, committed: Committed) -> list[dict[str, Any]]:
    """What begins with a symbol, in place of what sounded before; nothing: it goes on."""
    sound = committed.sound
    if sound is None:
        return []
    seconds, n = round(session.seconds_of(committed), 6), committed.n - sound.ago
    return [{"pitch": sound.pitch, "seconds": seconds, "n": n}]


def symbol_event(session: Session, committed: Committed, epoch: int | None = None) -> wire.Event:
    """A committed symbol, as clients are told of it.

    Args:
        epoch: of the past that it is told of; none: the session's present one.
    """
    more: dict[str, Any] = {"fed": True} if committed.fed else {}
    if epoch := session.epoch if epoch is None else epoch:
        more["epoch"] = epoch  # a stream that was never rewound is told as it always was
    shown = session.codec.event(committed.symbol)
    if session.spells:
        shown["sounds"] = sounds(session, committed)
    if committed.velocity and "on" in shown.get("event", ()):
        shown["velocity"] = committed.velocity
    n, due = committed.n, committed.due
    return wire.event("symbol", session=session.name, n=n, due=due, **shown, **more)


def touch_event(session: BandSession, played: Played) -> wire.Event:
    """A finger of an ensemble's player, between the symbols."""
    fed = {"fed": True} if played.fed else {}
    touch = session.touch_fields(played)
    return wire.event("touch", session=session.name, due=played.due, touch=touch, **fed)
