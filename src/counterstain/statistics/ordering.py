"""Whether scores rise with the dose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values, warn_undefined

__all__ = ["DoseTrend", "dose_trend"]

MIN_DOSES = 3
"""Two doses are always in order, one way or the other."""


@dataclass(frozen=True, slots=True)
class DoseTrend:
    """How the mean score of a treatment orders with its dose.

    Parameters
    ----------
    spearman : float
        Rank correlation of dose and mean score, -1 to 1; NaN where undefined.
    n_doses, n_wells : int
        Doses and wells it rests on.
    doses, means : tuple of float
        Each dose, rising, and the mean score of its wells.
    reason : str
        Why `spearman` is NaN; empty otherwise.
    """

    spearman: float
    n_doses: int
    n_wells: int
    doses: tuple[float, ...]
    means: tuple[float, ...]
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            "spearman": None if np.isnan(self.spearman) else self.spearman,
            "n_doses": self.n_doses,
            "n_wells": self.n_wells,
            "doses": list(self.doses),
            "means": list(self.means),
            "reason": self.reason,
        }


def dose_trend(concentrations: ArrayLike, scores: ArrayLike) -> DoseTrend:
    """Correlate the dose with the mean score of its wells, by rank.

    Wells of a dose are averaged first, so that a dose with many wells counts once.

    Parameters
    ----------
    concentrations : array-like of float, shape (W,)
        Dose of each well, 0 or more, in any one unit; alike to nine digits is one dose. Untreated
        wells take part as dose 0 where they are passed.
    scores : array-like of float, shape (W,)
        Score of each well, such as its mean out-of-fold logit.

    Returns
    -------
    DoseTrend
        NaN with a reason and an `UndefinedStatisticWarning` for fewer than three doses, or where
        all doses score the same.

    Raises
    ------
    InvalidInputError
        If a value is not finite, a dose is negative, or the lengths differ.

    References
    ----------
    Spearman 1904, doi:10.2307/1412159.

    Examples
    --------
    >>> dose_trend([1, 1, 3, 10], [0.1, 0.3, 0.5, 0.4]).spearman
    0.5
    """
    dose, score = as_values(concentrations, "concentrations"), as_values(scores, "scores")
    if dose.size != score.size:
        raise InvalidInputError(
            f"`scores` must have a value for each of the {dose.size} wells; got {score.size}: "
            f"pass both from one table."
        )
    if np.any(dose < 0):
        raise InvalidInputError(
            f"`concentrations` must be 0 or more; got {dose.min()}: pass doses, not logarithms."
        )
    rounded = np.array([float(f"{value:.9g}") for value in dose])
    doses, code = np.unique(rounded, return_inverse=True)
    means = np.bincount(code, score, doses.size) / np.maximum(np.bincount(code), 1)
    reason = ""
    if doses.size < MIN_DOSES:
        reason = f"a trend needs {MIN_DOSES} doses or more, got {doses.size}"
    elif np.ptp(means) == 0:
        reason = "all doses score the same"
    if reason:
        warn_undefined("dose trend", reason)
        spearman = float("nan")
    else:
        # Rounding keeps a perfect order at 1: the correlation of ranks is exact to 12 digits.
        spearman = round(float(stats.spearmanr(doses, means).statistic), 12)
    return DoseTrend(
        spearman, doses.size, dose.size, tuple(doses.tolist()), tuple(means.tolist()), reason
    )
