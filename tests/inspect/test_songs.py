import numpy as np
import pytest

from stream_rnn.inspect.songs import (
    closest_pairs,
    nearest,
    neighbour_map,
    principal,
    same_artist,
    similarities,
    standardised,
)


def three_groups(each: int = 20) -> np.ndarray:
    dice = np.random.default_rng(2)
    centres = dice.normal(0, 3, (3, 30))
    return np.concatenate([c + dice.normal(0, 0.5, (each, 30)) for c in centres])


GROUPS = [0] * 20 + [1] * 20 + [2] * 20


def test_neighbours_are_of_the_same_group_in_the_states_and_on_both_maps() -> None:
    states = standardised(three_groups())
    neighbours = nearest(similarities(states), 5)
    assert neighbours.shape == (60, 5)
    assert not (neighbours == np.arange(60)[:, None]).any()
    share, chance = same_artist(neighbours, GROUPS)
    assert (share, chance) == (1.0, pytest.approx(19 / 59))
    for places in (principal(states), neighbour_map(states)):
        assert places.shape == (60, 2)
        apart = ((places[:, None] - places[None]) ** 2).sum(2)
        assert same_artist(nearest(-apart, 1), GROUPS)[0] > 0.95


@pytest.mark.parametrize("seed", [0, 4, 14])
def test_songs_that_are_nearly_one_do_not_fling_others_out(seed: int) -> None:
    """With a rate of 100 for any number of songs, one was 25 to 30 times as far out."""
    dice = np.random.default_rng(seed)
    songs = dice.normal(0, 1, (50, 40))
    twins = songs[:24] + dice.normal(0, 0.02, (24, 40))
    places = neighbour_map(standardised(np.concatenate([songs, twins])))
    out = np.linalg.norm(places - np.median(places, 0), axis=1)
    assert out.max() < 3 * np.median(out)
    apart = ((places[:, None] - places[None]) ** 2).sum(2)
    assert nearest(-apart, 1)[:24, 0].tolist() == list(range(50, 74))


def test_maps_are_the_same_each_time() -> None:
    states = standardised(three_groups(6))
    steps: list[int] = []
    first = neighbour_map(states, progress=steps.append)
    assert np.array_equal(first, neighbour_map(states))
    assert sum(steps) == 500
    assert np.array_equal(principal(states), principal(states))


def test_the_principal_components_are_those_that_vary_most() -> None:
    dice = np.random.default_rng(3)
    states = dice.normal(0, 0.01, (50, 6))
    states[:, 4] += np.linspace(-3, 5, 50) ** 3
    places = principal(states)
    assert abs(np.corrcoef(places[:, 0], states[:, 4])[0, 1]) > 0.999
    assert places[:, 0].max() > -places[:, 0].min()


def test_a_song_is_in_one_of_the_closest_pairs_at_most() -> None:
    similar = np.array([[1, 0.9, 0.8, 0], [0.9, 1, 0.7, 0], [0.8, 0.7, 1, 0.1], [0, 0, 0.1, 1]])
    assert closest_pairs(similar, 5) == [(0, 1, 0.9), (2, 3, 0.1)]
    assert closest_pairs(similar, 1) == [(0, 1, 0.9)]


def test_few_songs_and_cells_that_stand_still() -> None:
    states = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    assert (standardised(states)[:, 1] == 0).all()
    assert neighbour_map(standardised(states)).shape == (3, 2)
    same = standardised(np.ones((5, 3)))
    assert np.isfinite(neighbour_map(same)).all()
