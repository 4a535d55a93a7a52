"""How `bench midi` evaluates what it received; `tests/peers` tests that it receives anything."""

from __future__ import annotations

from typing import Any

from stream_rnn.bench.midi import _compare, _Part, breaches, describe

QUIET: dict[str, Any] = {
    "model": "roll",
    "sessions": 2,
    "rate": 16.0,
    "seconds": 1.0,
    "midi_handed_over_within_ms": {"0.5": 98.0, "1": 99.5},
    "midi_notes": {"expected": 10, "heard": 10, "unexpected": 0},
    "midi_lateness_ms": {"p50": 0.5, "p99": 1.2},
    "jack_period_ms": 0.67,
    "symbols": 32,
    "osc_packets": 32,
    "osc_after_timetag": 0,
    "osc_lateness_ms": {"p50": -69.0},
    "websocket_symbols": 32,
    "websocket_lateness_ms": {"p50": -19.0},
}


def note(moment: float, pitch: int, status: int = 0x91) -> tuple[float, bytes]:
    return moment, bytes((status, pitch, 80))


def test_notes_are_compared_by_what_all_clients_came_to_know() -> None:
    # Told in whatever order; 60 is held at 1, and begins again at 3.
    frames = {2: (1.2, {64}), 0: (1.0, {60}), 1: (1.1, {60, 64}), 3: (1.3, {60})}
    part = _Part("ear-2", "ear", 1, frames)
    heard = {"ear": [note(1.001, 60), note(1.102, 64), note(1.2, 60, 0x81), note(1.303, 60)]}
    late, notes = _compare([part], heard, 1.0, 2.0)
    assert [round(x, 3) for x in sorted(late)] == [0.001, 0.002, 0.003]
    assert notes == {"expected": 3, "heard": 3, "unexpected": 0}
    # Another channel, and one after the end; what was due before the beginning is not counted.
    heard["ear"] += [note(1.2, 60, 0x92), note(2.5, 61)]
    assert _compare([part], heard, 1.05, 2.0)[1] == {"expected": 2, "heard": 2, "unexpected": 1}
    del heard["ear"][1]
    assert _compare([part], heard, 1.0, 2.0)[1] == {"expected": 3, "heard": 2, "unexpected": 1}


def test_each_bound_has_its_line() -> None:
    assert not breaches(QUIET)
    for changed, said in (
        ({"midi_notes": {"expected": 10, "heard": 9, "unexpected": 0}}, "9 of 10 notes"),
        ({"midi_notes": {"expected": 0, "heard": 0, "unexpected": 0}}, "0 of 0 notes"),
        ({"midi_notes": {"expected": 10, "heard": 10, "unexpected": 2}}, "2 notes arrived that"),
        ({"midi_lateness_ms": {"p99": 1.7}}, "1.7 ms late at p99"),
        ({"midi_lateness_ms": {"p99": None}}, "None ms late"),
        ({"midi_handed_over_within_ms": {"1": 98.9}}, "98.9 % of MIDI"),
        ({"midi_handed_over_within_ms": {"1": float("nan")}}, "nan %"),
        ({"osc_packets": 31}, "31 of 32 symbols"),
        ({"osc_after_timetag": 1}, "1 OSC bundles"),
    ):
        (line,) = breaches(QUIET | changed)
        assert said in line


def test_it_is_told_in_lines() -> None:
    told = describe(QUIET)
    assert "10 of 10 notes arrived, and 0 unexpected ones" in told
    assert "32 of 32 arrived, 0 of them after it" in told
