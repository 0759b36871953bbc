from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics import (
    benjamini_hochberg,
    difference_p_value,
    paired_change_p_value,
    standardised_difference,
)

GOLDEN = json.loads(
    (Path(__file__).parents[2] / "golden" / "statistics_reference.json").read_text("utf-8")
)
WELLS = np.arange(5)


def test_benjamini_hochberg_1995() -> None:
    p_values = np.array(GOLDEN["p_values"])
    q_values = benjamini_hochberg(p_values)
    assert np.count_nonzero(q_values <= 0.05) == 4
    assert np.count_nonzero(p_values * p_values.size <= 0.05) == 3
    assert q_values == pytest.approx(GOLDEN["q_values"], rel=1e-12)
    assert q_values == pytest.approx(stats.false_discovery_control(p_values))


def test_tests_that_could_not_be_made_are_no_part_of_the_family() -> None:
    q_values = benjamini_hochberg([0.01, math.nan, 0.04])
    assert q_values[[0, 2]] == pytest.approx([0.02, 0.04])
    assert math.isnan(q_values[1])
    assert np.isnan(benjamini_hochberg([math.nan])).all()
    assert benjamini_hochberg([]).size == 0


@pytest.mark.parametrize("bad", [[0.1, 1.5], [-0.1], [[0.1, 0.2]], [math.inf]])
def test_p_values_out_of_range_are_named(bad) -> None:
    with pytest.raises(InvalidInputError, match="`p_values` must"):
        benjamini_hochberg(bad)


def test_welch_on_well_means() -> None:
    found = difference_p_value(GOLDEN["negative"], WELLS, GOLDEN["positive"], WELLS)
    assert found == pytest.approx(GOLDEN["welch_p"])
    # Two cells a well with the same mean: the test must not see twice as many replicates.
    doubled = difference_p_value(
        np.repeat(GOLDEN["negative"], 2), np.repeat(WELLS, 2), GOLDEN["positive"], WELLS
    )
    assert doubled == pytest.approx(found)


def test_paired_t_on_well_changes() -> None:
    before, after = np.array(GOLDEN["negative"]), np.array(GOLDEN["positive"])
    expected = stats.ttest_rel(after, before).pvalue
    assert paired_change_p_value(before, after, WELLS) == pytest.approx(expected)


def test_hedges_g_by_hand() -> None:
    # Means 2 and 6, pooled SD 1, 4 degrees of freedom: 4 x (1 - 3 / 15).
    assert standardised_difference([1, 2, 3], [1, 2, 3], [5, 6, 7], [1, 2, 3]) == pytest.approx(3.2)
    assert standardised_difference([5, 6, 7], [1, 2, 3], [1, 2, 3], [1, 2, 3]) == pytest.approx(
        -3.2
    )


@pytest.mark.parametrize("measure", [difference_p_value, standardised_difference])
def test_undefined_for_one_well_or_no_spread(measure) -> None:
    with pytest.warns(UndefinedStatisticWarning, match="1 well"):
        assert math.isnan(measure([1, 2], [1, 1], [1, 2], [1, 2]))
    with pytest.warns(UndefinedStatisticWarning, match="no spread"):
        assert math.isnan(measure([0.1, 0.1], [1, 2], [0.3, 0.3], [1, 2]))


def test_undefined_paired_test() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="no spread"):
        assert math.isnan(paired_change_p_value([1, 2, 3], [2, 3, 4], [1, 2, 3]))
    with pytest.warns(UndefinedStatisticWarning, match="1 well"):
        assert math.isnan(paired_change_p_value([1], [2], [1]))
