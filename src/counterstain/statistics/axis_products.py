"""Inner products of differences of means, freed of the noise of the means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterstain.statistics.resampling import draw_counts

__all__ = ["AxisWells", "cosine_of", "degrees_of"]

_Floats = NDArray[np.float64]
_START, _FIRST, _SECOND = range(3)
_PRIOR_FREEDOM = 10.0


def cosine_of(first: _Floats, second: _Floats, inner: _Floats) -> _Floats:
    """Return the cosine of two ways from squared lengths and inner product.

    Freed of noise it may lie beyond 1; NaN where a squared length is not positive.

    Examples
    --------
    >>> cosine_of(np.array([4.0, -1.0]), np.array([9.0, 1.0]), np.array([3.0, 0.0]))
    array([0.5, nan])
    """
    known = (first > 0) & (second > 0)
    length = np.sqrt(np.where(known, first * second, np.nan))
    return np.asarray(inner / length)


def degrees_of(cosine: float) -> float:
    """Return an angle in degrees, 0 or 180 where noise carries the cosine beyond.

    Examples
    --------
    >>> degrees_of(0.0), degrees_of(1.02)
    (90.0, 0.0)
    """
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine)))) if cosine == cosine else math.nan


def _weights(squares: _Floats, freedom: int) -> _Floats:
    """Return one over the variance of each latent, drawn towards that of all; 0 without spread.

    Few wells give some latents a small spread by chance, and would count these most.
    """
    squares = np.maximum(squares, 0.0)
    usual = squares.mean(axis=-1, keepdims=True)
    drawn = squares + _PRIOR_FREEDOM * usual / max(freedom, 1)
    known = (squares > 0) & (drawn > 0)
    weights = np.divide(freedom + _PRIOR_FREEDOM, drawn, out=np.zeros_like(drawn), where=known)
    return np.asarray(weights, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class AxisWells:
    """Scaled profiles of wells of three classes, in one or several spaces.

    Parameters
    ----------
    profiles : ndarray of float, shape (W, D)
        In units of the spread within classes.
    classes, spaces : ndarray of int, shape (W,)
        Class (0 start, 1 end of the first way, 2 of the second) and space of each well.
    noise : ndarray of float, shape (S, 3)
        Expected squared distance of each class's mean from its true place.
    """

    profiles: _Floats
    classes: NDArray[np.int64]
    spaces: NDArray[np.int64]
    noise: _Floats

    @classmethod
    def of(
        cls, profiles: _Floats, classes: NDArray[np.int64], spaces: NDArray[np.int64]
    ) -> AxisWells:
        """Scale latents within each space by their spread, and measure how far its means are off.

        A full covariance is not undone: fitted to fewer wells than latents it makes their own
        noise look small, and the ways longer than they are.
        """
        scaled = np.empty_like(profiles)
        noise = np.zeros((int(spaces.max()) + 1, 3))
        for space in range(len(noise)):
            rows = np.flatnonzero(spaces == space)
            index = classes[rows]
            residuals = profiles[rows].copy()
            sizes = np.bincount(index, minlength=3)
            for k in range(3):
                residuals[index == k] -= residuals[index == k].mean(axis=0)
            squares = residuals**2
            total, freedom = squares.sum(axis=0), len(rows) - 3
            scaled[rows] = profiles[rows] * np.sqrt(_weights(total, freedom))
            # Each well is measured on a scale that was made without it.
            share = (sizes / (sizes - 1))[index][:, None]
            own = (squares * _weights(total - squares * share, freedom - 1)).sum(axis=1)
            for k in range(3):
                noise[space, k] = own[index == k].sum() / (sizes[k] - 1) / sizes[k]
        return cls(scaled, classes, spaces, noise)

    @property
    def count(self) -> int:
        """Wells W."""
        return len(self.profiles)

    def products(self, counts: _Floats, noise: float) -> tuple[_Floats, _Floats, _Floats]:
        """Return squared lengths of both ways and their inner product, each (B,).

        Parameters
        ----------
        counts : ndarray of float, shape (B, W)
            How often each well counts.
        noise : float
            How often the noise of the means is taken off: once for the wells as they are, twice
            for resamples, which add as much again.
        """
        total = np.zeros((3, len(counts)))
        for space in range(len(self.noise)):
            start, first, second = (self._mean(counts, space, k) for k in range(3))
            one, two = first - start, second - start
            off = noise * self.noise[space]
            total[0] += (one**2).sum(axis=1) - off[_START] - off[_FIRST]
            total[1] += (two**2).sum(axis=1) - off[_START] - off[_SECOND]
            total[2] += (one * two).sum(axis=1) - off[_START]
        return total[0], total[1], total[2]

    def measures(self, counts: _Floats, noise: float) -> _Floats:
        """Return cosine, share undone and share elsewhere, (B, 3)."""
        first, second, inner = self.products(counts, noise)
        known = (first > 0) & (second > 0)
        length = np.where(known, first, np.nan)
        along = inner / length
        across = np.sqrt(np.maximum(second - inner * along, 0.0) / length)
        return np.stack([cosine_of(first, second, inner), along, across], axis=1)

    def resample(self, n_resamples: int, seed: int) -> _Floats:
        """Return the measures of resamples of wells within class and space, (B, 3)."""
        counts = draw_counts(3 * self.spaces + self.classes, n_resamples, seed)
        return self.measures(counts, noise=2.0)

    def halvings(self, n_halvings: int, seed: int) -> tuple[_Floats, _Floats]:
        """Return angles of the first way with the second, and with itself, on two halves of wells.

        Both are found on as many wells, so that they carry the same noise.
        """
        rng = np.random.default_rng(seed)
        angles = np.empty((2, n_halvings))
        for turn in range(n_halvings):
            products = np.zeros((2, 3))
            for space in range(len(self.noise)):
                products += self._halved(space, rng)
            for which in range(2):
                cosine = cosine_of(*products[which][:, None])[0]
                angles[which, turn] = degrees_of(float(cosine))
        return angles[0], angles[1]

    def _halved(self, space: int, rng: np.random.Generator) -> _Floats:
        """Return squared lengths and inner product on halves: with the second, with itself."""
        members = [np.flatnonzero((self.spaces == space) & (self.classes == k)) for k in range(3)]
        shuffled = [rng.permutation(rows) for rows in members]
        half = min(len(shuffled[_FIRST]), len(shuffled[_SECOND])) // 2
        own = len(shuffled[_START]) // 2
        start, again = shuffled[_START][:own], shuffled[_START][own : 2 * own]
        one = self._way(start, shuffled[_FIRST][:half])
        same = self._way(again, shuffled[_FIRST][half : 2 * half])
        other = self._way(again, shuffled[_SECOND][:half])
        return np.array([[one @ one, way @ way, one @ way] for way in (other, same)])

    def _way(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> _Floats:
        return np.asarray(self.profiles[end].mean(axis=0) - self.profiles[start].mean(axis=0))

    def _mean(self, counts: _Floats, space: int, k: int) -> _Floats:
        rows = np.flatnonzero((self.spaces == space) & (self.classes == k))
        chosen = counts[:, rows]
        return np.asarray(chosen @ self.profiles[rows] / chosen.sum(axis=1, keepdims=True))
