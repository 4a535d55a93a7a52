"""A session of an ensemble: people can take players' parts, and touches fall between symbols.

No I/O, and the time is passed in. A gesture that a person holds replaces the network's symbol
for that player, second after second, until the person gives another. Once every player's
gesture of a second is committed, simulated fingers turn them into touches. These are handed out
like symbols: `commit_ahead` before they are due, and only while the session plays.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

from stream_rnn.codecs.ensemble import GESTURES, EnsembleCodec
from stream_rnn.codecs.gestures import gesture_of
from stream_rnn.codecs.scales import scale_pitches
from stream_rnn.codecs.snippets import SCALE, Finger, Touch, pitch_of
from stream_rnn.engine.messages import Plan
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.journal import Committed
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status

MOST_TOUCHES = 512  # remembered of each hand: two seconds at 240 a second
EARLY = 0.06  # seconds that the network has to answer a person's gesture in the same second


@dataclass(frozen=True)
class Played:
    """A touch of a player, when it is due, and whether a person made its gesture."""

    due: float
    player: int
    touch: Touch
    fed: bool


class BandSession(Session):
    """A session whose model plays an ensemble."""

    codec: EnsembleCodec

    def __post_init__(self) -> None:
        super().__post_init__()
        self._held: dict[int, int] = {}  # symbols, by player
        self._hands: dict[int, deque[tuple[float, Touch]]] = {}  # of people, by player
        self._waiting: deque[Played] = deque()
        self._lift()

    def _lift(self) -> None:
        """Lifts all fingers, and recalls the gestures of the second that has begun."""
        self._waiting.clear()
        self._fingers = [Finger() for _ in self.codec.columns]
        self._row: dict[int, Committed] = {}  # the latest gesture of each player
        self._began: dict[int, int] = {}  # the position since which it is that
        for committed in self.journal.since(self.position - self._turn()):
            if committed.symbol != self.codec.boundary:
                self._note(committed)

    # People

    def lead(self, player: int, gesture: int | None) -> int:
        """Lets a person hold a gesture, or (none) gives the part back to the network.

        Returns:
            The position of the first symbol that obeys.

        Raises:
            ProtocolError: no such player or gesture.
        """
        players, classes = self._check(player), self.codec.classes
        if gesture is not None and gesture >= classes:
            raise ProtocolError(
                "bad_value", f"gesture must be 0 to {classes - 1}, not {gesture}", field="gesture"
            )
        self._held.pop(player, None)
        self._let_go(player)
        if gesture is not None:
            self._held[player] = self.codec.symbol(player, gesture)
        return self.position + (player - self._turn()) % players

    def touch(self, player: int, touch: Touch, now: float) -> Played:
        """Takes a person's touch; from now on the player's gestures are made of such touches.

        Raises:
            ProtocolError: no such player, or the model has other gestures than touches make.
        """
        self._check(player)
        if self.codec.classes != len(GESTURES):
            raise ProtocolError(
                "bad_value", "touches cannot make this model's gestures; send `lead` instead"
            )
        if player not in self._hands:  # a simulated finger played the part
            self._hands[player] = deque(maxlen=MOST_TOUCHES)
            self._fingers[player] = Finger()
            self._waiting = deque(p for p in self._waiting if p.player != player)
        self._hands[player].append((now, touch))
        self._held[player] = self.codec.symbol(player, 0)  # until the touches make another
        return Played(now, player, touch, fed=True)

    def _let_go(self, player: int) -> None:
        """Lifts a person's finger that is down, since the touch that lifts it may never come."""
        hand = self._hands.pop(player, None)
        if hand and hand[-1][1].down:
            at, last = hand[-1]
            self._waiting.appendleft(Played(at, player, replace(last, down=False), fed=True))

    def _check(self, player: int) -> int:
        players = len(self.codec.columns)
        if player >= players:
            raise ProtocolError(
                "bad_value", f"player must be 0 to {players - 1}, not {player}", field="player"
            )
        return players

    def _turn(self) -> int:
        """The player whose gesture comes next."""
        if self.position == self.journal.first:
            return 0
        last = self.journal[self.position - 1].symbol
        if last == self.codec.boundary:
            return 0
        return (self.codec.column_and_value(last)[0] + 1) % len(self.codec.columns)

    def take_held(self, now: float) -> int | None:
        """The symbol that a person holds, if it is time to feed it."""
        player = self._turn()
        if self._held_time() > now:
            return None
        if player not in self._hands:
            return self._held[player]
        gesture = gesture_of(self._hands[player], now)
        if gesture == 0:
            self._let_go(player)
            self._hands[player] = deque(maxlen=MOST_TOUCHES)
        return self.codec.symbol(player, gesture)

    def _held_time(self) -> float:
        if self.status is not Status.PLAYING or self._turn() not in self._held:
            return math.inf
        return self.next_due - self.timing.commit_ahead - EARLY

    # Fingers

    def take_touch(self, now: float) -> Played | None:
        """The next touch, if it is time to hand it out."""
        return self._waiting.popleft() if self._touch_time() <= now else None

    def _touch_time(self) -> float:
        if self.status is not Status.PLAYING or not self._waiting:
            return math.inf
        return self._waiting[0].due - self.timing.commit_ahead

    def pitch_of(self, played: Played) -> int:
        """The MIDI pitch that a touch has in the session's scale."""
        scale = self.controls.pitches
        pitches = scale_pitches(scale) if isinstance(scale, str) else scale or SCALE
        return pitch_of(played.player, played.touch.x, pitches)

    def _follow(self, committed: Committed) -> None:
        """Makes a second's touches once the gestures of all players are committed."""
        if committed.symbol == self.codec.boundary:  # the piece is over
            self._row.clear()
            self._waiting = deque(
                Played(committed.due, player, touch, committed.fed)
                for player, finger in enumerate(self._fingers)
                for _, touch in finger.row(0, "")
            )
            return
        player = self._note(committed)
        length = self.next_due - committed.due
        known = self.codec.classes <= len(GESTURES)  # other gestures have no touches
        if known and player == len(self.codec.columns) - 1 and length > 0:
            # If a higher rate cut the last second short, its fingers are lifted all the same.
            lifted = {p.player: p for p in self._waiting if not p.touch.down}
            lifts = [replace(p, due=committed.due) for p in lifted.values()]
            self._waiting = deque(lifts + self._touches(committed.due, length))

    def _note(self, committed: Committed) -> int:
        player, _ = self.codec.column_and_value(committed.symbol)
        before = self._row.get(player)
        if before is None or before.symbol != committed.symbol:
            self._began[player] = committed.n
        self._row[player] = committed
        return player

    def _touches(self, start: float, length: float) -> list[Played]:
        played, seed = [], self.controls.seed
        for player, committed in self._row.items():
            _, gesture = self.codec.column_and_value(committed.symbol)
            # A person's own touches are shown as they come; we make none up beside them.
            gesture = 0 if player in self._hands else gesture
            began = f"{seed} {player} {self._began[player]}"
            touches = self._fingers[player].row(gesture, began)
            played += [Played(start + t * length, player, touch, committed.fed)
                       for t, touch in touches]  # fmt: skip
        return sorted(played, key=lambda p: p.due)

    # As a session

    def commit_time(self) -> float:
        usual = super().commit_time()
        if self.status is not Status.PLAYING or self.catches_up:
            return usual
        if self._turn() in self._held:
            usual = self._held_time()
        return min(usual, self._touch_time())

    def commit(self, now: float) -> Committed:
        committed = super().commit(now)
        if self.status is Status.PLAYING and committed.n >= self.heard:
            self._follow(committed)
        return committed

    def feed(
        self, symbols: list[int], now: float, *, in_time: bool = False
    ) -> tuple[list[Committed], Plan | None]:
        fed, plan = super().feed(symbols, now, in_time=in_time)
        if in_time and self.status is Status.PLAYING:
            for committed in fed:
                self._follow(committed)
        return fed, plan

    def start(self, now: float) -> None:
        super().start(now)
        self._lift()


def as_band(session: Session) -> BandSession:
    """The session as one whose players people can lead.

    Raises:
        ProtocolError: its model has no players.
    """
    if isinstance(session, BandSession):
        return session
    raise ProtocolError(
        "bad_value",
        f"session {session.name!r} has no players to lead: its model is of domain "
        f"{session.codec.domain!r}; open one of domain 'ensemble'",
        field="session",
    )
