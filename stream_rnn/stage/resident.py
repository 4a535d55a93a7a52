"""The sessions that `serve.toml` names: open from the start, and never without a listener."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from stream_rnn.config import SessionConfig
from stream_rnn.errors import ConfigError, ProtocolError
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.subscribers import Moment
from stream_rnn.wire import messages as wire


class Resident:
    """Views one session for as long as it is open, so that it never pauses for want of listeners.

    There is one for each session: what they open counts against nobody else's limit.
    """

    def __init__(self) -> None:
        self.refusal: str | None = None

    def tell(self, event: wire.Event) -> None:
        if event.kind == "error":
            self.refusal = event.fields["message"]

    def symbol(self, event: wire.Event, moment: Moment) -> None:
        """It is there to be counted; others sound what it hears."""

    def history(self, events: Callable[[], Iterator[wire.Event]]) -> None:
        """It was there."""


def open_sessions(stage: Stage, sessions: Iterable[SessionConfig], now: float) -> None:
    """Opens what a configuration names.

    Raises:
        ConfigError: one of them cannot be opened; it names which, and says why.
    """
    for wanted in sessions:
        resident = Resident()
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
            stage.handle(resident, wire.from_fields(fields), now)
        except ProtocolError as error:  # not a name, or a seed out of range
            resident.refusal = str(error)
        if resident.refusal is not None:
            raise ConfigError(f"[[session]] {wanted.name!r}: {resident.refusal}")
