# mypy: ignore-errors
# LLVM's builder has no types.
"""The draws of `numerics.categorical`, `keys` and `chords`, of one row each.

Nothing is sorted. A limit of `top_k` or `top_p` is a least weight, and weights are whole numbers,
so it is found by halving an interval; and so is the n-th largest of some floats, by their bits.
Rows are in room of whole vectors, with what may not be drawn behind their end.
"""

from __future__ import annotations

import numpy as np

from stream_rnn.engine.kernels.emit import write
from stream_rnn.engine.kernels.integer_fields import Fields, record
from stream_rnn.engine.kernels.integer_products import States
from stream_rnn.engine.numerics.categorical import PER_NUMBER, weight
from stream_rnn.engine.numerics.chords import FINE, NUMBERS, SILENT, silence
from stream_rnn.engine.numerics.functions import LOG2E, bounded, chance, eight_bits, exp2, squashed
from stream_rnn.engine.numerics.keys import HALVINGS, REACH, WHOLE
from stream_rnn.engine.numerics.randoms import GOLDEN, mix, row_hash

_DOWN, _UP, _TWICE = np.float32(-LOG2E), np.float32(LOG2E), np.float32(-2 * LOG2E)
_HALF, _LOWEST = np.float32(0.5), np.float32(-np.inf)
_FINEST = np.float32(1.0) / FINE
_HEAVIEST = 2**30
_DRAW = [[np.int64], np.int64]


class Drawing:
    """What the draws have in common: a row's fields.

    Args:
        b: the fields.
        m: which row.
    """

    def __init__(self, code, path, b, m):
        self.code, self.lanes = code, path.lanes
        self.fields = fields = Fields(code, b)
        self.slot = fields.array("slots")[m]
        before, self.made = (
            fields.array(name).at(m * fields.number("given")) for name in ("symbols_before", "made")
        )
        self.symbols = fields.number("symbols")
        self.outputs = fields.array("outputs").at(m * fields.number("outputs_width"))
        self.open = fields.array("open")
        row = code.where(fields.number("turns") != 0, before[0], self.slot)
        row = code.where((fields.number("turns") == 0) & (fields.number("head") == 0), 0, row)
        may = fields.array("may").at(row * self.symbols)
        whole = self.symbols - (self.symbols & 15)
        with code.loop(whole, step=16) as i:
            self.open.put(i, may.vector(i, 16))
        with code.loop(self.symbols, start=whole) as i:
            self.open[i] = may[i]
        seed, position = self.of_slot("seed"), fields.array("positions")[m]
        self.hashed = row_hash(seed.view(np.uint64), position.view(np.uint64))

    def of_slot(self, name):
        """A setting of the row's slot."""
        return self.fields.array(name)[self.slot]

    def random(self, lane):
        """The number of a lane, which count from 0 here, as float64: 0 to 2**32 - 1."""
        number = mix(self.hashed + (lane + 1).view(np.uint64) * GOLDEN) >> np.uint64(32)
        return number.view(np.int64).astype(np.float64)

    def vectors(self, end=None):
        """A loop over the row's vectors: where each begins."""
        return self.code.loop(self.symbols if end is None else end, step=self.lanes)

    def may(self, i):
        """Which of a vector may be drawn."""
        return self.open.vector(i, self.lanes) != 0

    def sum(self, kind=np.int64):
        """A sum of vectors, from 0 on."""
        return self.code.variable(0, kind, self.lanes)

    def largest(self, values):
        """The largest of a row that may be drawn, or minus infinity."""
        found = self.code.variable(_LOWEST, np.float32, self.lanes)
        with self.vectors() as i:
            now = self.code.where(self.may(i), values.vector(i, self.lanes), _LOWEST)
            found.now = np.maximum(found.now, now)
        return found.now.largest()

    def weigh(self, values, top, sharp):
        """Puts a row's weights into the room; returns their sum."""
        weights, total = self.fields.array("weights"), self.sum()
        with self.vectors() as i:
            # What may not be drawn may be above the top: far above, and then its power is none.
            below = np.minimum(values.vector(i, self.lanes) - top, np.float32(0.0))
            now = self.code.where(self.may(i), weight(below * sharp), np.int32(0))
            weights.put(i, now)
            total.now = total.now + now.astype(np.int64)
        return total.now.total()

    def first(self, condition, start=0, step=1):
        """The first index from `start` on at which something is true, or the last of all."""
        code, found = self.code, self.code.variable(start, np.int64)
        last = self.symbols - 1 if step > 0 else code.value(0, np.int64)

        def goes_on():
            there = code.variable(False, np.bool_)
            with code.when(found.now != last):
                there.now = condition(found.now) == code.value(False, np.bool_)
            return there.now

        with code.loop_while(goes_on):
            found.now = found.now + step
        return found.now

    def pick(self, at, start=0, step=1):
        """The first with which the weights add up to more than a float64."""
        weights, reached = self.fields.array("weights"), self.code.variable(0, np.int64)

        def over(i):
            reached.now = reached.now + weights[i].astype(np.int64)
            return reached.now.astype(np.float64) > at

        return self.first(over, start, step)


