"""How the next symbols of several slots are drawn: by each one's settings and random numbers."""

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
    """The settings in force of each slot, and the draw.

    Args:
        count: of slots.
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
        self._never = np.zeros(a.symbols)
        self._never[list(codec.suppressed)] = -np.inf
        # By the symbol before, where symbols take turns.
        self._turns = (
            None if codec.transitions is None else np.where(codec.transitions, 0.0, -np.inf)
        )

    def follow(self, slot: int, settings: Settings) -> None:
        """Makes these settings a slot's."""
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
        """The symbols at some positions.

        Args:
            logits: `[rows, outputs]`.
            before: gives the symbol before each, where it matters; the boundary at position 0.
        """
        a = self._architecture
        numbers = uniforms(self._seed[slots], positions, draw_lanes(a.head, a.symbols))
        temperature = self._temperature[slots]
        if a.head == "categorical":
            limits = self._top_k[slots], self._top_p[slots]
            logits = logits + self._never
            if self._turns is not None:
                logits += self._turns[before()]
            return draw_categorical(logits, numbers, temperature, *limits)
        density, allowed = self._density[slots], self._allowed[slots]
        return self._draw_keys(logits, numbers, temperature, density, allowed)
