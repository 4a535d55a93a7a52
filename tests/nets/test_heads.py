"""The joint head: a distribution over chords, each key given the keys above it."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.heads import Chords
from stream_rnn.nets.network import Architecture, RecurrentNetwork
from stream_rnn.train.evaluate import symbol_losses

KEYS, UNITS = 6, 5


def make_chords() -> Chords:
    torch.manual_seed(4)
    return Chords(KEYS, UNITS).eval()


def make_outputs(*shape: int) -> Tensor:
    return torch.randn(*shape, KEYS + UNITS, generator=torch.Generator().manual_seed(1))


def every_chord() -> Tensor:
    return torch.tensor(list(itertools.product((0, 1), repeat=KEYS)), dtype=torch.uint8)


@torch.no_grad()
def test_logits_are_those_of_the_recurrence_key_by_key() -> None:
    head, chords = make_chords(), every_chord()
    outputs = make_outputs(len(chords))
    found = head.logits(outputs, chords)
    sums = outputs[:, KEYS:].clone()
    for key in reversed(range(KEYS)):
        logit = outputs[:, key] + sums.tanh() @ head.keys[:, key]
        torch.testing.assert_close(found[:, key], logit)
        sums += chords[:, key, None] * head.voices[key]


@torch.no_grad()
def test_the_chances_of_all_chords_add_up_to_one() -> None:
    network = RecurrentNetwork(Architecture(KEYS, 0, 7, 1, "nade", head_hidden=UNITS)).eval()
    chords = every_chord()[:, None]  # [rows, time, keys]
    outputs = make_outputs(1, 1).expand(len(chords), -1, -1)
    losses = symbol_losses(network, outputs, chords)
    assert losses.shape == (len(chords), 1)
    assert float((-losses.double()).exp().sum()) == pytest.approx(1, abs=1e-5)
    one_by_one = [symbol_losses(network, outputs[:1], chord[None]) for chord in chords]
    torch.testing.assert_close(torch.cat(one_by_one), losses)


def test_a_key_is_told_of_those_above_it_and_of_no_other() -> None:
    head = make_chords()
    for key in range(KEYS):
        changed = torch.zeros(KEYS)
        for other in range(KEYS):
            one, two = torch.zeros(2, KEYS)
            two[other] = 1
            pair = head.logits(make_outputs(1).expand(2, -1), torch.stack([one, two]))[:, key]
            changed[other] = (pair[0] - pair[1]).abs() > 1e-6
        assert changed.tolist() == [other > key for other in range(KEYS)]


@pytest.mark.slow
def test_it_learns_what_independent_keys_cannot() -> None:
    """There are two chords: two keys never sound together, and a third sounds in both."""
    chords = torch.tensor([[1, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 1]]).float()[:, None]
    losses = {}
    for head, units in (("bernoulli", 0), ("nade", UNITS)):
        torch.manual_seed(2)
        network = RecurrentNetwork(Architecture(KEYS, 0, 7, 1, head, head_hidden=units))
        optimiser = torch.optim.Adam(network.parameters(), 0.05)
        for _ in range(150):
            outputs, _ = network(torch.zeros(2, 1, KEYS), torch.zeros(2, 0), network.zero_state(2))
            loss = symbol_losses(network, outputs, chords).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        losses[head] = loss.item()
    assert network.chords is not None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.chords.parameters())
    assert losses["nade"] == pytest.approx(math.log(2), abs=0.05)
    assert losses["bernoulli"] > 1.9 * math.log(2)


@pytest.mark.parametrize(("head", "units"), [("nade", 0), ("bernoulli", 4), ("categorical", 4)])
def test_units_belong_to_the_joint_head_and_to_no_other(head: str, units: int) -> None:
    with pytest.raises(CheckpointError, match=f"head_hidden is {units}, and the head '{head}'"):
        Architecture(KEYS, 0, 7, 1, head, head_hidden=units)  # type: ignore[arg-type]
