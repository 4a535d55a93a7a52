"""The primes that recipes suggest are ones that their models take."""

import json
from pathlib import Path

import pytest

from stream_rnn.codecs.registry import codec_from_json

MODELS = sorted((Path(__file__).parents[2] / "models").glob("*/card.json"))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_a_models_suggestions_are_understood(path: Path) -> None:
    card = json.loads(path.read_text(encoding="utf-8"))
    codec = codec_from_json(card["codec"])
    for prime in card["primes"]:
        assert codec.parse(prime)