def write_symbol(module, path):
    """Writes the draw of one symbol."""

    @write(module, "draw_symbol", _DRAW)
    def draw(code, *given):
        row = Drawing(code, path, *given)
        logits = row.outputs
        top, temperature = row.largest(logits), row.of_slot("temperature")
        with code.when_else(top == _LOWEST) as (none, some):
            with none:
                row.made[0] = 0
            with some:
                with code.when_else(temperature == 0) as (cold, warm):
                    with cold:
                        row.made[0] = row.first(lambda i: (row.open[i] != 0) & (logits[i] == top))
                    with warm:
                        total = code.variable(row.weigh(logits, top, row.of_slot("sharp")))
                        top_k, top_p = row.of_slot("top_k"), row.of_slot("top_p")
                        with code.when((top_k > 0) | (top_p < 1)):
                            light = top_p * total.now.astype(np.float64)
                            total.now = _truncate(row, top_k, light)
                        number = row.random(code.value(0, np.int64)) * PER_NUMBER
                        row.made[0] = row.pick(number * total.now.astype(np.float64))

    return draw


def _truncate(row, top_k, light):
    """Takes the weight of what is too unlikely; returns what is left of the total."""
    code, weights = row.code, row.fields.array("weights")
    # The least weight that stays is in (low, high].
    low, high = code.variable(-1, np.int32), code.variable(_HEAVIEST, np.int32)
    with code.loop_while(lambda: high.now - low.now > 1):
        middle = (low.now + high.now) >> 1
        greater, heavier = row.sum(), row.sum()
        with row.vectors() as i:
            now = weights.vector(i, row.lanes)
            more = now > middle
            greater.now = greater.now + more.astype(np.int64)
            heavier.now = heavier.now + code.where(more, now, np.int32(0)).astype(np.int64)
        few = (top_k == 0) | (greater.now.total() < top_k)
        with code.when_else(few & (heavier.now.total().astype(np.float64) < light)) as (yes, no):
            with yes:
                high.now = middle
            with no:
                low.now = middle
    left = row.sum()
    with row.vectors() as i:
        now = weights.vector(i, row.lanes)
        now = code.where(now >= high.now, now, np.int32(0))
        weights.put(i, now)
        left.now = left.now + now.astype(np.int64)
    return left.now.total()


def write_keys(module, path):
    """Writes the draw of keys that sound independently of each other."""

    @write(module, "draw_keys", _DRAW)
    def draw(code, *given):
        row = Drawing(code, path, *given)
        odds, density = row.fields.array("odds"), row.of_slot("density")
        count = row.sum()
        with row.vectors() as i:
            odds.put(i, row.outputs.vector(i, row.lanes) + density)
            count.now = count.now + row.may(i).astype(np.int64)
        temperature, allowed = row.of_slot("temperature"), count.now.total()
        with code.when_else(temperature == 0) as (cold, warm):
            with cold:
                with code.loop(row.symbols) as i:
                    sounds = (row.open[i] != 0) & (odds[i] > np.float32(0.0))
                    row.made[i] = sounds.astype(np.int64)
            with warm:
                with code.when_else((temperature == 1) | (allowed == 0)) as (plain, turned):
                    with plain:
                        with row.vectors() as i:
                            odds.put(i, chance(odds.vector(i, row.lanes) * _DOWN))
                    with turned:
                        _temper(row, odds, allowed)
                with code.loop(row.symbols) as i:
                    below = row.random(i) * PER_NUMBER < odds[i].astype(np.float64)
                    row.made[i] = ((row.open[i] != 0) & below).astype(np.int64)

    return draw


def _expected(row, odds, shift=None, factor=None):
    """The sum of chances of all keys, counted."""
    total = row.sum()
    with row.vectors() as i:
        exponents = odds.vector(i, row.lanes)
        exponents = exponents * factor if shift is None else exponents - shift
        counted = (chance(exponents) * WHOLE).astype(np.int32)
        now = row.code.where(row.may(i), counted, np.int32(0))
        total.now = total.now + now.astype(np.int64)
    return total.now.total()


def _temper(row, odds, allowed):
    """Makes chances of odds, at a temperature that is neither 0 nor 1; see `keys.tempered`."""
    code = row.code
    wanted = _expected(row, odds, factor=_DOWN)
    nth = (wanted + (int(WHOLE) - 1)) / int(WHOLE)
    nth = code.where(nth < allowed, nth, allowed)
    nth = code.where(nth > 1, nth, 1)
    middle, sharp = _nth_largest(row, odds, nth), row.of_slot("sharp")
    with row.vectors() as i:
        odds.put(i, (middle - odds.vector(i, row.lanes)) * sharp)
    low, high = code.variable(-REACH, np.float32), code.variable(REACH, np.float32)
    with code.loop(HALVINGS):
        shift = (low.now + high.now) * _HALF
        short = _expected(row, odds, shift) < wanted
        low.now, high.now = code.where(short, shift, low), code.where(short, high, shift)
    shift = (low.now + high.now) * _HALF
    with row.vectors() as i:
        odds.put(i, chance(odds.vector(i, row.lanes) - shift))


