"""Ways to step sessions.

A kernel is made from a network. It steps any number of rows at once, and its result for a row
must not depend on the other rows, nor on their number.
"""

from __future__ import annotations

from stream_rnn.engine.kernels.counting import CountingKernel
from stream_rnn.engine.kernels.exact import ExactKernel
from stream_rnn.nets.baselines import CountingNetwork, Network

Kernel = ExactKernel | CountingKernel


def make_kernel(network: Network) -> Kernel:
    """The kernel that steps a network."""
    if isinstance(network, CountingNetwork):
        return CountingKernel(network)
    return ExactKernel(network)
