"""Classifies the touches of a finger as a gesture: the reverse of `snippets`.

The Neural iPad Band used a random forest on five seconds of touches. Here rules judge two seconds,
since rules can be read. A contact that is short and stays in its place (`STILL`) is a tap, any
other is a stroke. The first rule that fits decides:

1. No touch: none.
2. Only taps: fast if there are more than three a second, else slow.
3. Strokes and at least two taps: combination.
4. Strokes slower than `SLOW`: a very slow swirl.
5. Straight strokes: a swipe, accelerating if the last third of the time goes more than `GAIN` times
   as far as the first.
6. Other strokes: a swirl, big if it extends over more than `BIG` of the surface, else small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from stream_rnn.codecs.ensemble import GESTURES
from stream_rnn.codecs.snippets import Touch

WINDOW = 2.0  # seconds of touches that the rules judge
NONE, FAST_TAPS, SLOW_TAPS, SWIPE, FASTER_SWIPE, SLOW_SWIRL, BIG_SWIRL, SMALL_SWIRL, BOTH = range(
    len(GESTURES)
)

STILL = 0.04  # share of the surface that the finger of a tap may slip
SHORT = 0.35  # seconds that a tap may last
FAST = 3.0  # taps a second
SLOW = 0.3  # share of the surface in a second
STRAIGHT = 0.85  # distance from beginning to end, over the length of the path
GAIN = 2.5
BIG = 0.4

Heard = Sequence[tuple[float, Touch]]  # seconds, in order


def gesture_of(touches: Heard, now: float) -> int:
    """The class of gesture that a finger makes, by its touches of the last `WINDOW` seconds."""
    contacts = _contacts([(t, touch) for t, touch in touches if now - WINDOW < t <= now])
    taps = [c for c in contacts if _path(c) < STILL and c[-1][0] - c[0][0] < SHORT]
    strokes = [c for c in contacts if c not in taps]
    if not contacts:
        return NONE
    if not strokes:
        return FAST_TAPS if len(taps) > FAST * WINDOW else SLOW_TAPS
    if len(taps) >= 2:
        return BOTH
    path = sum(map(_path, strokes))
    if path < SLOW * sum(c[-1][0] - c[0][0] for c in strokes):
        return SLOW_SWIRL
    whole = [c for c in strokes if len(c) > 3] or strokes
    if sum(map(_reach, whole)) > STRAIGHT * sum(map(_path, whole)):
        first, last = (sum(_path(_third(c, part)) for c in whole) for part in (0, 2))
        return FASTER_SWIPE if last > GAIN * first else SWIPE
    places = [touch for c in strokes for _, touch in c]
    widths = [max(p) - min(p) for p in ([t.x for t in places], [t.y for t in places])]
    return BIG_SWIRL if max(widths) > BIG else SMALL_SWIRL


def _contacts(touches: Heard) -> list[Heard]:
    """The touches from each time that a finger comes down until it is lifted."""
    found: list[list[tuple[float, Touch]]] = []
    down = False
    for timed in touches:
        if timed[1].down and not down:
            found.append([])
        if timed[1].down or down:
            found[-1].append(timed)
        down = timed[1].down
    return list(found)


def _distance(a: Touch, b: Touch) -> float:
    return math.dist((a.x, a.y), (b.x, b.y))


def _path(contact: Heard) -> float:
    return sum(_distance(a, b) for (_, a), (_, b) in zip(contact, contact[1:], strict=False))


def _reach(contact: Heard) -> float:
    return _distance(contact[0][1], contact[-1][1])


def _third(contact: Heard, part: int) -> Heard:
    """The touches in a third (0, 1 or 2) of the time that the finger moves."""
    moving = [b for a, b in zip(contact, contact[1:], strict=False) if _distance(a[1], b[1]) > 0]
    start, end = contact[0][0], (moving or contact)[-1][0]
    edges = [start + (end - start) * (part + i) / 3 for i in (0, 1)]
    return [c for c in contact if edges[0] - 1e-9 <= c[0] <= edges[1] + 1e-9]
