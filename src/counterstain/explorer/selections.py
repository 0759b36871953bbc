"""What a lasso caught, and how it differs from the rest: channel by channel, well by well."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from counterstain.errors import InvalidInputError
from counterstain.explorer.background import BackgroundWork
from counterstain.explorer.embeddings import Embedding
from counterstain.explorer.framing import json_value
from counterstain.explorer.run_cache import RunCache
from counterstain.explorer.run_reading import ExplorerRun

__all__ = ["Selections", "inside_polygon"]

_FEWEST_WELLS: Final = 3
MOST_CORNERS: Final = 200


def inside_polygon(
    x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]], corners: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which points lie inside a polygon (even-odd rule); NaN lies outside.

    Parameters
    ----------
    x, y : ndarray of float, shape (N,)
        Points.
    corners : ndarray of float, shape (V, 2)
        The polygon, closed by itself.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> inside_polygon(np.array([0.5, 2.0, np.nan]), np.array([0.5, 0.5, 0.5]), square).tolist()
    [True, False, False]
    """
    inside = np.zeros(len(x), bool)
    known = np.isfinite(x) & np.isfinite(y)
    px, py = x[known].astype(np.float64), y[known].astype(np.float64)
    found = np.zeros(len(px), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > py) != (y1 > py)
        found ^= crosses & (px < (x1 - x0) * (py - y0) / (y1 - y0) + x0)
    inside[known] = found
    return inside


class Selections:
    """Selections on maps, compared with the rest.

    Parameters
    ----------
    run : ExplorerRun
        The run.
    cache : RunCache
        Where mean intensities are kept.
    """

    def __init__(self, run: ExplorerRun, cache: RunCache) -> None:
        self._run, self._cache = run, cache
        self.intensities: BackgroundWork[NDArray[np.float32]] = BackgroundWork(self._measure)

    def _measure(self, report: Callable[[float], None]) -> NDArray[np.float32]:
        """Return the mean intensity ``(N, C)`` of every item, on the scale of the controls."""
        store, n = self._run.pixels, len(self._run.catalogue.items)
        if store is None:
            raise InvalidInputError(self._run.missing.get("pixels", "There are no pixels."))
        kept = self._cache.read("intensities_mean.npz")
        if kept is not None:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return np.asarray(np.load(io.BytesIO(kept))["mean"], np.float32)
        means = np.full((n, len(self._run.channels)), np.nan, np.float32)
        for start, pixels in store.blocks():
            stop = min(start + len(pixels), n)
            means[start:stop] = pixels.mean((2, 3))[: stop - start]
            report(stop / n)
        stream = io.BytesIO()
        np.savez_compressed(stream, mean=means)
        self._cache.write("intensities_mean.npz", stream.getvalue())
        return means

    def describe(self, embedding: Embedding, corners: NDArray[np.float64]) -> dict[str, Any]:
        """Return what lies inside a polygon on a map, JSON-ready.

        Parameters
        ----------
        embedding : Embedding
            The map.
        corners : ndarray of float, shape (V, 2)
            3 to 200 corners.

        Raises
        ------
        InvalidInputError
            If the polygon has too few or too many corners, or the map is empty.
        """
        if not 3 <= len(corners) <= MOST_CORNERS or not np.isfinite(corners).all():
            raise InvalidInputError(
                f"`polygon` must have 3 to {MOST_CORNERS} finite corners; got {len(corners)}: "
                "draw it anew."
            )
        chosen = inside_polygon(embedding.x, embedding.y, corners)
        others = np.isfinite(embedding.x) & ~chosen
        items = self._run.catalogue.items
        rows = np.flatnonzero(chosen)
        return {
            "n": len(rows),
            "n_wells": int(items["well"].iloc[rows].nunique()),
            "items": rows[np.unique(np.linspace(0, len(rows) - 1, 200).astype(int))].tolist()
            if len(rows)
            else [],
            "classes": _counts(items["class_name"].to_numpy(object), chosen),
            "channels": self._channels(chosen, others),
        }

    def _channels(
        self, chosen: NDArray[np.bool_], others: NDArray[np.bool_]
    ) -> list[dict[str, Any]]:
        means = self.intensities.result
        if means is None:
            raise InvalidInputError("Intensities are not measured yet: ask again in a moment.")
        wells = self._run.catalogue.items["well"].to_numpy()
        return [
            {"channel": name, **_compare(means[:, c], wells, chosen, others)}
            for c, name in enumerate(self._run.channels)
        ]


def _counts(names: NDArray[np.object_], chosen: NDArray[np.bool_]) -> list[dict[str, Any]]:
    found, counts = np.unique(names[chosen].astype(str), return_counts=True)
    return [{"name": str(a), "n": int(b)} for a, b in zip(found, counts, strict=True)]


def _well_means(
    values: NDArray[np.float32], wells: NDArray[Any], rows: NDArray[np.bool_]
) -> dict[int, float]:
    good = rows & np.isfinite(values)
    ids, at = np.unique(wells[good], return_inverse=True)
    sums = np.bincount(at, values[good].astype(np.float64), len(ids))
    counts = np.bincount(at, minlength=len(ids))
    return {int(w): float(s / n) for w, s, n in zip(ids, sums, counts, strict=True)}


def _compare(
    values: NDArray[np.float32],
    wells: NDArray[Any],
    chosen: NDArray[np.bool_],
    others: NDArray[np.bool_],
) -> dict[str, Any]:
    """Compare means of wells: within the wells that have both, else between wells (Welch).

    The well is the unit: a thousand cells of one well are one observation of its treatment.
    """
    inside, outside = (_well_means(values, wells, rows) for rows in (chosen, others))
    both = sorted(inside.keys() & outside.keys())
    within = len(both) >= _FEWEST_WELLS
    first = np.array([inside[w] for w in (both if within else inside)])
    second = np.array([outside[w] for w in (both if within else outside)])
    found: dict[str, Any] = {
        "selected": first.mean() if len(first) else np.nan,
        "rest": second.mean() if len(second) else np.nan,
        "n_selected": len(first),
        "n_rest": len(second),
    }
    if within:
        half = stats.t.ppf(0.975, len(both) - 1) * stats.sem(first - second)
        how = f"within {len(both)} wells that have both"
    elif min(len(first), len(second)) >= _FEWEST_WELLS:
        test = stats.ttest_ind(first, second, equal_var=False)
        interval = test.confidence_interval(0.95)
        half = float(interval.high - interval.low) / 2
        how = f"{len(first)} wells against {len(second)}"
    else:
        half, how = np.nan, "too few wells"
    middle = found["selected"] - found["rest"] if np.isfinite(half) else np.nan
    found |= {"difference": middle, "low": middle - half, "high": middle + half, "how": how}
    return {key: json_value(value) for key, value in found.items()}
