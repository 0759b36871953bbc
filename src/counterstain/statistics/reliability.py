"""Whether a probability means what it says: of crops called with 80 %, 80 % must be right.

Crops are sorted into bins by the probability of the class they are called. The expected calibration
error is the mean gap between that probability and the share that is right, over bins, weighted by
crops (Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602; Guo et al. 2017,
doi:10.48550/arXiv.1706.04599). It is never negative, so noise alone raises it: with few wells read
the interval as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_class_index, as_well_codes
from counterstain.statistics.intervals import check_settings, estimate_from_resamples
from counterstain.statistics.resampling import draw_counts
from counterstain.types import Estimate

__all__ = ["Reliability", "ReliabilityBin", "expected_calibration_error"]

_Floats = NDArray[np.float64]
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Crops called with like confidence.

    Parameters
    ----------
    low, high : float
        Ends of the bin, the lower one excluded.
    confidence : float
        Mean probability of the called class; NaN for an empty bin.
    accuracy : float
        Share that is right; NaN for an empty bin.
    n_crops, n_wells : int
        What is in the bin.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    n_crops: int
    n_wells: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Calibration of a classifier.

    Parameters
    ----------
    error : Estimate
        Expected calibration error, 0 to 1, drawn by well.
    confidence : Estimate
        Mean probability of the called class less the share that is right: above 0, the classifier
        is too sure of itself.
    log_loss : Estimate
        Mean of minus the logarithm of the true class's probability, nats.
    bins : tuple of ReliabilityBin
        From the lowest confidence to the highest.
    """

    error: Estimate
    confidence: Estimate
    log_loss: Estimate
    bins: tuple[ReliabilityBin, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; empty bins are left out."""
        return {
            "expected_calibration_error": self.error.to_json(),
            "overconfidence": self.confidence.to_json(),
            "log_loss": self.log_loss.to_json(),
            "bins": [
                {name: getattr(part, name) for name in ReliabilityBin.__slots__}
                for part in self.bins
                if part.n_crops
            ],
        }


def expected_calibration_error(
    probabilities: ArrayLike,
    true: ArrayLike,
    wells: ArrayLike,
    class_names: Sequence[str],
    *,
    seed: int,
    bins: int = 15,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> Reliability:
    """Compare the probability of the called class with how often the call is right.

    Parameters
    ----------
    probabilities : array-like of float, shape (n, K)
        Probability of each class for each crop; rows sum to 1.
    true : array-like of str or int, shape (n,)
        True class of each crop, by name or index.
    wells : array-like, shape (n,)
        Well of each crop, or whatever is drawn as a whole (plate, donor). A well may hold several
        classes here, as single cells of one image do.
    class_names : sequence of str
        The K classes in order.
    seed : int
        Seed of the resamples.
    bins : int
        Bins of equal width from 0 to 1.
    n_resamples : int
        Resamples.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    Reliability
        The errors with their intervals, and the bins of the diagram.

    Raises
    ------
    InvalidInputError
        If rows are no probabilities, lengths differ, a label is no class, or there is no crop.

    References
    ----------
    Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602.

    Examples
    --------
    >>> found = expected_calibration_error(
    ...     [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]], [0, 0, 1, 0],
    ...     ["A01", "A02", "A03", "A04"], ["sick", "well"], seed=0)
    >>> round(found.error.value, 6), [part.accuracy for part in found.bins if part.n_crops]
    (0.1, [0.5, 1.0])
    """
    check_settings(n_resamples, confidence)
    if bins < 1:
        raise InvalidInputError(f"`bins` must be 1 or more; got {bins}: 15 is the usual number.")
    index = as_class_index(true, class_names, "true")
    table = _as_probabilities(probabilities, index.size, len(class_names))
    codes, n_wells = as_well_codes(wells, "wells", index.size)
    sure, right = table.max(axis=1), table.argmax(axis=1) == index
    # The lower end is excluded, so that a confidence of exactly 1 falls into the last bin.
    place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    loss = -np.log(np.maximum(table[np.arange(index.size), index], np.finfo(float).tiny))
    sums = [
        _by_well(codes, place, values, n_wells, bins)
        for values in (np.ones(index.size), sure, right.astype(float), loss)
    ]
    measures = _measures(np.ones((1, n_wells)), sums)[0]
    counts = draw_counts(np.zeros(n_wells, np.int64), n_resamples, seed)
    resamples = _measures(counts, sums)
    without = _measures(1 - np.eye(n_wells), sums) if n_wells > 1 else np.full((1, 3), np.nan)
    estimates = [
        estimate_from_resamples(
            float(measures[i]),
            resamples[:, i],
            [without[:, i]],
            n_wells=n_wells,
            confidence=confidence,
        )
        for i in range(3)
    ]
    return Reliability(estimates[0], estimates[1], estimates[2], _bins(sums, bins))


def _as_probabilities(values: ArrayLike, n_rows: int, n_classes: int) -> _Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.shape != (n_rows, n_classes) or n_rows == 0:
        raise InvalidInputError(
            f"`probabilities` must be ({n_rows}, {n_classes}), a row a crop and a column a class, "
            f"with one row or more; got {table.shape}: pass both from one table."
        )
    off = np.abs(table.sum(axis=1) - 1)
    bad = ~np.isfinite(table).all(axis=1) | (table < 0).any(axis=1) | ~(off < _TOLERANCE)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise InvalidInputError(
            "`probabilities` must be 0 or more and sum to 1 in each row; got "
            f"{np.round(table[first], 4).tolist()} in row {first} ({int(bad.sum())} such rows): "
            "pass logits through a softmax first."
        )
    return table


def _by_well(
    codes: NDArray[np.intp], place: NDArray[np.int64], values: _Floats, n_wells: int, bins: int
) -> _Floats:
    """Sum values by well and bin, (W, bins)."""
    flat = np.bincount(codes * bins + place, values, n_wells * bins)
    return np.asarray(flat.reshape(n_wells, bins), np.float64)


def _measures(counts: _Floats, sums: list[_Floats]) -> _Floats:
    """Return error, overconfidence and log loss of each resample, (B, 3)."""
    n, sure, right, loss = (counts @ part for part in sums)
    total = n.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.stack(
            [
                np.abs(sure - right).sum(axis=1) / total,
                (sure - right).sum(axis=1) / total,
                loss.sum(axis=1) / total,
            ],
            axis=1,
        )


def _bins(sums: list[_Floats], bins: int) -> tuple[ReliabilityBin, ...]:
    n, sure, right = (part.sum(axis=0) for part in sums[:3])
    with np.errstate(invalid="ignore"):
        means, shares = sure / n, right / n
    wells = np.count_nonzero(sums[0], axis=0)
    return tuple(
        ReliabilityBin(
            i / bins, (i + 1) / bins, float(means[i]), float(shares[i]), int(n[i]), int(wells[i])
        )
        for i in range(bins)
    )
