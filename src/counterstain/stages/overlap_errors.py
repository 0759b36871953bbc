"""How far predicted overlap is from measured overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from counterstain.statistics.agreement import rank_correlation
from counterstain.statistics.histograms import overlay_histograms, wasserstein
from counterstain.statistics.inputs import undefined_noted

__all__ = ["error_histograms", "prediction_errors"]


def prediction_errors(true: ArrayLike, predicted: ArrayLike) -> dict[str, float | int | None]:
    """Measure the errors of a prediction.

    Parameters
    ----------
    true, predicted : array-like of float, shape (n,)
        Finite values; may be empty.

    Returns
    -------
    dict
        ``n``, ``mse``, ``rmse``, ``mae``, ``r2`` (against the mean of these very values),
        ``spearman``, ``wasserstein`` (between the two distributions) and ``wasserstein_of_range``
        (as a share of the range of `true`); None where undefined, e.g. Spearman of a constant.

    Examples
    --------
    >>> found = prediction_errors([0, 1, 2, 3], [0, 1, 2, 5])
    >>> found["rmse"], round(found["r2"], 3), found["spearman"], round(found["wasserstein"], 3)
    (1.0, 0.2, 1.0, 0.5)
    """
    aim, found = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    names = ("mse", "rmse", "mae", "r2", "spearman", "wasserstein", "wasserstein_of_range")
    if aim.size == 0:
        return {"n": 0, **dict.fromkeys(names)}
    squared = float(np.mean((found - aim) ** 2))
    spread = float(aim.var())
    with undefined_noted():
        rank = rank_correlation(aim, found).value
        share = wasserstein(found, aim, relative=True)
    values = {
        "mse": squared,
        "rmse": float(np.sqrt(squared)),
        "mae": float(np.mean(np.abs(found - aim))),
        "r2": 1 - squared / spread if spread else np.nan,
        "spearman": rank,
        "wasserstein": wasserstein(found, aim),
        "wasserstein_of_range": share,
    }
    return {"n": int(aim.size)} | {
        k: float(v) if np.isfinite(v) else None for k, v in values.items()
    }


def error_histograms(true: ArrayLike, predicted: ArrayLike) -> dict[str, Any]:
    """Count measured and predicted values in the same bins, and the errors.

    Returns
    -------
    dict
        ``histograms`` and ``errors`` as of `OverlaidHistograms.to_json`.

    Examples
    --------
    >>> error_histograms([0.0, 1.0], [0.0, 1.5])["errors"]["counts"]
    {'predicted - measured': 2}
    """
    aim, found = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    both = overlay_histograms({"measured": aim, "predicted": found})
    errors = overlay_histograms({"predicted - measured": found - aim})
    return {"histograms": both.to_json(), "errors": errors.to_json()}
