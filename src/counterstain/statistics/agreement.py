"""How well two measurements of the same wells agree: Bland-Altman, concordance, rank."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values, warn_undefined
from counterstain.types import Estimate

__all__ = ["BlandAltman", "bland_altman", "concordance", "paired_values", "rank_correlation"]

_FEWEST = 3
_NORMAL_975 = 1.96
"""The factor of Bland and Altman's own limits."""


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Agreement of two measurements of the same wells, first minus second.

    Parameters
    ----------
    bias : Estimate
        Mean difference with its confidence interval.
    sd : float
        Standard deviation of the differences.
    lower_limit, upper_limit : Estimate
        Limits of agreement, bias -+ 1.96 SD: where 95 % of the differences lie.
    slope : float
        Change of the difference with the mean of both: not 0 where one scale is stretched.
    n_wells : int
        Pairs.
    reason : str
        Why numbers are NaN; empty otherwise.
    """

    bias: Estimate
    sd: float
    lower_limit: Estimate
    upper_limit: Estimate
    slope: float
    n_wells: int
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        content = asdict(self)
        for key in ("bias", "lower_limit", "upper_limit"):
            content[key] = getattr(self, key).to_json()
        return {
            key: None if isinstance(item, float) and math.isnan(item) else item
            for key, item in content.items()
        }


def paired_values(
    first: ArrayLike, second: ArrayLike, names: tuple[str, str] = ("first", "second")
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two columns of finite values, of one length.

    Raises
    ------
    InvalidInputError
        If a value is not finite or the lengths differ.

    Examples
    --------
    >>> paired_values([1, 2], [3, 4])
    (array([1., 2.]), array([3., 4.]))
    """
    a, b = as_values(first, names[0]), as_values(second, names[1])
    if a.size != b.size:
        raise InvalidInputError(
            f"`{names[1]}` must have a value for each of the {a.size} wells of `{names[0]}`; got "
            f"{b.size}: pass both from one joined table."
        )
    return a, b


