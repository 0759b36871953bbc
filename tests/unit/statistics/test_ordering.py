from __future__ import annotations

import json
import math

import pytest
from scipy import stats

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics import dose_trend


def test_agrees_with_scipy_on_dose_means() -> None:
    doses, scores = [0, 0, 1, 1, 3, 10, 30], [0.2, 0.0, 0.6, 0.4, 0.3, 0.9, 1.4]
    found = dose_trend(doses, scores)
    expected = stats.spearmanr([0, 1, 3, 10, 30], [0.1, 0.5, 0.3, 0.9, 1.4]).statistic
    assert found.spearman == pytest.approx(expected)
    assert (found.n_doses, found.n_wells) == (5, 7)
    assert found.means == pytest.approx((0.1, 0.5, 0.3, 0.9, 1.4))


def test_perfect_orders_are_exactly_one() -> None:
    assert dose_trend([1, 2, 4, 8, 16, 32, 64], [1, 2, 3, 4, 5, 6, 7]).spearman == 1
    assert dose_trend([1, 2, 4], [3, 2, 1]).spearman == -1


def test_doses_that_differ_by_rounding_are_one() -> None:
    assert dose_trend([0.3, 0.1 + 0.2, 1, 2], [0, 1, 2, 3]).n_doses == 3


@pytest.mark.parametrize(
    ("doses", "scores", "why"),
    [
        ([1, 1, 2], [1, 2, 3], "3 doses or more, got 2"),
        ([], [], "3 doses or more, got 0"),
        ([1, 2, 3], [5, 5, 5], "all doses score the same"),
    ],
)
def test_undefined_with_a_reason(doses, scores, why) -> None:
    with pytest.warns(UndefinedStatisticWarning, match=why):
        found = dose_trend(doses, scores)
    assert math.isnan(found.spearman)
    assert why in found.reason
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["spearman"] is None


@pytest.mark.parametrize(
    ("doses", "scores", "message"),
    [
        ([1, 2], [1], "a value for each of the 2 wells"),
        ([-1, 2], [1, 2], "`concentrations` must be 0 or more; got -1"),
        ([1, math.nan], [1, 2], "`concentrations` must be finite"),
        ([1, 2], [1, math.inf], "`scores` must be finite"),
    ],
)
def test_invalid_input_is_named(doses, scores, message) -> None:
    with pytest.raises(InvalidInputError, match=message):
        dose_trend(doses, scores)
