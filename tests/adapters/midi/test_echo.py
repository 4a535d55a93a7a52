"""Our own messages, when they come back in."""

from __future__ import annotations

import pytest

from stream_rnn.adapters.midi.echo import EchoGuard
from stream_rnn.wire import midi
from stream_rnn.wire.midi import NoteOff, NoteOn, Realtime

ON, OFF = bytes((0x90, 60, 80)), bytes((0x80, 60, 0))
KEY, LIFT = NoteOn(1, 60, 80), NoteOff(1, 60)


@pytest.mark.parametrize(
    ("sent", "heard", "after", "echo"),
    [
        (ON, NoteOn(1, 60, 1), 0.1, True),
        (ON, NoteOn(1, 60, 1), 0.2, False),
        (ON, NoteOn(2, 60, 1), 0.1, False),
        (ON, NoteOn(1, 61, 1), 0.1, False),
        (ON, NoteOn(1, 60, 1), -0.1, False),
        (bytes((0x90, 60, 0)), NoteOn(1, 60, 1), 0.1, False),
        (OFF, NoteOn(1, 60, 1), 0.1, False),
    ],
)
def test_an_echo_is_the_same_key_soon_after(
    sent: bytes, heard: NoteOn, after: float, echo: bool
) -> None:
    guard = EchoGuard()
    guard.sent(10.0, sent)
    assert guard.is_echo(0, heard, 10.0 + after) is echo
    guard.sent(11.0, OFF)
    end = NoteOff(heard.channel, heard.pitch)
    assert guard.is_echo(0, end, 11.0 + abs(after)) is echo
    assert guard.is_echo(0, end, 11.0 + abs(after)) is False


def test_an_echo_comes_back_on_any_port() -> None:
    guard = EchoGuard()
    guard.sent(10.0, ON)
    assert guard.is_echo(0, NoteOn(1, 60, 9), 10.01)
    assert guard.is_echo(1, NoteOn(1, 60, 9), 10.02)


def test_an_end_that_was_lost_on_the_way_takes_no_other() -> None:
    guard = EchoGuard()
    guard.sent(10.0, ON)
    guard.sent(10.5, OFF)
    assert guard.is_echo(0, KEY, 10.01)  # and its end does not come back
    assert not guard.is_echo(0, KEY, 12.0)
    assert not guard.is_echo(0, LIFT, 12.3), "the player's own"
    guard.sent(20.0, ON)
    assert guard.is_echo(0, KEY, 20.01)
    assert not guard.is_echo(0, LIFT, 20.5), "ours sounds on, so it cannot be its end"
    guard.sent(21.0, OFF)
    assert guard.is_echo(0, LIFT, 21.01)


def test_what_ends_by_being_struck_again_or_silenced_is_ours_too() -> None:
    guard = EchoGuard()
    for moment in (10.0, 11.0):  # the MIDI process ends the first before it strikes the second
        guard.sent(moment, ON)
    assert guard.is_echo(0, KEY, 10.01)
    assert guard.is_echo(0, LIFT, 11.01) and guard.is_echo(0, KEY, 11.01)
    guard.silenced(12.0)
    assert guard.is_echo(0, LIFT, 12.01)


class Loop:
    """A clock of ours, which comes back late or not at all, and perhaps another's beside it."""

    def __init__(self, bpm: float = 120.0) -> None:
        self.guard, self.interval = EchoGuard(), 60 / bpm / midi.PULSES_PER_BEAT
        self.begun = 10.0

        self._waiting: list[float] = []

    def send(self, pulses: int) -> list[float]:
        times = [self.begun + i * self.interval for i in range(pulses)]
        self._waiting += times
        self.begun = times[-1] + self.interval
        return times

    def hand_over(self, until: float) -> None:
        while self._waiting and self._waiting[0] < until:
            self.guard.sent(self._waiting.pop(0), midi.CLOCK)

    def pulses(self, times: list[float]) -> list[bool]:
        """Whether each pulse that is heard is ours; ours are handed over 20 ms before."""
        own = []
        for time in times:
            self.hand_over(time + 0.02)
            own.append(self.guard.is_own_clock(0, Realtime.CLOCK, time))
        return own


@pytest.mark.parametrize("delay", [-0.002, 0.003, 0.1])
def test_our_own_clock_is_not_followed(delay: float) -> None:
    loop = Loop()
    loop.guard.sent(9.999, midi.START)
    assert loop.guard.is_own_clock(0, Realtime.START, 9.999 + delay)
    times = loop.send(5000)
    del times[70], times[1500:1502], times[3000]  # lost on the way
    assert all(loop.pulses([t + delay for t in times]))
    loop.guard.sent(loop.begun, midi.STOP)
    assert loop.guard.is_own_clock(0, Realtime.STOP, loop.begun + delay)
    loop.begun += 3.0
    assert all(loop.pulses([t + delay for t in loop.send(500)]))


def test_a_clock_that_was_there_before_ours_is_another_though_ours_keeps_its_time() -> None:
    loop = Loop()
    theirs = [9.0 + i * loop.interval for i in range(500)]
    loop.send(500)  # it follows
    assert not any(loop.pulses(theirs))
    again = [theirs[-1] + 1.0 + i * loop.interval for i in range(100)]
    assert not any(loop.pulses(again)), "also when it was silent for a while"


@pytest.mark.parametrize("bpm", [100.0, 117.0, 123.0, 180.0])
def test_another_clock_that_begins_beside_ours_is_told_by_its_tempo(bpm: float) -> None:
    loop = Loop()
    loop.send(5000)
    own = loop.pulses([11.0 + i * 60 / bpm / 24 for i in range(1000)])
    assert own.index(False) < 700 and not any(own[own.index(False) :])


def test_another_clock_that_begins_beside_ours_is_told_by_its_start() -> None:
    loop = Loop()
    loop.guard.sent(9.999, midi.START)
    loop.send(5000)
    assert not loop.guard.is_own_clock(0, Realtime.START, 11.0)
    assert not any(loop.pulses([11.0 + i * loop.interval for i in range(1000)]))


def test_a_clock_goes_on_where_ours_has_stopped() -> None:
    loop = Loop()
    times = loop.send(100)
    more = [times[-1] + i * loop.interval for i in range(1, 100)]
    assert all(loop.pulses(times))
    assert loop.pulses(more).index(False) <= 8


def test_little_is_kept_of_a_clock_that_nobody_sends_back() -> None:
    loop = Loop()
    loop.send(20_000)
    loop.hand_over(loop.begun)
    assert len(loop.guard._clocks[0]._pulses) < 4000


def test_what_was_held_up_comes_back_all_at_once() -> None:
    loop = Loop()
    times = loop.send(100)
    assert all(loop.pulses(times))
    loop.hand_over(loop.begun)
    late = times[-1] + 5.0  # the gateway stood still
    for _ in range(60):
        loop.guard.sent(late, midi.CLOCK)
    assert all(loop.pulses([late + 0.01] * 60))
    loop.begun = late + loop.interval
    assert all(loop.pulses([t + 0.005 for t in loop.send(500)]))
