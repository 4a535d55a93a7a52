"""Who sends to us or has subscribed: one address, as a viewer of the stage."""

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
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events

MAX_NAMERS = 8
ONCE_IN_A_WHILE = 60.0  # seconds between two words about waiting bundles
COMPLAINTS = 1.0  # a second, about too much work


class OscPeer(OscVoices):
    """An address that sends to us, or that was named as one to send to.

    Attributes:
        address: what it is known by.
        reply_to: where what is for it goes.
        namers: addresses that have named it; what they move, a hand moves at it.
        patterns: of the sessions to come that it subscribes to.
        wanted: the sessions that it has subscribed to without having been heard of yet, and the
            last symbol that it has of each; it is sent them once it was heard.
        faders: what its faders are told, if it wants that.
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
        self.namers: dict[Address, None] = {}
        self.patterns: dict[str, None] = {}
        self.wanted: dict[str, int | None] = {}
        self.faders: Faders | None = None
        self.heard_at = self.made_at = now = clock.now()
        self.work = Bucket(WORK * options.rate, now)
        self.sent = 0  # packets, to us
        self.borrows_reply = False  # whether `reply_to` is what another port of its machine said
        self._past = past
        self._packets = Bucket(options.rate, now)
        self._errors = Bucket(options.errors, now)
        self._complaints = Bucket(COMPLAINTS, now)
        self._reports = Bucket(1 / ONCE_IN_A_WHILE, now, 1.0)

    @property
    def subscribes(self) -> bool:
        """Whether it listens to anything, or will."""
        return bool(self._tracks or self.patterns)

    def may_send(self, now: float) -> bool:
        """Takes a packet from its allowance, if any is left."""
        self.heard_at = now
        self.sent += 1
        return self._packets.take(now)

    def may_be_told(self, now: float) -> bool:
        """Whether it may be told of a bundle that waits."""
        return self._reports.take(now)

    def may_be_refused(self, now: float) -> bool:
        """Whether it may be told once more that it asks for too much."""
        return self._complaints.take(now)

    def named_by(self, other: Address) -> None:
        """Another address of its machine speaks for it."""
        self.namers.pop(other, None)
        self.namers[other] = None
        if len(self.namers) > MAX_NAMERS:
            del self.namers[next(iter(self.namers))]

    def forget_past(self, session: str) -> None:
        """What waits to be shown of a session is not wanted any more."""
        self._past.drop(self, session)

    def end(self, session: str) -> None:
        self._past.drop(self, session)
        self.wanted.pop(session, None)
        super().end(session)

    def tell(self, event: events.Event) -> None:
        # Who sends nothing but mistakes has been told by then, and answers cost more than they.
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
        shown = past()  # they can be had only once
        first = next(shown, None)
        if first is None:
            return
        session = first.session
        if session in self._tracks and session not in self.wanted:
            self._release(session, 0.0)
            self._past.show(self, session, itertools.chain([first], shown))
