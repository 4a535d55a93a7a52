"""Computes a past again from its log: one network, one step after the other.

It shares the definition of the step and of the draw with the server, by the reference kernel and
not the compiled one, and nothing else: here are no sessions, slots, rollback windows, plans or
batches. Each symbol is computed from the symbols before it, the controls that were told for its
position, and its random numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stream_rnn.checkpoint import load_quantised, read_card
from stream_rnn.codecs.base import int_to_bytes, ints_from_bytes
from stream_rnn.codecs.pianoroll import pitches_to_mask
from stream_rnn.codecs.scales import scale_pitches
from stream_rnn.engine.kernels.reference import ReferenceKernel
from stream_rnn.engine.numerics.states import Draw, State

from .history import Past
from .judge import Shown

PRIME = 256  # the latest symbols of a session, as many as another model is given
MOST = 20_000  # states that are remembered

Controls = Mapping[str, Any]


@dataclass
class _Node:
    """A place in the tree of all that a model may have read: the state there, and what follows."""

    state: State
    outputs: np.ndarray[Any, Any] | None = None  # none before the first step
    after: dict[Any, _Node] = field(default_factory=dict)  # by the symbol read, and the artists
    drawn: dict[Any, int] = field(default_factory=dict)  # by the controls


class Recomputer:
    """Computes pasts of some models, and remembers states: most pasts begin like another.

    Args:
        models: folders, by name.
        prime: how many of a session's latest symbols another model is given.
    """

    def __init__(self, models: Mapping[str, Path], prime: int = PRIME) -> None:
        self.models = {name: _Model(folder) for name, folder in models.items()}
        self._prime = prime

    def shown(self, past: Past, length: int) -> dict[int, Shown]:
        """What the `symbol` messages of a past say, up to a length."""
        model = self.models[past.model]
        shown, velocity = {}, 0
        for n, (symbol, fed) in enumerate(self.symbols(past, length)):
            says = model.codec.event(symbol)
            velocity = model.codec.velocity(symbol) or velocity
            if velocity and "on" in says.get("event", ()):
                says["velocity"] = velocity
            shown[n] = says | ({"fed": True} if fed else {})
        return shown

    def symbols(self, past: Past, length: int) -> list[tuple[int, bool]]:
        """A past's symbols, and whether each was fed."""
        model = self.models[past.model]
        injected = dict(enumerate(self._beginning(past)))
        for fed in past.fed:
            injected |= dict(enumerate(model.codec.parse(fed.symbols), fed.position))
        symbols, node, before = [], model.root(), model.codec.boundary
        changes, controls = deque(controls_by_position(past)), {}
        for n in range(length):
            while changes and changes[0][0] <= n:
                controls = changes.popleft()[1]
            node = model.read(node, before, controls)
            before = injected[n] if n in injected else model.draw(node, n, controls)
            symbols.append((before, n in injected))
        return symbols

    def _beginning(self, past: Past) -> list[int]:
        """What a past was primed with, by its opener or by the past of another model."""
        codec = self.models[past.model].codec
        if past.renewal is None:
            prime = codec.parse(past.prime) if past.prime else []
        else:
            old = self.models[past.renewal.past.model].codec
            whole = self.symbols(past.renewal.past, past.renewal.length)
            # The models that are computed here share a codec or have nothing to say to each other.
            prime = (
                [s for s, _ in whole[-self._prime :]] if codec.to_json() == old.to_json() else []
            )
        return prime[: past.cut]


def controls_by_position(past: Past) -> list[tuple[int, dict[str, Any]]]:
    """The controls that a past was told to have, each with the first position they hold for."""
    controls = past.controls
    held = [(0, controls)]
    for change in past.changes:
        controls = controls | change.changes if change.controls is None else change.controls
        held.append((change.position, {k: v for k, v in controls.items() if v is not None}))
    return held


class _Model:
    def __init__(self, folder: Path) -> None:
        card = read_card(folder)
        self.codec, self.artists = card.make_codec(), card.artists
        self._kernel = ReferenceKernel(load_quantised(folder, card))
        self._may = np.ones((1, self._kernel.architecture.symbols), np.bool_)
        self._may[:, list(self.codec.suppressed)] = False
        assert self.codec.transitions is None and self.codec.reading() is None, "not known here"
        self._root = _Node(self._kernel.zero_state(1))
        self._count = 0

    def root(self) -> _Node:
        """Where nothing has been read."""
        if self._count > MOST:
            self._root, self._count = _Node(self._kernel.zero_state(1)), 0
        return self._root

    def read(self, node: _Node, symbol: int, controls: Controls) -> _Node:
        """Reads a symbol."""
        blend = tuple(controls.get("artist", {}).get(name, 0.0) for name in self.artists)
        if (symbol, blend) not in node.after:
            unpacked = self.codec.unpack(int_to_bytes(symbol, self.codec.width)).astype(np.int64)
            constant = self._kernel.constant(blend)
            state = self._kernel.step(unpacked, constant[None], node.state)
            node.after[symbol, blend] = _Node(state, self._kernel.outputs(state))
            self._count += 1
        return node.after[symbol, blend]

    def draw(self, node: _Node, n: int, controls: Controls) -> int:
        """Draws the symbol at a position."""
        names = ("seed", "temperature", "top_k", "top_p", "density", "pitches")
        key = (n, *(str(controls.get(name)) for name in names))
        if key not in node.drawn:
            node.drawn[key] = self._draw(node.outputs, n, controls)
        return node.drawn[key]

    def _draw(self, outputs: Any, n: int, controls: Controls) -> int:
        keys = self._kernel.architecture.keys
        by = Draw(
            seed=np.array([controls["seed"]]),
            position=np.array([n]),
            temperature=np.array([float(controls["temperature"])]),
            top_k=np.array([controls.get("top_k", 0)]),
            top_p=np.array([float(controls.get("top_p", 1.0))]),
            density=np.array([float(controls.get("density", 0.0))]),
            may=self._allowed(controls) if keys else self._may,
        )
        made = self._kernel.draw(outputs, by)
        (symbol,) = ints_from_bytes(self.codec.pack(made), self.codec.width)
        return symbol

    def _allowed(self, controls: Controls) -> Any:
        pitches = controls.get("pitches")
        if pitches is None:
            return np.ones_like(self._may)
        named = scale_pitches(pitches) if isinstance(pitches, str) else pitches
        mask = int_to_bytes(pitches_to_mask(named), self.codec.width)
        return self.codec.unpack(mask).astype(np.bool_)
