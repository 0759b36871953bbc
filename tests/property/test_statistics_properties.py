from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from counterstain.errors import UndefinedStatisticWarning
from counterstain.statistics import (
    benjamini_hochberg,
    classification_summary,
    dose_trend,
    measure_separation,
    robust_z_prime,
    share_by_well,
    ssmd,
    z_prime,
)

MEASURES = [z_prime, robust_z_prime, ssmd]
# Multiples of 1/64: sums are exact, so that tolerances come from the division alone.
numbers = st.integers(-6400, 6400).map(lambda n: n / 64)
controls = st.lists(numbers, min_size=2, max_size=12)


def quietly(measure, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedStatisticWarning)
        return measure(*arguments)


@pytest.mark.parametrize("measure", MEASURES)
@given(negative=controls, positive=controls)
def test_swapping_controls_changes_nothing(measure, negative, positive) -> None:
    here, there = quietly(measure, negative, positive), quietly(measure, positive, negative)
    assert here == pytest.approx(there, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("measure", MEASURES)
@given(
    negative=controls,
    positive=controls,
    power=st.integers(-20, 20),
    sign=st.sampled_from([-1, 1]),
    shift=st.integers(-100, 100),
)
def test_unit_and_zero_point_change_nothing(
    measure, negative, positive, power, sign, shift
) -> None:
    here = quietly(measure, negative, positive)
    scale = sign * 2.0**power
    moved = [(np.array(values) + shift) * scale for values in (negative, positive)]
    # Means at least 1/(64 * 144) apart of values up to 200: 200 eps x 144 x 64 < 1e-9.
    assert quietly(measure, *moved) == pytest.approx(here, rel=1e-8, abs=1e-8, nan_ok=True)


@given(negative=controls, positive=controls)
def test_bounds(negative, positive) -> None:
    for measure in (z_prime, robust_z_prime):
        value = quietly(measure, negative, positive)
        assert math.isnan(value) or value <= 1
    value = quietly(ssmd, negative, positive)
    assert math.isnan(value) or value >= 0


@given(negative=controls, positive=controls)
def test_never_a_warning_other_than_ours_nor_an_infinite_number(negative, positive) -> None:
    for measure in MEASURES:
        value = quietly(measure, negative, positive)
        assert math.isnan(value) or math.isfinite(value)


@settings(max_examples=30, deadline=None)
@given(
    negative=st.lists(numbers, min_size=3, max_size=8),
    positive=st.lists(numbers, min_size=3, max_size=8),
    seed=st.integers(0, 2**32 - 1),
)
def test_intervals_are_ordered_and_repeat(negative, positive, seed) -> None:
    def measure():
        return quietly(lambda: measure_separation(negative, positive, seed=seed, n_resamples=200))

    found = measure()
    assert repr(found) == repr(measure())
    for estimate in (found.z_prime, found.robust_z_prime, found.ssmd):
        assert math.isnan(estimate.low) == math.isnan(estimate.high)
        assert math.isnan(estimate.low) or estimate.low <= estimate.high
        if math.isnan(estimate.low):
            assert estimate.reason


@settings(deadline=None)
@given(
    hits=st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=3, max_size=10),
    seed=st.integers(0, 1000),
)
def test_shares_lie_within_their_interval(hits, seed) -> None:
    wells = np.repeat(np.arange(len(hits)), [len(well) for well in hits])
    found = share_by_well(np.concatenate(hits), wells, seed=seed, n_resamples=200)
    assert 0 <= found.value <= 1
    assert math.isnan(found.low) or 0 <= found.low <= found.value <= found.high <= 1


@settings(deadline=None)
@given(
    calls=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40).filter(
        lambda rows: {true for true, _ in rows} == {0, 1, 2}
    )
)
def test_class_table_agrees_with_scikit_learn(calls) -> None:
    true, called = np.array(calls).T
    found = quietly(
        lambda: classification_summary(
            true, called, np.arange(len(true)), "abc", well_true=true, well_predicted=called,
            seed=0, n_resamples=100,
        )
    )  # fmt: skip
    expected = metrics.precision_recall_fscore_support(
        true, called, labels=[0, 1, 2], zero_division=np.nan
    )
    assert [row.precision.value for row in found.per_class] == pytest.approx(
        expected[0].tolist(), nan_ok=True
    )
    assert [row.recall.value for row in found.per_class] == pytest.approx(expected[1].tolist())
    assert [row.f1.value for row in found.per_class] == pytest.approx(expected[2].tolist())
    assert found.accuracy.value == pytest.approx(found.well_accuracy.value)


p_values = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@settings(deadline=None)
@given(p_values=p_values, data=st.data())
def test_q_values(p_values, data) -> None:
    q_values = benjamini_hochberg(p_values)
    assert np.all(q_values >= np.array(p_values) * (1 - 1e-12))
    assert np.all(q_values <= 1)
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(q_values[order]) >= -1e-15)
    shuffled = data.draw(st.permutations(range(len(p_values))))
    assert benjamini_hochberg(np.array(p_values)[shuffled]) == pytest.approx(q_values[shuffled])


@given(
    pairs=st.lists(
        st.tuples(st.integers(1, 30), st.integers(-50, 50)),
        min_size=3,
        max_size=12,
        unique_by=(lambda pair: pair[0], lambda pair: pair[1]),
    )
)
def test_dose_trend_sees_only_ranks(pairs) -> None:
    doses, scores = np.array(pairs, dtype=float).T
    assume(len(doses) >= 3)
    found = dose_trend(doses, scores).spearman
    assert -1 <= found <= 1
    assert dose_trend(2.0 ** (doses / 4), np.exp(scores / 25)).spearman == pytest.approx(found)
    assert dose_trend(doses, -scores).spearman == pytest.approx(-found)
