import math

import pytest

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.performance import Note as Played
from stream_rnn.codecs.performance import PerformanceCodec, encode_notes
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.control_log import ControlLog
from stream_rnn.sessions.controls import default_controls
from stream_rnn.sessions.flow import SOON, Timing
from stream_rnn.sessions.journal import Journal
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import TRANSITIONS, Status

CODEC = TextCodec("abcdef")
CARD = Card("m", "M", CODEC.to_json(), {}, defaults={"rate": 10.0})
TIMING = Timing(commit_ahead=0.02, lookahead=0.4, start_delay=0.06, stall=0.25)
ROLLBACK = 32


def session(*, now: float = 0.0, play: bool = True) -> Session:
    log = ControlLog(default_controls(CARD, 1), CARD)
    made = Session("s", 1, CARD, CODEC, TIMING, ROLLBACK, log, Journal(CODEC.width))
    made.start(now)
    if play:
        made.move("play")
    return made


def compute(s: Session, count: int, *, now: float = 0.0, symbol: int = 2) -> None:
    """What the engine does: sends the next symbols under the latest plan."""
    first = s.position + len(s._computed)
    for position in range(first, first + count):
        s.receive(s.generation, position, symbol, now)


def play_on(s: Session, count: int) -> list[float]:
    """Commits symbols as they are due; returns the due times."""
    compute(s, count, now=s.next_due - TIMING.commit_ahead)
    return [s.commit(s.commit_time()).due for _ in range(count)]


def test_due_times_are_absolute_so_that_late_ticks_add_no_drift() -> None:
    s = session(now=5.0)
    compute(s, 100)
    for n in range(100):
        when = s.commit_time()
        assert when == pytest.approx(5.06 + n * 0.1 - 0.02)
        committed = s.commit(when + 0.003 * (n % 7))  # each tick a little late
        assert committed.n == n
        assert committed.due == pytest.approx(5.06 + n * 0.1)
    assert s.commit_time() == math.inf  # nothing is computed


def test_nothing_comes_due_while_a_session_is_paused_or_its_engine_gone() -> None:
    s = session(play=False)
    compute(s, 3)
    assert s.commit_time() == math.inf
    s.move("play")
    s.move("lose_engine")
    assert (s.status, s.playing, s.commit_time()) == (Status.STALLED, True, math.inf)


def test_a_rate_change_counts_from_the_last_symbol_and_needs_no_plan() -> None:
    s = session()
    play_on(s, 3)
    last = s.journal[2].due
    position, plan = s.change({"rate": 2.0}, "now", now=last)
    assert (position, plan) == (3, None)
    assert play_on(s, 3) == pytest.approx([last + 0.5, last + 1.0, last + 1.5])


def test_a_much_faster_rate_never_makes_a_symbol_due_in_the_past() -> None:
    s = session()
    s.change({"rate": 1.0}, "now", now=0.0)
    play_on(s, 1)
    last = s.journal[0].due
    s.change({"rate": 100.0}, "now", now=last + 0.5)
    assert s.next_due == pytest.approx(last + 0.5 + TIMING.commit_ahead)


def test_a_tempo_for_the_next_bar_holds_from_that_bar_on() -> None:
    s = session()
    play_on(s, 5)
    position, plan = s.change({"rate": 2.0}, "bar", now=0.6)
    assert (position, plan) == (16, None)
    dues = play_on(s, 14)  # symbols 5 to 18
    gaps = [round(b - a, 6) for a, b in zip(dues, dues[1:], strict=False)]
    assert gaps == [0.1] * 10 + [0.5] * 3


@pytest.mark.parametrize(
    ("position", "at", "first"),
    [
        (0, "now", 0),
        (0, "bar", 0),
        (5, "now", 5),
        (5, "beat", 8),
        (5, "bar", 16),
        (8, "beat", 8),
        (16, "bar", 16),
        (17, "bar", 32),
    ],
)
def test_a_change_is_heard_first_at_the_next_symbol_beat_or_bar(
    position: int, at: str, first: int
) -> None:
    s = session()
    play_on(s, position)
    assert s.change({"temperature": 0.5}, at, now=9.0)[0] == first
    assert s.log.at(first).temperature == 0.5
    assert first == 0 or s.log.at(first - 1).temperature == 1.0


