from __future__ import annotations

import numpy as np
import pytest

from counterstain.ranking.plate_fit import fit_controls, position_basis

ROWS, COLUMNS = np.divmod(np.arange(96), 12)
BASIS = position_basis(ROWS, COLUMNS)


def controls(seed: int, n: int = 32, drift: float = 0.0, latents: int = 20):
    rng = np.random.default_rng(seed)
    places = rng.choice(96, n, replace=False)
    healthy = np.arange(n) % 2 == 1
    profiles = rng.normal(size=(n, latents)) + 8.0 * healthy[:, None]
    profiles += drift * BASIS[places, 1:2]
    return profiles, healthy, BASIS[places]


def test_a_drift_is_found_and_no_drift_is_not() -> None:
    fit = fit_controls(*controls(0, drift=2.0), use_position=True)
    assert fit.coefficients[3].mean() == pytest.approx(2.0, abs=0.3)
    assert fit.explained > 0.3
    still = [fit_controls(*controls(seed), use_position=True) for seed in range(20)]
    assert np.mean([np.isinf(fit.penalty) for fit in still]) >= 0.5
    assert max(np.abs(fit.coefficients[2:]).mean() for fit in still) < 0.4


def test_it_is_left_alone_where_it_is_not_asked_for() -> None:
    fit = fit_controls(*controls(0, drift=2.0), use_position=False)
    assert np.isinf(fit.penalty)
    assert not fit.coefficients[2:].any()
    few = fit_controls(*controls(0, n=6, drift=2.0), use_position=True)
    assert np.isinf(few.penalty)


def test_uncertainty_is_that_of_means() -> None:
    fit = fit_controls(*controls(0, n=40), use_position=False)
    assert fit.uncertainty[0, 0] == pytest.approx(1 / 20, rel=0.1)
    assert fit.uncertainty[0, 1] == 0
    assert fit.own_share.sum() == pytest.approx(2)
    errors = [
        fit_controls(*controls(s, n=40), use_position=False).coefficients[0] for s in range(60)
    ]
    assert np.var(errors) == pytest.approx(1 / 20, rel=0.2)


def test_odd_wells_do_not_move_the_means() -> None:
    profiles, healthy, basis = controls(0)
    clean = fit_controls(profiles, healthy, basis, use_position=False)
    profiles[[0, 2, 1]] += 30
    odd = fit_controls(profiles, healthy, basis, use_position=False)
    assert odd.weights[[0, 2, 1]].max() < 0.1
    assert np.abs(odd.coefficients[:2] - clean.coefficients[:2]).max() < 0.6


def test_one_kind_of_control_leaves_the_other_unknown() -> None:
    profiles, _, basis = controls(0)
    fit = fit_controls(profiles, np.zeros(32, bool), basis, use_position=True)
    assert np.isfinite(fit.coefficients[0]).all()
    assert np.isnan(fit.coefficients[1]).all()


def test_single_wells_of_both_kinds() -> None:
    fit = fit_controls(np.eye(2), np.array([False, True]), BASIS[:2], use_position=True)
    np.testing.assert_array_equal(fit.coefficients[:2], np.eye(2))
    assert np.isfinite(fit.own_share).all()
