"""Dose response of every compound of a ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd

from counterstain.ranking.ranked import Ranking
from counterstain.statistics.dose_response import fit_dose_response

__all__ = ["fit_doses"]


def fit_doses(ranking: Ranking, *, confidence: float = 0.95) -> pd.DataFrame:
    """Fit rescue against concentration for each compound, from no rescue at no dose.

    Wells that are off the axis are in: what they do to the curve is told by the calls of their
    doses, not hidden.

    Parameters
    ----------
    ranking : Ranking
        What `rank_treatments` returned.
    confidence : float
        Coverage of the EC50's interval, between 0 and 1.

    Returns
    -------
    DataFrame, a row per compound with a dose
        ``Metadata_Compound``, ``ec50``, ``ec50_low``, ``ec50_high`` (unit of the concentrations),
        ``slope`` (negative: rescue rises), ``plateau`` (rescue at high dose), ``r_squared``,
        ``lack_of_fit_p``, ``turning_p``, ``n_doses``, ``n_wells`` and ``reason`` (why there is no
        fit; the numbers are NaN then).

    Examples
    --------
    >>> wells = pd.DataFrame({
    ...     "compound": "C1", "concentration": np.repeat([0.1, 1, 10, 100], 2), "mark": "",
    ...     "rescue": [0.02, -0.01, 0.1, 0.08, 0.52, 0.48, 0.9, 0.92],
    ... })
    >>> ranking = Ranking(pd.DataFrame(), wells, pd.DataFrame(), 9.0, ())
    >>> doses = fit_doses(ranking)
    >>> doses["ec50"].round(0).tolist(), doses["reason"].tolist()
    ([10.0], [''])
    """
    wells = ranking.wells
    dosed = wells[(wells["mark"] == "") & wells["concentration"].notna()]
    rows = []
    for compound, group in dosed.groupby("compound", sort=True):
        curve = fit_dose_response(
            group["concentration"].to_numpy(np.float64),
            group["rescue"].to_numpy(np.float64),
            lower=0.0,
            confidence=confidence,
        )
        rows.append(
            {
                "Metadata_Compound": compound,
                "ec50": curve.ec50.value,
                "ec50_low": curve.ec50.low,
                "ec50_high": curve.ec50.high,
                "slope": curve.slope,
                "plateau": curve.upper if curve.slope < 0 else curve.lower,
                "r_squared": curve.r_squared,
                "lack_of_fit_p": curve.lack_of_fit_p,
                "turning_p": curve.turning_p,
                "n_doses": curve.n_doses,
                "n_wells": curve.n_wells,
                "reason": curve.reason,
            }
        )
    return pd.DataFrame(rows)
