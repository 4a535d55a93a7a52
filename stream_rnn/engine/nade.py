"""Drawing chords with the joint head: a key at a time from the top, each by those above it.

As in `sampling`, nothing here depends on what else is in the batch: the one product is exact
(`kernels.exact`), and the rest is elementwise or along a row, in NumPy.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from stream_rnn.engine.kernels.exact import HIDDEN_BITS, ExactProduct
from stream_rnn.engine.sampling import Floats, logistic
from stream_rnn.nets.heads import Chords

SCALE = np.float32(2**HIDDEN_BITS)


class ChordDraw:
    """Draws frames of a network that has the joint head, as `sampling.draw_bernoulli` does.

    Keys are not asked one by one. What the head says of the keys below the last one drawn is a
    distribution over what comes next: each of them, or no more. So a chord of n notes takes
    n + 1 draws, and temperature has alternatives to weigh.

    *Temperature* is of which key is next, if one is: below 1 the likelier of the possible
    harmonies gain. Whether there is one more is drawn as at temperature 1, since it would
    otherwise thin chords out or fill them up; that is `density`'s to say, which is added to
    each key's logit. At temperature 0 a key follows if that is likelier than none, and it is
    the likeliest. Keys that are not *allowed* are silent, and the others go by that: a voice
    that cannot have its note takes another.

    Args:
        chords: the network's head.
    """

    def __init__(self, chords: Chords) -> None:
        # From here on in the order in which keys are asked: the highest is 0.
        self._voices = chords.voices.detach().cpu().flip(0).numpy()  # [keys, units]
        self._keys = ExactProduct(chords.keys.detach().cpu().flip(1), bits=HIDDEN_BITS)
        self._order = np.arange(len(self._voices))

    def __call__(
        self,
        outputs: Floats,
        uniform: Floats,
        temperature: Floats,
        density: Floats,
        allowed: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Keys that sound, `[rows, keys]` bool.

        Args:
            outputs: the network's, `[rows, keys + units]`.
            uniform: `[rows, keys]` in [0, 1); the first decides on the highest note, and so on.
            temperature, density: `[rows]`.
            allowed: `[rows, keys]` bool.
        """
        keys = len(self._order)
        bias = outputs[:, keys - 1 :: -1].astype(np.float64) + density[:, None]
        mood = outputs[:, keys:].copy()
        barred = ~allowed[:, ::-1]
        drawn = np.zeros(allowed.shape, np.bool_)
        rows = np.arange(len(outputs))  # those whose chord is not complete
        for stage in range(keys):
            chances = logistic(bias[rows] + self._said(mood[rows]))
            chances[barred[rows]] = 0
            more, key = next_keys(chances, uniform[rows, stage], temperature[rows])
            rows, key = rows[more], key[more]
            if not len(rows):
                break
            drawn[rows, key] = True
            mood[rows] += self._voices[key]
            barred[rows] |= self._order <= key[:, None]
        return drawn[:, ::-1]

    def _said(self, mood: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the hidden units say for each key, `[rows, keys]`, of what they are fed."""
        units = np.rint(np.tanh(mood) * SCALE) / SCALE
        return self._keys(torch.from_numpy(units)).numpy()


def next_keys(
    chances: NDArray[np.float64], uniform: Floats, temperature: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether one more key sounds, and which: `[rows]` each.

    Args:
        chances: `[rows, keys]`: of each key, if none before it sounds.
        uniform: `[rows]` in [0, 1): it decides both.
        temperature: `[rows]`; see `ChordDraw`.
    """
    silent = np.cumprod(1 - chances, axis=1)  # of all keys up to each
    weights = chances.copy()
    weights[:, 1:] *= silent[:, :-1]
    none = silent[:, -1]
    cold = temperature == 0
    # What is not a number is never greater: a network that diverged plays nothing.
    more = np.where(cold, none < 0.5, uniform >= none)
    (turned,) = (more & ~cold & (temperature != 1)).nonzero()
    if len(turned):
        most = weights[turned].max(1, keepdims=True)
        weights[turned] = (weights[turned] / most) ** (1 / temperature[turned, None])
    reached = np.cumsum(weights, axis=1)
    left = (uniform - none) / np.where(more, 1 - none, 1)
    key = (reached <= left[:, None] * reached[:, -1:]).sum(1)
    return more, np.where(cold, weights.argmax(1), np.minimum(key, chances.shape[1] - 1))
