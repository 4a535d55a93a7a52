"""The heads, which are ways to read a network's outputs; and the joint head of chords.

* `categorical`: the logits of one index.
* `bernoulli`: one logit per key; keys sound independently of each other.
* `nade`: keys that depend on each other; see `Chords`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stream_rnn.nets.architecture import FITTING as FITTING
from stream_rnn.nets.architecture import Kind as Kind


class Chords(nn.Module):
    """The joint head: a frame's keys one after the other, each given the sounding keys above it.

    A neural autoregressive distribution estimator over keys, whose biases come from the recurrent
    network (RNN-NADE: Boulanger-Lewandowski et al. 2012, arXiv 1206.6392; NADE: Larochelle and
    Murray 2011). Keys go from the top down: first the melody, then the notes that harmonise it.

        logit of a key = bias + keys . tanh(hidden_bias + sum of voices of the sounding keys above)

    where `[bias, hidden_bias]` are the network's outputs. The argument of tanh changes only at a
    key that sounds. So a frame of n notes takes n + 1 products, one for each *stage*, and not 88;
    the result is that of the textbook's recurrence over 88 keys.

    Args:
        keys: the number of keys.
        units: the units of NADE's own hidden layer.
    """

    def __init__(self, keys: int, units: int) -> None:
        super().__init__()
        self.voices = nn.Parameter(torch.randn(keys, units) * 0.5)
        self.keys = nn.Parameter(torch.randn(units, keys) * units**-0.5)

    def logits(self, outputs: Tensor, chords: Tensor) -> Tensor:
        """The logit of each key, given the keys above it.

        Args:
            outputs: the network's outputs, `[..., keys + units]`.
            chords: `[..., keys]`, 0 or 1.

        Returns:
            The logits, `[..., keys]`.
        """
        keys, chords = len(self.voices), chords.float()
        bias, hidden_bias = outputs[..., :keys], outputs[..., keys:]
        above = chords.flip(-1).cumsum(-1).flip(-1) - chords  # how many keys sound above each
        stages = torch.arange(int(chords.sum(-1).max()) + 1, device=chords.device)
        heard = chords[..., None, :] * (above[..., None, :] < stages[:, None])
        units = torch.tanh(hidden_bias[..., None, :] + heard @ self.voices)
        by_stage: Tensor = units @ self.keys  # [..., stages, keys]
        return bias + by_stage.gather(-2, above[..., None, :].long()).squeeze(-2)
