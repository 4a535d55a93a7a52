"""What a session begins with, when it is opened and when another model takes over its name."""

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

PRIME = 256  # latest symbols of a session that another model is primed with, at most
TUNE = 1024  # the same in a stream of tunes, where it is the latest tune, whole, or nothing


@dataclass(frozen=True)
class Beginning:
    """A session's model and controls, its empty past, and the symbols that prime it."""

    model: Model
    log: ControlLog
    journal: Journal
    prime: list[int]


class Openings:
    """Makes the beginnings of sessions.

    Args:
        models: by the name they are opened by.
    """

    def __init__(self, models: Catalogue, limits: Limits, tempi: Tempi) -> None:
        self._models, self._limits, self._tempi = models, limits, tempi

    def opened(self, message: wire.Open) -> Beginning:
        """The beginning of a session that is opened.

        Raises:
            ProtocolError: there is no such model, or a control or the prime is not allowed.
        """
        model = self._models.find(message.model)
        seed = secrets.randbelow(MAX_SEED) if message.seed is None else message.seed
        self._tempi.check(message.controls, model.codec)
        first = first_controls(model, seed, self._tempi)
        controls = merge_controls(first, message.controls, model.card)
        prime = message.prime and self._limits.parse(model.codec, message.prime, "prime")
        return self._beginning(model, controls, prime or [])

    def of_another_model(self, session: Session, message: wire.Control) -> Beginning:
        """The beginning of a session in which another model is to play.

        Raises:
            ProtocolError: there is no such model, or one of the controls is not allowed.
        """
        if message.at != "now":
            raise ProtocolError("bad_value", 'a model can only be changed at "now"', field="at")
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

    Controls that were set in the session and mean something to the new model are kept; the others
    take the new model's defaults. The seed is always kept.

    Raises:
        ProtocolError: one of the changes is not allowed.
    """
    tempi.check(changes, model.codec)
    now = session.log.at(session.position)
    new, card = first_controls(model, now.seed, tempi), model.card
    was = asdict(first_controls(Model(session.card, session.codec), now.seed, tempi))
    kept = {name: value for name, value in asdict(now).items() if value != was[name]}
    kept.pop("rate", None)  # bpm is kept instead: models differ in their steps per beat
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
    """The latest symbols of a session, translated for another model's codec.

    Empty if the domains differ, or if that codec cannot express them.
    """
    if codec.domain != session.codec.domain:
        return []
    past = _recent(session)
    if codec.transitions is not None:
        # Players take turns: skip to a symbol that can follow the begin-and-end symbol.
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
            return []  # the tune's beginning, with its key and metre, is too far back
    return past
