"""Draws the next symbols of several slots, each by its own settings and random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.engine.messages import Settings
from stream_rnn.engine.nade import ChordDraw
from stream_rnn.engine.sampling import draw_bernoulli, draw_categorical, draw_lanes, uniforms
from stream_rnn.nets.baselines import Network


class Drawing:
    """The current settings of each slot, and the draw.

    Args:
        count: the number of slots.
    """

    def __init__(self, network: Network, codec: Codec, count: int) -> None:
        a = self._architecture = network.architecture
        self._codec = codec
        self._draw_keys = ChordDraw(network.chords) if network.chords else draw_bernoulli
        self._temperature = np.zeros(count)
        self._top_k = np.zeros(count, np.int64)
        self._top_p = np.zeros(count)
        self._density = np.zeros(count)
        self._seed = np.zeros(count, np.int64)
        self._allowed = np.zeros((count, a.symbols), np.bool_)
        self._suppressed = np.zeros(a.symbols)
        self._suppressed[list(codec.suppressed)] = -np.inf
        self._transitions = (  # [symbol before, symbol]
            None if codec.transitions is None else np.where(codec.transitions, 0.0, -np.inf)
        )

    def follow(self, slot: int, settings: Settings) -> None:
        """Makes these the current settings of a slot."""
        self._temperature[slot] = settings.temperature
        self._top_k[slot], self._top_p[slot] = settings.top_k, settings.top_p
        self._density[slot], self._seed[slot] = settings.density, settings.seed
        if self._architecture.keys:
            packed = settings.allowed
            allowed = self._codec.unpack(packed)[0] if packed else np.ones(1)
            self._allowed[slot] = allowed.astype(np.bool_)

    def draw(
        self,
        logits: NDArray[Any],
        slots: NDArray[np.int64],
        positions: NDArray[np.int64],
        before: Callable[[], NDArray[Any]],
    ) -> NDArray[Any]:
        """Draws the symbol at each position.

        Args:
            logits: `[rows, outputs]`.
            before: returns the symbols before the positions (the begin-and-end symbol before
                position 0); called only if the model has a transition mask.
        """
        a = self._architecture
        numbers = uniforms(self._seed[slots], positions, draw_lanes(a.head, a.symbols))
        temperature = self._temperature[slots]
        if a.head == "categorical":
            limits = self._top_k[slots], self._top_p[slots]
            logits = logits + self._suppressed
            if self._transitions is not None:
                logits += self._transitions[before()]
            return draw_categorical(logits, numbers, temperature, *limits)
        density, allowed = self._density[slots], self._allowed[slots]
        return self._draw_keys(logits, numbers, temperature, density, allowed)
