"""Intensities of every plate and channel on one scale, set by the negative controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["Histograms", "PixelScaling"]

_BINS = {np.dtype(np.uint8): 1 << 8, np.dtype(np.uint16): 1 << 16}


class Histograms:
    """Exact counts of every grey value of one plate, in memory that does not grow with fields.

    Parameters
    ----------
    n_channels : int
        How many histograms to keep.
    dtype : numpy dtype
        uint8 or uint16.

    Raises
    ------
    InvalidInputError
        If the dtype is another one.

    Examples
    --------
    >>> counts = Histograms(1, np.uint8)
    >>> counts.add(np.arange(100, dtype=np.uint8).reshape(1, 10, 10))
    >>> counts.percentile(0, 50.0)
    49.5
    """

    def __init__(self, n_channels: int, dtype: Any) -> None:
        kind = np.dtype(dtype)
        if kind not in _BINS:
            raise InvalidInputError(
                f"Pixels must be uint8 or uint16; got {kind}: convert the images without "
                "rescaling them one by one."
            )
        self._counts = np.zeros((n_channels, _BINS[kind]), np.int64)

    def add(self, field: NDArray[Any]) -> None:
        """Count the pixels of a field (C, H, W)."""
        self._counts += self._count(field)

    def remove(self, field: NDArray[Any]) -> None:
        """Take a field out that was counted before."""
        self._counts -= self._count(field)

    def _count(self, field: NDArray[Any]) -> NDArray[np.int64]:
        n_bins = self._counts.shape[1]
        return np.stack([np.bincount(image.ravel(), minlength=n_bins) for image in field])

    @property
    def n_pixels(self) -> int:
        """Pixels of a channel that were counted."""
        return int(self._counts[0].sum())

    def percentile(self, channel: int, percent: float) -> float:
        """Return a percentile, equal to ``numpy.percentile`` of all pixels (linear)."""
        cumulative = np.cumsum(self._counts[channel])
        position = (int(cumulative[-1]) - 1) * (percent / 100.0)
        below = int(np.floor(position))
        above = min(below + 1, int(cumulative[-1]) - 1)
        first, second = np.searchsorted(cumulative, [below + 1, above + 1])
        return float(first + (second - first) * (position - below))

    def limits(
        self, plate: str, channels: Sequence[str], percentiles: tuple[float, float]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
        """Return what becomes 0 and 1 in each channel.

        Parameters
        ----------
        plate : str
            Name, for the notes.
        channels : sequence of str
            Names in the order of the counts.
        percentiles : (float, float)
            Percentages that become 0 and 1.

        Returns
        -------
        low, high : (C,) arrays of float64
            Grey values.
        notes : tuple of str
            A sentence for each channel that hardly varies; it is scaled by one grey value.
        """
        low, high = (
            np.array([self.percentile(c, percent) for c in range(len(channels))])
            for percent in percentiles
        )
        flat = high <= low
        high[flat] = low[flat] + 1.0
        notes = tuple(
            f"Plate {plate}, channel {channels[c]}: the percentiles {percentiles[0]:g} and "
            f"{percentiles[1]:g} of the negative controls are both {low[c]:g}; the channel is "
            "scaled by one grey value."
            for c in np.flatnonzero(flat).tolist()
        )
        return low, high, notes


@dataclass(frozen=True)
class PixelScaling:
    """What becomes 0 and 1, per plate and channel; nothing is clipped, so it can be undone.

    Parameters
    ----------
    plates : tuple of str
        Plates in the order of the rows.
    low, high : (P, C) arrays of float
        Grey values that become 0 and 1.

    Examples
    --------
    >>> scaling = PixelScaling(("P1",), np.array([[10.0]]), np.array([[110.0]]))
    >>> pixels = np.array([[[[10, 60, 110, 210]]]], np.uint8)
    >>> scaling.apply(pixels, np.array([0])).ravel().tolist()
    [0.0, 0.5, 1.0, 2.0]
    """

    plates: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.low.shape != self.high.shape or self.low.shape[:1] != (len(self.plates),):
            raise InvalidInputError(
                f"`low` and `high` must be (plates, channels) with {len(self.plates)} plates; got "
                f"{self.low.shape} and {self.high.shape}: give a row a plate."
            )
        if not np.all(self.high > self.low):
            raise InvalidInputError("`high` must lie above `low` everywhere: mend the scaling.")

    def _limits(
        self, plate_index: NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        low = self.low[plate_index].astype(np.float32)[:, :, None, None]
        span = (self.high - self.low)[plate_index].astype(np.float32)[:, :, None, None]
        return low, span

    def apply(
        self, pixels: NDArray[np.generic], plate_index: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        """Scale pixels.

        Parameters
        ----------
        pixels : (N, C, H, W) array
            Grey values as they came from the camera.
        plate_index : (N,) array of int
            Row of `plates` that each crop belongs to.

        Returns
        -------
        (N, C, H, W) array of float32
            0 at `low`, 1 at `high`, beyond them outside of [0, 1].
        """
        low, span = self._limits(plate_index)
        scaled = pixels.astype(np.float32)
        scaled -= low
        scaled /= span
        return scaled

    def invert(
        self, scaled: NDArray[np.floating[Any]], plate_index: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        """Undo `apply`: (N, C, H, W) scaled values back to grey values, not rounded."""
        low, span = self._limits(plate_index)
        return np.asarray(scaled.astype(np.float32) * span + low, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            "plates": list(self.plates),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> PixelScaling:
        """Read what `to_json` wrote."""
        low = np.asarray(content["low"], np.float64)
        high = np.asarray(content["high"], np.float64)
        return cls(tuple(content["plates"]), low, high)
