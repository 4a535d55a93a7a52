"""The engine's exactness: a session's symbols do not depend on the rest of its batches."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from support import assert_groups_alike, make_roll_model, make_text_model

from stream_rnn.checkpoint import find_models, read_card
from stream_rnn.engine import core
from stream_rnn.engine import messages as m
from stream_rnn.engine.core import Core, EngineOptions
from stream_rnn.engine.library import load_kernel
from stream_rnn.engine.slots import Slots
from stream_rnn.errors import ConfigError, EngineError

CUDA = pytest.param(
    "cuda",
    marks=[
        pytest.mark.cuda,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    ],
)
DEVICES = ["cpu", CUDA]


class Client:
    """Collects what a core makes, by session."""

    def __init__(self, models: Path, device: str = "cpu", **options: int) -> None:
        self.models = models
        self.core = Core(EngineOptions(find_models(models), device=device, **options))  # type: ignore[arg-type]
        self.made: dict[int, dict[int, int]] = {}
        self.snapshots: dict[tuple[int, int], bytes] = {}

    def next_positions(self) -> np.ndarray:
        return np.concatenate([slots.next for slots in self.core._models.values()])

    def apply(self, *commands: m.Command) -> list[m.EngineEvent]:
        return self.core.apply(commands)

    def open(self, key: int, model: str = "verse", **settings: object) -> None:
        self.made[key] = {}
        values = {"seed": key, "artists": (0.2, 0.3, 0.5) if model == "verse" else ()} | settings
        plan = m.Plan(key, 1, 0, ((0, m.Settings(**values)),))  # type: ignore[arg-type]
        assert not self.apply(m.Open(key, model), plan)

    def credit(self, until: dict[int, int], due: float = 0.0) -> None:
        keys = np.array(list(until), np.int64)
        zero = np.zeros(len(keys))
        self.apply(
            m.Credits(
                keys.tobytes(), np.array(list(until.values()), np.int64).tobytes(),
                zero.astype(np.int64).tobytes(), (zero + due).tobytes(), zero.tobytes(),
            )
        )  # fmt: skip

    def run(self, now: float = 0.0) -> int:
        batches = 0
        while True:
            events, wake = self.core.step(now)
            if not events and wake > now:
                return batches
            batches += bool(events)
            self.take(events)

    def take(self, events: Iterable[m.EngineEvent]) -> None:
        for event in events:
            if isinstance(event, m.Snapshot):
                self.snapshots[event.key, event.position] = event.state
            if isinstance(event, m.Batch):
                keys = np.frombuffer(event.keys, np.int64)
                positions = np.frombuffer(event.positions, np.int64)
                width = len(event.symbols) // len(keys)
                for i, (key, position) in enumerate(zip(keys, positions, strict=True)):
                    symbol = event.symbols[i * width : (i + 1) * width]
                    self.made[int(key)][int(position)] = int.from_bytes(symbol, "little")


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", ["verse", "roll"])
def test_symbols_are_the_same_in_any_grouping(models: Path, device: str, model: str) -> None:
    alone = Client(models, device)
    for key in range(20):
        alone.open(key, model)
        alone.credit({key: 150})
        alone.run()
    crowd, dice = Client(models, device), random.Random(1)
    until = dict.fromkeys(range(20), 0)
    for key in until:
        crowd.open(key, model)
    while min(until.values()) < 150:
        for key in dice.sample(range(20), dice.randint(1, 20)):
            until[key] = min(150, until[key] + dice.randint(1, 9))
        crowd.credit(until)
        crowd.run()
    assert crowd.made == alone.made
    assert len({tuple(stream.values()) for stream in alone.made.values()}) == 20


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("hidden", "layers"), [(512, 1), (200, 2), (33, 3), (1, 1)])
def test_a_step_gives_the_same_bits_in_any_group(
    tmp_path: Path, device: str, hidden: int, layers: int
) -> None:
    """At the size of a shipped model too: a matrix library may change its order only there."""
    for make, name in ((make_text_model, "text"), (make_roll_model, "roll")):
        card = make(tmp_path / name, hidden=hidden, layers=layers)
        assert_groups_alike(load_kernel(tmp_path / name, card, device))


@pytest.mark.parametrize("device", DEVICES)
def test_a_snapshot_goes_on_in_another_engine(models: Path, device: str) -> None:
    first = Client(models, device)
    first.open(1)
    first.credit({1: 400})
    first.run()
    stream = first.made[1]
    card = read_card(models / "verse")
    injected = card.make_codec().pack(np.array([stream[n] for n in range(256, 300)]))
    before = card.make_codec().pack(np.array([stream[255]]))
    settings = ((256, m.Settings(seed=1, artists=(0.2, 0.3, 0.5))),)
    second = Client(models, device)
    second.made[1] = {}
    plan = m.Plan(1, 1, 256, settings, injected, first.snapshots[1, 256], before)
    assert not second.apply(m.Open(1, "verse"), plan)
    second.credit({1: 400})
    second.run()
    assert second.made[1] == {n: stream[n] for n in range(300, 400)}


def test_going_back_in_the_rollback_window_gives_the_same_symbols_again(models: Path) -> None:
    client = Client(models, rollback=32)
    client.open(1)
    client.credit({1: 90})
    client.run()
    before = dict(client.made[1])
    settings = m.Settings(seed=1, artists=(0.2, 0.3, 0.5))
    for generation, position in enumerate((60, 75, 89), 2):
        client.made[1] = {}
        assert not client.apply(m.Plan(1, generation, position, ((position, settings),)))
        client.credit({1: 90})
        client.run()
        assert client.made[1] == {n: before[n] for n in range(position, 90)}
    failed = client.apply(m.Plan(1, 9, 40, ((40, settings),)))
    assert isinstance(failed[0], m.Failed) and "rollback window of 32" in failed[0].message


def test_an_engine_without_work_asks_not_to_be_called(models: Path) -> None:
    client = Client(models)
    assert client.core.step(0.0) == ([], float("inf"))
    client.open(1)
    assert client.core.step(0.0) == ([], float("inf"))


def test_work_collects_while_no_deadline_is_near(models: Path) -> None:
    client = Client(models, batch=8)
    for key in range(3):
        client.open(key)
    client.credit(dict.fromkeys(range(3), 1), due=10.0)
    events, wake = client.core.step(5.0)
    assert not events and 5.0 < wake < 5.1
    events, _ = client.core.step(wake)
    assert isinstance(events[0], m.Batch) and len(events[0].keys) == 3 * 8


def test_what_is_fed_to_a_paused_session_does_not_wait(models: Path) -> None:
    client = Client(models, batch=8)
    client.open(1)
    client.open(2)
    client.credit({1: 3, 2: 3}, due=math.inf)
    for n in range(9):
        client.run(9.0 + n / 10)
    assert len(client.made[1]) == len(client.made[2]) == 3
    injected = read_card(models / "verse").make_codec().pack(np.array([5]))
    settings = ((3, m.Settings(artists=(1.0, 0.0, 0.0))),)
    assert not client.apply(m.Plan(1, 2, 3, settings, injected))
    client.credit({1: 5, 2: 6}, due=math.inf)
    assert client.core.step(10.0) == ([], 10.0), "stepped, though there is nothing to tell"
    client.take(client.core.step(10.0)[0])
    assert list(client.made[1]) == [0, 1, 2, 4] and list(client.made[2]) == [0, 1, 2]
    assert client.core.step(10.0)[1] > 10.0


def test_where_a_paused_session_stands_is_computed_at_once_and_no_more(models: Path) -> None:
    client = Client(models, batch=8)
    client.open(1)
    client.credit({1: 5}, due=math.inf)  # paused at position 0
    client.take(client.core.step(1.0)[0])
    assert list(client.made[1]) == [0]
    assert client.core.step(1.0) == ([], pytest.approx(1.012))


def test_who_collects_is_not_put_off_by_others_hurry(models: Path) -> None:
    client = Client(models, batch=8)
    client.open(1)
    client.open(2)
    client.credit({1: 1}, due=10.0)
    (_, wake), now = client.core.step(0.0), 0.0
    assert wake == pytest.approx(0.012)
    for n in range(1, 9):
        now = n * 0.001
        client.credit({2: n}, due=now)
        client.take(client.core.step(now)[0])
        assert len(client.made[2]) == n and not client.made[1]
    assert client.core.step(now) == ([], pytest.approx(0.012))
    client.take(client.core.step(0.012)[0])
    assert len(client.made[1]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("due", [-5.0, math.inf], ids=["late", "paused"])
def test_a_long_catch_up_does_not_hold_up_another_model(models: Path, due: float) -> None:
    client = Client(models)
    codec = read_card(models / "verse").make_codec()
    client.open(1)
    injected = codec.pack(np.full(3000, 5))
    client.apply(m.Plan(1, 2, 0, ((0, m.Settings(artists=(1.0, 0.0, 0.0))),), injected))
    client.credit({1: 3002}, due=due)
    client.open(2, "roll")
    client.credit({2: 20}, due=0.1)
    for _ in range(45):
        events, _ = client.core.step(0.2)
        client.take(events)
    assert len(client.made[2]) == 20
    client.credit({1: 3002}, due=0.2)
    client.run(0.2)
    assert list(client.made[1]) == [3000, 3001]


def test_cuda_is_asked_for_in_vain_with_a_clear_error(models: Path) -> None:
    if torch.cuda.is_available():
        assert Core(EngineOptions(find_models(models), device="cuda")).device == "cuda"
    else:
        with pytest.raises(ConfigError, match="--device cpu"):
            Core(EngineOptions(find_models(models), device="cuda"))


def feeds(client: Client, key: int, count: int, model: str = "verse") -> None:
    client.open(key, model)
    codec = read_card(client.models / model).make_codec()
    settings = m.Settings(artists=(1.0, 0.0, 0.0) if model == "verse" else ())
    injected = codec.pack(np.full(count, 5) if model == "verse" else np.zeros((count, 88)))
    assert not client.apply(m.Plan(key, 2, 0, ((0, settings),), injected))
    client.credit({key: count + 2}, due=math.inf)


def steps(client: Client, key: int, count: int, model: str = "verse") -> None:
    """A paused session that is asked for many steps; its credit is renewed by `walk`."""
    client.open(key, model)


def walk(client: Client, key: int) -> None:
    stands = len(client.made[key])
    arrays = np.array([key]), np.array([stands + 31]), np.array([stands])
    due, interval = np.array([-math.inf]), np.array([0.05])
    client.apply(m.Credits(*(array.tobytes() for array in (*arrays, due, interval))))


@pytest.mark.slow
@pytest.mark.parametrize("what", [feeds, steps], ids=["feeds", "steps"])
@pytest.mark.parametrize("model", ["verse", "roll"])
@pytest.mark.parametrize(
    ("each", "row"), [(0.0005, 0.0001), (0.0001, 0.000006)], ids=["slow", "fast"]
)
def test_others_keep_their_look_ahead_while_many_have_much_to_make(
    models: Path, what: Callable[..., None], model: str, each: float, row: float
) -> None:
    """On a clock that each step moves on by `each`, and by `row` for each of its rows."""
    client, rate, now = Client(models), 30.0, 0.0
    live, others = range(5), range(10, 70)
    for key in live:
        client.open(key)
    for key in others:
        what(client, key, 4096, model)
    least, done, longest, turns = math.inf, 0, 0.0, 0
    while now < 1.0:
        turns += 1
        stands = int(now * rate)
        for key in live:
            keys, until = np.array([key], np.int64), np.array([stands + 12], np.int64)
            at, due = np.array([stands], np.int64), np.array([stands / rate])
            interval = np.array([1 / rate])
            client.apply(m.Credits(*(x.tobytes() for x in (keys, until, at, due, interval))))
        for key in others if what is steps and turns % 16 == 1 else ():
            walk(client, key)
        before = int(client.next_positions().sum())
        events, wake = client.core.step(now)
        client.take(events)
        stepped = int(client.next_positions().sum()) - before
        took = each + row * stepped if stepped else 0.0
        client.core.took(took, now)
        now += took or min(max(wake - now, 0.0001), 0.002)
        if now > 0.3:
            ahead = min(max(client.made[key]) for key in live) + 1 - now * rate
            least = min(least, ahead / rate)
            done, longest = done + stepped, max(longest, took)
    assert least > 0.3, "seconds that are computed ahead"
    assert longest < core.STINT + 2 * each, "nobody would wait for longer"
    # 60 others have most of the time, in batches that grow to what a stint allows.
    assert done > 0.6 * 0.7 * core.STINT / (core.STINT + each) / row, "the machine is not idle"


@pytest.mark.parametrize("pending", [1, 1000])
def test_steps_come_before_nothing_that_is_late_and_at_once_if_there_is_time(
    models: Path, pending: int
) -> None:
    client = Client(models, batch=4)
    for key in range(5):
        client.open(key)
    due = -math.inf if pending > 1 else 7.02
    client.credit({0: min(pending, 31)}, due=due)
    client.take(client.core.step(7.0)[0])
    assert list(client.made[0]) == [0], "at once"
    client.credit({key: 1 for key in range(1, 5)}, due=6.9)
    client.credit({0: 31}, due=due)
    client.take(client.core.step(7.0)[0])
    assert all(len(client.made[key]) == 1 for key in range(1, 5)) and len(client.made[0]) == 1


@pytest.mark.slow
def test_those_with_long_pasts_come_through_them_together_and_even_beside_a_load(
    models: Path,
) -> None:
    client = Client(models, batch=8)
    client.open(0)
    for key in range(10, 40):
        feeds(client, key, 300)
    now = 0.0
    for n in range(4000):
        client.credit({0: n + 1}, due=now)  # a session that always wants a symbol at once
        client.take(client.core.step(now)[0])
        now += 0.01
    assert len(client.made[0]) > 3000
    reached = client.core._models["verse"].next[1:31]
    assert reached.min() >= 100 and reached.max() - reached.min() <= 2


def test_a_batch_that_fails_is_stepped_singly_and_a_device_that_fails_ends_the_engine(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(models)
    for key in (1, 2, 3):
        client.open(key)
    client.credit({1: 4, 2: 4, 3: 4})
    advance = Slots.advance

    def broken(slots: Slots, batch: np.ndarray) -> list[m.Batch | m.Snapshot]:
        if 2 in slots.key[batch]:
            raise RuntimeError("no")
        return advance(slots, batch)

    monkeypatch.setattr(Slots, "advance", broken)
    events, _ = client.core.step(0.0)
    assert [event.key for event in events if isinstance(event, m.Failed)] == [2]
    client.take(events)
    assert (len(client.made[1]), len(client.made[2]), len(client.made[3])) == (1, 0, 1)

    client.open(4)
    client.apply(m.Close(2))
    client.open(2)
    client.credit({2: 4})
    monkeypatch.setattr(core, "device_works", lambda device: False)
    with pytest.raises(EngineError, match="the device cpu has failed"):
        for _ in range(20):
            client.core.step(0.0)


def test_now_and_then_an_engine_says_how_long_it_worked_for_those_who_play(models: Path) -> None:
    client = Client(models, batch=8)
    for key in range(3):
        client.open(key)
    assert client.core.took(0.1, 10.0) == [], "there was no step"
    client.credit(dict.fromkeys(range(3), 40), due=0.0)
    client.take(client.core.step(11.0)[0])
    assert client.core.took(0.2, 11.0) == [m.Worked(0.2, 3)]
    for n in range(1, 5):
        client.take(client.core.step(11.0)[0])
        said = client.core.took(0.1, 11.0 + n * core.TELL / 4)
        assert said == ([m.Worked(pytest.approx(0.4), 12)] if n == 4 else [])
    feeds(client, 9, 400)
    client.run(12.0)  # all have made what they may
    feeds(client, 10, 400)
    client.take(client.core.step(20.0)[0])
    assert client.core.took(5.0, 20.0) == [], "of a session that can wait"
    client.credit({0: 41}, due=0.0)
    client.take(client.core.step(20.0)[0])
    (said,) = client.core.took(0.1, 20.0)
    assert isinstance(said, m.Worked) and said.seconds == pytest.approx(0.1)
