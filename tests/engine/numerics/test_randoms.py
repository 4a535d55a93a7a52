"""The random numbers are those that streams have had all along."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.engine.numerics.randoms import random_numbers
from stream_rnn.engine.sampling import uniforms

WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(WHOLE, WHOLE, st.integers(1, 100))
def test_numbers_are_those_of_the_float_engine(seed: int, position: int, lanes: int) -> None:
    where = np.array([seed]), np.array([position])
    np.testing.assert_array_equal(random_numbers(*where, lanes) * 2.0**-32, uniforms(*where, lanes))


def test_they_are_pinned() -> None:
    found = random_numbers(np.array([1]), np.array([0]), 2)
    assert (found * 2.0**-32).tolist() == [[0.4327449274715036, 0.4256321778520942]]