def _in_order(bits):
    """Floats' bits as whole numbers in the order of the floats; and back."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


def _nth_largest(row, values, nth):
    """Of those that may be drawn."""
    code = row.code
    low, high = code.variable(-(2**31), np.int64), code.variable(2**31, np.int64)
    with code.loop_while(lambda: high.now - low.now > 1):  # the answer's place is in [low, high)
        middle = (low.now + high.now) >> 1
        least, there = middle.astype(np.int32), row.sum()
        with row.vectors() as i:
            place = _in_order(values.vector(i, row.lanes).view(np.int32))
            there.now = there.now + (row.may(i) & (place >= least)).astype(np.int64)
        with code.when_else(there.now.total() >= nth) as (yes, no):
            with yes:
                low.now = middle
            with no:
                high.now = middle
    return _in_order(low.now.astype(np.int32)).view(np.float32)


def write_chord(module, path, product):
    """Writes the draw of a chord with the joint head, from the top down."""

    @write(module, "draw_chord", _DRAW)
    def draw(code, *given):
        row = Drawing(code, path, *given)
        fields, lanes, keys = row.fields, path.lanes, row.symbols
        units, mood = fields.number("voice_units"), fields.array("mood")
        states = States(path, fields.array("states_0", path.states), fields.number("states_width"))
        head = record(code, fields, fields.number("layers") + 1)
        bias, odds, sums = row.outputs, fields.array("odds"), fields.array("sums")
        scales = head.array("own_scales", np.float32)
        voices, density = fields.array("voices"), row.of_slot("density")
        with code.loop(units) as i:
            mood[i] = row.outputs[keys + i]
        with code.loop(keys) as i:
            row.made[i] = 0
        stage, goes_on = code.variable(0, np.int64), code.variable(True, np.bool_)
        with code.loop_while(lambda: goes_on.now & (stage.now < keys)):
            with code.loop(units, step=lanes) as i:
                small = eight_bits(squashed(mood.vector(i, lanes) * _TWICE))
                states.put(0, i, small)
            code.call(
                product, 1, head.number("own_blocks"), head.number("own_groups"), states.array,
                states.width, head.array("own_weights", np.int8),
                head.array("own_starts", np.int32), sums, fields.number("sums_width"),
            )  # fmt: skip
            with row.vectors() as i:
                now = sums.vector(i, lanes).astype(np.float32) * scales.vector(i, lanes)
                odds.put(i, now + (bias.vector(i, lanes) + density))
            key = _next_key(row, odds, row.random(stage.now))
            goes_on.now = key >= 0
            with code.when(key >= 0):
                row.made[key] = 1
                voice = voices.at(key * units)
                with code.loop(units) as i:
                    mood[i] = mood[i] + voice[i]
                with code.loop(keys, start=key) as i:  # they are asked no more
                    row.open[i] = 0
            stage.now = stage.now + 1

    return draw


def _counted(x):
    """`numerics.chords` has it: to the nearest, the lower of two."""
    x = x * FINE + _HALF
    whole = x.astype(np.int32)
    return whole - (whole.astype(np.float32) > x).astype(np.int32)


def _next_key(row, odds, number):
    """The next key, or -1."""
    code, lanes = row.code, row.lanes
    logs, silences = row.fields.array("logs"), row.fields.array("silences")
    with row.vectors() as i:
        silences.put(i, _counted(silence(bounded(odds.vector(i, lanes) * _UP))).astype(np.int64))
    silent = code.variable(0, np.int64)
    with code.loop(row.symbols) as up:
        i = row.symbols - 1 - up
        with code.when(row.open[i] != 0):
            silent.now = silent.now + silences[i]
        silences[i] = silent.now
    with row.vectors() as i:
        now = _counted(bounded(odds.vector(i, lanes) * _UP)).astype(np.int64)
        now = (now - silences.vector(i, lanes)).astype(np.float32)
        logs.put(i, now * _FINEST)
    top = row.largest(logs)
    none = exp2(np.maximum(silent.now.astype(np.float32) * -_FINEST, SILENT))
    nothing = none.astype(np.float64) * NUMBERS
    cold = row.of_slot("temperature") == 0
    key = code.variable(-1, np.int64)
    last = row.symbols - 1
    with code.when(top != _LOWEST):
        with code.when_else(cold) as (yes, no):
            with yes:
                with code.when(none < _HALF):
                    key.now = row.first(lambda i: (row.open[i] != 0) & (logs[i] == top), last, -1)
            with no:
                with code.when(number >= nothing):
                    total = row.weigh(logs, top, row.of_slot("sharp")).astype(np.float64)
                    share = (number - nothing) / (NUMBERS - nothing)
                    key.now = row.pick(share * total, last, -1)
    return key.now


DRAWS = {"categorical": write_symbol, "bernoulli": write_keys, "nade": write_chord}
