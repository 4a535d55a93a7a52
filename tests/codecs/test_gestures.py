"""Touches as gestures."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.ensemble import GESTURES
from stream_rnn.codecs.gestures import gesture_of
from stream_rnn.codecs.snippets import ROWS, Finger, Touch


def heard(gesture: int, seed: str, rows: int = 2 * ROWS) -> list[tuple[float, Touch]]:
    finger = Finger()
    return [(n + t, touch) for n in range(rows) for t, touch in finger.row(gesture, seed)]


@pytest.mark.parametrize("gesture", range(len(GESTURES)))
def test_what_a_snippet_makes_of_a_gesture_is_heard_as_it(gesture: int) -> None:
    found: Counter[int] = Counter()
    for seed in range(40):
        touches = heard(gesture, f"{seed}")
        found.update(gesture_of(touches, now) for now in (2.0, 3.1, 4.4, 5.7))
    assert found[gesture] >= 0.9 * found.total(), found


def stroke(speed: float, *, bend: float = 0.0, radius: float = 0.1) -> list[tuple[float, Touch]]:
    """Two seconds of a finger at 60 reports a second: straight, or round."""
    made = []
    for k in range(120):
        way = speed * k / 60
        if bend:
            angle = way / radius
            place = (0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle))
        else:
            place = (min(0.05 + way, 1.0), 0.5)
        made.append((k / 60, Touch(*place, True)))
    return made


def test_a_finger_that_was_not_made_up_is_heard_too() -> None:
    assert gesture_of([], 2.0) == 0
    assert gesture_of([(0.5, Touch(0.1, 0.2, False))], 2.0) == 0
    assert gesture_of(stroke(0.45), 2.0) == 3
    assert gesture_of(stroke(0.1), 2.0) == gesture_of(stroke(0.1, bend=1), 2.0) == 5
    assert gesture_of(stroke(1.5, bend=1, radius=0.3), 2.0) == 6
    assert gesture_of(stroke(1.0, bend=1, radius=0.1), 2.0) == 7
    # Touches older than two seconds do not count.
    assert gesture_of(stroke(0.45), 9.0) == 0


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3), st.builds(Touch, st.floats(0, 1), st.floats(0, 1), st.booleans())
        ),
        max_size=40,
    )
)
def test_any_touches_are_some_gesture(touches: list[tuple[float, Touch]]) -> None:
    touches.sort(key=lambda timed: timed[0])
    recent = [touch for t, touch in touches if t > 1.0]
    gesture = gesture_of(touches, 3.0)
    assert 0 <= gesture < len(GESTURES)
    assert (gesture > 0) == any(touch.down for touch in recent)
