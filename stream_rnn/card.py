"""A model's card: what it may hold. It is checked whole, before anything is made of it.

No torch in here, since the gateway reads cards too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from stream_rnn.codecs.base import STEPS_PER_BEAT, Codec
from stream_rnn.codecs.registry import codec_from_json
from stream_rnn.control_values import checked
from stream_rnn.errors import CheckpointError, DataError, ProtocolError
from stream_rnn.nets.architecture import (
    BASELINES,
    FITTING,
    Architecture,
    CountingArchitecture,
    architecture_from_json,
)
from stream_rnn.schema import (
    MAPPING,
    items,
    line,
    matching,
    number,
    one_of,
    parse_json,
    table,
    text,
    whole,
    wrong,
)

FLOATS, SERVED = 1, 2  # formats: weights as they were trained, and as they are served
MOST_ARTISTS = 1024  # each connection is sent all their names
COUNT = whole(0, 2**53)
_SCORE = table({}, {"nll": number(-1e9, 1e9), "symbols": COUNT}, more=True)
_NAME = matching(
    r"(?![. ])[^\x00-\x1f\x7f-\x9f\u2028\u2029/\\]{1,100}(?<! )",
    "1 to 100 characters, as a folder can be called: without / and \\ and control characters, "
    "and no dot or space at the beginning",
)

_CARD = table(
    {
        "format": one_of(FLOATS, SERVED),
        "name": _NAME,
        "title": line(200),
        "codec": table({"domain": line(64)}, {"steps_per_beat": STEPS_PER_BEAT}, more=True),
        "architecture": MAPPING,
    },
    {
        "artists": items(line(100, least=1), MOST_ARTISTS, unique=True),
        "defaults": MAPPING,
        "primes": items(text(1000), 32),
        "notes": items(text(2000), 64),
        "data": MAPPING,
        "training": table(
            {},
            {
                "steps": COUNT,
                "symbols": COUNT,
                "seconds": number(0.0, 1e12),
                "epochs": number(0.0, 1e12),
                "hardware": line(200),
            },
            more=True,
        ),
        "scores": table(
            {},
            {
                "valid": _SCORE,
                "test": _SCORE,
                "measure": text(2000),
                "float": table({}, {"valid": _SCORE, "test": _SCORE}, more=True),
            },
            more=True,
        ),
        "weights": table(
            {},
            {
                "dtype": line(64),
                "bytes": COUNT,
                "sha256": matching(r"[0-9a-f]{64}", "64 hexadecimal digits"),
                "parameters": COUNT,
            },
            more=True,
        ),
    },
)


@dataclass(frozen=True)
class Card:
    """What a model says of itself.

    Attributes:
        name: the folder's name, by which clients open it.
        title: a line for people.
        codec: `Codec.to_json`.
        architecture: `Architecture.to_json`.
        artists: names, in the order of the network's artist inputs.
        defaults: the controls that a session starts with.
        primes: a few primes that a person might like to try.
        data: source, licence, split and sizes of the corpus.
        training: how it was trained: steps, seconds, hardware.
        scores: by split: `nll` in nats a symbol, `symbols`, and how it was measured; and as
            `float`, the same of the floats that were trained.
        weights: dtype and SHA-256 of the weights file; without a SHA-256, any weights that fit do.
        format: how the folder holds a network's weights: `FLOATS` or `SERVED`; a counting
            network's tables are the same in both.
    """

    name: str
    title: str
    codec: dict[str, Any]
    architecture: dict[str, Any]
    artists: tuple[str, ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)
    primes: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    weights: dict[str, Any] = field(default_factory=dict)
    format: int = FLOATS

    def make_codec(self) -> Codec:
        """The codec of this model.

        Raises:
            CheckpointError: the card describes no codec that there is.
        """
        try:
            return codec_from_json(self.codec)
        except CheckpointError as error:
            said = str(error)
            raise CheckpointError(said if said.startswith("codec") else f"codec: {said}") from None

    @property
    def counts(self) -> bool:
        """Whether the model is a baseline, which only counts."""
        return self.architecture.get("cell") in BASELINES

    @property
    def fingerprint(self) -> str:
        """A hash of codec, network, artists and weights, which tells models apart."""
        known = [self.codec, self.architecture, self.artists, self.weights.get("sha256")]
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """What a card's file holds."""
        return {"format": self.format, **vars(self)}


def parse_card(data: bytes) -> Card:
    """The card that a file's bytes describe.

    Raises:
        CheckpointError: it is no card, or its model could not be played; the field is named.
    """
    fields = parse_json(data)
    if not isinstance(fields, dict):
        raise wrong("the document", fields, "an object")
    _CARD.check(fields, "")
    for name in ("artists", "primes", "notes"):
        fields[name] = tuple(fields.get(name, ()))
    card = Card(**fields)
    _check_together(card)
    return card


def check_card(card: Card) -> None:
    """Checks a card that was made here in the same way as one that is read.

    Raises:
        CheckpointError: it could not be read again; the field is named.
    """
    _CARD.check(card.to_json(), "")
    _check_together(card)


def fitting_architecture(card: Card) -> Architecture | CountingArchitecture:
    """The architecture of a card, checked against the card's codec and artists.

    Raises:
        CheckpointError: there is no such architecture, or codec or artists do not fit it.
    """
    architecture, codec = architecture_from_json(card.architecture), card.make_codec()
    wanted = {
        "symbols": (codec.size, f"its codec of {codec.domain} has so many symbols"),
        "artists": (len(card.artists), "so many artists are named"),
    }
    for name, (count, reason) in wanted.items():
        if (value := getattr(architecture, name)) != count:
            raise CheckpointError(
                f"architecture.{name} is {value}; it must be {count}, since {reason}"
            )
    if architecture.head not in FITTING[codec.head]:
        raise wrong("architecture.head", architecture.head, " or ".join(FITTING[codec.head]))
    return architecture


def _check_together(card: Card) -> None:
    """Checks fields against each other."""
    fitting_architecture(card)
    for name in ("seed", "sync"):
        if name in card.defaults:
            raise CheckpointError(f"defaults.{name} is no default of a model; leave it out")
    try:
        checked(card.defaults, card)
    except ProtocolError as error:
        raise CheckpointError(f"defaults.{error}") from None
    codec = card.make_codec()
    for i, prime in enumerate(card.primes):
        try:
            codec.parse(prime)
        except DataError as error:
            raise CheckpointError(f"primes[{i}]: {error}") from None
