"""How often measurements would be called different between two halves of the same wells."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from counterstain.statistics.intervals import wilson_interval
from counterstain.statistics.significance import benjamini_hochberg
from counterstain.types import Estimate

__all__ = ["NullClaims", "null_claims"]

_FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True, slots=True)
class NullClaims:
    """Claims that real wells would confirm although there is nothing.

    Parameters
    ----------
    rate : Estimate
        Share of halvings in which any measurement is called different after correction. Its
        interval is Wilson's with halvings as the trials; they share wells, so it is a little too
        narrow.
    per_screen : float
        Mean number of measurements called different in a halving.
    n_measurements, n_halvings : int
        Measurements tested in each, and halvings tried.
    """

    rate: Estimate
    per_screen: float
    n_measurements: int
    n_halvings: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self) | {"rate": self.rate.to_json()}


def null_claims(
    measured: pd.DataFrame, wells: NDArray[np.int64], *, seed: int, n_halvings: int = 200
) -> NullClaims:
    """Halve wells at random many times, and test every measurement as real classes are tested.

    Welch's t on well means, corrected by Benjamini and Hochberg over the measurements, at 5 %: the
    half of a confirmed claim that rests on real wells. The other half, that the counterfactuals
    change the same way, can only make claims rarer.

    Parameters
    ----------
    measured : DataFrame
        A row per crop, a numeric column per measurement; NaN where undefined.
    wells : array of int, shape (n,)
        Well of each row.
    seed : int
        Draws the halvings.
    n_halvings : int
        Halvings to try.

    Returns
    -------
    NullClaims
        The false-positive rate; undefined with a reason where there are fewer than four wells or
        no measurement varies.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame(rng.normal(size=(60, 5)))
    >>> claims = null_claims(table, np.repeat(np.arange(12), 5), seed=0)
    >>> claims.n_measurements, claims.rate.value < 0.1
    (5, True)
    """
    means = measured.groupby(np.asarray(wells)).mean().to_numpy(float)
    keep = np.isfinite(means).all(axis=0)
    keep[keep] = np.ptp(means[:, keep], axis=0) > 1e-12
    means = means[:, keep]
    n_wells, n_measurements = means.shape
    if n_wells < 4 or n_measurements == 0:
        reason = "fewer than four negative controls, or no measurement of them varies"
        return NullClaims(Estimate.undefined(reason, n_wells), float("nan"), n_measurements, 0)
    generator = np.random.default_rng(seed)
    counts = np.zeros(n_halvings, np.int64)
    for trial in range(n_halvings):
        order = generator.permutation(n_wells)
        first, second = means[order[: n_wells // 2]], means[order[n_wells // 2 :]]
        p_values = stats.ttest_ind(first, second, axis=0, equal_var=False).pvalue
        counts[trial] = np.count_nonzero(benjamini_hochberg(p_values) <= _FALSE_DISCOVERY_RATE)
    rate = float((counts > 0).mean())
    interval = wilson_interval(rate, n_halvings)
    return NullClaims(
        Estimate(rate, *interval, n_wells=n_wells),
        float(counts.mean()),
        n_measurements,
        n_halvings,
    )
