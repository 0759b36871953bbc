from __future__ import annotations

import math

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.statistics.moderation import (
    VariancePrior,
    bootstrap_t_levels,
    fit_variance_prior,
)


@pytest.mark.parametrize(("freedom", "scale"), [(4.0, 0.5), (10.0, 9.0)])
def test_the_prior_of_drawn_variances_is_found(freedom, scale) -> None:
    rng = np.random.default_rng(0)
    true = scale * freedom / rng.chisquare(freedom, 20_000)
    prior = fit_variance_prior(true * rng.chisquare(3, 20_000) / 3, np.full(20_000, 3.0))
    assert prior.freedom == pytest.approx(freedom, rel=0.1)
    assert prior.variance == pytest.approx(scale, rel=0.05)


def test_moderated_variances_lie_between_own_and_common() -> None:
    prior = VariancePrior(1.0, 3.0)
    moderated = prior.moderate(np.array([0.0, 4.0, 9.0]), np.array([3.0, 1.0, 0.0]))
    assert moderated.tolist() == [0.5, 1.75, 1.0]
    assert VariancePrior(2.0, math.inf).moderate(np.array([9.0]), np.array([3.0])).tolist() == [2]


def test_few_treatments_are_pooled() -> None:
    prior = fit_variance_prior([1.0, 4.0], [1.0, 2.0])
    assert (prior.variance, prior.freedom) == (3.0, math.inf)
    assert math.isnan(fit_variance_prior([], []).variance)


def test_variances_of_zero_do_not_break_it() -> None:
    prior = fit_variance_prior([0.0, 1.0, 1.2, 0.8, 1.1], [2.0] * 5)
    assert 0.5 < prior.variance < 1.5


@pytest.mark.parametrize("n", [2, 3, 4])
def test_intervals_of_few_heavy_tailed_wells_cover(n) -> None:
    """What the module is for: 95 % of intervals hold the mean, a naive bootstrap far fewer."""
    rng = np.random.default_rng(n)
    wells = rng.standard_t(4, (4000, n))
    variance = wells.var(axis=1, ddof=1)
    prior = fit_variance_prior(variance, np.full(4000, n - 1.0))
    relative = VariancePrior(prior.variance / variance.mean(), prior.freedom)
    below, above = bootstrap_t_levels(rng.standard_t(4, 300), n, relative, seed=0)
    error = np.sqrt(prior.moderate(variance, np.full(4000, n - 1.0)) / n)
    mean = wells.mean(axis=1)
    covered = np.mean((mean - below * error <= 0) & (mean + above * error >= 0))
    assert 0.92 <= covered <= 0.975
    resampled = wells[np.arange(4000)[:, None, None], rng.integers(0, n, (4000, 200, n))]
    low, high = np.quantile(resampled.mean(axis=2), [0.025, 0.975], axis=1)
    assert np.mean((low <= 0) & (high >= 0)) < 0.90


def test_one_well_has_an_interval_from_the_pool_alone() -> None:
    pool = np.random.default_rng(0).normal(size=2000)
    below, above = bootstrap_t_levels(pool, 1, VariancePrior(1.0, math.inf), seed=0)
    assert below == pytest.approx(1.96, abs=0.12)
    assert above == pytest.approx(1.96, abs=0.12)


def test_a_skewed_pool_gives_a_skewed_interval() -> None:
    pool = np.random.default_rng(0).exponential(size=2000)
    below, above = bootstrap_t_levels(pool, 2, VariancePrior(1.0, math.inf), seed=0)
    assert below > above


def test_the_seed_repeats_it() -> None:
    pool = np.random.default_rng(0).normal(size=50)
    prior = VariancePrior(1.0, 5.0)
    first = bootstrap_t_levels(pool, 3, prior, seed=1)
    assert first == bootstrap_t_levels(pool, 3, prior, seed=1)
    assert first != bootstrap_t_levels(pool, 3, prior, seed=2)


def test_bad_input_is_named() -> None:
    with pytest.raises(InvalidInputError, match="`variances` must be 0 or more"):
        fit_variance_prior([-1.0], [2.0])
    with pytest.raises(InvalidInputError, match="`variances` must be 0 or more"):
        fit_variance_prior([1.0], [0.0])
    with pytest.raises(InvalidInputError, match="`pool` must hold two wells"):
        bootstrap_t_levels([1.0], 2, VariancePrior(1.0, 1.0), seed=0)
