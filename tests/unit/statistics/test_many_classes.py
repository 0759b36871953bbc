"""Many classes: calibration, temperature, hierarchy, Z' of pairs, means over classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics
from sklearn.calibration import calibration_curve

from counterstain.errors import InvalidInputError
from counterstain.statistics import (
    class_hierarchy,
    classification_summary,
    expected_calibration_error,
    fit_temperature,
    z_prime,
    z_prime_matrix,
)

NAMES = ("a", "b", "c")


def drawn(n: int, k: int, seed: int = 0, sharpness: float = 2.0):
    """Logits and classes drawn from their own softmax: calibrated by construction."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sharpness, (n, k))
    true = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return logits, true, np.repeat(np.arange(n // 20), 20)


def test_calibration_error_by_hand() -> None:
    # Two crops at 0.9 of which one is right: gap 0.4; three at 0.55 all right: gap 0.45.
    rows = [[0.9, 0.1], [0.1, 0.9], [0.55, 0.45], [0.45, 0.55], [0.55, 0.45]]
    found = expected_calibration_error(
        rows, [0, 0, 0, 1, 0], list("vwxyz"), ["s", "h"], seed=0, bins=10
    )
    assert found.error.value == pytest.approx((2 * 0.4 + 3 * 0.45) / 5)
    assert found.confidence.value == pytest.approx((2 * 0.4 - 3 * 0.45) / 5)
    full = [part for part in found.bins if part.n_crops]
    assert [(part.low, part.n_crops, part.n_wells) for part in full] == [(0.5, 3, 3), (0.8, 2, 2)]
    assert found.log_loss.value == pytest.approx(
        -(math.log(0.9) + math.log(0.1) + 3 * math.log(0.55)) / 5
    )


def test_bins_agree_with_scikit_learn() -> None:
    logits, true, wells = drawn(4000, 2)
    table = softmax(1.7 * logits, axis=1)
    found = expected_calibration_error(table, true, wells, ["s", "h"], seed=0, bins=10)
    sure, right = table.max(1), table.argmax(1) == true
    shares, means = calibration_curve(right, sure, n_bins=10)
    full = [part for part in found.bins if part.n_crops]
    assert [part.accuracy for part in full] == pytest.approx(shares.tolist())
    assert [part.confidence for part in full] == pytest.approx(means.tolist())
    assert found.log_loss.value == pytest.approx(metrics.log_loss(true, table))


def test_calibrated_probabilities_have_little_error_and_overconfident_ones_much() -> None:
    logits, true, wells = drawn(6000, 5)
    honest = expected_calibration_error(softmax(logits, 1), true, wells, list("abcde"), seed=0)
    sure = expected_calibration_error(softmax(4 * logits, 1), true, wells, list("abcde"), seed=0)
    assert honest.error.value < 0.03
    assert sure.error.value > 0.1
    assert sure.confidence.low > 0.1
    assert sure.error.low < sure.error.value < sure.error.high


def test_certain_probabilities_fall_into_the_last_bin() -> None:
    found = expected_calibration_error(
        [[1.0, 0.0]] * 4, [0, 0, 0, 1], list("wxyz"), ["s", "h"], seed=0
    )
    assert found.bins[-1].n_crops == 4
    assert found.error.value == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("table", "true", "match"),
    [
        ([[0.9, 0.2]], [0], r"sum to 1.*softmax"),
        ([[-0.1, 1.1]], [0], "0 or more"),
        ([[math.nan, 1.0]], [0], "row 0"),
        ([[0.5, 0.5]], [0, 1], r"\(2, 2\).*got \(1, 2\)"),
        ([[1.0, 0.0]], ["nothing"], "true"),
    ],
)
def test_bad_probabilities_are_named(table, true, match) -> None:
    wells = [str(i) for i in range(len(true))]
    with pytest.raises(InvalidInputError, match=match):
        expected_calibration_error(table, true, wells, ["s", "h"], seed=0)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_temperature_is_found(factor) -> None:
    logits, true, wells = drawn(6000, 4, seed=3)
    found = fit_temperature(factor * logits, true, wells)
    assert found.value == pytest.approx(factor, rel=0.06)
    assert found.log_loss_after <= found.log_loss_before
    # The prior is weak: the likelihood alone is at its best nearby.
    near = [
        metrics.log_loss(true, softmax(factor * logits / t, 1))
        for t in (0.9 * found.value, found.value, 1.1 * found.value)
    ]
    assert near[1] == min(near)


def test_classes_without_an_error_do_not_claim_certainty() -> None:
    logits = np.repeat([[4.0, 0.0], [0.0, 4.0]], 50, axis=0)
    found = fit_temperature(logits, np.repeat([0, 1], 50), np.repeat(np.arange(4), 25))
    assert 0.2 < found.value < 1


def test_more_crops_of_the_same_wells_change_no_temperature() -> None:
    logits, true, wells = drawn(200, 3, seed=1)
    once = fit_temperature(2 * logits, true, wells)
    thrice = fit_temperature(
        np.repeat(2 * logits, 3, axis=0), np.repeat(true, 3), np.repeat(wells, 3)
    )
    assert thrice.value == pytest.approx(once.value, rel=1e-4)


@pytest.mark.parametrize(
    ("logits", "true", "match"),
    [
        ([[1.0, 2.0]], [2], "between 0 and 1"),
        ([[1.0, math.inf]], [0], "finite"),
        ([[1.0]], [0], "K two or more"),
        (np.zeros((0, 2)), np.zeros(0, int), "one row"),
    ],
)
def test_bad_logits_are_named(logits, true, match) -> None:
    with pytest.raises(InvalidInputError, match=match):
        fit_temperature(logits, true, list(range(len(true))))


def test_hierarchy_by_hand() -> None:
    # a and b are confused, c is not: 1 - (0.4 + 0.2) / (0.6 + 0.8), then the mean distance to c, 1.
    tree = class_hierarchy([[6, 4, 0], [2, 8, 0], [0, 0, 5]], NAMES)
    assert tree.linkage[:, 2] == pytest.approx([1 - 0.6 / 1.4, 1.0])
    assert set(tree.linkage[0, :2]) == {0, 1}
    order = list(tree.order)
    assert abs(order.index(0) - order.index(1)) == 1
    assert tree.to_json()["order"] == [NAMES[k] for k in order]


def test_hierarchy_with_a_class_without_crops_and_two_classes() -> None:
    tree = class_hierarchy([[6, 4, 0], [2, 8, 0], [0, 0, 0]], NAMES)
    assert tree.linkage[-1, 2] == pytest.approx(1.0)
    assert class_hierarchy([[3, 1], [1, 3]], ["a", "b"]).order in {(0, 1), (1, 0)}
    with pytest.raises(InvalidInputError, match="confusion"):
        class_hierarchy([[1, 2, 3]], NAMES)


def test_z_prime_matrix_is_z_prime_of_each_pair() -> None:
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], [8, 6, 4])
    table = rng.normal(0, 0.3, (18, 3)) + 4 * np.eye(3)[classes]
    found = z_prime_matrix(table, classes, NAMES, seed=0)
    for i in range(3):
        for j in range(3):
            if i != j:
                odds = table[:, i] - table[:, j]
                expected = z_prime(odds[classes == i], odds[classes == j])
                assert found.values[i, j] == pytest.approx(expected)
                assert found.estimates[i][j].low < expected < found.estimates[i][j].high
    assert np.isnan(np.diagonal(found.values)).all()
    assert list(found.against("b")) == ["a", "c"]
    with pytest.raises(InvalidInputError, match="control"):
        found.against("nothing")