def test_a_control_change_drops_what_is_computed_and_not_committed() -> None:
    s = session()
    play_on(s, 4)
    compute(s, 6)
    old = s.generation
    position, plan = s.change({"temperature": 0.5}, "now", now=0.4)
    assert plan is not None
    assert (position, plan.position, plan.injected, plan.state) == (4, 4, b"", b"")
    assert plan.generation == s.generation == old + 1
    assert [(n, v.temperature) for n, v in plan.schedule] == [(4, 0.5)]
    assert s.commit_time() == math.inf
    s.receive(old, 10, 3, 0.4)  # still on its way under the old plan
    assert s.commit_time() == math.inf
    s.receive(s.generation, 4, 5, 0.4)
    assert (s.commit(0.44).symbol, s.position) == (5, 5)


def test_a_refused_change_drops_nothing() -> None:
    s = session()
    compute(s, 3)
    when, generation = s.commit_time(), s.generation
    with pytest.raises(ProtocolError):
        s.change({"temperature": -1}, "now", now=0.0)
    assert (s.commit_time(), s.generation) == (when, generation)


def test_fed_symbols_are_history_at_once_and_are_injected_into_the_engine() -> None:
    s = session()
    play_on(s, 2)
    compute(s, 4)
    fed, plan = s.feed([3, 4], now=7.0)
    assert [(c.n, c.symbol, c.due, c.fed) for c in fed] == [(2, 3, 7.0, True), (3, 4, 7.0, True)]
    assert plan is not None
    assert (plan.position, CODEC.unpack(plan.injected).tolist()) == (2, [3, 4])
    assert s.position == 4
    compute(s, 1)
    assert s.commit(s.commit_time()).n == 4
    assert s.feed([], now=8.0) == ([], None)


def test_steps_that_are_owed_are_due_soon_and_keep_no_time() -> None:
    s = session(play=False)
    s.move("step")
    s.pending_steps += 2
    assert s.credit(now=7.0).due == 7.0 + SOON
    compute(s, 5)
    assert [s.commit(when).due for when in (1.0, 4.0)] == [1.0, 4.0]
    assert (s.pending_steps, s.commit_time()) == (0, math.inf)
    s.move("play")
    s.start(10.0)
    assert s.commit_time() == pytest.approx(10.04)


def test_only_a_paused_session_takes_steps() -> None:
    with pytest.raises(ProtocolError, match="cannot step session 's' while it is playing") as bad:
        session().move("step")
    assert bad.value.code == "bad_state"


def test_every_status_can_be_closed_once_and_nothing_follows() -> None:
    assert {(status, "close") for status in Status if status is not Status.CLOSED} <= set(
        TRANSITIONS
    )
    assert not [key for key in TRANSITIONS if key[0] is Status.CLOSED]


def test_a_late_symbol_is_caught_up_but_a_stall_shifts_the_timeline() -> None:
    s = session()
    play_on(s, 1)
    compute(s, 1, now=s.next_due + 0.2)
    assert s.commit_time() == pytest.approx(0.16 - 0.02)  # late, yet on the old timeline
    s.commit(0.36)
    compute(s, 1, now=9.0)
    assert s.stalls == 1
    assert s.commit(9.0).due == pytest.approx(9.02)
    assert s.next_due == pytest.approx(9.12)


def test_states_settle_once_what_stands_before_them_is_committed() -> None:
    s = session()
    compute(s, 4)
    s.receive_snapshot(s.generation, 3, b"three")
    s.receive_snapshot(s.generation - 1, 1, b"of an older plan")
    for n in range(4):
        assert s.journal.snapshot_before(99) == ((3, b"three") if n > 3 else None)
        s.commit(s.commit_time())
        if n == 2:
            break
    assert s.journal.snapshot_before(99) == (3, b"three")


def test_a_state_that_was_rolled_back_never_settles() -> None:
    s = session()
    compute(s, 4)
    s.receive_snapshot(s.generation, 3, b"three")
    s.change({"temperature": 2}, "now", now=0.0)
    play_on(s, 4)
    assert s.journal.snapshot_before(99) is None


def test_going_back_restores_state_controls_and_position() -> None:
    s = session()
    play_on(s, 6)
    s.journal.keep_snapshot(2, b"two")
    s.change({"temperature": 0.5}, "now", now=0.6)
    play_on(s, 2)
    plan = s.rewind(4, now=20.0)
    assert (s.position, s.controls.temperature) == (4, 1.0)
    assert (plan.position, plan.state) == (2, b"two")
    assert CODEC.unpack(plan.injected).tolist() == [2, 2]
    assert CODEC.unpack(plan.before).tolist() == [2]
    assert play_on(s, 1) == pytest.approx([20.06])


