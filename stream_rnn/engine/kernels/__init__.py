"""The kernels, which step sessions and draw for them; `protocol` defines what a kernel is.

Each is imported where it is made: an engine on a CPU is to start without torch, and one that only
counts without LLVM.
"""

from __future__ import annotations

import os

from stream_rnn.engine.kernels.protocol import Kernel
from stream_rnn.nets.counting import CountingNetwork
from stream_rnn.nets.quantised import QuantisedNetwork

__all__ = ["REFERENCE", "Kernel", "make_kernel", "prepare"]

REFERENCE = "reference"  # of STREAM_RNN_KERNEL: the definition itself, slowly


def prepare() -> None:
    """Compiles what steps networks on a CPU, or loads it where that was done before.

    Raises:
        ConfigError: `STREAM_RNN_KERNEL` asks for what there is not.
    """
    if os.environ.get("STREAM_RNN_KERNEL") != REFERENCE:
        from stream_rnn.engine.kernels.integer import compile_once

        compile_once()


def make_kernel(network: QuantisedNetwork | CountingNetwork, device: str = "cpu") -> Kernel:
    """The kernel that steps a network.

    Args:
        device: `cpu` or `cuda`; counting networks are stepped by the CPU.

    Raises:
        ConfigError: `STREAM_RNN_KERNEL` asks for what there is not.
    """
    if isinstance(network, CountingNetwork):
        from stream_rnn.engine.kernels.counting import CountingKernel

        return CountingKernel(network)
    if os.environ.get("STREAM_RNN_KERNEL") == REFERENCE:
        from stream_rnn.engine.kernels.reference import ReferenceKernel

        return ReferenceKernel(network)
    from stream_rnn.engine.kernels.integer import IntegerKernel

    return IntegerKernel(network)
