from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics import share_by_well, well_bootstrap, well_means
from counterstain.statistics.intervals import estimate_from_resamples, wilson_interval
from counterstain.statistics.resampling import draw_counts


def mean_of(sample):
    return sample.mean(axis=1)


def difference(first, second):
    return second.mean(axis=1) - first.mean(axis=1)


def test_well_means_by_sorted_well() -> None:
    means = well_means([4, 1, 3, 8], ["B01", "A01", "A01", "B01"])
    assert means.tolist() == [2, 6]


def test_order_of_rows_changes_no_interval() -> None:
    rng = np.random.default_rng(0)
    wells = np.repeat([f"A{i:02d}" for i in range(1, 9)], 10)
    hits = rng.random(80) < 0.7
    order = rng.permutation(80)
    assert share_by_well(hits, wells, seed=1) == share_by_well(hits[order], wells[order], seed=1)


def test_crops_of_one_well_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    hits = rng.random(12) < 0.6
    once = share_by_well(hits, np.arange(12), seed=0)
    copied = share_by_well(np.repeat(hits, 50), np.repeat(np.arange(12), 50), seed=0)
    assert (copied.value, copied.low, copied.high) == (once.value, once.low, once.high)
    assert copied.n_wells == 12


def test_agrees_with_the_t_interval_of_a_mean() -> None:
    # The expanded levels are made so that symmetric data give the t interval.
    sample = stats.norm.ppf((np.arange(12) + 0.5) / 12)
    found = well_bootstrap(mean_of, [sample], seed=0, n_resamples=20_000)
    expected = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
    assert found.low == pytest.approx(expected.low, rel=0.08)
    assert found.high == pytest.approx(expected.high, rel=0.08)


def test_acceleration_agrees_with_scipy_bca() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.lognormal(size=60), rng.lognormal(size=80)
    ours = well_bootstrap(difference, [first, second], seed=0, n_resamples=20_000)
    theirs = stats.bootstrap(
        (first, second),
        lambda a, b, axis: b.mean(axis=axis) - a.mean(axis=axis),
        n_resamples=20_000,
        method="BCa",
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    # With 60 wells the expansion of the levels is 3 %.
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.06 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.06 * width)


def test_draws_stay_within_their_class() -> None:
    counts = draw_counts(np.array([0, 1, 0, 1, 1]), 500, seed=0)
    assert np.all(counts[:, [0, 2]].sum(axis=1) == 2)
    assert np.all(counts[:, [1, 3, 4]].sum(axis=1) == 3)
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.15)


def test_blocks_change_nothing(monkeypatch) -> None:
    sample = np.random.default_rng(0).normal(size=9)
    whole = well_bootstrap(mean_of, [sample], seed=0)
    monkeypatch.setattr("counterstain.statistics.resampling._BLOCK", 90)
    assert well_bootstrap(mean_of, [sample], seed=0) == whole


def test_undefined_resamples_are_counted() -> None:
    def sometimes(sample):
        return np.where(sample.min(axis=1) < 0.5, sample.mean(axis=1), np.nan)

    found = well_bootstrap(sometimes, [[0, 1, 2, 3, 4]], seed=0, n_resamples=1000)
    assert found.low < found.value < found.high
    assert "of 1000 resamples" in found.reason


def test_mostly_undefined_resamples_give_no_interval() -> None:
    def rarely(sample):
        distinct = (np.diff(np.sort(sample, axis=1), axis=1) > 0).sum(axis=1)
        return np.where(distinct == sample.shape[1] - 1, sample.mean(axis=1), np.nan)

    found = well_bootstrap(rarely, [[0, 1, 2, 3, 4]], seed=0)
    assert found.value == 2
    assert math.isnan(found.low)
    assert found.reason.startswith("no interval: ")


def test_undefined_statistic_says_so() -> None:
    found = well_bootstrap(lambda sample: np.full(len(sample), np.nan), [[1, 2, 3]], seed=0)
    assert not found.is_defined
    assert found.n_wells == 3


def test_no_spread_gives_no_interval() -> None:
    found = well_bootstrap(mean_of, [[2.0] * 6], seed=0)
    assert found.value == 2
    assert math.isnan(found.high)
    assert "same value" in found.reason


def test_two_wells_give_no_interval() -> None:
    found = well_bootstrap(difference, [[1, 2], [3, 4, 5]], seed=0)
    assert "got 2" in found.reason
    assert "got 1" in well_bootstrap(difference, [[1], [3, 4, 5]], seed=0).reason


def test_extreme_acceleration_stays_within_the_resamples() -> None:
    resamples = np.linspace(0, 1, 101)
    found = estimate_from_resamples(0.5, resamples, [np.array([0.5, 0.5, 9.0])], n_wells=3)
    assert 0 <= found.low <= found.high <= 1


def test_all_hits_are_not_certainty() -> None:
    found = share_by_well([True] * 80, np.repeat(np.arange(8), 10), seed=0)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(
        stats.binomtest(8, 8).proportion_ci(method="wilson").low, rel=1e-9
    )
    none = share_by_well([False] * 80, np.repeat(np.arange(8), 10), seed=0)
    assert (none.low, none.high) == (0, pytest.approx(1 - found.low))


def test_share_of_nothing_is_undefined() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="there is no row"):
        assert not share_by_well([], [], seed=0).is_defined


def test_wilson_agrees_with_scipy() -> None:
    expected = stats.binomtest(7, 9).proportion_ci(0.9, method="wilson")
    assert wilson_interval(7 / 9, 9, 0.9) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hits": [0.5, 1], "wells": ["A01", "A02"]}, "`hits` must be true or false"),
        ({"hits": [0, 1], "wells": ["A01"]}, "`wells` must name the well of each of the 2 rows"),
        ({"hits": [0, 1], "wells": ["A01", None]}, "got none at position 1"),
        ({"hits": [0, 1], "wells": ["A01", "A01"], "classes": [0, 1]}, "two classes in well 'A01'"),
        ({"hits": [0, 1], "wells": ["A01", "A02"], "n_resamples": 10}, "`n_resamples` must be 100"),
        ({"hits": [0, 1], "wells": ["A01", "A02"], "confidence": 95}, "`confidence` must lie"),
    ],
)
def test_invalid_input_is_named(arguments, message) -> None:
    with pytest.raises(InvalidInputError, match=message):
        share_by_well(**arguments, seed=0)


def test_a_class_without_wells_is_named() -> None:
    with pytest.raises(InvalidInputError, match="got none in class 1"):
        well_bootstrap(difference, [[1, 2], []], seed=0)