def test_a_class_of_one_well_leaves_the_rest_of_the_matrix() -> None:
    table = np.array([[1.0, 0, 0], [1.1, 0, 0], [0, 1, 0], [0, 1.2, 0], [0, 0, 1]])
    found = z_prime_matrix(table, [0, 0, 1, 1, 2], NAMES, seed=0)
    assert np.isfinite(found.values[0, 1])
    assert "c has 1" in found.estimates[0][2].reason


def test_means_over_classes_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    wells = np.repeat(np.arange(20), 30)
    well_class = np.repeat([0, 1, 2], [10, 6, 4])
    true = well_class[wells]
    called = np.where(rng.random(600) < 0.6, true, rng.integers(0, 3, 600))
    found = classification_summary(
        true, called, wells, NAMES, well_true=well_class, well_predicted=well_class, seed=0
    )
    for estimate, how in ((found.macro_f1, "macro"), (found.weighted_f1, "weighted")):
        assert estimate.value == pytest.approx(metrics.f1_score(true, called, average=how))
        assert estimate.low < estimate.value < estimate.high
    expected = metrics.precision_score(true, called, average="macro")
    assert found.macro_precision.value == pytest.approx(expected)
    assert found.to_json()["accuracy"]["macro_f1"]["value"] == found.macro_f1.value
