"""Draws chords with the joint head: key by key from the top, each given the keys above it.

As in `sampling`, a row's draw does not depend on the other rows of the batch: the only matrix
product is exact (`kernels.exact`), and the rest is elementwise or along a row, in NumPy.
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
    """Draws frames for a network with the joint head; the counterpart of `draw_bernoulli`.

    Keys are not decided one by one. The head's chances for the keys below the last one drawn are
    turned into a distribution over what comes next: one of those keys, or no more. So a chord of
    n notes takes n + 1 draws, and temperature has alternatives to weigh.

    *Temperature* acts only on which key comes next: below 1, the likelier harmonies gain. Whether
    another key sounds is always drawn as at temperature 1, because temperature would otherwise
    thin chords out or fill them up. Their size is controlled by `density`, which is added to each
    key's logit. At temperature 0 another key sounds if that is likelier than none, and it is the
    likeliest one. Keys that are not *allowed* count as silent, and the later keys are drawn given
    that: a voice that cannot have its note takes another.

    Args:
        chords: the network's joint head.
    """

    def __init__(self, chords: Chords) -> None:
        # From here on keys are numbered in the order in which they are drawn: 0 is the highest.
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
        """Draws the keys that sound, `[rows, keys]` bool.

        Args:
            outputs: the network's outputs, `[rows, keys + units]`.
            uniform: `[rows, keys]` in [0, 1); the first decides the highest note, and so on.
            temperature, density: `[rows]`.
            allowed: `[rows, keys]` bool.
        """
        keys = len(self._order)
        bias = outputs[:, keys - 1 :: -1].astype(np.float64) + density[:, None]
        sums = outputs[:, keys:].copy()
        barred = ~allowed[:, ::-1]
        drawn = np.zeros(allowed.shape, np.bool_)
        rows = np.arange(len(outputs))  # the rows whose chord is not complete
        for stage in range(keys):
            chances = logistic(bias[rows] + self._hidden_logits(sums[rows]))
            chances[barred[rows]] = 0
            more, key = next_keys(chances, uniform[rows, stage], temperature[rows])
            rows, key = rows[more], key[more]
            if not len(rows):
                break
            drawn[rows, key] = True
            sums[rows] += self._voices[key]
            barred[rows] |= self._order <= key[:, None]
        return drawn[:, ::-1]

    def _hidden_logits(self, sums: NDArray[np.float32]) -> NDArray[np.float32]:
        """The hidden units' part of each key's logit, `[rows, keys]`, from the units' sums."""
        units = np.rint(np.tanh(sums) * SCALE) / SCALE
        return self._keys(torch.from_numpy(units)).numpy()


def next_keys(
    chances: NDArray[np.float64], uniform: Floats, temperature: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Draws whether one more key sounds, and which: `[rows]` each.

    Args:
        chances: `[rows, keys]`: the chance of each key, given that none before it sounds.
        uniform: `[rows]` in [0, 1); one number decides both questions.
        temperature: `[rows]`; see `ChordDraw`.
    """
    silent = np.cumprod(1 - chances, axis=1)  # the chance that all keys up to each are silent
    weights = chances.copy()
    weights[:, 1:] *= silent[:, :-1]
    none = silent[:, -1]
    cold = temperature == 0
    # A network that diverged plays nothing: comparisons with NaN are false.
    more = np.where(cold, none < 0.5, uniform >= none)
    (turned,) = (more & ~cold & (temperature != 1)).nonzero()
    if len(turned):
        most = weights[turned].max(1, keepdims=True)
        weights[turned] = (weights[turned] / most) ** (1 / temperature[turned, None])
    reached = np.cumsum(weights, axis=1)
    left = (uniform - none) / np.where(more, 1 - none, 1)
    key = (reached <= left[:, None] * reached[:, -1:]).sum(1)
    return more, np.where(cold, weights.argmax(1), np.minimum(key, chances.shape[1] - 1))