def test_going_back_before_any_state_replays_from_the_beginning() -> None:
    s = session()
    play_on(s, 6)
    plan = s.rewind(3, now=1.0)
    assert (plan.position, plan.state, len(plan.injected)) == (0, b"", 3 * CODEC.width)


@pytest.mark.parametrize("position", [7, 1000])
def test_one_cannot_go_forward_by_going_back(position: int) -> None:
    s = session()
    play_on(s, 6)
    with pytest.raises(ProtocolError, match=f"to must be from 0 to 6, not {position}") as caught:
        s.rewind(position, now=0.0)
    assert (caught.value.code, caught.value.field) == ("bad_position", "to")


def test_a_reset_keeps_the_controls_and_forgets_the_past() -> None:
    s = session()
    play_on(s, 3)
    s.change({"temperature": 0.5}, "now", now=0.0)
    plan = s.reset(now=1.0)
    assert (s.position, plan.position, s.controls.temperature) == (0, 0, 0.5)
    assert plan.schedule[0][1].temperature == 0.5


def test_credit_reaches_as_far_as_the_lookahead_and_the_rollback_window_allow() -> None:
    s = session()
    assert s.credit(now=0.0).until == 4  # 0.4 s at 10 a second
    play_on(s, 3)
    credit = s.credit(now=0.0)
    assert (credit.position, credit.until) == (3, 7)
    assert (credit.due, credit.interval) == (s.next_due - 0.02, 0.1)
    s.change({"rate": 200}, "now", now=s.next_due)
    assert s.credit(now=0.0).until == 3 + ROLLBACK - 1
    s.change({"rate": 0.1}, "now", now=s.next_due)
    assert s.credit(now=0.0).until == 3 + 2


PIANO = PerformanceCodec()
PIANO_CARD = Card("p", "P", PIANO.to_json(), {}, defaults={"rate": 20.0})
CHORD = [Played(0.0, 0.5, 60, 70), Played(0.0, 0.25, 64, 70), Played(1.7, 2.0, 67, 40)]


def piano() -> Session:
    log = ControlLog(default_controls(PIANO_CARD, 1), PIANO_CARD)
    made = Session("p", 1, PIANO_CARD, PIANO, TIMING, ROLLBACK, log, Journal(PIANO.width))
    made.start(0.0)
    made.move("play")
    return made


def play_events(s: Session) -> list[tuple[float, dict[str, object]]]:
    """Plays the chord; returns its note events, and when each is due."""
    start = s.next_due
    for i, symbol in enumerate(encode_notes(CHORD).tolist()):
        s.receive(s.generation, s.position + i, symbol, start)
    events = []
    while s.commit_time() < math.inf:
        committed = s.commit(s.commit_time())
        event = PIANO.event(committed.symbol)["event"]
        if "shift" not in event and "velocity" not in event:
            events.append((round(committed.due - start, 6), event))
    return events


def test_a_performance_keeps_its_own_time() -> None:
    assert play_events(piano()) == [
        (0.0, {"on": 60}),
        (0.0, {"on": 64}),
        (0.25, {"off": 64}),
        (0.5, {"off": 60}),
        (1.7, {"on": 67}),
        (2.0, {"off": 67}),
    ]


def test_the_rate_is_a_performances_speed() -> None:
    s = piano()
    s.change({"rate": 40.0}, "now", now=0.0)
    assert [time for time, _ in play_events(s)] == [0.0, 0.0, 0.125, 0.25, 0.85, 1.0]


def test_a_performances_credit_is_all_there_is_and_due_as_what_is_computed_says() -> None:
    s = piano()
    symbols = encode_notes(CHORD).tolist()
    assert s.credit(now=0.0).until == ROLLBACK - 1
    assert s.credit(now=0.0).interval == 0.0  # nothing is known: at once
    for position, symbol in enumerate(symbols):
        s.receive(s.generation, position, symbol, 0.0)
    credit = s.credit(now=0.0)
    assert credit.due + len(symbols) * credit.interval == pytest.approx(0.06 - 0.02 + 2.0)
