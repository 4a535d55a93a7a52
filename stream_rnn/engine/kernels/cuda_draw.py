"""The draws of `numerics.categorical`, `keys` and `chords`, on tensors of any device.

The host is asked nothing. What only some rows want is computed for all, or for none: the caller
says whether there are such rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stream_rnn.engine.kernels.cuda_functions import (
    GOLDEN,
    bounded,
    centred,
    chance,
    exp2,
    hashes_of,
    log2,
    number_of,
    random_numbers,
    squashed,
)
from stream_rnn.engine.kernels.cuda_sums import Affine
from stream_rnn.engine.numerics.categorical import HEAVIEST, PER_NUMBER
from stream_rnn.engine.numerics.chords import FINE, NUMBERS, SILENT
from stream_rnn.engine.numerics.functions import LOG2E
from stream_rnn.engine.numerics.keys import HALVINGS, REACH

STAGES = 8  # of a chord that are drawn in one go: most have fewer keys
_HEAVIEST, _REACH, _FINE, _SILENT = (float(x) for x in (HEAVIEST, REACH, FINE, SILENT))
_BITS = 24  # of a whole chance, where chances are counted
_LOWEST = float("-inf")
_UP, _DOWN = float(np.float32(LOG2E)), float(np.float32(-LOG2E))
_TWICE = float(np.float32(-2 * LOG2E))


class Rows(NamedTuple):
    """What some rows are drawn by; see `states.SlotSettings`.

    Attributes:
        hashes: see `hashes_of`.
        may: `[rows, symbols]` or `[1, symbols]`, bool.
    """

    hashes: Tensor
    temperature: Tensor
    sharp: Tensor
    top_k: Tensor
    top_p: Tensor
    density: Tensor
    may: Tensor


def rows_of(settings: tuple[Tensor, ...], slots: Tensor, positions: Tensor, may: Tensor) -> Rows:
    """Of some slots' settings, in the order of `SlotSettings`."""
    seed, temperature, sharp, top_k, top_p, density = (part[slots] for part in settings[1:-1])
    return Rows(hashes_of(seed, positions), temperature, sharp, top_k, top_p, density, may)


def draw_symbol(logits: Tensor, by: Rows, *, limited: bool) -> Tensor:
    """One symbol a row; see `categorical.draw_symbol`.

    Args:
        limited: whether any row has `top_k` or `top_p`.
    """
    barred = logits.masked_fill(~by.may, _LOWEST)
    weights = _weights_of(barred, by.sharp)
    if limited:
        weights = _truncated(weights, by.top_k, by.top_p)
    total = weights.sum(1).double()
    number = random_numbers(by.hashes, 1)[:, 0]
    drawn = _pick(weights, (number * PER_NUMBER) * total)
    return torch.where((by.temperature > 0) & (total > 0), drawn, barred.argmax(1))


def _weights_of(logits: Tensor, sharp: Tensor) -> Tensor:
    largest = logits.amax(1, keepdim=True)
    largest = largest.masked_fill(largest == _LOWEST, 0.0)
    power = exp2(bounded((logits - largest) * sharp[:, None]))
    return (power * _HEAVIEST).long()


