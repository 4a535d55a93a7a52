import numpy as np
import pytest

from stream_rnn.engine.sampling import (
    draw_bernoulli,
    draw_categorical,
    draw_lanes,
    tempered_chances,
    uniforms,
)

ALL = np.iinfo(np.int64)


def numbers(seed: int, positions: int, lanes: int = 1) -> np.ndarray:
    return uniforms(np.full(positions, seed), np.arange(positions), lanes)


def draw(
    logits: np.ndarray,
    uniform: np.ndarray,
    temperature: float = 1,
    top_k: int = 0,
    top_p: float = 1,
) -> np.ndarray:
    rows = len(logits)
    settings = np.full(rows, float(temperature)), np.full(rows, top_k), np.full(rows, float(top_p))
    return draw_categorical(logits, uniform, *settings)


def shares(logits: list[float], count: int = 40_000, **settings: float) -> np.ndarray:
    rows = np.tile(logits, (count, 1))
    drawn = draw(rows, numbers(3, count), **settings)  # type: ignore[arg-type]
    return np.bincount(drawn, minlength=len(logits)) / count


def softmax(logits: list[float]) -> np.ndarray:
    weights = np.exp(np.array(logits) - max(logits))
    return weights / weights.sum()


def logistic(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def test_a_number_is_a_function_of_seed_position_and_lane_alone() -> None:
    seeds, positions = np.array([7, 7, 8, -1, ALL.max]), np.array([0, 1, 0, 5, ALL.max])
    whole = uniforms(seeds, positions, 88)
    for row in range(5):
        alone = uniforms(seeds[row : row + 1], positions[row : row + 1], 3)
        np.testing.assert_array_equal(alone[0], whole[row, :3])
    order = np.array([4, 2, 0, 1, 3])
    np.testing.assert_array_equal(uniforms(seeds[order], positions[order], 88), whole[order])
    assert len(np.unique(whole)) == whole.size
    # Pinned, because a stream must stay the same after an upgrade.
    assert uniforms(np.array([1]), np.array([0]), 2).tolist() == [
        [0.4327449274715036, 0.4256321778520942]
    ]


@pytest.mark.parametrize("along", ["position", "lane", "seed"])
def test_numbers_look_uniform_and_unrelated_along_every_axis(along: str) -> None:
    count = 65_536
    if along == "position":
        drawn = numbers(1, count)[:, 0]
    elif along == "lane":
        drawn = uniforms(np.array([1]), np.array([9]), count)[0]
    else:
        drawn = uniforms(np.arange(count), np.full(count, 9), 1)[:, 0]
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert drawn.mean() == pytest.approx(1 / 2, abs=0.005)
    assert drawn.var() == pytest.approx(1 / 12, abs=0.002)
    cells = np.bincount((drawn * 256).astype(int), minlength=256)
    chi_square = float(((cells - 256) ** 2 / 256).sum())  # 255 degrees of freedom, deviation 22.6
    assert 255 - 5 * 22.6 < chi_square < 255 + 5 * 22.6
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02


def test_draws_follow_the_softmax() -> None:
    logits = [1.0, 0.0, -1.0, 2.0]
    for temperature in (0.5, 1.0, 3.0):
        expected = softmax([x / temperature for x in logits])
        found = shares(logits, temperature=temperature)
        np.testing.assert_allclose(found, expected, atol=0.01)


def test_temperature_0_is_the_likeliest_and_the_first_of_equals() -> None:
    logits = np.array([[0.0, 3.0, 3.0], [5.0, -5.0, 4.9]])
    for position in range(20):
        number = uniforms(np.array([1, 2]), np.array([position] * 2), 1)
        assert draw(logits, number, 0).tolist() == [1, 0]


def test_extreme_temperatures_and_logits_stay_finite() -> None:
    logits = [0.0, 1.0, 1.1, -1000.0, 80_000.0]
    assert shares(logits, 2000, temperature=1e-9)[4] == 1
    assert shares(logits[:3], 2000, temperature=1e-9)[2] == 1
    np.testing.assert_allclose(shares(logits[:3], temperature=100), [1 / 3] * 3, atol=0.01)


def test_what_has_no_weight_is_never_drawn() -> None:
    never = float("-inf")
    edges = np.array([[0.0], [1 - 2.0**-32], [0.5], [2.0**-32]])
    for logits in ([never, 0.0, never], [never, never, -50.0], [0.0, never, never]):
        rows = np.tile(logits, (4, 1))
        for temperature in (0, 1e-9, 1, 100):
            drawn = draw(rows, edges, temperature)
            assert np.isfinite(rows[np.arange(4), drawn]).all()


def test_top_k_keeps_the_likeliest_k_and_their_equals() -> None:
    logits = [2.0, 1.0, 0.0, 3.0]
    assert np.flatnonzero(shares(logits, top_k=1)).tolist() == [3]
    two = shares(logits, top_k=2)
    np.testing.assert_allclose(two[[0, 3]], softmax([2.0, 3.0]), atol=0.01)
    assert two[1] == two[2] == 0
    assert np.flatnonzero(shares([1.0, 1.0, 1.0, 0.0], top_k=2)).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(shares(logits, top_k=99), shares(logits))


def test_top_p_keeps_the_fewest_that_reach_p_and_one_at_least() -> None:
    logits = np.log([0.5, 0.3, 0.15, 0.05]).tolist()
    for top_p, kept in ((0.0, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.81, 3), (0.96, 4), (1.0, 4)):
        assert np.count_nonzero(shares(logits, 4000, top_p=top_p)) == kept
    assert np.count_nonzero(shares(logits, 4000, top_p=0.96, top_k=2)) == 2


@pytest.mark.parametrize("width", [1, 7, 86, 88, 97])
def test_a_row_does_not_depend_on_the_rest_of_its_tile(width: int) -> None:
    """Each uniform number lies at the edge of a chance, so that a difference in its last bit
    would show."""
    dice, rows = np.random.default_rng(width), 64
    logits = (dice.normal(size=(rows, width)) * 3).astype(np.float32)
    temperature = np.linspace(0, 3, rows)
    temperature[9] = 1
    top_k, top_p = np.arange(rows) % 5, 1 - np.arange(rows) % 3 / 4
    density, allowed = dice.normal(size=rows), dice.random((rows, width)) < 0.9
    scale = np.where(temperature > 0, temperature, 1)[:, None]
    weights = np.exp((logits - logits.max(1, keepdims=True)).astype(np.float64) / scale)
    edge = (weights.cumsum(1) / weights.sum(1)[:, None])[:, width // 2, None]
    chances = tempered_chances(
        logits.astype(np.float64), scale[:, 0], allowed, np.full(rows, 0.4 * width)
    )

    def drawn(lanes: np.ndarray) -> list[np.ndarray]:
        picked = logits[lanes], temperature[lanes]
        one = draw_categorical(picked[0], edge[lanes], picked[1], top_k[lanes], top_p[lanes])
        any_ = draw_categorical(picked[0], edge[lanes], picked[1], 0 * lanes, np.ones(len(lanes)))
        sets = draw_bernoulli(picked[0], chances[lanes], picked[1], density[lanes], allowed[lanes])
        wanted = np.full(len(lanes), 0.4 * width)
        exact = tempered_chances(
            picked[0].astype(np.float64), scale[lanes, 0], allowed[lanes], wanted
        )
        return [one, any_, sets, exact]

    whole = drawn(np.arange(rows))
    for size in [1, 2, 3, *dice.integers(1, rows, 40)]:
        lanes = dice.permutation(rows)[:size]
        for part, expected in zip(drawn(lanes), whole, strict=True):
            np.testing.assert_array_equal(part, expected[lanes])


def keys(
    logits: np.ndarray,
    temperature: float = 1,
    density: float = 0,
    allowed: np.ndarray | None = None,
) -> np.ndarray:
    rows, width = logits.shape
    return draw_bernoulli(
        logits,
        numbers(5, rows, width),
        np.full(rows, float(temperature)),
        np.full(rows, float(density)),
        np.ones((rows, width), np.bool_) if allowed is None else allowed,
    )


def test_each_key_sounds_with_its_own_chance() -> None:
    logits = np.tile([-2.0, 0.0, 1.0], (20_000, 1))
    for density in (0, 1.5, -1):
        expected = logistic(logits[0] + density)
        found = keys(logits, 1, density).mean(0)
        np.testing.assert_allclose(found, expected, atol=0.015)


def test_temperature_decides_which_keys_sound_but_not_how_many() -> None:
    logits = np.tile([-6.0, -3.0, -2.5, -1.0, 0.5, 2.0], (20_000, 1))
    usual = logistic(logits[0])
    spread = []
    for temperature in (0.05, 0.5, 1, 2, 100):
        found = keys(logits, temperature, 0).mean(0)
        assert float(found.sum()) == pytest.approx(float(usual.sum()), abs=0.03)
        assert (np.diff(found) > -0.02).all(), "the likelier key stays the likelier"
        spread.append(float(found.max() - found.min()))
    assert spread == sorted(spread, reverse=True) and spread[0] > 0.99 and spread[-1] < 0.1


@pytest.mark.parametrize("temperature", [1e-9, 0.01, 0.1, 0.8, 3, 100])
def test_chances_add_up_to_what_is_wanted(temperature: float) -> None:
    dice = np.random.default_rng(1)
    spread = dice.normal(size=(300, 88))
    clusters = np.where(dice.random((300, 88)) < 0.1, 5.0, -12.0) + spread / 3
    logits = np.concatenate([4 * spread - 6, 50 * spread, spread / 100 - 3, clusters])
    allowed = dice.random(logits.shape) < 0.8
    wanted = (logistic(logits) * allowed).sum(1)
    found = tempered_chances(logits, np.full(len(logits), temperature), allowed, wanted)
    np.testing.assert_allclose((found * allowed).sum(1), wanted, atol=0.003)


def test_keys_that_cannot_or_must_not_sound_have_chances_too() -> None:
    none = np.zeros((1, 88), np.bool_)
    for logits in (np.full((1, 88), -1e4), np.zeros((1, 88)), np.full((1, 88), 1e4)):
        for allowed in (none, ~none):
            wanted = (logistic(np.clip(logits, -99, 99)) * allowed).sum(1)
            found = tempered_chances(logits, np.array([0.5]), allowed, wanted) * allowed
            np.testing.assert_allclose(found.sum(1), wanted, atol=0.2)


def test_logits_that_are_not_numbers_are_survived() -> None:
    nothing = np.full((2, 5), np.nan)
    assert not keys(nothing, 0.5).any() and not keys(nothing).any()
    assert draw(nothing, numbers(1, 2)).tolist() == [0, 0]


def test_keys_sound_independently_of_each_other() -> None:
    both = keys(np.zeros((20_000, 2)))
    assert float((both[:, 0] * both[:, 1]).mean()) == pytest.approx(0.25, abs=0.015)


def test_cold_keys_sound_where_they_are_likelier_than_not() -> None:
    logits = np.array([[-1.0, 0.0, 0.1, 3.0]])
    assert keys(logits, 0).tolist() == [[False, False, True, True]]
    assert keys(logits, 0, density=1.5).tolist() == [[True, True, True, True]]
    assert keys(logits, 0, density=-20).tolist() == [[False] * 4]


def test_keys_that_are_not_allowed_never_sound() -> None:
    allowed = np.tile([True, False], (500, 1))
    for temperature in (0, 1, 100):
        drawn = keys(np.full((500, 2), 9.0), temperature, 20, allowed)
        assert not drawn[:, 1].any()
        assert drawn[:, 0].any()


def test_a_draw_takes_one_number_or_one_for_each_key() -> None:
    assert draw_lanes("categorical", 97) == 1
    assert draw_lanes("bernoulli", 88) == 88
