"""The sessions that `serve.toml` names: open from the start, and always counted as viewed."""

from __future__ import annotations

from collections.abc import Iterable

from stream_rnn.config import SessionConfig
from stream_rnn.errors import ConfigError, ProtocolError
from stream_rnn.stage.stage import Stage
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire


class _Opener:
    """Asks for one session, and keeps a refusal. Each session has its own, so no limit is met."""

    def __init__(self) -> None:
        self.refusal: str | None = None

    def tell(self, event: events.Event) -> None:
        if isinstance(event, events.Error):
            self.refusal = event.message


def open_sessions(stage: Stage, sessions: Iterable[SessionConfig], now: float) -> None:
    """Opens the sessions that a configuration names, unless they have come back from a store.

    Raises:
        ConfigError: one of them cannot be opened; the message says which, and why.
    """
    back = {s.name: s for s in stage.sessions.values() if s.returned is not None}
    for wanted in sessions:
        there = back.pop(wanted.name, None)
        if there is not None and there.card.name == wanted.model:
            stage.keep(wanted.name)  # it has come back
            there.idle_since = None
            continue
        if there is not None:
            stage.handle(None, wire.Close(session=wanted.name), now)
        opener = _Opener()
        fields = {
            "type": "open",
            "session": wanted.name,
            "model": wanted.model,
            "controls": wanted.controls,
            "seed": wanted.seed,
            "prime": wanted.prime,
            "play": wanted.play,
        }
        try:
            stage.handle(opener, wire.from_fields(fields), now)
        except ProtocolError as error:  # not a name, or a seed out of range
            opener.refusal = str(error)
        if opener.refusal is not None:
            raise ConfigError(f"[[session]] {wanted.name!r}: {opener.refusal}")
        stage.keep(wanted.name)
