# mypy: ignore-errors
# Numba has no types.
"""The draws of `numerics.categorical`, `keys` and `chords`, compiled: one row each.

Nothing is sorted. A limit of `top_k` or `top_p` is a least weight, and weights are whole numbers,
so it is found by halving an interval; and so is the n-th largest of some floats, by their bits.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from stream_rnn.engine.kernels.compiling import OPTIONS
from stream_rnn.engine.kernels.integer_functions import (
    HALF,
    as_bits,
    as_float,
    bounded,
    chance,
    eight_bits,
    exp2,
    log2,
    squashed,
)
from stream_rnn.engine.kernels.integer_products import product
from stream_rnn.engine.numerics.categorical import HEAVIEST, PER_NUMBER
from stream_rnn.engine.numerics.chords import FINE, NUMBERS, SILENT
from stream_rnn.engine.numerics.functions import LOG2E, ONE
from stream_rnn.engine.numerics.keys import HALVINGS, REACH, WHOLE

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_DOWN, _UP, _TWICE = np.float32(-LOG2E), np.float32(LOG2E), np.float32(-2 * LOG2E)
_FINEST = ONE / FINE
_LOWEST = np.float32(-np.inf)
_WHOLE = int(WHOLE)


@njit(**OPTIONS)
def _mix(x):
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


@njit(**OPTIONS)
def hash_of(seed, position):
    """What the numbers of a position are made of; see `number_of`."""
    return _mix(_mix(np.uint64(seed) + _GOLDEN) + np.uint64(position) * _GOLDEN)


@njit(**OPTIONS)
def number_of(hashed, lane):
    """The number of a lane, which count from 0 here, as float64: 0 to 2**32 - 1."""
    return np.float64(_mix(hashed + np.uint64(lane + 1) * _GOLDEN) >> np.uint64(32))


@njit(**OPTIONS)
def draw_symbol(logits, may, number, temperature, sharp, top_k, top_p, weights):
    """One symbol. `weights` is room for int32 `[symbols]`."""
    symbols = may.shape[0]
    top, best = _LOWEST, 0
    for i in range(symbols):
        if may[i] and logits[i] > top:
            top, best = logits[i], i
    if temperature == 0 or top == _LOWEST:
        return best
    total = _weigh(symbols, logits, may, top, sharp, weights)
    if top_k > 0 or top_p < 1:
        total = _truncate(symbols, weights, top_k, top_p * np.float64(total))
    at = (number * PER_NUMBER) * np.float64(total)
    reached = np.int64(0)
    for i in range(symbols):
        reached += weights[i]
        if np.float64(reached) > at:
            return i
    return best  # not met: `at` is below the total


@njit(**OPTIONS)
def _weigh(symbols, logits, may, top, sharp, weights):
    total = np.int64(0)
    for i in range(symbols):
        below = logits[i] - top
        below = below if below < np.float32(0.0) else np.float32(0.0)
        weight = np.int32(exp2(bounded(below * sharp)) * HEAVIEST)
        weight = weight if may[i] else np.int32(0)
        weights[i] = weight
        total += weight
    return total


@njit(**OPTIONS)
def _truncate(symbols, weights, top_k, light):
    """Takes the weight of what is too unlikely; returns what is left of the total."""
    low, high = np.int32(-1), np.int32(HEAVIEST)  # the least weight that stays is in (low, high]
    while high - low > 1:
        middle = np.int32((low + high) >> 1)
        greater, heavier = np.int64(0), np.int64(0)
        for i in range(symbols):
            weight = weights[i]
            more = weight > middle
            greater += np.int64(1) if more else np.int64(0)
            heavier += np.int64(weight) if more else np.int64(0)
        if (top_k == 0 or greater < top_k) and np.float64(heavier) < light:
            high = middle
        else:
            low = middle
    left = np.int64(0)
    for i in range(symbols):
        weights[i] = weights[i] if weights[i] >= high else np.int32(0)
        left += weights[i]
    return left


@njit(**OPTIONS)
def draw_keys(logits, allowed, hashed, temperature, sharp, density, odds, sounds):
    """Keys that sound, into `sounds`; `odds` is room for float32 `[keys]`."""
    keys = allowed.shape[0]
    count, wanted = 0, np.int64(0)
    for i in range(keys):
        odds[i] = logits[i] + density
        if allowed[i]:
            count += 1
    if temperature == 0:
        for i in range(keys):
            sounds[i] = allowed[i] and odds[i] > 0
        return
    if temperature == 1 or count == 0:
        for i in range(keys):
            odds[i] = chance(odds[i] * _DOWN)
    else:
        for i in range(keys):
            counted = np.int32(chance(odds[i] * _DOWN) * WHOLE)
            wanted += counted if allowed[i] else np.int32(0)
        nth = max(min(-(-wanted // _WHOLE), count), 1)
        middle = _nth_largest(keys, odds, allowed, nth)
        for i in range(keys):
            odds[i] = (middle - odds[i]) * sharp
        low, high = -REACH, REACH
        for _ in range(HALVINGS):
            shift = (low + high) * HALF
            expected = np.int64(0)
            for i in range(keys):
                counted = np.int32(chance(odds[i] - shift) * WHOLE)
                expected += counted if allowed[i] else np.int32(0)
            if expected < wanted:
                low = shift
            else:
                high = shift
        shift = (low + high) * HALF
        for i in range(keys):
            odds[i] = chance(odds[i] - shift)
    for i in range(keys):
        sounds[i] = allowed[i] and number_of(hashed, i) * PER_NUMBER < np.float64(odds[i])


@njit(**OPTIONS)
def _nth_largest(keys, values, counts, nth):
    """Of those that count. Floats are in the order of their bits, but for the negative ones'."""
    low, high = np.int64(-(2**31)), np.int64(2**31)  # the answer's place is in [low, high)
    while high - low > 1:
        middle = (low + high) >> 1
        there = 0
        for i in range(keys):
            bits = as_bits(values[i])
            place = bits if bits >= 0 else np.int32(bits ^ np.int32(0x7FFFFFFF))
            there += 1 if counts[i] and place >= middle else 0
        if there >= nth:
            low = middle
        else:
            high = middle
    place = np.int32(low)
    return as_float(place if place >= 0 else np.int32(place ^ np.int32(0x7FFFFFFF)))


