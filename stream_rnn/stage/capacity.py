"""Whether one session more can be played, by what those that play take of engine and gateway.

Nothing here measures: the engine says how long it worked for how many symbols, and `used` how much
time the gateway has used. The time is passed in.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable

from stream_rnn.engine.messages import Worked
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.stage.engines import Engines
from stream_rnn.stage.link import EngineLink
from stream_rnn.stage.subscribers import Audience

log = logging.getLogger("stream_rnn.stage")

EASED = 0.05  # of the time: once a session was refused, so much more must be free for the next
UNKNOWN = 1e-4  # seconds that an engine takes for a symbol, before it has said so
ENOUGH = 60  # symbols; where it has told of fewer, those that are missing count as `UNKNOWN`
VIEWER = 5e-6  # seconds that the gateway takes for each viewer of a symbol, at least
SYMBOL = 3.0  # what a symbol takes of the gateway without any viewer, in viewers
ENGINE_MEAN = 4  # reports of an engine over which its cost is a mean
GATEWAY_MEAN = 2  # samples of the gateway over which its share is a mean
SAMPLES = 16  # of the gateway, of which the cheapest tells what a viewer takes,
FEW = 4  # and so few do not: who connects and opens for the first time takes much more
FRESH = 0.25  # seconds for which a look at all sessions holds
AGAIN = 2.0  # seconds after which one who is refused may try again,
EACH = 0.1  # more for each who was refused before,
LONG = 30.0  # of those in the last so many seconds; and no more than that


class Capacity:
    """Admits sessions as long as engine and gateway have time for them.

    What is admitted is kept: whoever has a session may play, pause, attach and change its rate
    without being refused. So a paused session counts as if it played, if somebody listens.

    Args:
        sessions: all of them.
        most: the share of its time that each process may be foretold to use.

    Attributes:
        used: the seconds that the gateway has used so far, those in which it waited for a processor
            included.
    """

    def __init__(
        self, sessions: Iterable[Session], audience: Audience, engines: Engines, most: float
    ) -> None:
        self._sessions, self._audience, self._engines = sessions, audience, engines
        self._most = most
        self.used: Callable[[], float] = lambda: 0.0
        self._costs: dict[EngineLink, tuple[float, float]] = {}  # seconds, and symbols in them
        self._sampled, self._used = -math.inf, 0.0
        self._share = 0.0  # of its time that the gateway uses: a mean
        self._viewers_then = 0.0  # the same mean of `_viewers`
        self._viewers_sampled = 0.0  # `_viewers` at the latest sample
        self._units: deque[float] = deque(maxlen=SAMPLES)  # seconds a viewer
        self._looked = -math.inf
        self._rates: dict[EngineLink, float] = {}  # symbols a second
        self._viewers = 0.0  # symbols a second, times viewers
        self._full = False
        self._refused: deque[float] = deque()

    # What is measured

    def worked(self, link: EngineLink, said: Worked) -> None:
        """Takes what an engine says of its work."""
        seconds, symbols = self._costs.get(link, (0.0, 0.0))
        kept = 1 - 1 / ENGINE_MEAN
        self._costs[link] = seconds * kept + said.seconds, symbols * kept + said.symbols

    def sample(self, now: float) -> None:
        """Measures the gateway; to be called every second or so."""
        used, before = self.used(), self._used
        span, self._used, self._sampled = now - self._sampled, used, now
        if not 0 < span < math.inf:
            return
        share = (used - before) / span
        self._look(now)
        viewers = (self._viewers_sampled + self._viewers) / 2  # of the time that was measured
        self._viewers_sampled = self._viewers
        self._share += (share - self._share) / GATEWAY_MEAN
        self._viewers_then += (viewers - self._viewers_then) / GATEWAY_MEAN
        if viewers > 0:
            self._units.append(share / viewers)

    def _look(self, now: float) -> None:
        self._looked, self._viewers, self._rates = now, 0.0, {}
        for session in self._sessions:
            if session.status in (Status.EVICTED, Status.CLOSED):
                continue
            if session.status is Status.PAUSED and session.idle_since is not None:
                continue
            link = self._engines.of(session)
            if link is not None:
                self._count(link, session.controls.rate, self._audience.count(session.name))

    def _count(self, link: EngineLink, rate: float, viewers: int) -> None:
        self._rates[link] = self._rates.get(link, 0.0) + rate
        self._viewers += rate * (SYMBOL + viewers)

    # What is foretold

    def engine(self, link: EngineLink, more: float = 0.0) -> float:
        """The share of its time that an engine will use, with so many symbols a second more."""
        seconds, symbols = self._costs.get(link, (0.0, 0.0))
        cost = (seconds + UNKNOWN * max(0.0, ENOUGH - symbols)) / max(ENOUGH, symbols)
        return (self._rates.get(link, 0.0) + more) * cost

    def gateway(self, more: float = 0.0) -> float:
        """The share of its time that the gateway will use, with so much more to hand out."""
        unit = max(VIEWER, min(self._units)) if len(self._units) >= FEW else VIEWER
        return max(0.0, self._share + unit * (self._viewers + more - self._viewers_then))

    def admit(self, model: str, rate: float, now: float) -> None:
        """Admits one session more, of so many symbols a second and with one viewer.

        Raises:
            ProtocolError: `too_many_sessions`: it, or those that play, would come late.
        """
        if now - self._looked > FRESH:
            self._look(now)
        link, handed = self._engines.place(model), rate * (SYMBOL + 1)
        engine, gateway = self.engine(link, rate), self.gateway(handed)
        most = self._most - EASED * self._full
        if self._rates.get(link) and max(engine, gateway) > most:
            raise self._refusal(engine, gateway, now)
        self._full = False
        self._count(link, rate, 1)

    def _refusal(self, engine: float, gateway: float, now: float) -> ProtocolError:
        if not self._full:
            log.warning(
                "no more sessions for now: with the next one, the engine would use %.0f %% of its "
                "time and the gateway %.0f %%", 100 * engine, 100 * gateway,
            )  # fmt: skip
        self._full = True
        while self._refused and self._refused[0] < now - LONG:
            self._refused.popleft()
        seconds = round(min(LONG, AGAIN + EACH * len(self._refused)), 1)
        self._refused.append(now)
        return ProtocolError(
            "too_many_sessions",
            "the machine has no time for one session more, which would make others late; "
            f"try again in {seconds:g} s",
            retry_after=seconds,
        )
