"""The description of a network, and the sizes of its tensors. Without torch.

So a card can be checked against its weights before anything is allocated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from stream_rnn.codecs.base import Head
from stream_rnn.errors import CheckpointError
from stream_rnn.schema import number, one_of, table, whole

Kind = Literal["categorical", "bernoulli", "nade"]
"""The heads that a network can have."""

FITTING: dict[Head, tuple[Kind, ...]] = {
    "categorical": ("categorical",),
    "bernoulli": ("bernoulli", "nade"),
}
"""The heads that fit a codec, by the codec's own `head`."""

GATES = {"lstm": 4, "mi-lstm": 4, "gru": 3, "tanh": 1}
"""The recurrent cells, and the number of sums that each of their units takes."""

BASELINES = ("uniform", "unigram", "markov")
LONGEST = {"categorical": 12, "bernoulli": 12}  # highest orders; each doubles a table of keys

MOST_SYMBOLS = 65_536
MOST_UNITS = 16_384
MOST_LAYERS = 64
MOST_PARAMETERS = 2**28  # a gigabyte of 32-bit floats

Shape = tuple[int | None, ...]
"""The shape of a tensor; None where any size will do."""

_SHARE = number(0.0, 0.999)
_ENDS = {"symbols": whole(1, MOST_SYMBOLS), "artists": whole(0, MOST_SYMBOLS)}
_RECURRENT = table(
    {
        **_ENDS,
        "hidden": whole(1, MOST_UNITS),
        "layers": whole(1, MOST_LAYERS),
        "head": one_of("categorical", "bernoulli", "nade"),
    },
    {
        "cell": one_of(*GATES),
        "dropout": _SHARE,
        "head_hidden": whole(0, MOST_UNITS),
        "weight_drop": _SHARE,
    },
)
_COUNTING = table(
    {**_ENDS, "head": one_of(*LONGEST), "cell": one_of(*BASELINES)},
    {"order": whole(0, max(LONGEST.values()))},
)


@dataclass(frozen=True)
class Architecture:
    """The description from which a recurrent network is built.

    Attributes:
        symbols: the number of inputs and outputs for a symbol.
        artists: the number of artists in the input vector; 0 for none.
        hidden: units in a layer.
        layers: the number of stacked layers.
        head: how the outputs are read; see `heads`.
        cell: the recurrent cell, one of `GATES`.
        dropout: share of units dropped in training, between layers and before the head.
        head_hidden: hidden units of the head itself, if it is `nade`.
        weight_drop: share of recurrent weights dropped in training, anew for each chunk
            (DropConnect, in the form of Merity, Keskar and Socher 2017, arXiv 1708.02182).

    Raises:
        CheckpointError: the values do not describe a network, or it would be too large.
    """

    symbols: int
    artists: int
    hidden: int
    layers: int
    head: Kind
    cell: str = "lstm"
    dropout: float = 0.0
    head_hidden: int = 0
    weight_drop: float = 0.0

    def __post_init__(self) -> None:
        _RECURRENT.check(asdict(self), "architecture")
        if (self.head == "nade") != (self.head_hidden > 0):
            raise CheckpointError(
                f"architecture.head_hidden is {self.head_hidden}, and the head {self.head!r}; "
                "it must be at least 1 for nade, and 0 for other heads"
            )
        if (parameters := self.parameters) > MOST_PARAMETERS:
            raise CheckpointError(
                f"architecture has {parameters:,} weights, and the most is {MOST_PARAMETERS:,}: "
                "use fewer hidden units or layers"
            )

    @property
    def keys(self) -> bool:
        """Whether a symbol is a set of keys, and not an index."""
        return self.head != "categorical"

    @property
    def outputs(self) -> int:
        """The number of outputs that the head gets for a symbol."""
        return self.symbols + self.head_hidden

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(math.prod(shape) for shape in self.tensors().values())

    def tensors(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the weights, by their names in `RecurrentNetwork`."""
        rows, units = GATES[self.cell] * self.hidden, self.head_hidden
        vectors = ["bias_ih", "bias_hh"]
        if self.cell == "mi-lstm":
            vectors = ["alpha", "beta_hh", "beta_ih", "bias"]
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            below = self.hidden if layer else self.symbols + self.artists
            shapes[f"recurrent.weight_ih_l{layer}"] = (rows, below)
            shapes[f"recurrent.weight_hh_l{layer}"] = (rows, self.hidden)
            shapes |= {f"recurrent.{name}_l{layer}": (rows,) for name in vectors}
        shapes |= {"output.weight": (self.outputs, self.hidden), "output.bias": (self.outputs,)}
        if units:
            shapes |= {"chords.voices": (self.symbols, units), "chords.keys": (units, self.symbols)}
        return shapes

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Architecture:
        """The architecture that `to_json` described."""
        _RECURRENT.check(data, "architecture")
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class CountingArchitecture:
    """The description by which a baseline's tables are read.

    Attributes:
        symbols: the number of outputs for a symbol.
        artists: the number of artists in the card; they make no difference.
        head: how the outputs are read.
        cell: one of `BASELINES`.
        order: for `markov`, the number of symbols (or frames) in the longest context.

    Raises:
        CheckpointError: the values do not describe a baseline.
    """

    symbols: int
    artists: int
    head: Head
    cell: str
    order: int = 0

    def __post_init__(self) -> None:
        _COUNTING.check(asdict(self), "architecture")
        least, most = (1, LONGEST[self.head]) if self.cell == "markov" else (0, 0)
        if not least <= self.order <= most:
            raise CheckpointError(
                f"architecture.order is {self.order}; for {self.cell} it is {least} to {most}"
            )

    @property
    def keys(self) -> bool:
        """Whether a symbol is a set of keys, and not an index."""
        return self.head == "bernoulli"

    @property
    def levels(self) -> int:
        """The number of context lengths, including the empty context; 0 for uniform."""
        return 0 if self.cell == "uniform" else self.order + 1

    def tensors(self) -> Mapping[str, Shape]:
        """The shapes of the tables: see `NGrams` and `KeyChains`."""
        if self.keys:
            return dict.fromkeys(("frames", "sounding"), (self.symbols, 2**self.order))
        return dict.fromkeys(("branches", "symbols", "counts"), (None,))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CountingArchitecture:
        """The architecture that `to_json` described."""
        _COUNTING.check(data, "architecture")
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def architecture_from_json(data: Mapping[str, Any]) -> Architecture | CountingArchitecture:
    """The architecture that a card describes.

    Raises:
        CheckpointError: the card does not describe a possible one.
    """
    one_of(*GATES, *BASELINES).check(data.get("cell", "lstm"), "architecture.cell")
    counted = data.get("cell") in BASELINES
    return (CountingArchitecture if counted else Architecture).from_json(data)