@njit(**OPTIONS)
def draw_chord(
    path, outputs, allowed, hashed, temperature, sharp, density,
    voices, weights, where, shift, scale, room, sounds,
):  # fmt: skip
    """Keys that sound, into `sounds`, from the top down.

    Args:
        weights, where, shift: of the head's product; `where` has its place, blocks and groups.
        scale: `[keys]`.
    """
    keys, units = voices.shape
    mood = room.mood
    for i in range(units):
        mood[i] = outputs[keys + i]
    for i in range(keys):
        sounds[i] = 0
    top = keys  # keys from it on are asked no more
    for stage in range(keys):
        for i in range(units):
            state = eight_bits(squashed(mood[i] * _TWICE))
            room.bytes_[0, i] = state
            room.states[0, i] = np.int16(state) - np.int16(128)
        product(
            path, room.one[0], room.states, room.bytes_, weights, where[0], where[1], where[2],
            shift, room.sums,
        )  # fmt: skip
        sums, odds = room.sums[0], room.odds
        for i in range(top):
            odds[i] = np.float32(sums[i]) * scale[i] + (outputs[i] + density)
        key = _next_key(
            top, odds, allowed, number_of(hashed, stage), temperature, sharp, room.above,
            room.logs, room.weights,
        )  # fmt: skip
        if key < 0:
            return
        sounds[key] = 1
        for i in range(units):
            mood[i] += voices[key, i]
        top = key


@njit(**OPTIONS)
def _counted(x):
    return np.int64(np.floor(x * FINE + HALF))


@njit(**OPTIONS)
def _next_key(keys, odds, allowed, number, temperature, sharp, above, logs, weights):
    """The next of the keys below the last one, or -1. The last three are room."""
    for i in range(keys):
        above[i] = _counted(log2(ONE + exp2(bounded(odds[i] * _UP))))
    silent = np.int64(0)
    best, top = -1, _LOWEST
    for i in range(keys - 1, -1, -1):
        if not allowed[i]:
            continue
        silent += above[i]
        logs[i] = np.float32(_counted(bounded(odds[i] * _UP)) - silent) * _FINEST
        if logs[i] > top:
            best, top = i, logs[i]
    least = np.float32(silent) * -_FINEST
    none = exp2(least if least > SILENT else SILENT)
    if temperature == 0:
        return best if none < HALF else -1
    nothing = np.float64(none) * NUMBERS
    if number < nothing:
        return -1
    total = _weigh(keys, logs, allowed, top, sharp, weights)
    at = ((number - nothing) / (NUMBERS - nothing)) * np.float64(total)
    reached = np.int64(0)
    for i in range(keys - 1, -1, -1):
        reached += weights[i]
        if np.float64(reached) > at:
            return i
    return best  # not met: `at` is below the total
