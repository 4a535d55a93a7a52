"""What a session begins with: as its opener asks, or when another model plays under its name."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stream_rnn.codecs.base import Codec
from stream_rnn.errors import DataError, ProtocolError
from stream_rnn.sessions.control_log import ControlLog
from stream_rnn.sessions.controls import MAX_SEED, Controls, default_controls, merge_controls
from stream_rnn.sessions.journal import Journal
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.tempo import Tempi, keeps_own_time
from stream_rnn.stage.catalogue import Catalogue
from stream_rnn.stage.limits import Limits, Model
from stream_rnn.wire import messages as wire

PRIME = 256  # of the latest symbols, as many as the new model is given
TUNE = 1024  # the same, of a stream of tunes, which are given whole or not at all


@dataclass(frozen=True)
class Beginning:
    """A session's model and controls, its empty past, and what it is primed with."""

    model: Model
    log: ControlLog
    journal: Journal
    prime: list[int]


class Openings:
    """What sessions begin with.

    Args:
        models: by the name they are opened by.
    """

    def __init__(self, models: Catalogue, limits: Limits, tempi: Tempi) -> None:
        self._models, self._limits, self._tempi = models, limits, tempi

    def opened(self, message: wire.Open) -> Beginning:
        """A session that is opened.

        Raises:
            ProtocolError: there is no such model, or its controls or prime cannot be.
        """
        model = self._models.find(message.model)
        seed = secrets.randbelow(MAX_SEED) if message.seed is None else message.seed
        self._tempi.check(message.controls, model.codec)
        first = first_controls(model, seed, self._tempi)
        controls = merge_controls(first, message.controls, model.card)
        prime = message.prime and self._limits.parse(model.codec, message.prime, "prime")
        return self._beginning(model, controls, prime or [])

    def of_another_model(self, session: Session, message: wire.Control) -> Beginning:
        """A session in which another model is to play.

        Raises:
            ProtocolError: there is no such model, or one of the controls cannot be.
        """
        if message.at != "now":
            raise ProtocolError("bad_value", "a model changes now, at no beat or bar", field="at")
        model = self._models.find(message.model or "")
        controls = controls_for(session, model, message.controls, self._tempi)
        return self._beginning(model, controls, prime_for(session, model.codec))

    def _beginning(self, model: Model, controls: Controls, prime: list[int]) -> Beginning:
        journal = Journal(model.codec.width, self._limits.history)
        return Beginning(model, ControlLog(controls, model.card), journal, prime)


def controls_for(
    session: Session, model: Model, changes: Mapping[str, Any], tempi: Tempi
) -> Controls:
    """The controls that another model begins with in a session.

    What was set in the session and means something to the model is kept; the rest is as the model
    has it. The seed is kept in any case.

    Raises:
        ProtocolError: one of the changes cannot be.
    """
    tempi.check(changes, model.codec)
    now = session.log.at(session.position)
    new, card = first_controls(model, now.seed, tempi), model.card
    was = asdict(first_controls(Model(session.card, session.codec), now.seed, tempi))
    kept = {name: value for name, value in asdict(now).items() if value != was[name]}
    kept.pop("rate", None)  # beats are music's own; how many steps one has is the model's
    if keeps_own_time(model.codec) or keeps_own_time(session.codec):
        kept.pop("bpm", None)
    if "artist" in kept:
        kept["artist"] = {k: v for k, v in (now.artist or {}).items() if k in card.artists}
    for name, value in kept.items():
        with contextlib.suppress(ProtocolError):  # it means nothing to this model
            tempi.check({name: value}, model.codec)
            new = merge_controls(new, {name: value}, card)
    return merge_controls(new, changes, card)


def first_controls(model: Model, seed: int, tempi: Tempi) -> Controls:
    """The controls of a new session that asks for none."""
    first = default_controls(model.card, seed)
    return merge_controls(first, tempi.first_controls(model.codec), model.card)


def prime_for(session: Session, codec: Codec) -> list[int]:
    """The latest symbols of a session as another model's codec has them.

    None where the domain is another, or where they cannot be said in that codec.
    """
    if codec.domain != session.codec.domain:
        return []
    past = _recent(session)
    if codec.transitions is not None:
        # Those who take turns begin with the first.
        while past and not codec.transitions[codec.boundary, past[0]]:
            past.pop(0)
    if codec.to_json() == session.codec.to_json() or not past:
        return past
    shown = [session.codec.event(symbol) for symbol in past]
    with contextlib.suppress(DataError):
        if all("notes" in symbol for symbol in shown):
            return codec.parse([symbol["notes"] for symbol in shown])
        if all("text" in symbol for symbol in shown):
            return codec.parse("".join(symbol["text"] for symbol in shown))
    return []


def _recent(session: Session) -> list[int]:
    most = TUNE if session.spells else PRIME
    start = max(session.journal.first, session.position - most)
    past = [committed.symbol for committed in session.journal.since(start)]
    if session.spells:
        if session.codec.boundary in past:
            past = past[len(past) - past[::-1].index(session.codec.boundary) :]
        elif start > 0:
            return []  # the tune's beginning, with its key and its metre, is too long ago
    return past
