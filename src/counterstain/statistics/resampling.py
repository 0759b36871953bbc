"""Bootstrap by well: whole wells are drawn again within their class, never crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values, as_well_codes, warn_undefined
from counterstain.statistics.intervals import check_settings, estimate_from_resamples
from counterstain.statistics.wells import well_classes
from counterstain.types import Estimate

__all__ = ["draw_counts", "share_by_well", "well_bootstrap"]

_BLOCK = 4_000_000
"""Numbers drawn at once; bounds the memory of a bootstrap over many wells."""


def well_bootstrap(
    statistic: Callable[..., NDArray[np.float64]],
    wells_by_class: Sequence[ArrayLike],
    *,
    seed: int,
    n_resamples: int = 2000,
    confidence: float = 0.95,
    share: bool = False,
) -> Estimate:
    """Estimate a statistic of wells with an interval that draws whole wells within their class.

    Crops of one well are not independent, so what is drawn again is the well. Reduce crops to what
    the statistic needs of a well first: a mean, or sums. Intervals are expanded BCa; with fewer
    than eight wells a class those of spread-like statistics such as Z' are too narrow (see
    :mod:`counterstain.statistics.intervals` for how much).

    Parameters
    ----------
    statistic : callable
        Takes an array per class, (B, wells of the class, ...), and returns (B,); NaN where
        undefined. It must reduce over axis 1 and must not warn.
    wells_by_class : sequence of array-like, each of shape (wells of the class, ...)
        What is known of each well; one entry a class (one entry: no classes).
    seed : int
        Seed of the resamples.
    n_resamples : int
        Resamples B.
    confidence : float
        Coverage, between 0 and 1.
    share : bool
        The statistic is a share, see `estimate_from_resamples`.

    Returns
    -------
    Estimate
        Undefined with a reason where the statistic is NaN on all wells; the interval alone is NaN,
        with a reason, where wells are too few or more than half of the resamples are undefined.

    Raises
    ------
    InvalidInputError
        If a class has no well or a setting is out of range.

    Examples
    --------
    >>> difference = lambda a, b: b.mean(axis=1) - a.mean(axis=1)
    >>> estimate = well_bootstrap(difference, [[1.0, 2.0, 3.0, 2.0], [5.0, 6.0, 7.0, 6.0]], seed=0)
    >>> estimate.value, estimate.low > 0
    (4.0, True)
    """
    check_settings(n_resamples, confidence)
    samples = [np.asarray(wells, dtype=np.float64) for wells in wells_by_class]
    empty = [str(i) for i, sample in enumerate(samples) if sample.ndim == 0 or len(sample) == 0]
    if empty or not samples:
        raise InvalidInputError(
            f"`wells_by_class` must hold one well a class or more; got none in class "
            f"{', '.join(empty) or '0'}: leave empty classes out."
        )
    n_wells = sum(len(sample) for sample in samples)
    value = float(statistic(*(sample[None] for sample in samples))[0])
    if not np.isfinite(value):
        return Estimate.undefined("the statistic has no finite value on these wells", n_wells)
    resamples = _resample(statistic, samples, n_resamples, seed)
    jackknife = [_leave_one_out(statistic, samples, i) for i in range(len(samples))]
    return estimate_from_resamples(
        value, resamples, jackknife, n_wells=n_wells, confidence=confidence, share=share
    )


def _resample(
    statistic: Callable[..., NDArray[np.float64]],
    samples: list[NDArray[np.float64]],
    n_resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, len(s), (n_resamples, len(s))) for s in samples]
    block = max(1, _BLOCK // sum(sample.size for sample in samples))
    return np.concatenate(
        [
            statistic(*(s[d[start : start + block]] for s, d in zip(samples, draws, strict=True)))
            for start in range(0, n_resamples, block)
        ]
    )


def _leave_one_out(
    statistic: Callable[..., NDArray[np.float64]], samples: list[NDArray[np.float64]], which: int
) -> NDArray[np.float64]:
    n = len(samples[which])
    if n < 2:
        return np.full(n, np.nan)
    keep = np.arange(n - 1) + (np.arange(n - 1) >= np.arange(n)[:, None])
    others = [
        sample[keep] if i == which else np.broadcast_to(sample, (n, *sample.shape))
        for i, sample in enumerate(samples)
    ]
    return statistic(*others)


def draw_counts(
    class_of_well: NDArray[np.int64], n_resamples: int, seed: int
) -> NDArray[np.float64]:
    """Draw how often each well is in each resample, wells drawn within their class.

    Parameters
    ----------
    class_of_well : ndarray of int, shape (W,)
        Class index of each well.
    n_resamples : int
        Resamples B.
    seed : int
        Seed of the draws.

    Returns
    -------
    ndarray of float64, shape (B, W)
        Counts, as floats so that products with sums per well run in BLAS.

    Examples
    --------
    >>> draw_counts(np.array([0, 0, 1]), 2, seed=0)[:, 2]
    array([1., 1.])
    """
    rng = np.random.default_rng(seed)
    counts = np.empty((n_resamples, len(class_of_well)))
    for index in np.unique(class_of_well):
        members = np.flatnonzero(class_of_well == index)
        chances = np.full(members.size, 1 / members.size)
        counts[:, members] = rng.multinomial(members.size, chances, n_resamples)
    return counts


def share_by_well(
    hits: ArrayLike,
    wells: ArrayLike,
    *,
    seed: int,
    classes: ArrayLike | None = None,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Estimate the share of rows that hit, with an interval that draws whole wells.

    Parameters
    ----------
    hits : array-like of bool, shape (n,)
        Whether each row (a crop, a counterfactual) is a hit.
    wells : array-like, shape (n,)
        Well of each row.
    seed : int
        Seed of the resamples.
    classes : array-like of int, optional, shape (n,)
        Class index of each row, to draw wells within classes; all wells together where left out.
    n_resamples : int
        Resamples.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    Estimate
        Hits over rows; where every row hits, or none, the interval is Wilson's with the wells as
        trials. Undefined with a warning where there is no row.

    Raises
    ------
    InvalidInputError
        If hits are neither 0 nor 1, a row has no well, or a well is of two classes.

    Examples
    --------
    >>> print(share_by_well([True, True, True], ["A01", "A02", "A03"], seed=0))
    1.000 [0.439, 1.000]
    """
    check_settings(n_resamples, confidence)
    array = as_values(hits, "hits")
    if np.any((array != 0) & (array != 1)):
        raise InvalidInputError("`hits` must be true or false; got other numbers: compare first.")
    codes, n_wells = as_well_codes(wells, "wells", array.size)
    if n_wells == 0:
        warn_undefined("share", "there is no row")
        return Estimate.undefined("there is no row")
    index = np.zeros(array.size, np.int64) if classes is None else np.asarray(classes, np.int64)
    class_of_well = well_classes(index, codes, n_wells, wells)
    hit = np.bincount(codes, array, n_wells)
    rows = np.bincount(codes, minlength=n_wells).astype(np.float64)
    counts = draw_counts(class_of_well, n_resamples, seed)
    with np.errstate(invalid="ignore"):
        # Leaving out the only well leaves no row: NaN, as it should be.
        without = (hit.sum() - hit) / (rows.sum() - rows)
    return estimate_from_resamples(
        float(hit.sum() / rows.sum()),
        (counts @ hit) / (counts @ rows),
        [without[class_of_well == k] for k in np.unique(class_of_well)],
        n_wells=n_wells,
        confidence=confidence,
        share=True,
    )
