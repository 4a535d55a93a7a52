"""The loss of a chunk, whole or with gradient checkpointing."""

from __future__ import annotations

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from stream_rnn.nets.network import RecurrentNetwork, State
from stream_rnn.train.evaluate import symbol_losses


def chunk_loss(
    network: RecurrentNetwork,
    inputs: Tensor,
    targets: Tensor,
    mask: Tensor,
    artists: Tensor,
    state: State,
    *,
    segment: int = 0,
) -> tuple[Tensor, State]:
    """The mean loss of the symbols that the mask keeps, and the state after the chunk.

    Args:
        inputs: `[rows, time, ...]`; so are `targets`, `mask` and `artists`.
        state: the state before.
        segment: if not 0, keep activations for only so many symbols at a time, and recompute
            them from the states between (Chen, Xu, Zhang and Guestrin 2016, arXiv 1604.06174).
            The gradient is the same.
    """

    def run(start: int, stop: int, before: State) -> tuple[Tensor, State]:
        here = slice(start, stop)
        outputs, after = network(inputs[:, here], artists[:, here], before)
        return (symbol_losses(network, outputs, targets[:, here]) * mask[:, here]).sum(), after

    time = inputs.shape[1]
    if not segment or segment >= time:
        total, state = run(0, time, state)
        return total / mask.sum(), state
    total = mask.new_zeros(())
    for start in range(0, time, segment):
        stop = min(start + segment, time)
        part, state = checkpoint(run, start, stop, state, use_reentrant=False)
        total = total + part
    return total / mask.sum(), state
