from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream_rnn.train.corpus import Document
from stream_rnn.train.feed import Feed
from stream_rnn.train.stretches import Stretches, next_paragraph

NEWLINE = 1
BOUNDARY = np.zeros((), np.uint16)


def text(length: int, seed: int, symbols: int = 30) -> np.ndarray:
    """Random symbols from 1, of which the first is the line break."""
    return np.random.default_rng(seed).integers(1, symbols, length).astype(np.uint16)


def corpus(*lengths: int, ends: bool = True, symbols: int = 30) -> list[Document]:
    return [Document(text(n, i, symbols), ends=ends) for i, n in enumerate(lengths)]


def feed(documents: list[Document], *, rows: int, chunk: int = 16, seed: int = 1) -> Feed:
    return Feed(
        documents, BOUNDARY, rows=rows, chunk=chunk, seed=seed, restart=0.5, newline=NEWLINE
    )


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.lists(st.integers(300, 6000), min_size=1, max_size=40),
    st.integers(2, 24),
    st.booleans(),
    st.integers(0, 9),
)
def test_no_two_rows_of_a_chunk_are_alike(
    lengths: list[int], rows: int, ends: bool, seed: int
) -> None:
    """However many documents there are: one book, fewer documents than rows, or more."""
    # Where the corpus lasts for a few steps only, two rows may come to its last symbols together.
    assume(sum(lengths) >= 8 * rows * 16)
    source = feed(corpus(*lengths, ends=ends, symbols=4000), rows=rows, seed=seed)
    for _ in range(40):
        chunk = next(source)
        read = [tuple(t[m > 0]) for t, m in zip(chunk.targets, chunk.mask, strict=True)]
        assert len(set(read)) == rows


def test_rows_differ_even_where_a_text_is_shorter_than_one_step() -> None:
    source = feed(corpus(1000, ends=False, symbols=4000), rows=64)
    for _ in range(30):
        chunk = next(source)
        assert len({row.tobytes() for row in chunk.inputs}) == 64


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("ends", [True, False])
def test_an_epoch_reads_every_symbol_once_in_stretches_begun_elsewhere(
    count: int, ends: bool
) -> None:
    documents = corpus(*[5000] * count, ends=ends)
    stretches = Stretches(documents, rows=12, chunk=16, seed=1, newline=None)
    begun = set()
    for epoch in range(4):
        dealt = [stretches.stretch(epoch * len(stretches) + i) for i in range(len(stretches))]
        for document in range(count):
            mine = sorted(s for s in dealt if s.document == document)
            assert (mine[0].start, mine[-1].stop) == (0, 5000)
            assert all(a.stop == b.start for a, b in zip(mine, mine[1:], strict=False))
            assert max(s.stop - s.start for s in mine) <= 1.3 * 5000 * count / 12
            begun.update((document, s.start) for s in mine[1:])
    assert len(begun) == 4 * (len(stretches) - count)  # nowhere twice


def test_documents_no_longer_than_a_rows_share_stay_whole() -> None:
    lengths = [3 + i % 40 for i in range(200)]
    stretches = Stretches(corpus(*lengths), rows=8, chunk=16, seed=1, newline=NEWLINE)
    assert len(stretches) == 200
    dealt = [stretches.stretch(i) for i in range(200)]
    assert sorted(s.document for s in dealt) == list(range(200))
    assert all((s.start, s.stop) == (0, lengths[s.document]) for s in dealt)


def test_a_stretch_begins_as_a_session_does_and_only_the_last_ends() -> None:
    """With the begin-and-end symbol and a zero state."""
    source = feed(corpus(4000), rows=4)
    begins, ends = 0, 0
    for _ in range(400):
        chunk = next(source)
        for inputs, targets, mask, restart in zip(
            chunk.inputs, chunk.targets, chunk.mask, chunk.restart, strict=True
        ):
            counted = inputs[mask > 0]
            assert (counted[:1] == 0).all() == restart or not restart
            begins += int((counted == 0).sum())
            ends += int((targets[mask > 0] == 0).sum())
    # The text has four cuts, so five stretches an epoch, of which one has its end.
    assert begins == pytest.approx(5 * ends, abs=8) and ends > 4


def test_a_feed_of_stretches_goes_on_from_its_state() -> None:
    def make() -> Feed:
        return feed(corpus(3000, 700), rows=5)

    source = make()
    for _ in range(90):
        next(source)
    twin = make()
    twin.restore(source.state())
    for _ in range(60):
        a, b = next(source), next(twin)
        assert all(np.array_equal(vars(a)[k], vars(b)[k]) for k in vars(a))


def test_a_stretch_begins_after_a_blank_line_or_a_line_if_one_is_near() -> None:
    symbols = np.full(100, 5)
    assert next_paragraph(symbols, 10, 50, NEWLINE) == 10
    symbols[30] = NEWLINE
    assert next_paragraph(symbols, 10, 50, NEWLINE) == 31
    assert next_paragraph(symbols, 10, 15, NEWLINE) == 10
    symbols[40:42] = NEWLINE
    assert next_paragraph(symbols, 10, 50, NEWLINE) == 42
    assert next_paragraph(symbols, 10, 50, None) == 10


def test_some_documents_are_dealt_as_if_by_anyone() -> None:
    documents = [Document(text(20, i), artist=i % 3) for i in range(300)]
    source = Feed(
        documents, BOUNDARY, rows=4, chunk=21, seed=1, restart=1.0, anyone=0.3
    )  # a chunk is a document
    told = Counter(int(a) for _ in range(250) for a in next(source).artists[:, 0])
    assert set(told) == {-1, 0, 1, 2}
    assert told[-1] / told.total() == pytest.approx(0.3, abs=0.05)
    assert told[0] / told.total() == pytest.approx(0.7 / 3, abs=0.05)
