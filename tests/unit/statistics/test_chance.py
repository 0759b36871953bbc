from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics import is_at_chance

TWO, THREE = ("diseased", "healthy"), ("a", "b", "c")


@pytest.mark.parametrize("seed", range(5))
def test_two_classes_agree_with_scikit_learn_and_scipy(seed) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [8, 4])
    scores = rng.normal(labels * seed / 2, 1)
    found = is_at_chance(scores, labels, TWO, seed=0)
    exact = stats.mannwhitneyu(
        scores[labels == 1], scores[labels == 0], alternative="greater", method="exact"
    )
    assert found.statistic == "AUC"
    assert found.score.value == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert found.p_value == pytest.approx(exact.pvalue)
    assert found.at_chance == (exact.pvalue > 0.02)
    assert bool(found) == found.at_chance


def test_eight_against_four_perfect_wells() -> None:
    found = is_at_chance([0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22, 23], [0] * 8 + [1] * 4, TWO, seed=0)
    assert found.p_value == pytest.approx(1 / 495)
    assert not found.at_chance
    assert (found.score.value, found.score.high) == (1, 1)
    assert found.score.low < 0.8
    assert found.reason.startswith("The classes are told apart")


def test_worse_than_chance_is_at_chance() -> None:
    scores = np.r_[np.arange(10.0, 18), np.arange(8.0)]
    found = is_at_chance(scores, [0] * 8 + [1] * 8, TWO, seed=0)
    assert found.score.value == 0
    assert found.p_value == pytest.approx(1)
    assert found.at_chance


def test_equal_scores_are_at_chance() -> None:
    found = is_at_chance(np.zeros(12), [0] * 6 + [1] * 6, TWO, seed=0)
    assert (found.score.value, found.p_value, found.at_chance) == (0.5, 1, True)
    assert "not told apart" in found.reason


def test_many_wells_use_add_one_and_repeat() -> None:
    labels = np.repeat([0, 1], 24)
    scores = np.random.default_rng(0).normal(3.0 * labels, 0.1)
    found = is_at_chance(scores, labels, TWO, seed=0, n_permutations=999)
    assert found.p_value == pytest.approx(1 / 1000)
    assert found == is_at_chance(scores, labels, TWO, seed=0, n_permutations=999)


def test_too_few_wells_are_no_evidence() -> None:
    found = is_at_chance([0, 1, 2, 7, 8, 9], [0, 0, 0, 1, 1, 1], TWO, seed=0)
    assert found.score.value == 1
    assert found.at_chance
    assert not found.decidable
    assert found.reason.startswith("Too few wells")


def test_three_classes_use_balanced_accuracy() -> None:
    labels = np.repeat([0, 1, 2], [6, 4, 4])
    good = np.eye(3)[labels] * 0.8
    good[0] = [0.1, 0.9, 0.0]
    found = is_at_chance(good, np.array(THREE)[labels], THREE, seed=0)
    assert found.statistic == "balanced accuracy"
    assert found.score.value == pytest.approx(
        metrics.balanced_accuracy_score(labels, good.argmax(1))
    )
    assert found.chance == pytest.approx(1 / 3)
    assert not found.at_chance
    one_call = is_at_chance(np.tile([1.0, 0, 0], (14, 1)), labels, THREE, seed=0)
    assert one_call.at_chance
    assert one_call.p_value == 1


def test_a_class_without_wells_cannot_be_tested() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="no well is of class healthy"):
        found = is_at_chance([1.0, 2.0], [0, 0], TWO, seed=0)
    assert found.at_chance
    assert not found.decidable
    assert math.isnan(found.p_value)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["p_value"] is None


def test_null_screens_stay_silent() -> None:
    # Independent wells: the test itself must hold its level, 2 % of 200 screens and room for 4 SD.
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [8, 6])
    loud = sum(
        not is_at_chance(
            rng.normal(size=14), labels, TWO, seed=0, n_permutations=499, n_resamples=100
        ).at_chance
        for _ in range(200)
    )
    assert loud <= 12


@pytest.mark.parametrize(
    ("scores", "labels", "names", "message"),
    [
        ([1, 2], [0, 1, 1], TWO, r"`scores` must have shape \(3,\)"),
        ([[1, 2], [3, 4]], [0, 1], TWO, r"got \(2, 2\)"),
        ([1.0, 2.0, 3.0], [0, 1, 2], THREE, r"must have shape \(3, 3\)"),
        ([1.0, math.nan], [0, 1], TWO, "`scores` must be finite"),
        ([1.0, 2.0], ["diseased", "sick"], TWO, "`labels` must hold the classes"),
    ],
)
def test_invalid_input_is_named(scores, labels, names, message) -> None:
    with pytest.raises(InvalidInputError, match=message):
        is_at_chance(scores, labels, names, seed=0)


@pytest.mark.parametrize("names", [TWO, THREE])
def test_a_class_of_one_well_is_permuted_like_any_other(names) -> None:
    labels = np.repeat(np.arange(len(names)), [4, 1, 4][: len(names)])
    scores = labels.astype(float) if len(names) == 2 else np.eye(3)[labels]
    found = is_at_chance(scores, labels, names, seed=0)
    ways = 5 if len(names) == 2 else 630  # of dealing the wells to the classes
    assert found.p_value == pytest.approx(1 / ways, rel=0.25)
