"""Whether labels form clusters: silhouette and purity of neighbours, against shuffled labels.

A map of points shows islands whether or not they mean anything, and patches of one well resemble
each other for reasons of their own. Here the well is the unit: a patch is compared with patches of
other wells only, and what chance gives comes from exchanging the labels of whole wells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_well_codes, warn_undefined

__all__ = ["ClusterSeparation", "cluster_separation"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClusterSeparation:
    """How far points with one label lie together.

    Parameters
    ----------
    silhouette, silhouette_chance, silhouette_p : float
        Mean silhouette width, its mean over shuffles, and the share of shuffles that reach it.
    purity, purity_chance, purity_p : float
        The same of the share of a point's nearest neighbours that have its label.
    neighbours : int
        How many neighbours.
    n_rows, n_wells, n_labels : int
        What the numbers rest on.
    reason : str
        Why numbers are NaN; empty otherwise.
    """

    silhouette: float
    silhouette_chance: float
    silhouette_p: float
    purity: float
    purity_chance: float
    purity_p: float
    neighbours: int
    n_rows: int
    n_wells: int
    n_labels: int
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            key: None if isinstance(item, float) and math.isnan(item) else item
            for key, item in asdict(self).items()
        }


def cluster_separation(
    points: ArrayLike,
    labels: Mapping[str, ArrayLike],
    wells: ArrayLike,
    *,
    seed: int,
    neighbours: int = 15,
    n_shuffles: int = 199,
) -> dict[str, ClusterSeparation]:
    """Measure how far each set of labels forms clusters, without neighbours from the own well.

    Distances are measured once for all sets; memory grows with the square of the points (36 MB for
    3,000), so pass a sample of a large table.

    Parameters
    ----------
    points : array-like of float, shape (n, D)
        Coordinates, e.g. all latents: those of a UMAP have lost the distances.
    labels : mapping of str to array-like, each of shape (n,)
        Labels of the points, e.g. of stimulation and of plate.
    wells : array-like, shape (n,)
        Well of each point; with several plates, plate and well together.
    seed : int
        Of the shuffles.
    neighbours : int, default 15
        Nearest neighbours for the purity.
    n_shuffles : int, default 199
        Shuffles: each well gets the labels of another, as a whole.

    Returns
    -------
    dict of str to ClusterSeparation
        p-values are one-sided with one added, so never 0. The silhouette of a point is (b - a) /
        max(a, b), with a its mean distance from points with its label and b that from those of the
        nearest other label, both in other wells; points whose label is in no other well are left
        out. Labels of one value or fewer than three wells give NaN with a reason and an
        `UndefinedStatisticWarning`.

    Raises
    ------
    InvalidInputError
        If lengths differ, a coordinate is not finite, or a number is below 1.

    References
    ----------
    Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7 (silhouettes); Phipson & Smyth 2010,
    doi:10.2202/1544-6115.1585 (p-values with one added).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> treated = np.repeat([0, 1], 40)
    >>> points = rng.normal(size=(80, 3)) + 4 * treated[:, None]
    >>> wells = np.repeat(np.arange(16), 5)
    >>> found = cluster_separation(points, {"treated": treated}, wells, seed=0)["treated"]
    >>> round(found.purity, 1), found.purity_p, found.silhouette > 0.4
    (1.0, 0.005, True)
    """
    x = _as_points(points)
    codes, n_wells = as_well_codes(wells, "wells", len(x))
    if neighbours < 1 or n_shuffles < 1:
        raise InvalidInputError(
            f"`neighbours` and `n_shuffles` must be 1 or more; got {neighbours} and {n_shuffles}."
        )
    indexed = {name: _label_index(name, values, len(x)) for name, values in labels.items()}
    measure: _Measure | None = None
    found = {}
    for name, (index, n_labels) in indexed.items():
        size = (neighbours, len(x), n_wells, n_labels)
        reason = _why_undefined(n_labels, n_wells)
        if reason:
            warn_undefined(f"separation by {name}", reason)
            nothing = (math.nan, math.nan, math.nan)
            found[name] = ClusterSeparation(*nothing, *nothing, *size, reason)
            continue
        measure = measure or _Measure(x, codes, neighbours)
        shuffles = _shuffled(index, codes, n_wells, seed, n_shuffles)
        found[name] = _against_chance(measure, index, shuffles, n_labels, size)
    return found


def _as_points(points: ArrayLike) -> NDArray[np.float32]:
    x = np.asarray(points, np.float32)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise InvalidInputError(
            f"`points` must be finite numbers (n, D); got shape {x.shape}: leave out rows without "
            "coordinates."
        )
    return x


def _label_index(name: str, values: ArrayLike, n_rows: int) -> tuple[NDArray[np.intp], int]:
    codes, known = pd.factorize(np.asarray(values), sort=True)
    if len(codes) != n_rows or (codes < 0).any():
        raise InvalidInputError(
            f"`labels[{name!r}]` must have a label for each of the {n_rows} points; got "
            f"{int((codes >= 0).sum())}: leave points without one out."
        )
    return codes, len(known)


def _why_undefined(n_labels: int, n_wells: int) -> str:
    if n_wells < 3:
        return f"it needs three wells or more, got {n_wells}"
    return "all points have one label" if n_labels < 2 else ""


class _Measure:
    """Distances and nearest neighbours, between points of different wells only."""

    def __init__(self, x: NDArray[np.float32], codes: NDArray[np.intp], neighbours: int) -> None:
        centred = x - x.mean(0)
        square = (centred**2).sum(1)
        distance = square[:, None] + square - 2 * (centred @ centred.T)
        distance = np.sqrt(np.maximum(distance, 0, out=distance), out=distance)
        own = codes[:, None] == codes
        distance[own] = np.inf
        # Where other wells have fewer points than that, all of them are neighbours.
        count = min(neighbours, int((~own).sum(1).min()))
        self.nearest = np.argpartition(distance, count - 1, axis=1)[:, :count]
        distance[own] = 0
        self._distance, self._codes = distance, codes

    def purity(self, index: NDArray[np.intp]) -> float:
        return float((index[self.nearest] == index[:, None]).mean())

    def silhouette(self, index: NDArray[np.intp], n_labels: int) -> float:
        of_label = (index[:, None] == np.arange(n_labels)).astype(np.float32)
        by_well = np.zeros((int(self._codes.max()) + 1, n_labels), np.float32)
        np.add.at(by_well, self._codes, of_label)
        count = of_label.sum(0) - by_well[self._codes]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (self._distance @ of_label) / count
        rows = np.arange(len(index))
        own = mean[rows, index]
        mean[rows, index] = np.nan
        known = np.isfinite(own) & np.isfinite(mean).any(1)
        if not known.any():
            return math.nan
        other = np.nanmin(mean[known], axis=1)
        return float(((other - own[known]) / np.maximum(other, own[known])).mean())


def _shuffled(
    index: NDArray[np.intp], codes: NDArray[np.intp], n_wells: int, seed: int, n_shuffles: int
) -> list[NDArray[np.intp]]:
    """Give each well the labels of another; they start again where the other has fewer points."""
    rng = np.random.default_rng(seed)
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=n_wells)
    starts = np.cumsum(sizes) - sizes
    blocks = [index[order[start : start + n]] for start, n in zip(starts, sizes, strict=True)]
    shuffles = []
    for _ in range(n_shuffles):
        givers = rng.permutation(n_wells)
        dealt = np.concatenate(
            [np.resize(blocks[giver], n) for giver, n in zip(givers, sizes, strict=True)]
        )
        shuffled = np.empty_like(index)
        shuffled[order] = dealt
        shuffles.append(shuffled)
    return shuffles


def _against_chance(
    measure: _Measure,
    index: NDArray[np.intp],
    shuffles: list[NDArray[np.intp]],
    n_labels: int,
    size: tuple[int, int, int, int],
) -> ClusterSeparation:
    every = [index, *shuffles]
    silhouette = _with_chance(np.array([measure.silhouette(one, n_labels) for one in every]))
    purity = _with_chance(np.array([measure.purity(one) for one in every]))
    return ClusterSeparation(*silhouette, *purity, *size)


def _with_chance(values: _Floats) -> tuple[float, float, float]:
    """Return the first value, the mean of the others, and how often they reach it."""
    known = values[1:][np.isfinite(values[1:])]
    chance = float(known.mean()) if known.size else math.nan
    if not np.isfinite(values[0]):
        return math.nan, chance, math.nan
    reached = int((values[1:] >= values[0]).sum())
    return float(values[0]), chance, (reached + 1) / len(values)