def _truncated(weights: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    ordered = weights.sort(1, descending=True).values
    width = weights.shape[1]
    k = top_k.clamp(max=width).masked_fill(top_k <= 0, width)
    reached = ordered.cumsum(1)
    before = (reached - ordered).double()  # the weight of what is likelier
    p_count = (before < top_p[:, None] * reached[:, -1:].double()).sum(1)
    count = torch.minimum(k, p_count.clamp(min=1))
    least = ordered.gather(1, count[:, None] - 1)
    return weights.masked_fill(weights < least, 0)


def _pick(weights: Tensor, at: Tensor) -> Tensor:
    return (weights.cumsum(1).double() <= at[:, None]).sum(1)


def draw_keys(logits: Tensor, by: Rows, *, tempered: bool) -> Tensor:
    """Keys that sound, bool `[rows, keys]`; see `keys.draw_keys`.

    Args:
        tempered: whether any row's temperature is neither 0 nor 1.
    """
    odds = logits + by.density[:, None]
    chances = chance(odds * _DOWN)
    if tempered:
        turned = (by.temperature > 0) & (by.temperature != 1)
        chances = torch.where(turned[:, None], _tempered(odds, _counted(chances), by), chances)
    sounds = random_numbers(by.hashes, odds.shape[1]) * PER_NUMBER < chances.double()
    return torch.where((by.temperature == 0)[:, None], odds > 0, sounds) & by.may


def _counted(chances: Tensor) -> Tensor:
    return (chances * float(1 << _BITS)).long()


def _tempered(odds: Tensor, counts: Tensor, by: Rows) -> Tensor:
    wanted = counts.masked_fill(~by.may, 0).sum(1)
    last = torch.minimum((wanted + ((1 << _BITS) - 1)) >> _BITS, by.may.sum(1))
    last = last.clamp(min=1) - 1  # so many keys are likelier than the last that is wanted
    ordered = odds.masked_fill(~by.may, _LOWEST).sort(1, descending=True).values
    exponents = (ordered.gather(1, last[:, None]) - odds) * by.sharp[:, None]
    low = torch.full_like(exponents[:, :1], -_REACH)
    high = torch.full_like(low, _REACH)
    for _ in range(HALVINGS):
        shift = (low + high) * 0.5
        expected = _counted(chance(exponents - shift)).masked_fill(~by.may, 0).sum(1)
        short = (expected < wanted)[:, None]
        low, high = torch.where(short, shift, low), torch.where(short, high, shift)
    return chance(exponents - (low + high) * 0.5)


class Chords(NamedTuple):
    """Chords that are being drawn, from the top.

    Attributes:
        drawn: bool `[rows, keys]`: the keys that sound so far.
        open: bool `[rows, keys]`: those that still may; none where the chord is complete.
        bias: `[rows, keys]`.
        mood: `[rows, units]`.
        lane: int64 `[1]`: of the next stage; see `number_of`.
        hashes, temperature, sharp: see `Rows`.
    """

    drawn: Tensor
    open: Tensor
    bias: Tensor
    mood: Tensor
    lane: Tensor
    hashes: Tensor
    temperature: Tensor
    sharp: Tensor


class ChordDraw:
    """Draws frames, some stages at a time; see `chords.ChordDraw`.

    Args:
        voices: `[keys, units]`.
        product: of the head's units.
    """

    def __init__(self, voices: Tensor, product: Affine) -> None:
        self._voices, self._product = voices, product

    def begin(self, outputs: Tensor, by: Rows) -> Chords:
        """Chords of no keys yet."""
        keys = len(self._voices)
        bias = outputs[:, :keys] + by.density[:, None]
        nothing, lane = torch.zeros_like(by.may), torch.full_like(by.hashes[:1], GOLDEN)
        return Chords(
            nothing, by.may, bias, outputs[:, keys:], lane, by.hashes, by.temperature, by.sharp
        )

    def go_on(self, chords: Chords) -> Chords:
        """The chords after `STAGES` more, at each of which a key may follow."""
        keys = torch.arange(len(self._voices), device=chords.lane.device)
        for _ in range(STAGES):
            more, key = self._next_keys(chords)
            follows = more[:, None]
            voices = self._voices[key].masked_fill(~follows, 0.0)
            chords = chords._replace(
                drawn=chords.drawn | ((keys == key[:, None]) & follows),
                open=chords.open & (keys < key[:, None]) & follows,
                mood=chords.mood + voices,
                lane=chords.lane + GOLDEN,
            )
        return chords

    def _next_keys(self, chords: Chords) -> tuple[Tensor, Tensor]:
        """Whether one more key sounds, and which: `[rows]` each; see `chords.next_keys`."""
        odds = self._product(centred(squashed(chords.mood * _TWICE))) + chords.bias
        doublings = bounded(odds * _UP)
        silences = _fine(log2(1.0 + exp2(doublings))).masked_fill(~chords.open, 0)
        above = silences.flip(1).cumsum(1).flip(1)  # that the key and all above it are silent
        all_silent = above[:, 0]
        logs = (_fine(doublings) - above).float() * (1.0 / _FINE)
        logs = logs.masked_fill(~chords.open, _LOWEST)
        none = exp2((all_silent.float() * -(1.0 / _FINE)).clamp(min=_SILENT))
        cold = chords.temperature == 0
        silent = none.double() * NUMBERS
        number = number_of(chords.hashes, chords.lane)
        more = torch.where(cold, none < 0.5, number >= silent)
        weights = _weights_of(logs, chords.sharp).flip(1)  # as the keys are asked
        share = (number - silent) / (NUMBERS - silent).masked_fill(~more, 1.0)
        last = odds.shape[1] - 1
        key = last - _pick(weights, share * weights.sum(1).double())
        likeliest = last - logs.flip(1).argmax(1)  # the highest of equals
        # Of a row in which no key is open there is none, but a place must be named.
        return more, torch.where(cold, likeliest, key).clamp(0, last)


def _fine(x: Tensor) -> Tensor:
    return (x * _FINE + 0.5).floor().long()
