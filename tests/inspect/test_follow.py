import numpy as np
import pytest

from stream_rnn.inspect.follow import Search, interesting


def planted() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Noise in eight cells, except that 3 follows `quotes`, 5 a pulse, and 6 is constant."""
    dice = np.random.default_rng(1)
    cells = dice.normal(0, 0.3, (2000, 8))
    quotes = (np.arange(2000) // 37 % 2).astype(float)
    angle = 2 * np.pi * np.arange(2000) / 12
    cells[:, 3] -= quotes
    cells[:, 5] += np.cos(angle + 1.0)
    cells[:, 6] = 0.99999
    features = {
        "nothing": np.zeros(2000),
        "quotes": quotes,
        "pulse": np.stack([np.cos(angle), np.sin(angle)], 1),
    }
    return cells, features


def searched() -> Search:
    search = Search(8)
    cells, features = planted()
    for number in range(20):
        part = slice(100 * number, 100 * number + 100)
        search.add(cells[part], {k: v[part] for k, v in features.items()}, number % 2)
    return search


def test_the_planted_cells_are_found_again_on_the_other_half() -> None:
    table = {row[0].feature: row for row in searched().best(3)}
    assert set(table) == {"quotes", "pulse"}  # no cell can follow a constant feature
    quotes, pulse = table["quotes"][0], table["pulse"][0]
    assert (quotes.cell, pulse.cell) == (3, 5)
    assert quotes.correlation < -0.8 and quotes.again < -0.8
    assert pulse.correlation > 0.8 and pulse.again > 0.8  # whatever its phase
    assert abs(table["quotes"][1].again) < 0.25
    assert [f.cell for f in interesting(list(table.values()), 6)] == [
        row[0].cell for row in table.values()
    ]


def test_correlations_are_those_of_numpy_where_the_feature_is_defined() -> None:
    cells, features = planted()
    quotes = features["quotes"].copy()
    quotes[::7] = np.nan
    search = Search(8)
    for part in (slice(900), slice(900, None)):
        search.add(cells[part], {"quotes": quotes[part]}, 0)
    there = ~np.isnan(quotes)
    expected = [np.corrcoef(cells[there, c], quotes[there])[0, 1] for c in (0, 3)]
    found = search.correlations(0)["quotes"]
    assert found[[0, 3]] == pytest.approx(expected, abs=1e-9)
    assert np.isnan(found[6])
    (row,) = search.best(3)
    assert (row[0].cell, row[0].overall) == (3, row[0].correlation)  # there is no other half
    assert search.follows(3) == []


@pytest.mark.parametrize("length", [6, 11, 24, 30])
def test_a_part_of_a_pulse_is_followed_as_far_as_both_its_columns_foretell_a_cell(
    length: int,
) -> None:
    """Over less than a period cosine and sine correlate; treated as independent, they exceed 1."""
    cells = np.random.default_rng(2).normal(size=(length, 9))
    angle = 2 * np.pi * np.arange(length) / 32
    cells[:, 0] = np.cos(angle + 0.3)
    search = Search(9)
    search.add(cells, {"pulse": np.stack([np.cos(angle), np.sin(angle)], 1)}, 0)
    columns = np.stack([np.cos(angle), np.sin(angle), np.ones(length)], 1)
    left = cells - columns @ np.linalg.lstsq(columns, cells, rcond=None)[0]
    expected = np.sqrt(1 - left.var(0) / cells.var(0))
    assert search.correlations(0)["pulse"] == pytest.approx(expected, abs=1e-6)


def test_what_a_cell_follows() -> None:
    assert [f.feature for f in searched().follows(3)][0] == "quotes"
    assert searched().follows(6) == []
