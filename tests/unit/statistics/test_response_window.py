from __future__ import annotations

import math

import numpy as np
import pytest

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics import z_prime
from counterstain.statistics.response_window import v_factor

NEGATIVE, POSITIVE = [1, 1.2, 0.8, 1.1, 0.9], [5, 5.5, 4.5, 5.2, 4.8]


def test_two_groups_give_z_prime() -> None:
    groups = ["a"] * 5 + ["b"] * 5
    assert v_factor(NEGATIVE + POSITIVE, groups) == pytest.approx(z_prime(NEGATIVE, POSITIVE))


def test_noisy_wells_in_between_lower_it() -> None:
    # By hand: SDs sqrt(2)/10, sqrt(2), sqrt(2)/10, window 4.
    values, groups = [0.9, 1.1, 2.0, 4.0, 4.9, 5.1], [0, 0, 1, 1, 2, 2]
    assert v_factor(values, groups) == pytest.approx(1 - 6 * (1.2 * math.sqrt(2) / 3) / 4)


def test_groups_of_one_well_take_no_part() -> None:
    groups = ["a"] * 5 + ["b"] * 5 + ["c"]
    assert v_factor([*NEGATIVE, *POSITIVE, 99], groups) == pytest.approx(0.595823, abs=5e-7)


@pytest.mark.parametrize(
    ("values", "groups", "why"),
    [([1, 2, 3], ["a", "a", "b"], "1 group"), ([1, 2, 1, 2], list("aabb"), "means of all groups")],
)
def test_undefined_with_a_reason(values, groups, why) -> None:
    with pytest.warns(UndefinedStatisticWarning, match=why):
        assert math.isnan(v_factor(values, groups))


def test_bad_input_is_named() -> None:
    with pytest.raises(InvalidInputError, match="`groups` must name"):
        v_factor([1, 2], ["a"])
    with pytest.raises(InvalidInputError, match="`values` must be finite"):
        v_factor([1, np.nan], ["a", "b"])
