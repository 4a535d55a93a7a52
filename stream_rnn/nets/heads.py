"""How a network's outputs are read; and the joint head of chords.

* `categorical`: logits of one index.
* `bernoulli`: a logit a key; keys sound independently of each other.
* `nade`: keys that depend on each other, see `Chords`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stream_rnn.nets.architecture import FITTING as FITTING
from stream_rnn.nets.architecture import Kind as Kind


class Chords(nn.Module):
    """The joint head: a frame's keys one after the other, each by those above it that sound.

    A neural autoregressive distribution estimator over keys whose biases the recurrent network
    gives (RNN-NADE: Boulanger-Lewandowski et al. 2012, arXiv 1206.6392; NADE: Larochelle and
    Murray 2011). Keys are asked from the top down: the melody first, then what harmonises it.

        logit of a key = bias + keys . tanh(mood + sum of voices of the sounding keys above)

    with `[bias, mood]` the network's outputs. What is in the tanh changes only where a key
    sounds, so a frame of n notes takes n + 1 products and not 88: one a *stage*. The 88 sums
    of the textbook's recurrence are the same.

    Args:
        keys: how many.
        units: of the hidden layer; NADE's, not the network's.
    """

    def __init__(self, keys: int, units: int) -> None:
        super().__init__()
        self.voices = nn.Parameter(torch.randn(keys, units) * 0.5)
        self.keys = nn.Parameter(torch.randn(units, keys) * units**-0.5)

    def logits(self, outputs: Tensor, chords: Tensor) -> Tensor:
        """Logits of each key, given those above it.

        Args:
            outputs: the network's, `[..., keys + units]`.
            chords: `[..., keys]`, 0 or 1.

        Returns:
            `[..., keys]`.
        """
        keys, chords = len(self.voices), chords.float()
        bias, mood = outputs[..., :keys], outputs[..., keys:]
        above = chords.flip(-1).cumsum(-1).flip(-1) - chords  # how many sound above a key
        stages = torch.arange(int(chords.sum(-1).max()) + 1, device=chords.device)
        heard = chords[..., None, :] * (above[..., None, :] < stages[:, None])
        units = torch.tanh(mood[..., None, :] + heard @ self.voices)
        by_stage: Tensor = units @ self.keys  # [..., stages, keys]
        return bias + by_stage.gather(-2, above[..., None, :].long()).squeeze(-2)
