"""Histograms over one another, and how far one is from the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values, warn_undefined

__all__ = ["OverlaidHistograms", "overlay_histograms", "wasserstein"]

_MOST_BINS = 60


@dataclass(frozen=True, slots=True)
class OverlaidHistograms:
    """Histograms on common edges.

    Parameters
    ----------
    edges : tuple of float
        Edges of the bins, one more than bins.
    shares : mapping of str to tuple of float
        Share of each sample's values a bin; sums to 1.
    counts : mapping of str to int
        Values a sample.
    """

    edges: tuple[float, ...]
    shares: Mapping[str, tuple[float, ...]]
    counts: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self)


def wasserstein(first: ArrayLike, second: ArrayLike, *, relative: bool = False) -> float:
    """Return the Wasserstein-1 distance of two samples: how far values must move on average.

    Parameters
    ----------
    first, second : array-like of float, shapes (n,) and (m,)
        Values; the numbers may differ.
    relative : bool, default False
        Divide by the range of `second`.

    Returns
    -------
    float
        In the unit of the values, or as a share of the range; NaN with an
        `UndefinedStatisticWarning` where a sample is empty or that range is 0.

    Raises
    ------
    InvalidInputError
        If a value is not finite.

    References
    ----------
    Vallender 1974, doi:10.1137/1118101 (the distance of samples on a line).

    Examples
    --------
    >>> wasserstein([0, 1, 3], [5, 6, 8])
    5.0
    >>> wasserstein([0, 1, 3], [5, 6, 8], relative=True)
    1.666...
    """
    a, b = as_values(first, "first"), as_values(second, "second")
    reason = "a sample is empty" if not a.size or not b.size else ""
    span = float(np.ptp(b)) if relative and not reason else 1.0
    if not reason and span == 0:
        reason = "the range of `second` is 0"
    if reason:
        warn_undefined("Wasserstein distance", reason)
        return math.nan
    return float(stats.wasserstein_distance(a, b)) / span


def overlay_histograms(
    samples: Mapping[str, ArrayLike], *, bins: int | None = None
) -> OverlaidHistograms:
    """Count several samples in the same bins, so that they can be drawn over each other.

    Parameters
    ----------
    samples : mapping of str to array-like of float
        Finite values by name, e.g. before and after a calibration; one of them at least not empty.
    bins : int, optional
        Number of bins; Freedman and Diaconis' rule over all values, at most 60, where not given.

    Returns
    -------
    OverlaidHistograms
        Edges and shares; the shares of an empty sample are 0.

    Raises
    ------
    InvalidInputError
        If there is no value at all, a value is not finite, or `bins` is below 1.

    References
    ----------
    Freedman & Diaconis 1981, doi:10.1007/BF01025868.

    Examples
    --------
    >>> both = overlay_histograms({"before": [0.0, 1.0], "after": [1.0, 2.0]}, bins=2)
    >>> both.edges, both.shares["before"]
    ((0.0, 1.0, 2.0), (0.5, 0.5))
    """
    arrays = {str(name): as_values(values, str(name)) for name, values in samples.items()}
    together = np.concatenate([*arrays.values(), np.empty(0)])
    if not together.size or (bins is not None and bins < 1):
        raise InvalidInputError(
            f"`samples` must hold a value at least, and `bins` be 1 or more; got "
            f"{together.size} values and {bins}: leave `bins` out for the usual number."
        )
    edges = _edges(together, bins)
    shares = {
        name: tuple((np.histogram(a, edges)[0] / max(a.size, 1)).tolist())
        for name, a in arrays.items()
    }
    return OverlaidHistograms(
        tuple(edges.tolist()), shares, {name: int(a.size) for name, a in arrays.items()}
    )


def _edges(values: NDArray[np.float64], bins: int | None) -> NDArray[np.float64]:
    if bins is None:
        width = 2 * float(stats.iqr(values)) / values.size ** (1 / 3)
        bins = _MOST_BINS if width == 0 else math.ceil(float(np.ptp(values)) / width)
        bins = min(max(bins, 1), _MOST_BINS)
    return np.asarray(np.histogram_bin_edges(values, bins), np.float64)
