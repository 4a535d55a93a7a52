"""The draw of chords with the joint head: a key at a time from the top, each by those above it.

What `nets.heads.Chords` is to training. Chances are multiplied by adding their logarithms, which
are whole numbers, so that the sums are exact in any order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics.categorical import pick, weights_of
from stream_rnn.engine.numerics.functions import (
    LOG2E,
    ONE,
    Floats,
    bounded,
    eight_bits,
    exp2,
    log2,
    sharpness,
    squashed,
)
from stream_rnn.engine.numerics.sums import ExactSums

NUMBERS = 2.0**32  # how many random numbers there are
FINE = np.float32(2.0**20)  # parts of a doubling, in which logarithms are counted
SILENT = np.float32(-126.0)  # doublings: no chance is less
_UP = np.float32(LOG2E)
_TWICE = np.float32(-2 * LOG2E)


class ChordDraw:
    """Draws frames.

    *Temperature* is of which key is next, if one is: below 1 the likelier of the possible
    harmonies gain. Whether there is one more is drawn as at temperature 1. At temperature 0 a key
    follows if that is likelier than none, and it is the likeliest. Keys that are not *allowed* are
    silent, and the others go by that.

    Args:
        voices: `[keys, units]`, from the lowest key to the highest.
        sums: the product of the head's units.
        scale: `[keys]`: what one unit of its sums is worth.
    """

    def __init__(self, voices: Floats, sums: ExactSums, scale: Floats) -> None:
        self.voices, self._sums, self._scale = voices, sums, scale

    def __call__(
        self,
        outputs: Floats,
        numbers: NDArray[np.uint32],
        temperature: NDArray[np.float64],
        density: NDArray[np.float64],
        allowed: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Keys that sound, `[rows, keys]`; see `keys.draw_keys`.

        Args:
            outputs: the network's, `[rows, keys + units]`.
            numbers: `[rows, keys]`; the first decides on the highest note, and so on.
        """
        keys = len(self.voices)
        bias = outputs[:, :keys] + density.astype(np.float32)[:, None]
        mood = outputs[:, keys:].copy()
        open_ = allowed.copy()  # keys that may still sound
        drawn = np.zeros(allowed.shape, np.bool_)
        rows = np.arange(len(outputs))  # those whose chord is not complete
        for stage in range(keys):
            odds = self.odds(bias[rows], mood[rows])
            more, key = next_keys(odds, numbers[rows, stage], temperature[rows], open_[rows])
            rows, key = rows[more], key[more]
            if not len(rows):
                break
            drawn[rows, key] = True
            mood[rows] += self.voices[key]
            open_[rows] &= np.arange(keys) < key[:, None]
        return drawn

    def odds(self, bias: Floats, mood: Floats) -> Floats:
        """The logit of each key, if none above it were to follow, `[rows, keys]`."""
        units = eight_bits(squashed(mood * _TWICE))
        return self._sums(units).astype(np.float32) * self._scale + bias


def next_keys(
    odds: Floats,
    numbers: NDArray[np.uint32],
    temperature: NDArray[np.float64],
    may: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether one more key sounds, and which: `[rows]` each.

    Args:
        odds: `[rows, keys]`: the logit of each, if none above it sounds.
        numbers: `[rows]`: one decides both.
        temperature: `[rows]`; see `ChordDraw`.
        may: `[rows, keys]`: the keys below the last.
    """
    doublings = bounded(odds * _UP)
    silences = np.where(may, _counted(silence(doublings)), 0)
    above = silences[:, ::-1].cumsum(1)[:, ::-1]  # that the key and all above it are silent
    all_silent = above[:, :1]
    # The logarithm of the chance that a key is the next one.
    logs = (_counted(doublings) - above).astype(np.float32) * (ONE / FINE)
    logs = np.where(may, logs, np.float32(-np.inf))
    none = exp2(np.maximum(all_silent.astype(np.float32) * -(ONE / FINE), SILENT))[:, 0]
    cold = temperature == 0
    silent = none.astype(np.float64) * NUMBERS
    number = numbers.astype(np.float64)
    more = np.where(cold, none < np.float32(0.5), number >= silent)
    weights = weights_of(logs, sharpness(temperature, 1.0))[:, ::-1]  # as the keys are asked
    share = (number - silent) / np.where(more, NUMBERS - silent, 1.0)
    key = odds.shape[1] - 1 - pick(weights, share * weights.sum(1).astype(np.float64))
    likeliest = odds.shape[1] - 1 - logs[:, ::-1].argmax(1)  # the highest of equals
    return more, np.where(cold, likeliest, key)


def silence(doublings: Floats) -> Floats:
    """Minus log2(1 - chance) of a key."""
    return log2(ONE + exp2(doublings))


def _counted(x: Floats) -> NDArray[np.int64]:
    """Doublings in units of 2**-20, to the nearest."""
    return np.asarray(np.floor(x * FINE + np.float32(0.5)).astype(np.int64))
