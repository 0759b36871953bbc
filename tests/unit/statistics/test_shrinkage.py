from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from counterstain.statistics.shrinkage import CovarianceSums, inverse_root


@pytest.mark.parametrize(("n", "size"), [(200, 5), (40, 30), (12, 64)])
def test_agrees_with_scikit_learn(n, size) -> None:
    rng = np.random.default_rng(n)
    rows = rng.normal(size=(n, size)) * np.linspace(1, 4, size)
    covariance, weight = CovarianceSums.of(rows).shrunk()
    expected, expected_weight = ledoit_wolf(rows, assume_centered=True)
    assert weight == pytest.approx(expected_weight, rel=1e-9)
    np.testing.assert_allclose(covariance, expected, rtol=1e-9, atol=1e-12)


def test_sums_of_parts_are_the_sums_of_all() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 4))
    whole, _ = CovarianceSums.of(rows, lost=2).shrunk()
    parts, _ = (
        CovarianceSums.of(rows[:11], lost=1) + CovarianceSums.of(rows[11:], lost=1)
    ).shrunk()
    np.testing.assert_allclose(parts, whole)


def test_means_that_were_taken_off_are_made_good_for() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 4, 3))
    left = (rows - rows.mean(axis=1, keepdims=True)).reshape(-1, 3)
    covariance, _ = CovarianceSums.of(left, lost=2000).shrunk()
    np.testing.assert_allclose(np.diag(covariance), 1, rtol=0.05)


def test_the_inverse_root_whitens() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6))
    covariance = rows.T @ rows / 50
    root = inverse_root(covariance)
    np.testing.assert_allclose(root @ covariance @ root, np.eye(6), atol=1e-9)
    np.testing.assert_allclose(root, root.T)


def test_a_covariance_of_zero_stays_finite() -> None:
    covariance, weight = CovarianceSums.of(np.zeros((4, 3))).shrunk()
    assert weight == 1.0
    assert np.isfinite(inverse_root(covariance)).all()
