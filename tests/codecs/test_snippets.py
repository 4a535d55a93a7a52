"""Gestures as touches, and touches as notes."""

from __future__ import annotations

import math
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.ensemble import GESTURES, EnsembleCodec
from stream_rnn.codecs.snippets import (
    REGISTERS,
    ROWS,
    SCALE,
    Finger,
    Timed,
    loudness,
    pitch_of,
    snippet,
)

gestures = st.integers(0, len(GESTURES) - 1)
seeds = st.text(max_size=8)


@given(gestures, seeds)
def test_a_snippet_is_four_rows_of_one_finger_and_always_the_same(gesture: int, seed: str) -> None:
    touches = snippet(gesture, seed)
    assert touches == snippet(gesture, seed)
    times = [t for t, _ in touches]
    assert times == sorted(times) and all(0 <= t < ROWS for t in times)
    assert all(0 <= touch.x <= 1 and 0 <= touch.y <= 1 for _, touch in touches)
    assert bool(touches) == (gesture > 0)
    for before, (_, touch) in zip([None, *touches], touches, strict=False):
        # A finger can only be lifted if it was down.
        if not touch.down:
            assert before is not None and before[1].down


def contacts(touches: list[Timed]) -> list[list[Timed]]:
    """The touches from each time that a finger comes down until it is lifted."""
    found: list[list[Timed]] = []
    down = False
    for timed in touches:
        if not down:
            found.append([])
        found[-1].append(timed)
        down = timed[1].down
    return found


def path(contact: list[Timed]) -> float:
    places = [(t.x, t.y) for _, t in contact]
    return sum(math.dist(a, b) for a, b in zip(places, places[1:], strict=False))


@given(seeds)
def test_the_gestures_are_what_they_are_called(seed: str) -> None:
    fast, slow, swipe, faster, still, big, small, both = (
        contacts(snippet(gesture, seed)) for gesture in range(1, 9)
    )
    assert all(path(c) == 0 for c in fast + slow)
    assert len(fast) / ROWS >= 2 * len(slow) / ROWS and len(slow) / ROWS >= 1
    for contact in swipe + faster:
        xs = [t.x for _, t in contact]
        assert xs == sorted(xs) or xs == sorted(xs, reverse=True)  # straight
    assert all(path(c) / (c[-1][0] - c[0][0]) > 1 for c in swipe)
    for contact in faster:
        steps = [abs(b[1].x - a[1].x) for a, b in zip(contact, contact[1:], strict=False)]
        assert steps[-2] > 3 * steps[0]  # at its end it stays a moment
    speeds = [path(s[0]) / ROWS for s in (still, small, big)]
    assert [len(s) for s in (still, small, big)] == [1, 1, 1] and speeds == sorted(speeds)
    reach = [max(t.x for _, t in s[0]) - min(t.x for _, t in s[0]) for s in (small, big)]
    assert 3 * reach[0] < reach[1]
    assert any(path(c) == 0 for c in both) and any(path(c) > 0 for c in both)


@given(st.lists(gestures, min_size=1, max_size=12), seeds)
def test_a_finger_loops_until_its_gesture_changes_and_then_is_lifted(
    played: list[int], seed: str
) -> None:
    finger, down, before, since = Finger(), False, 0, 0
    for n, gesture in enumerate(played):
        since = 0 if gesture != before else since + 1
        touches = finger.row(gesture, f"{seed} {n - since}")
        times = [t for t, _ in touches]
        assert times == sorted(times) and all(0 <= t < 1 for t in times)
        own = touches
        if gesture != before and down:
            assert times[0] == 0.0 and not touches[0][1].down
            own = touches[1:]
        row = since % ROWS
        loop = snippet(gesture, f"{seed} {n - since}")
        assert own == [(t - row, touch) for t, touch in loop if row <= t < row + 1]
        down = touches[-1][1].down if touches else down
        before = gesture


@given(st.integers(0, 7), st.floats(0, 1), st.floats(0, 1))
def test_a_place_is_a_pitch_of_the_scale_in_its_players_register(
    player: int, x: float, further: float
) -> None:
    pitch = pitch_of(player, x)
    lowest, above = REGISTERS[player % len(REGISTERS)]
    assert pitch in SCALE and lowest <= pitch <= lowest + above
    assert pitch <= pitch_of(player, max(x, further))
    assert pitch_of(player, x, [100]) == 100  # none lies in the register


@pytest.mark.parametrize(("y", "velocity", "heard"), [(0.5, 80, 80), (1, 127, 127), (0, 1, 1)])
def test_higher_up_is_louder(y: float, velocity: int, heard: int) -> None:
    assert loudness(y, velocity) == heard


def test_a_band_is_written_as_a_midi_file_in_which_every_note_ends(tmp_path: Path) -> None:
    band = EnsembleCodec.usual()
    rows = [[g, (g + 3) % 9, 6, 0] for g in (6, 6, 1, 4, 8, 5)]
    band.write_file(band.encode(rows), tmp_path / "x.mid", 60.0)
    file = mido.MidiFile(tmp_path / "x.mid")
    assert [track.name for track in file.tracks] == list(band.columns)
    assert 6 <= file.length < 6.1
    for player, track in enumerate(file.tracks):
        sounding: set[int] = set()
        notes = [m for m in track if m.type == "note_on"]
        assert bool(notes) == (player < 3)
        for m in notes:
            assert m.channel == player and (m.note in sounding) == (m.velocity == 0)
            sounding ^= {m.note}
            assert len(sounding) <= 1
        assert not sounding
