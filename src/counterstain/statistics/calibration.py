"""One measurement brought to the scale of another: a line, or any curve that only rises."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.agreement import (
    BlandAltman,
    bland_altman,
    concordance,
    paired_values,
    rank_correlation,
)
from counterstain.statistics.inputs import as_values, warn_undefined
from counterstain.types import Estimate

__all__ = ["Calibration", "CalibrationKind", "CheckedCalibration", "calibrate", "check_calibration"]

CalibrationKind = Literal["linear", "monotone"]

_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Calibration:
    """A curve from one scale to another.

    Parameters
    ----------
    kind : {'linear', 'monotone'}
        A least-squares line, or the least-squares curve that never falls.
    x, y : tuple of float
        Corners of the curve, x rising.
    slope, intercept : float
        Of the line; NaN for a monotone curve.
    n_wells : int
        Wells it was fitted to.
    reason : str
        Why there is no curve; empty otherwise.
    """

    kind: CalibrationKind
    x: tuple[float, ...]
    y: tuple[float, ...]
    slope: float
    intercept: float
    n_wells: int
    reason: str = ""

    def __call__(self, values: ArrayLike) -> NDArray[np.float64]:
        """Bring values to the other scale.

        A line goes on beyond the wells that it was fitted to; a monotone curve stays level there,
        which `beyond` counts.
        """
        array = np.asarray(values, np.float64)
        if not self.x:
            return np.full(array.shape, math.nan)
        if self.kind == "linear":
            return self.intercept + self.slope * array
        return np.where(np.isnan(array), np.nan, np.interp(array, self.x, self.y))

    def beyond(self, values: ArrayLike) -> int:
        """Count the values outside the range that the curve was fitted to."""
        array = np.asarray(values, np.float64)
        return int(((array < self.x[0]) | (array > self.x[-1])).sum()) if self.x else array.size

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            key: None if isinstance(item, float) and math.isnan(item) else item
            for key, item in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class CheckedCalibration:
    """A calibration and the agreement before and after it.

    Parameters
    ----------
    calibration : Calibration
        Fitted to all wells.
    calibrated : tuple of float
        Each well by the curve that was fitted without it: what a new well would get.
    before, after : BlandAltman
        Agreement of the raw and of the calibrated values with the readout.
    concordance_before, concordance_after : Estimate
        Lin's concordance.
    spearman : Estimate
        Rank correlation, which no rising curve changes.
    """

    calibration: Calibration
    calibrated: tuple[float, ...]
    before: BlandAltman
    after: BlandAltman
    concordance_before: Estimate
    concordance_after: Estimate
    spearman: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            "calibration": self.calibration.to_json(),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "concordance_before": self.concordance_before.to_json(),
            "concordance_after": self.concordance_after.to_json(),
            "spearman": self.spearman.to_json(),
        }


def calibrate(
    values: ArrayLike, readout: ArrayLike, *, kind: CalibrationKind = "linear"
) -> Calibration:
    """Fit a curve that brings values to the scale of a readout.

    A fit makes the agreement with the wells that it saw look better than it is: `check_calibration`
    says what a new well would get.

    Parameters
    ----------
    values, readout : array-like of float, shape (W,)
        A value a well, and what the other software says of the same well.
    kind : {'linear', 'monotone'}, default 'linear'
        A least-squares line, or isotonic regression.

    Returns
    -------
    Calibration
        Without a curve, with a reason and an `UndefinedStatisticWarning`, for fewer than three
        wells or where all values are equal.

    Raises
    ------
    InvalidInputError
        If a value is not finite, the lengths differ, or the kind is unknown.

    References
    ----------
    Isotonic regression: Barlow et al. 1972; scikit-learn's `IsotonicRegression`.

    Examples
    --------
    >>> line = calibrate([0, 1, 2, 3], [1, 3, 5, 7])
    >>> line.slope, line.intercept, line([10]).tolist()
    (2.0, 1.0, [21.0])
    >>> calibrate([0, 1, 2, 3], [1, 3, 2, 7], kind="monotone")([1.0, 2.5]).tolist()
    [2.5, 4.75]
    """
    x, y = paired_values(values, readout, ("values", "readout"))
    if kind not in ("linear", "monotone"):
        raise InvalidInputError(f"`kind` must be 'linear' or 'monotone'; got {kind!r}: take one.")
    reason = ""
    if x.size < _FEWEST:
        reason = f"a calibration needs {_FEWEST} wells or more, got {x.size}"
    elif np.ptp(x) == 0:
        reason = "all values are equal"
    if reason:
        warn_undefined("calibration", reason)
        return Calibration(kind, (), (), math.nan, math.nan, x.size, reason)
    return _fit(x, y, kind)


def _fit(x: NDArray[np.float64], y: NDArray[np.float64], kind: CalibrationKind) -> Calibration:
    if kind == "linear":
        centred = x - x.mean()
        slope = float((centred * y).sum() / (centred**2).sum())
        intercept = float(y.mean() - slope * x.mean())
        ends = (float(x.min()), float(x.max()))
        corners = tuple(intercept + slope * end for end in ends)
        return Calibration(kind, ends, corners, slope, intercept, x.size)
    # scikit-learn takes a second to import: only where it is needed.
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    knots = tuple(map(float, model.X_thresholds_)), tuple(map(float, model.y_thresholds_))
    return Calibration(kind, *knots, math.nan, math.nan, x.size)


def check_calibration(
    values: ArrayLike, readout: ArrayLike, *, kind: CalibrationKind = "linear"
) -> CheckedCalibration:
    """Calibrate, and measure the agreement with the readout before and after.

    Parameters
    ----------
    values, readout : array-like of float, shape (W,)
        A value a well, and what the other software says of the same well.
    kind : {'linear', 'monotone'}, default 'linear'
        A least-squares line, or isotonic regression.

    Returns
    -------
    CheckedCalibration
        The agreement after calibration leaves each well out of its own curve, so that it holds for
        wells to come.

    Raises
    ------
    InvalidInputError
        If a value is not finite, the lengths differ, there are fewer than four wells, all values
        are equal, or the kind is unknown.

    Examples
    --------
    >>> checked = check_calibration([0, 1, 2, 3, 4], [10, 12, 14, 16, 18])
    >>> round(checked.before.bias.value, 6), round(checked.after.bias.value, 6)
    (-12.0, 0.0)
    """
    x, y = as_values(values, "values"), as_values(readout, "readout")
    if x.size <= _FEWEST or np.unique(x).size < _FEWEST:
        raise InvalidInputError(
            f"`values` must hold four wells or more, of three different values or more; got "
            f"{x.size} well(s) of {np.unique(x).size}: match more wells with the readout."
        )
    calibration = calibrate(x, y, kind=kind)
    keep = ~np.eye(x.size, dtype=bool)
    calibrated = np.array([_fit(x[k], y[k], kind)(x[i]) for i, k in enumerate(keep)], np.float64)
    return CheckedCalibration(
        calibration=calibration,
        calibrated=tuple(calibrated.tolist()),
        before=bland_altman(x, y),
        after=bland_altman(calibrated, y),
        concordance_before=concordance(x, y),
        concordance_after=concordance(calibrated, y),
        spearman=rank_correlation(x, y),
    )
