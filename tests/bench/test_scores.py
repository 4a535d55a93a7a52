"""Integer beside float scores are of a part that lies evenly over the test set."""

import numpy as np

from stream_rnn.bench.scores import PIECE, some
from stream_rnn.train.corpus import Document


def test_some_is_evenly_over_the_documents_and_about_as_much_as_asked() -> None:
    documents = [Document(np.full(10 * PIECE, i), 0) for i in range(8)]
    part = some(documents, 20 * PIECE)
    assert len(part) == 20 and {int(piece.symbols[0]) for piece in part} == set(range(8))
    assert len(some(documents, 10**9)) == 80
