from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve
from statsmodels.stats.proportion import proportion_confint

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics.threshold_roc import (
    DEFAULT_THRESHOLD,
    calls_by_threshold,
    interaction_threshold,
)


def controls(seed: int = 0, n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0.1, 0.06, n), rng.normal(0.25, 0.06, n)


def test_the_curve_and_its_area_agree_with_scikit_learn() -> None:
    low, high = controls()
    truth, scores = np.repeat([0, 1], 24), np.concatenate([low, high])
    found = interaction_threshold(low, high)
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert found.false_positive_rate == pytest.approx(fpr)
    assert found.true_positive_rate == pytest.approx(tpr)
    assert found.auc.value == pytest.approx(roc_auc_score(truth, scores))
    assert found.auc.low < found.auc.value < found.auc.high


def test_the_threshold_has_the_largest_youden_index() -> None:
    low, high = controls()
    found = interaction_threshold(low, high)
    index = (high >= found.threshold).mean() - (low >= found.threshold).mean()
    fpr, tpr, _ = roc_curve(np.repeat([0, 1], 24), np.concatenate([low, high]))
    assert index == pytest.approx((tpr - fpr).max())


def test_controls_are_judged_by_the_others() -> None:
    low, high = controls()
    found = interaction_threshold(low, high)
    apparent = (high >= found.threshold).mean() + (low < found.threshold).mean()
    assert found.sensitivity.value + found.specificity.value <= apparent
    # Pure noise has no right to look separable.
    noise = np.random.default_rng(1).normal(size=(200, 2, 8))
    sums = []
    for a, b in noise:
        one = interaction_threshold(a, b)
        sums.append(one.sensitivity.value + one.specificity.value)
    assert np.mean(sums) < 1.1


def test_a_given_threshold_is_judged_as_it_is() -> None:
    low, high = controls()
    found = interaction_threshold(low, high, threshold=0.2)
    assert (found.threshold, found.source) == (0.2, "given")
    assert found.sensitivity.value == (high >= 0.2).mean()
    wilson = proportion_confint(int((low < 0.2).sum()), 24, method="wilson")
    assert (found.specificity.low, found.specificity.high) == pytest.approx(wilson)
    assert found.calls([0.2, 0.19, np.nan]).tolist() == [True, False, False]


def test_without_controls_the_default_holds() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="fewer than 2 positive control wells"):
        found = interaction_threshold([0.1, 0.2, 0.1], [])
    assert (found.threshold, found.source) == (DEFAULT_THRESHOLD, "default")
    assert found.specificity.value == pytest.approx(2 / 3)
    assert not found.sensitivity.is_defined
    assert not found.auc.is_defined
    json.dumps(found.to_json(), allow_nan=False)


def test_calls_follow_the_threshold() -> None:
    scores = [0.05, 0.15, 0.25, 0.35, 0.30]
    groups = ["none", "none", "ConA", "ConA", "OVA"]
    rows = calls_by_threshold(
        scores, groups, [0.1, 0.2, 0.3], negative="none", positive="ConA", reference=0.2
    )
    assert [row.called["ConA"] for row in rows] == [2, 2, 1]
    assert [row.called["OVA"] for row in rows] == [1, 1, 1]
    assert [row.specificity.value for row in rows] == [0.5, 1.0, 1.0]
    assert [row.sensitivity.value for row in rows] == [1.0, 1.0, 0.5]
    assert [row.changed for row in rows] == [1, 0, 1]
    json.dumps([row.to_json() for row in rows], allow_nan=False)


def test_groups_that_are_no_controls_leave_the_shares_undefined() -> None:
    row = calls_by_threshold([0.1, 0.3], ["a", "b"], [0.2])[0]
    assert not row.sensitivity.is_defined
    assert not row.specificity.is_defined


def test_bad_input_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="`negative` must be finite"):
        interaction_threshold([np.nan], [1.0])
    with pytest.raises(InvalidInputError, match="Youden's threshold"):
        interaction_threshold([0.1], [1.0], threshold=np.inf)
    with pytest.raises(InvalidInputError, match="each of the 2 wells"):
        calls_by_threshold([0.1, 0.2], ["a"], [0.2])
