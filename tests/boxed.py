"""The models in the box, and the corpora that they learnt from, where they are at hand."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from stream_rnn.checkpoint import find_models, read_card
from stream_rnn.codecs.base import Codec
from stream_rnn.paths import bundled
from stream_rnn.train.corpus import Document
from stream_rnn.train.data import corpus_of_card

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("STREAM_RNN_DATA", ROOT.parent / "shared" / "data"))
MODELS = find_models(bundled("models"))

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no corpora at {DATA}")


@functools.cache
def held_out(name: str) -> tuple[Codec, list[Document], dict[str, dict[str, int]]]:
    """A model's codec, the documents that score it, and the sizes of its corpus's splits."""
    corpus = corpus_of_card(read_card(MODELS[name]), DATA)
    return corpus.codec, corpus.splits["test"], corpus.sizes()
