"""Intensity ranges of a screen, from a sample of its fields."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from counterstain.errors import UnreadableImageError
from counterstain.plates.images import read_field
from counterstain.plates.screen import Screen

__all__ = ["measure_ranges"]

_SHARES = {"low": 0.001, "median": 0.5, "high": 0.999}


def _at_share(counts: npt.NDArray[np.int64], share: float) -> int:
    """Return the grey value below or at which a share of the pixels lies."""
    return int(np.searchsorted(np.cumsum(counts), share * counts.sum()))


def measure_ranges(screen: Screen, n_fields: int = 24) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Measure the range of grey values a channel on evenly spread fields.

    Parameters
    ----------
    screen : Screen
        With at least one readable field; without, the table is empty.
    n_fields : int
        Fields to decode at most.

    Returns
    -------
    ranges : pandas.DataFrame
        A row per channel: channel, dtype, min, low (0.1st percentile), median, high (99.9th
        percentile), max (grey values, int) and saturated (share of pixels at the dtype's end).
    problems : tuple of str
        Fields of the sample that could not be decoded.
    """
    usable = screen.fields[screen.fields["readable"]]
    if usable.empty:
        return pd.DataFrame(columns=["channel", "dtype", "min", *_SHARES, "max", "saturated"]), ()
    spread = np.linspace(0, len(usable) - 1, min(n_fields, len(usable))).round().astype(int)
    counts = np.zeros((len(screen.channels), 1 << 16), np.int64)
    problems: list[str] = []
    for row in usable.iloc[spread].to_dict("records"):
        try:
            field = read_field(row, len(screen.channels))
        except UnreadableImageError as error:
            problems += error.problems
            continue
        for index, plane in enumerate(field):
            counts[index] += np.bincount(plane.ravel(), minlength=1 << 16)
    dtype = str(usable["dtype"].iloc[0])
    rows = []
    for channel, histogram in zip(screen.channels, counts, strict=True):
        if not histogram.any():
            continue
        seen = np.flatnonzero(histogram)
        entry: dict[str, Any] = {
            "channel": channel,
            "dtype": dtype,
            "min": int(seen[0]),
            **{name: _at_share(histogram, share) for name, share in _SHARES.items()},
            "max": int(seen[-1]),
            "saturated": histogram[np.iinfo(dtype).max] / histogram.sum(),
        }
        rows.append(entry)
    return pd.DataFrame(rows), tuple(problems)
