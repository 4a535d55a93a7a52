"""The kernels, which step sessions and draw for them; `protocol` defines what a kernel is.

Each is imported where it is made: an engine on a CPU is to start without torch, and one that only
counts without LLVM.
"""

from __future__ import annotations

import logging
import os

from stream_rnn.engine.kernels.protocol import Kernel
from stream_rnn.nets.counting import CountingNetwork
from stream_rnn.nets.quantised import QuantisedNetwork

__all__ = ["REFERENCE", "TORCH", "Kernel", "make_kernel", "prepare"]

log = logging.getLogger("stream_rnn.engine")

# Of STREAM_RNN_KERNEL. All else is a path of the integer kernel.
REFERENCE = "reference"  # the definition itself, slowly
TORCH = "torch"  # what steps on CUDA, on the engine's device whatever that is

_INTEGER = "integer"


def _asked_for(device: str) -> str:
    named = os.environ.get("STREAM_RNN_KERNEL")
    if named in (REFERENCE, TORCH):
        return named
    return TORCH if device == "cuda" and not named else _INTEGER


def prepare(device: str = "cpu") -> None:
    """Compiles what steps networks on a CPU, or loads it where that was done before.

    Raises:
        ConfigError: `STREAM_RNN_KERNEL` asks for what there is not.
    """
    if _asked_for(device) == _INTEGER:
        from stream_rnn.engine.kernels.integer import compile_once

        compile_once()


def make_kernel(network: QuantisedNetwork | CountingNetwork, device: str = "cpu") -> Kernel:
    """The kernel that steps a network.

    Args:
        device: `cpu` or `cuda`; counting networks are stepped by the CPU, and so are networks that
            the CUDA device does not compute to the bit.

    Raises:
        ConfigError: `STREAM_RNN_KERNEL` asks for what there is not.
    """
    if isinstance(network, CountingNetwork):
        from stream_rnn.engine.kernels.counting import CountingKernel

        return CountingKernel(network)
    asked = _asked_for(device)
    if asked == REFERENCE:
        from stream_rnn.engine.kernels.reference import ReferenceKernel

        return ReferenceKernel(network)
    if asked == TORCH and (kernel := _on_device(network, device)):
        return kernel
    from stream_rnn.engine.kernels.integer import IntegerKernel

    return IntegerKernel(network)


def _on_device(network: QuantisedNetwork, device: str) -> Kernel | None:
    """The kernel by torch, if it gives the reference's bits on this device."""
    from stream_rnn.engine.kernels.cuda import CudaKernel
    from stream_rnn.engine.kernels.cuda_trial import gives_the_references_bits

    try:
        kernel = CudaKernel(network, device)
        if gives_the_references_bits(kernel, network):
            return kernel
        reason = "it gives other numbers than docs/numerics.md"
    except RuntimeError as error:  # what torch raises of a device
        reason = str(error)
    log.warning("a model is stepped by the CPU, and not by the device %s: %s", device, reason)
    return None
