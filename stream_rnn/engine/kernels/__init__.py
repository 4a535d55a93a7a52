"""The kernels, which step sessions; `protocol` defines what a kernel is."""

from __future__ import annotations

from stream_rnn.engine.kernels.counting import CountingKernel
from stream_rnn.engine.kernels.exact import ExactKernel
from stream_rnn.engine.kernels.protocol import Kernel
from stream_rnn.nets.baselines import CountingNetwork, Network

__all__ = ["CountingKernel", "ExactKernel", "Kernel", "make_kernel"]


def make_kernel(network: Network) -> Kernel:
    """The kernel that steps a network."""
    if isinstance(network, CountingNetwork):
        return CountingKernel(network)
    return ExactKernel(network)
