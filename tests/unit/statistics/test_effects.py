from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics import difference_by_well, mean_by_well, paired_change_by_well


def plate(seed: int = 0, shift: float = 0.0, n_wells: int = 8, cells: int = 20):
    rng = np.random.default_rng(seed)
    wells = np.repeat(np.arange(n_wells), cells)
    return 10 + shift + rng.normal(size=n_wells)[wells] + rng.normal(size=wells.size), wells


def test_difference_is_b_minus_a_and_close_to_welch() -> None:
    (first, wells), (second, _) = plate(0), plate(1, shift=3)
    found = difference_by_well(first, wells, second, wells, seed=0)
    means = [values.reshape(8, 20).mean(1) for values in (first, second)]
    welch = stats.ttest_ind(means[1], means[0], equal_var=False).confidence_interval()
    assert found.value == pytest.approx(means[1].mean() - means[0].mean())
    assert found.n_wells == 16
    # The expansion takes the smaller class for its degrees of freedom: wider, by at most a third.
    assert welch.low - 0.35 * (welch.high - welch.low) < found.low < welch.low + 0.1
    assert welch.high - 0.1 < found.high < welch.high + 0.35 * (welch.high - welch.low)


def test_more_cells_of_a_well_give_it_no_more_weight() -> None:
    found = difference_by_well([0, 0], [1, 2], [3, 3, 3, 1], [1, 1, 1, 2], seed=0)
    assert found.value == 2


def test_relative_difference_is_a_share_of_a() -> None:
    (first, wells), (second, _) = plate(0), plate(1, shift=3)
    plain = difference_by_well(first, wells, second, wells, seed=0)
    share = difference_by_well(first, wells, second, wells, seed=0, relative=True)
    assert share.value == pytest.approx(plain.value / first.mean())
    negative = difference_by_well(-first, wells, -second, wells, seed=0, relative=True)
    assert negative.value == pytest.approx(-share.value)


def test_relative_to_zero_is_undefined() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="relative to is zero"):
        found = difference_by_well([-1, 1], [1, 2], [3, 4], [1, 2], seed=0, relative=True)
    assert not found.is_defined
    with pytest.warns(UndefinedStatisticWarning, match="relative to is zero"):
        paired_change_by_well([0.1, 0.2, -0.3], [1, 2, 3], [1, 2, 3], seed=0, relative=True)


def test_paired_change_is_surer_than_a_difference() -> None:
    before, wells = plate(0)
    after = before + 0.5 + np.random.default_rng(1).normal(0, 0.1, before.size)
    paired = paired_change_by_well(before, after, wells, seed=0)
    apart = difference_by_well(before, wells, after, wells, seed=0)
    assert paired.value == pytest.approx(apart.value)
    assert paired.n_wells == 8
    assert paired.high - paired.low < 0.2 * (apart.high - apart.low)
    share = paired_change_by_well(before, after, wells, seed=0, relative=True)
    assert share.value == pytest.approx(paired.value / before.mean())


def test_mean_by_well() -> None:
    values, wells = plate(0)
    found = mean_by_well(values, wells, seed=0)
    assert found.value == pytest.approx(values.mean())
    assert found.low < found.value < found.high
    assert math.isnan(mean_by_well([1, 2], [1, 2], seed=0).low)


def test_nothing_is_undefined() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="a group has no well"):
        assert not mean_by_well([], [], seed=0).is_defined
    with pytest.warns(UndefinedStatisticWarning, match="a group has no well"):
        assert not difference_by_well([1], [1], [], [], seed=0).is_defined


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(InvalidInputError, match="`after` must have a value for each of the 2"):
        paired_change_by_well([1, 2], [1], [1, 2], seed=0)
