"""The faders of one receiver, which follow their controls, whoever changes them.

While a hand moves a fader nothing is sent back to it, since programs would answer that as a move
of their own, or jump. Once the hand rests, the fader is told what holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stream_rnn.wire import events
from stream_rnn.wire.osc_answers import Message
from stream_rnn.wire.osc_faders import fader_messages, news_of_faders, touched

STILL = 0.4  # seconds after its last move until a hand rests
MAX_MOVED = 1024

_Fader = tuple[str, str]  # session, control


class Faders:
    """What one receiver's faders are told.

    Args:
        send: one message.
        later: asks for a call of `settle` in so many seconds.
        look: a session's controls, if it is there.
    """

    def __init__(
        self,
        send: Callable[[Message], None],
        later: Callable[[float], None],
        look: Callable[[str], Mapping[str, Any] | None],
    ) -> None:
        self._send, self._later, self._look = send, later, look
        self._moved: dict[_Fader, float] = {}  # when, the longest still first
        self._held_back: dict[_Fader, list[Message]] = {}
        self._waits = False

    def moved(self, session: str, names: Iterable[str], now: float) -> None:
        """A hand moves faders of this receiver."""
        for name in touched(names):
            self._moved.pop((session, name), None)
            self._moved[session, name] = now
        while len(self._moved) > MAX_MOVED:
            self._forget(next(iter(self._moved)))
        self._wait(STILL)

    def tell(self, event: events.SessionEvent) -> None:
        """News of a session that it listens to."""
        for name, messages in news_of_faders(event).items():
            if (event.session, name) in self._moved:
                self._held_back[event.session, name] = messages
            else:
                self._say(messages)

    def settle(self, now: float) -> None:
        """Tells those whose hand rests."""
        self._waits = False
        for (session, name), at in list(self._moved.items()):
            if now - at < STILL:
                self._wait(STILL - (now - at))
                return
            held_back = self._held_back.get((session, name))
            if held_back is None:  # it was refused: what was before holds
                controls = self._look(session) or {}
                held_back = fader_messages(session, controls, [name]).get(name, [])
            self._forget((session, name))
            self._say(held_back)

    def _forget(self, fader: _Fader) -> None:
        del self._moved[fader]
        self._held_back.pop(fader, None)

    def _wait(self, seconds: float) -> None:
        if not self._waits:
            self._waits = True
            self._later(seconds)

    def _say(self, messages: list[Message]) -> None:
        for message in messages:
            self._send(message)
