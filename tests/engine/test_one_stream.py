"""Many streams of one seed and one control log are one stream, whatever goes on around them.

Sessions come and go, go back and are computed again, are fed by snapshots into engines that start
anew, and are stepped beside other models; the networks are those that are shipped.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from boxed import MODELS

from stream_rnn.engine import messages as m
from stream_rnn.engine.core import Core, EngineOptions
from stream_rnn.engine.slots import SNAPSHOT_EVERY

LENGTH = SNAPSHOT_EVERY + 30
ROLLBACK = 16
LOG = {
    0: m.Settings(temperature=0.9, seed=5),
    40: m.Settings(temperature=1.3, seed=5, top_k=20),
    150: m.Settings(temperature=0.7, seed=5, top_p=0.9),
    SNAPSHOT_EVERY + 10: m.Settings(temperature=1.0, seed=6),
}
"""The control log that all have in common."""


@dataclass
class Session:
    """What a gateway knows of a session."""

    made: dict[int, bytes] = field(default_factory=dict)
    committed: int = 0
    generation: int = 1
    state: tuple[int, bytes] | None = None


class Stream:
    """Plays the gateway to an engine, with dice.

    Args:
        model: that the sessions share.
        others: models of which sessions join and leave meanwhile.
    """

    def __init__(self, model: str, others: list[str], seed: int) -> None:
        self._dice = random.Random(seed)
        self._model, self._others = model, others
        self._next_key, self._rounds, self.restarts, self.goings_back = 0, 0, 0, 0
        self._start()
        self._company: list[int] = []

    def _start(self) -> None:
        folders = {name: MODELS[name] for name in (self._model, *self._others)}
        self._core = Core(EngineOptions(folders, device="cpu", sessions=256, rollback=ROLLBACK))

    def _key(self) -> int:
        self._next_key += 1
        return self._next_key

    def _plan(self, key: int, session: Session, position: int) -> m.Plan:
        schedule = tuple((at, LOG[at]) for at in sorted(LOG) if at > position)
        now = LOG[max(at for at in LOG if at <= position)]
        session.generation += 1
        injected, state, before = b"", b"", b""
        if position and not self._known:
            # What came before is known, as the gateway knows it: by snapshot, or from the start.
            start, state = session.state or (0, b"")
            if start > position:
                start, state = 0, b""
            made = [session.made[n] for n in range(start, position)]
            injected, before = b"".join(made), session.made[start - 1] if start else b""
            schedule = tuple((at, LOG[at]) for at in sorted(LOG) if at > start)
            now, position = LOG[max(at for at in LOG if at <= start)], start
        return m.Plan(
            key, session.generation, position, ((position, now), *schedule), injected, state, before
        )

    def _apply(self, *commands: m.Command) -> None:
        failed = self._core.apply(commands)
        assert not failed, failed

    def play(self, count: int) -> set[bytes]:
        """So many sessions, in groups, from their first symbol to the last: the streams."""
        streams: set[bytes] = set()
        while count:
            group = {self._key(): Session() for _ in range(min(count, 200))}
            count -= len(group)
            self._known = True
            for key, session in group.items():
                self._apply(m.Open(key, self._model), self._plan(key, session, 0))
            while min(len(s.made) for s in group.values()) < LENGTH:
                self._happen(group)
                self._credit(group)
                self._step(group)
            for key, session in group.items():
                streams.add(b"".join(session.made[n] for n in range(LENGTH)))
                self._apply(m.Close(key))
        return streams

    def _happen(self, group: dict[int, Session]) -> None:
        """What a performance is full of."""
        dice = self._dice
        for key in dice.sample(list(group), 20):
            session = group[key]
            back = dice.randrange(0, ROLLBACK - 1)
            position = max(0, session.committed, len(session.made) - back)
            if position == len(session.made):
                continue
            for n in range(position, len(session.made)):
                del session.made[n]
            self._apply(self._plan(key, session, position))
            self.goings_back += 1
        for key in group:
            session = group[key]
            session.committed = max(
                session.committed, len(session.made) - dice.choice([0, 1, 2, 5, 9])
            )
        if dice.random() < 0.2:
            other = self._key()
            settings = m.Settings(seed=other, temperature=dice.choice([0.5, 1.0]))
            plan = m.Plan(other, 1, 0, ((0, settings),))
            self._apply(m.Open(other, dice.choice(self._others)), plan)
            self._company.append(other)
        if self._company and dice.random() < 0.2:
            self._apply(m.Close(self._company.pop(dice.randrange(len(self._company)))))
        if self._rounds % 20 == 19:
            self._restart(group)

    def _restart(self, group: dict[int, Session]) -> None:
        """The engine dies; what was committed is known, and the rest computed again."""
        self._start()
        self._company.clear()
        self.restarts += 1
        self._known = False
        for key, session in group.items():
            session.made = {n: session.made[n] for n in range(session.committed)}
            self._apply(m.Open(key, self._model), self._plan(key, session, session.committed))
        self._known = True

    def _credit(self, group: dict[int, Session]) -> None:
        keys, until = [], []
        for key, session in group.items():
            keys.append(key)
            until.append(min(LENGTH, session.committed + self._dice.randrange(4, ROLLBACK)))
        self._rounds += 1
        for key in self._company:
            keys.append(key)
            until.append(2 * self._rounds)
        self._give(keys, until)

    def _give(self, keys: list[int], until: list[int]) -> None:
        zeros = np.zeros(len(keys))
        arrays: list[Any] = [np.array(keys), np.array(until), zeros.astype(np.int64), zeros, zeros]
        self._apply(m.Credits(*(array.tobytes() for array in arrays)))

    def _step(self, group: dict[int, Session]) -> None:
        for _ in range(self._dice.choice([20, 90, 2000])):
            events, wake = self._core.step(1.0)
            if not events and wake > 1.0:
                break
            for event in events:
                if isinstance(event, m.Snapshot) and event.key in group:
                    group[event.key].state = event.position, event.state
                if isinstance(event, m.Batch):
                    self._take(event, group)

    def _take(self, batch: m.Batch, group: dict[int, Session]) -> None:
        keys = np.frombuffer(batch.keys, np.int64).tolist()
        generations = np.frombuffer(batch.generations, np.int64).tolist()
        positions = np.frombuffer(batch.positions, np.int64).tolist()
        width = len(batch.symbols) // len(keys)
        for i, (key, generation, n) in enumerate(zip(keys, generations, positions, strict=True)):
            session = group.get(key)
            if session and session.generation == generation:
                assert n == len(session.made)
                session.made[n] = batch.symbols[i * width : (i + 1) * width]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("model", "others", "sessions"),
    [
        ("star-trek", ["nottingham-joint", "shakespeare"], 1000),
        ("shakespeare", ["star-trek"], 200),
        ("chorales", ["death-metal"], 200),
    ],
)
def test_streams_of_one_seed_and_log_are_one(model: str, others: list[str], sessions: int) -> None:
    stream = Stream(model, others, seed=1)
    streams = stream.play(sessions)
    assert len(streams) == 1
    assert stream.restarts > 0 and stream.goings_back > sessions