def bland_altman(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> BlandAltman:
    """Measure the agreement of two methods by the differences of their pairs.

    One pair a well: pairs of fields of one well are not independent and make intervals too narrow.

    Parameters
    ----------
    first, second : array-like of float, shape (W,)
        A value a well by each method, in one unit.
    confidence : float, default 0.95
        Coverage of the intervals of bias and limits.

    Returns
    -------
    BlandAltman
        NaN with a reason and an `UndefinedStatisticWarning` for fewer than three wells.

    Raises
    ------
    InvalidInputError
        If a value is not finite, the lengths differ, or the confidence is out of range.

    References
    ----------
    Bland & Altman 1986, doi:10.1016/S0140-6736(86)90837-8; their peak-flow data give a bias of -2.1
    l/min and limits of -78.1 and 73.9 l/min. Intervals of the limits as there: standard error
    sqrt(3 / n) SD, with t.

    Examples
    --------
    >>> found = bland_altman([10, 12, 15, 11], [11, 12, 13, 12])
    >>> found.bias.value, round(found.sd, 4), round(found.upper_limit.value, 3)
    (0.0, 1.4142, 2.772)
    """
    a, b = paired_values(first, second)
    if not 0 < confidence < 1:
        raise InvalidInputError(
            f"`confidence` must lie between 0 and 1; got {confidence}: pass 0.95 for 95 %."
        )
    n = a.size
    if n < _FEWEST:
        reason = f"agreement needs {_FEWEST} wells or more, got {n}"
        warn_undefined("Bland-Altman agreement", reason)
        nothing = Estimate.undefined(reason, n)
        return BlandAltman(nothing, math.nan, nothing, nothing, math.nan, n, reason)
    difference, mean = a - b, (a + b) / 2
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    reach = float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * sd / math.sqrt(n)
    limits = [
        _around(bias + sign * _NORMAL_975 * sd, math.sqrt(3) * reach, n) for sign in (-1.0, 1.0)
    ]
    spread = float(((mean - mean.mean()) ** 2).sum())
    slope = float(((mean - mean.mean()) * difference).sum()) / spread if spread else math.nan
    return BlandAltman(_around(bias, reach, n), sd, limits[0], limits[1], slope, n)


def _around(value: float, reach: float, n: int) -> Estimate:
    return Estimate(value, value - reach, value + reach, n_wells=n)


def concordance(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Estimate Lin's concordance correlation: how close pairs lie to the line of identity.

    Parameters
    ----------
    first, second : array-like of float, shape (W,)
        A value a well by each method, in one unit.
    confidence : float, default 0.95
        Coverage of the interval (Lin's normal approximation after Fisher's transformation).

    Returns
    -------
    Estimate
        -1 to 1, at most the correlation in size; undefined with an `UndefinedStatisticWarning` for
        fewer than three wells or where both methods give one value for all.

    Raises
    ------
    InvalidInputError
        If a value is not finite or the lengths differ.

    References
    ----------
    Lin 1989, doi:10.2307/2532051; correction of the variance, Lin 2000,
    doi:10.1111/j.0006-341X.2000.00324.x.

    Examples
    --------
    >>> concordance([1, 2, 3, 4], [2, 3, 4, 5]).value
    0.714...
    """
    a, b = paired_values(first, second)
    n = a.size
    shift = float(a.mean() - b.mean()) if n else math.nan
    scale = float(a.var() + b.var()) + shift**2 if n else math.nan
    if n < _FEWEST or scale == 0:
        reason = "all values are equal" if n >= _FEWEST else f"it needs 3 wells or more, got {n}"
        warn_undefined("concordance", reason)
        return Estimate.undefined(reason, n)
    covariance = float(((a - a.mean()) * (b - b.mean())).mean())
    value = 2 * covariance / scale
    product = float(a.std() * b.std())
    if product == 0 or abs(value) >= 1 - 1e-12 or covariance == 0:
        return Estimate(value, n_wells=n, reason="no interval: one value or perfect agreement")
    r, location = covariance / product, shift**2 / product
    variance = (
        (1 - r**2) * value**2 / ((1 - value**2) * r**2)
        + 2 * value**3 * (1 - value) * location / (r * (1 - value**2) ** 2)
        - value**4 * location**2 / (2 * r**2 * (1 - value**2) ** 2)
    ) / max(n - 2, 1)
    reach = float(stats.norm.ppf(0.5 + confidence / 2)) * math.sqrt(max(variance, 0.0))
    centre = math.atanh(value)
    return Estimate(value, math.tanh(centre - reach), math.tanh(centre + reach), n_wells=n)


def rank_correlation(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Estimate Spearman's rank correlation of two columns of wells.

    Parameters
    ----------
    first, second : array-like of float, shape (W,)
        A value a well each.
    confidence : float, default 0.95
        Coverage of the interval, after Fisher's transformation with Bonett and Wright's variance.

    Returns
    -------
    Estimate
        Undefined with an `UndefinedStatisticWarning` for fewer than four wells or where a column
        has one value only.

    Raises
    ------
    InvalidInputError
        If a value is not finite or the lengths differ.

    References
    ----------
    Spearman 1904, doi:10.2307/1412159; Bonett & Wright 2000, doi:10.1007/BF02294183.

    Examples
    --------
    >>> round(rank_correlation([1, 2, 3, 4, 5], [1, 3, 2, 4, 5]).value, 3)
    0.9
    """
    a, b = paired_values(first, second)
    n = a.size
    reason = ""
    if n <= _FEWEST:
        reason = f"it needs 4 wells or more, got {n}"
    elif np.ptp(a) == 0 or np.ptp(b) == 0:
        reason = "all values of a column are equal"
    if reason:
        warn_undefined("rank correlation", reason)
        return Estimate.undefined(reason, n)
    # Rounding keeps a perfect order at 1: the correlation of ranks is exact to 12 digits.
    value = round(float(stats.spearmanr(a, b).statistic), 12)
    if abs(value) == 1:
        return Estimate(value, n_wells=n, reason="no interval: the order is perfect")
    reach = float(stats.norm.ppf(0.5 + confidence / 2)) * math.sqrt((1 + value**2 / 2) / (n - 3))
    centre = math.atanh(value)
    return Estimate(value, math.tanh(centre - reach), math.tanh(centre + reach), n_wells=n)
