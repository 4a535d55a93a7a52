"""Makes one stream as fast as the machine can: for `sample`, and for samples in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from stream_rnn.codecs.base import Codec, ints_from_bytes
from stream_rnn.engine.kernels import Kernel, make_kernel
from stream_rnn.engine.messages import Batch, Plan, Settings
from stream_rnn.engine.slots import Slots
from stream_rnn.nets.quantised import quantise

if TYPE_CHECKING:  # which is torch
    from stream_rnn.nets.baselines import Network


def generate(
    kernel: Kernel,
    codec: Codec,
    settings: Settings,
    *,
    prime: list[int],
    length: int,
    progress: Callable[[int], None] = lambda symbols: None,
) -> list[int]:
    """The prime and `length` more symbols, the same that a session of the server would stream."""
    slots = Slots(kernel, codec, count=1, rollback=2, batch=1)
    slot = slots.open(0)
    injected = b"".join(symbol.to_bytes(codec.width, "little") for symbol in prime)
    slots.plan(slot, Plan(0, 1, 0, ((0, settings),), injected))
    slots.give(slot, len(prime) + length, 0, 0.0, 0.0)
    made = list(prime)
    row = np.array([slot])
    for _ in range(len(prime) + length):
        for event in slots.advance(row):
            if isinstance(event, Batch):
                made += ints_from_bytes(event.symbols, codec.width)
                progress(1)
    return made


def kernel_of(network: Network) -> Kernel:
    """The kernel that a network in training would be served by.

    Raises:
        CheckpointError: a weight is NaN, infinite or too large.
    """
    from stream_rnn.nets.baselines import Baseline

    if isinstance(network, Baseline):
        return make_kernel(network.counts)
    tensors = {name: part.detach().cpu().numpy() for name, part in network.state_dict().items()}
    return make_kernel(quantise(network.architecture, tensors))
