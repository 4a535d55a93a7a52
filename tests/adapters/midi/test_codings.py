import random

import pytest

from stream_rnn.adapters.midi.codings import RELATIVE, Mode, guess, steps

CODED: dict[Mode, dict[int, int]] = {
    "relative-twos": {1: 1, 2: 2, 63: 63, 127: -1, 126: -2, 64: -64},
    "relative-offset": {65: 1, 66: 2, 127: 63, 63: -1, 62: -2, 64: 0},
    "relative-sign": {1: 1, 2: 2, 63: 63, 65: -1, 66: -2, 64: 0},
}


@pytest.mark.parametrize("mode", RELATIVE)
def test_each_coding_has_its_steps(mode: Mode) -> None:
    assert {value: steps(mode, value) for value in CODED[mode]} == CODED[mode]


def encoded(mode: Mode, step: int) -> int:
    return next(value for value in range(128) if steps(mode, value) == step)


@pytest.mark.parametrize("mode", RELATIVE)
@pytest.mark.parametrize("seed", range(20))
def test_an_encoder_that_is_turned_both_ways_is_known(mode: Mode, seed: int) -> None:
    dice = random.Random(seed)
    way = dice.choice((1, -1))
    turned = [way * dice.choice((1, 1, 1, 2, 3)) for _ in range(8)]
    values = [encoded(mode, step) for step in [way, way, *turned, -way, -way]]
    assert guess(values) == mode
    # It is never taken for a knob with a place, which would throw the control to an end.
    assert all(guess(values[:n]) != "absolute" for n in range(len(values)))


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        ([1, 1], None), ([1, 1, 1], "relative-twos"), ([127, 127, 127], "relative-twos"),
        ([65, 65, 65], "relative-offset"), ([63, 63, 63], "relative-offset"),
        ([65, 65, 65, 1], "relative-sign"), ([1, 1, 1, 65], "relative-sign"),
        ([1, 127], "relative-twos"), ([1, 65], "relative-sign"), ([63, 65], None),
        ([63, 65, 65], "relative-offset"),
    ],
)  # fmt: skip
def test_what_can_be_told_by_few_values(values: list[int], mode: Mode | None) -> None:
    assert guess(values) == mode


@pytest.mark.parametrize("first", [0, 1, 3, 30, 60, 63, 64, 65, 100, 120, 127])
@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("speed", [1, 2, 5, 20])
def test_a_knob_that_is_turned_is_a_place(first: int, way: int, speed: int) -> None:
    values = [v for n in range(12) if 0 <= (v := first + way * speed * n) < 128]
    if abs(values[-1] - values[0]) >= 4:
        assert guess(values) == "absolute"
    assert guess([first, first + way, first]) != "absolute", "that trembles"
