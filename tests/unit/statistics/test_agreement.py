from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics.agreement import bland_altman, concordance, rank_correlation

# Peak expiratory flow rate (l/min) of 17 subjects, first readings: Bland & Altman 1986, table 1.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_published_data_give_the_published_limits() -> None:
    found = bland_altman(WRIGHT, MINI)
    assert found.n_wells == 17
    assert found.bias.value == pytest.approx(-2.118, abs=5e-4)
    assert found.sd == pytest.approx(38.765, abs=5e-4)
    assert found.lower_limit.value == pytest.approx(-78.10, abs=5e-3)
    assert found.upper_limit.value == pytest.approx(73.86, abs=5e-3)


def test_intervals_follow_the_paper() -> None:
    # The paper gives -22.0 to 17.8 for the bias and t = 2.12 with SE sqrt(3 / n) SD for the limits.
    found = bland_altman(WRIGHT, MINI)
    assert (found.bias.low, found.bias.high) == pytest.approx((-22.0, 17.8), abs=0.1)
    reach = stats.t.ppf(0.975, 16) * math.sqrt(3 / 17) * found.sd
    assert found.lower_limit.low == pytest.approx(found.lower_limit.value - reach)
    assert found.upper_limit.high == pytest.approx(found.upper_limit.value + reach)


def test_a_stretched_scale_shows_as_a_slope() -> None:
    values = np.linspace(1, 9, 20)
    assert bland_altman(values, values + 3).slope == pytest.approx(0)
    assert bland_altman(1.2 * values, 0.8 * values).slope == pytest.approx(0.4)


def test_concordance_by_its_definition() -> None:
    a, b = np.array(WRIGHT, float), np.array(MINI, float)
    shared = 2 * np.mean((a - a.mean()) * (b - b.mean()))
    expected = shared / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    found = concordance(WRIGHT, MINI)
    assert found.value == pytest.approx(expected)
    assert found.low < expected < found.high < 1
    assert concordance(a, a).value == pytest.approx(1)
    assert concordance(a, a + 500).value < 0.1


def test_the_interval_of_concordance_covers() -> None:
    rng = np.random.default_rng(0)
    true, hits = 0.8 / (1 + 0.5 * 0.3**2), 0
    for _ in range(400):
        pairs = rng.multivariate_normal([0, 0.3], [[1, 0.8], [0.8, 1]], 40)
        found = concordance(*pairs.T)
        hits += found.low <= true <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_rank_correlation_agrees_with_scipy() -> None:
    found = rank_correlation(WRIGHT, MINI)
    assert found.value == pytest.approx(stats.spearmanr(WRIGHT, MINI).statistic)
    assert found.low < found.value < found.high
    assert rank_correlation([1, 2, 3, 4], [1, 4, 9, 16]).value == 1


@pytest.mark.parametrize("function", [bland_altman, concordance, rank_correlation])
def test_too_few_wells_are_undefined(function: object) -> None:
    with pytest.warns(UndefinedStatisticWarning, match="or more, got 2"):
        found = function([1, 2], [2, 1])  # type: ignore[operator]
    assert "or more, got 2" in found.reason


def test_equal_values_are_undefined() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="all values are equal"):
        assert math.isnan(concordance([2, 2, 2], [2, 2, 2]).value)
    with pytest.warns(UndefinedStatisticWarning, match="of a column are equal"):
        assert math.isnan(rank_correlation([2, 2, 2, 2], [1, 2, 3, 4]).value)


def test_bad_columns_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="each of the 3 wells"):
        bland_altman([1, 2, 3], [1, 2])
    with pytest.raises(InvalidInputError, match="finite"):
        concordance([1, 2, np.nan], [1, 2, 3])
    with pytest.raises(InvalidInputError, match="95 %"):
        bland_altman(WRIGHT, MINI, confidence=95)
