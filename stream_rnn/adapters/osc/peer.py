"""An OSC client: one address that sends to us or has subscribed, as a viewer of the stage."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from stream_rnn.adapters.osc.agenda import wall
from stream_rnn.adapters.osc.buckets import WORK, Bucket
from stream_rnn.adapters.osc.faders import Faders
from stream_rnn.adapters.osc.options import OscOptions
from stream_rnn.adapters.osc.past import Past
from stream_rnn.adapters.osc.presence import Address
from stream_rnn.adapters.osc.voices import OscVoices, PlainForm
from stream_rnn.clock import Clock
from stream_rnn.recent import Recent
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events

MAX_NAMERS = 8
ONCE_IN_A_WHILE = 60.0  # seconds between two `/rnn/waits` to one sender
COMPLAINTS = 1.0  # `too_much` errors a second to one sender


class OscPeer(OscVoices):
    """An address that sends to us, or that a sender named as one to send to.

    Attributes:
        address: the address that identifies it.
        reply_to: the address that answers and symbols for it are sent to.
        namers: addresses that have named it. Their control moves count as moves of its faders.
        patterns: name patterns by which it subscribes to sessions that open later.
        wanted: sessions that it has subscribed to before its address was known (see `Known`),
            each with the last symbol that it has. They begin once the address is known.
        faders: keeps its faders up to date, if it has asked for that.
    """

    def __init__(
        self,
        address: Address,
        send: Callable[[bytes, Address], None],
        clock: Clock,
        options: OscOptions,
        past: Past,
    ) -> None:
        super().__init__(
            lambda data: send(data, self.reply_to),
            clock.now,
            lambda due: wall(due, clock),
            PlainForm(),
            options.latency,
        )
        self.address = self.reply_to = address
        self.namers: Recent[Address, None] = Recent(MAX_NAMERS)
        self.patterns: dict[str, None] = {}
        self.wanted: dict[str, int | None] = {}
        self.faders: Faders | None = None
        self.heard_at = self.made_at = now = clock.now()
        self.work = Bucket(WORK * options.rate, now)
        self.sent = 0  # packets that it has sent to us
        self.borrows_reply = False  # whether another port of its machine has set `reply_to`
        self._past = past
        self._packets = Bucket(options.rate, now)
        self._errors = Bucket(options.errors, now)
        self.complaints = Bucket(COMPLAINTS, now)  # `too_much` errors that it may be sent
        self.reports = Bucket(1 / ONCE_IN_A_WHILE, now, 1.0)  # `/rnn/waits` that it may be sent

    @property
    def subscribes(self) -> bool:
        """Whether it listens to a session, or to sessions that open later."""
        return bool(self._tracks or self.patterns)

    def may_send(self, now: float) -> bool:
        """Counts a packet that it has sent; returns whether that is within its limit."""
        self.heard_at = now
        self.sent += 1
        return self._packets.take(now)

    def forget_past(self, session: str) -> None:
        """Drops the past of a session that waits to be shown."""
        self._past.drop(self, session)

    def end(self, session: str) -> None:
        self._past.drop(self, session)
        self.wanted.pop(session, None)
        super().end(session)

    def tell(self, event: events.Event) -> None:
        # A sender of nothing but mistakes knows by then, and answers cost more than its messages.
        if isinstance(event, events.Error) and not self._errors.take(self.heard_at):
            return
        if isinstance(event, events.Reset | events.Rewound):
            self._past.drop(self, event.session)
        super().tell(event)
        if self.faders is not None and isinstance(event, events.SessionEvent):
            if event.session in self._tracks and event.session not in self.wanted:
                self.faders.tell(event)

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        if event.session not in self.wanted:
            super().symbol(event, context)

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        shown = past()  # an iterator, which can be read only once
        first = next(shown, None)
        if first is None:
            return
        session = first.session
        if session in self._tracks and session not in self.wanted:
            self._release(session, 0.0)
            self._past.show(self, session, itertools.chain([first], shown))
