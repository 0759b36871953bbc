from __future__ import annotations

import math

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.statistics.monotone import turning_p_value

DOSES = np.repeat([1, 2, 3, 4, 5], 3)


@pytest.mark.parametrize("sign", [1, -1])
def test_rising_and_falling_means_never_turn(sign) -> None:
    assert turning_p_value(DOSES, sign * DOSES + np.tile([0, 0.1, -0.1], 5)) == 1.0


def test_a_bell_turns() -> None:
    bell = np.repeat([0, 1, 2, 1, 0], 3) + np.tile([0, 0.1, -0.1], 5)
    assert turning_p_value(DOSES, bell) < 1e-6
    assert turning_p_value([1, 1, 2, 2, 3, 3], [0, 0, 1, 1, 0, 0]) == 0.0


def test_flat_responses_are_called_turning_no_more_often_than_said() -> None:
    rng = np.random.default_rng(0)
    p_values = [turning_p_value(DOSES, rng.normal(size=15)) for _ in range(600)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.07


def test_without_replicates_it_is_unknown() -> None:
    assert math.isnan(turning_p_value([1, 2, 3], [0, 2, 1]))


def test_lengths_must_agree() -> None:
    with pytest.raises(InvalidInputError, match="`responses` must have a value"):
        turning_p_value([1, 2], [1])
