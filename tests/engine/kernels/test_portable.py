"""An exported state is imported to the bit; a state of another kind is refused."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.kernels import Kernel, make_kernel
from stream_rnn.engine.kernels.portable import FORMAT, pack
from stream_rnn.errors import EngineError
from stream_rnn.nets.baselines import CountingArchitecture, counting_network
from stream_rnn.nets.network import Architecture, RecurrentNetwork, State
from stream_rnn.train.corpus import Document
from stream_rnn.train.counting import ngrams

CODEC = TextCodec("abcd")


def exact() -> Kernel:
    torch.manual_seed(3)
    return make_kernel(RecurrentNetwork(Architecture(CODEC.size, 0, 40, 2, "categorical")).eval())


def counting() -> Kernel:
    documents = [Document(np.array(CODEC.parse("abcdabdacbad" * 4), np.uint16))]
    *_, tables = ngrams(documents, 0, CODEC.size, 3)
    architecture = CountingArchitecture(CODEC.size, 0, CODEC.head, "markov", 2)
    return make_kernel(counting_network(architecture, tables))


@pytest.mark.parametrize("kind", [exact, counting])
def test_a_state_goes_on_as_it_was(kind: Callable[[], Kernel]) -> None:
    kernel = kind()
    bias = kernel.artist_bias(torch.zeros(0))[None]
    state = kernel.zero_state(1)
    for symbol in (1, 2, 3, 1):
        state = kernel.step(torch.tensor([symbol]), bias, state)
    again = kind().import_state(data := kernel.export_state(state))
    assert data.startswith(FORMAT) and kernel.numerics.encode() in data[:40]
    for part, other in zip(state, again, strict=True):
        assert part.dtype == other.dtype and torch.equal(part, other)
    after = [kernel.step(torch.tensor([2]), bias, s) for s in (state, again)]
    assert torch.equal(kernel.logits(after[0].hidden[-1]), kernel.logits(after[1].hidden[-1]))


@pytest.mark.parametrize("kind", [exact, counting])
def test_what_is_not_of_this_kernel_is_refused_with_what_it_is(kind: Callable[[], Kernel]) -> None:
    kernel = kind()
    good = kernel.export_state(kernel.zero_state(1))
    other = pack("int8-1", State(torch.zeros(2, 1, 8), torch.zeros(2, 1, 8)))
    with pytest.raises(EngineError, match=f"'int8-1' numerics.*{kernel.numerics}"):
        kernel.import_state(other)
    for data in (good[:-4], good + bytes(4)):
        with pytest.raises(EngineError, match="does not fit"):
            kernel.import_state(data)
    for data in (b"", FORMAT, b"\x00\x00\x80\x3f" * 64, b"SRN9" + good[4:]):
        with pytest.raises(EngineError, match="begins with"):
            kernel.import_state(data)
    with pytest.raises(EngineError):
        kernel.import_state(good[:9])
