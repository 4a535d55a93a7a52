"""What viewers are told of a session, as events."""

from __future__ import annotations

from stream_rnn.gateway.journal import Committed
from stream_rnn.gateway.session import Session
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
    )


def symbol_event(session: Session, committed: Committed) -> wire.Event:
    """A committed symbol, as clients are told of it."""
    fed = {"fed": True} if committed.fed else {}
    shown = session.codec.event(committed.symbol)
    n, due = committed.n, committed.due
    return wire.event("symbol", session=session.name, n=n, due=due, **shown, **fed)
