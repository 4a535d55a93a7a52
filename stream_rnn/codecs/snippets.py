"""Gestures of an ensemble as touches of a finger, and touches as notes.

The Neural iPad Band plays a recording of each class of gesture. Those recordings may not be
copied, so snippets are generated: four rows of a finger that taps, swipes or swirls, the same for
the same seed. A snippet loops until its player's gesture changes. There is no I/O here; times are
in rows, which last a second unless the performer changes that.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

ROWS = 4  # length of a snippet, after which it repeats
GRID = 1 / 8  # rows; taps and turns fall on it, so that players who change together stay together
MOVE = 1 / 16  # rows between the reports of a finger that swipes

# The lowest pitch of each player, and the semitones of the range above it. The lead plays in the
# middle register; a fifth player has the first one's again.
REGISTERS = ((60, 24), (52, 19), (72, 24), (33, 22))
PROGRAMS = (46, 12, 11, 32)  # General MIDI, in the same order: harp, marimba, vibraphone, bass
SCALE = tuple(p for p in range(128) if p % 12 in (0, 2, 4, 7, 9))  # C major pentatonic


@dataclass(frozen=True)
class Touch:
    """Where a finger is: x from left to right and y from bottom to top, 0 to 1.

    `down` tells whether it touches the surface; if not, it was lifted at this place.
    """

    x: float
    y: float
    down: bool


Timed = tuple[float, Touch]  # rows since the beginning


def snippet(gesture: int, seed: str) -> list[Timed]:
    """`ROWS` rows of a finger that makes a gesture, in order of time.

    Args:
        gesture: its index in `ensemble.GESTURES`.
        seed: of the random choices.
    """
    dice = random.Random(f"{gesture} {seed}")  # with a string as seed, alike on every machine
    return sorted(_SNIPPETS[gesture](dice), key=lambda timed: timed[0])


def _fast_taps(dice: random.Random) -> list[Timed]:
    # A figure of one row: played twice, then moved to the side, then half as far and half reversed.
    figure = [t for t in range(8) if t % 2 == 0 or dice.random() < 0.6]
    spots = [dice.uniform(0.2, 0.8)]
    for _ in range(7):
        spots.append(_inside(spots[-1] + dice.choice((-0.3, -0.2, -0.1, 0.1, 0.2, 0.3))))
    side = dice.choice((-0.2, 0.2))
    touches = []
    for row, moved in enumerate((0.0, 0.0, side, side / 2)):
        for t in figure:
            spot = spots[7 - t] if row == 3 and t >= 4 else spots[t]
            y = 0.75 if t == 0 else dice.uniform(0.35, 0.55)
            touches += _tap(row + t * GRID, _inside(spot + moved), y, 0.07)
    return touches


def _slow_taps(dice: random.Random) -> list[Timed]:
    offset = dice.choice((0, 0, 2)) * GRID
    spots = [dice.uniform(0.05, 0.95) for _ in range(3)]
    touches = []
    for beat in range(2 * ROWS):
        if beat % 4 == 3 and dice.random() < 0.5:
            continue
        at = beat / 2 + offset
        touches += _tap(at, spots[beat % 3], dice.uniform(0.45, 0.75), 0.2)
    return touches


def _fast_swipe(dice: random.Random) -> list[Timed]:
    touches, up = [], dice.random() < 0.5
    for row in range(ROWS):
        for half in (0.0, 0.5):
            if half and dice.random() < 0.5:
                continue
            reach = dice.uniform(0.6, 0.85)
            first = dice.uniform(0.05, 0.95 - reach)
            ends = (first, first + reach) if up else (first + reach, first)
            touches += _swipe(row + half, 0.375, ends, dice.uniform(0.35, 0.6), lambda t: t)
            up = not up
    return touches


def _fast_swipe_accelerating(dice: random.Random) -> list[Timed]:
    touches, up = [], dice.random() < 0.5
    for row in range(ROWS):
        ends = (0.05, dice.uniform(0.8, 0.95))
        ends = ends if up else (1.0 - ends[0], 1.0 - ends[1])
        touches += _swipe(row, 0.75, ends, 0.35, lambda t: t**2.5, rise=0.4)
        up = up != (dice.random() < 0.3)
    return touches


def _combination(dice: random.Random) -> list[Timed]:
    """Two taps in each row, and a swipe or a small swirl."""
    touches: list[Timed] = []
    for row in range(ROWS):
        x = dice.uniform(0.2, 0.8)
        touches += _tap(row, x, 0.7, 0.1) + _tap(row + 2 * GRID, _inside(x + 0.2), 0.5, 0.1)
        if dice.random() < 0.5:
            ends = (0.1, 0.8) if dice.random() < 0.5 else (0.9, 0.2)
            touches += _swipe(row + 0.5, 0.375, ends, 0.5, lambda t: t)
            continue
        for k in range(4):
            angle = k * math.pi / 2
            at = (_inside(x + 0.12 * math.cos(angle)), 0.5 + 0.12 * math.sin(angle))
            touches.append((row + 0.5 + k * GRID, Touch(*at, True)))
        touches.append((row + 0.5 + 4 * GRID - 0.02, Touch(*at, False)))
    return touches


def _inside(x: float) -> float:
    """A place, reflected at the edge if it lies beyond it."""
    x = abs(x) % 2.0
    return 2.0 - x if x > 1.0 else x


def _tap(at: float, x: float, y: float, length: float) -> list[Timed]:
    return [(at, Touch(x, y, True)), (at + length, Touch(x, y, False))]


def _swipe(
    at: float,
    length: float,
    ends: tuple[float, float],
    y: float,
    course: Callable[[float], float],
    rise: float = 0.0,
) -> list[Timed]:
    """A straight line, at the end of which the finger rests; `course` maps the share of the time
    that has passed to the share of the line."""
    reports = round(length / MOVE) - 1
    touches = []
    for k in range(reports):
        share = course(k / (reports - 1))
        x = ends[0] + share * (ends[1] - ends[0])
        touches.append((at + k * MOVE, Touch(x, y + rise * share, True)))
    last = touches[-1][1]
    return [*touches, (at + length, Touch(last.x, last.y, False))]


def _swirl(
    dice: random.Random, *, radius: float, turn: float, step: float, loud: float
) -> list[Timed]:
    """Circles for a whole snippet, which ends where it begins, so that it loops."""
    middle = dice.uniform(radius, 1.0 - radius)
    phase, way = dice.uniform(0, 2 * math.pi), dice.choice((-1, 1))
    touches = []
    for k in range(round(ROWS / step)):
        angle = phase + way * 2 * math.pi * k * step / turn
        x, y = middle + radius * math.cos(angle), loud + 0.5 * radius * math.sin(angle)
        touches.append((k * step, Touch(x, y, True)))
    return touches


_SNIPPETS: tuple[Callable[[random.Random], list[Timed]], ...] = (
    lambda dice: [],
    _fast_taps,
    _slow_taps,
    _fast_swipe,
    _fast_swipe_accelerating,
    partial(_swirl, radius=0.12, turn=4.0, step=4 * GRID, loud=0.3),
    partial(_swirl, radius=0.4, turn=2.0, step=GRID, loud=0.4),
    partial(_swirl, radius=0.11, turn=1.0, step=GRID, loud=0.45),
    _combination,
)


class Finger:
    """The finger of one player, row by row."""

    def __init__(self) -> None:
        self._gesture, self._row = 0, 0
        self._snippet: list[Timed] = []
        self._last: Touch | None = None

    def row(self, gesture: int, seed: str) -> list[Timed]:
        """Its touches in the next row, with times in rows since that row's beginning.

        Args:
            seed: for a new snippet, if the gesture has changed.
        """
        touches: list[Timed] = []
        if gesture != self._gesture:
            if self._last is not None and self._last.down:
                touches.append((0.0, Touch(self._last.x, self._last.y, False)))
            self._gesture, self._row, self._snippet = gesture, 0, snippet(gesture, seed)
        touches += [(t - self._row, touch) for t, touch in self._snippet if 0 <= t - self._row < 1]
        self._row = (self._row + 1) % ROWS
        if touches:
            self._last = touches[-1][1]
        return touches


def pitch_of(player: int, x: float, scale: Sequence[int] = SCALE) -> int:
    """The MIDI pitch of a place from left to right, in a player's register.

    Args:
        scale: the pitches to choose from, at least one, in rising order.
    """
    lowest, above = REGISTERS[player % len(REGISTERS)]
    there = [p for p in scale if lowest <= p <= lowest + above] or scale
    return there[min(int(x * len(there)), len(there) - 1)]


def loudness(y: float, velocity: int) -> int:
    """The MIDI velocity of a touch at height `y`; in the middle it is the `velocity` given."""
    return min(max(round(velocity * (0.5 + y)), 1), 127)


def score(rows: Sequence[Sequence[int]], seed: str) -> Iterator[tuple[float, int, int, int]]:
    """The notes of rows of gestures: (time in rows, player, pitch, velocity), 0 ends a note.

    They come player by player, each in order of time. An added row of rest ends the last notes.
    """
    for player in range(len(rows[0]) if rows else 0):
        finger, began, sounding = Finger(), 0, -1
        gestures = [row[player] for row in rows] + [0]
        for n, gesture in enumerate(gestures):
            began = n if n == 0 or gesture != gestures[n - 1] else began
            for t, touch in finger.row(gesture, f"{seed} {player} {began}"):
                pitch = pitch_of(player, touch.x) if touch.down else -1
                if pitch == sounding:
                    continue
                if sounding >= 0:
                    yield n + t, player, sounding, 0
                if pitch >= 0:
                    yield n + t, player, pitch, loudness(touch.y, 80)
                sounding = pitch
