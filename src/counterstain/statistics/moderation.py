"""Spread of treatments with few wells, borrowed in part from all the others.

Two to four wells tell little of their own spread: a plain t interval is very wide, a bootstrap of
the same wells far too narrow. The variance of each treatment is therefore moved towards the one
that all share, by as much as the variances themselves agree (empirical Bayes), and the interval's
levels come from a bootstrap-t that draws from the pooled wells, tails included.

Sources: Smyth 2004, doi:10.2202/1544-6115.1027 (moderated variance); Efron & Tibshirani 1993,
An Introduction to the Bootstrap, chapter 12 (bootstrap-t).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import polygamma, psi

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values

__all__ = ["VariancePrior", "bootstrap_t_levels", "fit_variance_prior"]

_Floats = NDArray[np.float64]
_MAX_FREEDOM = 1e6


@dataclass(frozen=True, slots=True)
class VariancePrior:
    """What all treatments together say of the variance between wells.

    Parameters
    ----------
    variance : float
        The common variance.
    freedom : float
        How many degrees of freedom it is worth beside a treatment's own; infinite where treatments
        do not differ in variance more than chance has it.
    """

    variance: float
    freedom: float

    def moderate(self, variances: _Floats, freedoms: _Floats) -> _Floats:
        """Return the variances moved towards the common one.

        Parameters
        ----------
        variances, freedoms : ndarray of float64, shape (T,)
            Sample variance of each treatment and its degrees of freedom; where these are 0 the
            variance is not read.

        Returns
        -------
        ndarray of float64, shape (T,)
        """
        own = np.where(freedoms > 0, variances, 0.0)
        if math.isinf(self.freedom):
            return np.full(own.shape, self.variance)
        return (self.freedom * self.variance + freedoms * own) / (self.freedom + freedoms)


def fit_variance_prior(variances: ArrayLike, freedoms: ArrayLike) -> VariancePrior:
    """Estimate the common variance and how far single variances can be trusted over it.

    Parameters
    ----------
    variances : array-like of float, shape (T,)
        Sample variance (ddof 1) of each treatment's wells.
    freedoms : array-like of float, shape (T,)
        Degrees of freedom of each, 1 or more.

    Returns
    -------
    VariancePrior
        NaN variance where there is none to learn from.

    Raises
    ------
    InvalidInputError
        If a variance is negative, or degrees of freedom are below 1.

    References
    ----------
    Smyth 2004, doi:10.2202/1544-6115.1027, section 6.2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> prior = fit_variance_prior(4 * rng.chisquare(3, 2000) / 3, np.full(2000, 3.0))
    >>> round(prior.variance, 1), prior.freedom > 50
    (4.0, True)
    """
    variance, freedom = as_values(variances, "variances"), as_values(freedoms, "freedoms")
    if variance.shape != freedom.shape or np.any(variance < 0) or np.any(freedom < 1):
        raise InvalidInputError(
            f"`variances` must be 0 or more, with `freedoms` of 1 or more for each; got "
            f"{variance.size} and {freedom.size} values: leave treatments of one well out."
        )
    pooled = float((variance * freedom).sum() / freedom.sum()) if variance.size else math.nan
    # A variance of 0 (rounded or saturated values) would be minus infinity on the log scale.
    known = variance > 1e-12 * pooled if variance.size else np.zeros(0, bool)
    if np.count_nonzero(known) < 3:
        return VariancePrior(pooled, math.inf)
    logs, half = np.log(variance[known]), freedom[known] / 2
    centred = logs - psi(half) + np.log(half)
    mean = float(centred.mean())
    n = centred.size
    excess = float(((centred - mean) ** 2).sum() / (n - 1) - polygamma(1, half).mean())
    if excess <= 1 / _MAX_FREEDOM:
        return VariancePrior(pooled, math.inf)
    prior_freedom = 2 * _inverse_trigamma(excess)
    scale = math.exp(mean + float(psi(prior_freedom / 2)) - math.log(prior_freedom / 2))
    return VariancePrior(scale, prior_freedom)


def bootstrap_t_levels(
    pool: ArrayLike,
    n_wells: int,
    prior: VariancePrior,
    *,
    seed: int,
    n_resamples: int = 4000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return how many standard errors an interval must reach below and above a mean of few wells.

    Parameters
    ----------
    pool : array-like of float, shape (M,)
        Deviations of single wells from their group's mean, in SDs of one scale.
    n_wells : int
        Wells a mean.
    prior : VariancePrior
        By which standard errors are moderated; its variance in units of the mean variance of all
        treatments, below 1 where tails are heavy.
    seed : int
        Seed of the draws.
    n_resamples : int
        Draws of `n_wells` wells.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    below, above : float
        The interval is mean - below * se to mean + above * se.

    Raises
    ------
    InvalidInputError
        If the pool has fewer than two wells, or no spread.

    Examples
    --------
    >>> pool = np.random.default_rng(0).normal(size=400)
    >>> below, above = bootstrap_t_levels(pool, 3, VariancePrior(1.0, np.inf), seed=0)
    >>> 1.8 < below < 2.1, 1.8 < above < 2.1
    (True, True)
    """
    values = as_values(pool, "pool")
    if values.size < 2 or np.ptp(values) == 0:
        raise InvalidInputError(
            f"`pool` must hold two wells or more that differ; got {values.size}: pass the "
            f"residuals of all controls."
        )
    values = (values - values.mean()) / values.std()
    draws = np.random.default_rng(seed).choice(values, (n_resamples, n_wells))
    own = draws.var(axis=1, ddof=1) if n_wells > 1 else np.zeros(n_resamples)
    variance = prior.moderate(own, np.full(n_resamples, n_wells - 1.0))
    ratio = draws.mean(axis=1) / np.sqrt(variance / n_wells)
    low, high = np.quantile(ratio, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(high), float(-low)


def _inverse_trigamma(value: float) -> float:
    """Solve trigamma(x) = value by Newton's method on 1/trigamma, which is nearly linear."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x
