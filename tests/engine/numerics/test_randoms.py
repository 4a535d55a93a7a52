"""The random numbers are those that streams have had all along."""

import numpy as np

from stream_rnn.engine.numerics.randoms import random_numbers


def test_they_are_pinned() -> None:
    found = random_numbers(np.array([1]), np.array([0]), 2)
    assert (found * 2.0**-32).tolist() == [[0.4327449274715036, 0.4256321778520942]]
