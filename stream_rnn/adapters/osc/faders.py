"""Keeps one receiver's faders at the values of their controls, whoever changes those.

While a hand moves a fader, nothing is sent to it: it would jump, or its program would take the
value for a move and send it back. Once the hand rests, it is sent its control's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stream_rnn.wire import events
from stream_rnn.wire.osc_answers import Message
from stream_rnn.wire.osc_faders import fader_messages, news_of_faders, touched

STILL = 0.4  # seconds without a move after which a hand is held to rest
MAX_MOVED = 1024

_Fader = tuple[str, str]  # session, control


class Faders:
    """Sends values to the faders of one receiver.

    Args:
        send: sends one message to the receiver.
        later: asks for a call of `settle` in so many seconds.
        look: returns the controls of a session; None if there is no such session.
    """

    def __init__(
        self,
        send: Callable[[Message], None],
        later: Callable[[float], None],
        look: Callable[[str], Mapping[str, Any] | None],
    ) -> None:
        self._send, self._later, self._look = send, later, look
        self._moved: dict[_Fader, float] = {}  # by fader, when it last moved; the oldest first
        self._held_back: dict[_Fader, list[Message]] = {}
        self._waits = False

    def moved(self, session: str, names: Iterable[str], now: float) -> None:
        """Notes that a hand moves faders of this receiver."""
        for name in touched(names):
            self._moved.pop((session, name), None)
            self._moved[session, name] = now
        while len(self._moved) > MAX_MOVED:
            self._forget(next(iter(self._moved)))
        self._wait(STILL)

    def tell(self, event: events.SessionEvent) -> None:
        """Sends the values that an event has changed, but holds back those of moving faders."""
        for name, messages in news_of_faders(event).items():
            if (event.session, name) in self._moved:
                self._held_back[event.session, name] = messages
            else:
                self._say(messages)

    def settle(self, now: float) -> None:
        """Sends the present values to the faders whose hand rests."""
        self._waits = False
        for (session, name), at in list(self._moved.items()):
            if now - at < STILL:
                self._wait(STILL - (now - at))
                return
            held_back = self._held_back.get((session, name))
            if held_back is None:  # the move was refused: the control kept its value
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
