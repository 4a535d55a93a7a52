"""Tables of keys are summed without rounding, and an artist's constant is one written sum."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from whole import written_network

from stream_rnn.engine.numerics.functions import LOG2E
from stream_rnn.engine.numerics.layout import lay_out, summable


@given(st.integers(0, 2**32 - 1), st.integers(1, 130), st.floats(1e-5, 1e5))
def test_rows_of_keys_add_up_to_the_same_in_any_order(seed: int, keys: int, size: float) -> None:
    dice = np.random.default_rng(seed)
    table = (dice.normal(size=(keys, 6)) * size).astype(np.float32)
    rows = summable(table)
    assert np.abs(rows - table).max() <= np.abs(table).max() * 2.0**-15
    exact = rows.astype(np.float64).sum(0)
    for _ in range(3):
        total = np.zeros(6, np.float32)
        for row in dice.permutation(rows):
            total += row
        np.testing.assert_array_equal(total, exact)


def test_a_blend_is_its_artists_in_their_shares() -> None:
    network = written_network()
    layout = lay_out(network)
    units = network.architecture.hidden
    for blend in ((), (1.0, 0.0, 0.0), (0.2, 0.3, 0.5)):
        shares = np.array([*blend, 0, 0, 0][:3])
        plain = network.layers[0].bias + shares @ network.artists
        found = layout.blends.constant(blend)
        np.testing.assert_allclose(found[:units] / -LOG2E, plain[:units], rtol=1e-5, atol=1e-6)
        assert not (np.signbit(found) & (found == 0)).any()
