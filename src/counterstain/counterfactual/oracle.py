"""The judge of counterfactuals: a measurement that never saw the network.

A network can flip its own mind with changes that no one sees. What counts is the *oracle flip*:
the share of counterfactuals in which a classical measurement, taken with the masks of the original
image, crosses the midpoint between the two real classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics import standardised_difference

__all__ = ["Oracle", "choose_oracle"]

# What may judge: plain to say in words and to repeat by hand. Standard deviations stay out, since
# they follow from everything else, and so do outlines, which no class is known for.
_WORDS = {
    "mean_intensity": "mean intensity of {channel} in the {region}",
    "log2_ratio": "log2 of the mean intensity of {channel} in the nucleus over the ring around it",
    "granularity": "how far the fine structures of {channel} in the {region} are dots, not lines",
    "texture_scale": "coarseness of the texture of {channel} in the {region}, in pixels",
    "radial_concentration": (
        "share of the signal of {channel} outside the nucleus that lies near to it"
    ),
    "area": "area of the nucleus in {channel} inside its half-maximum contour, in square pixels",
    "cell_count": "number of nuclei in the crop that {channel} shows",
}
_FEATURES = tuple(_WORDS)
_REGIONS = ("nucleus", "ring", "cell", "nucleus/ring", "crop")
# Found anew in each image; everything else rests on the nuclei of the original.
_FOUND_ANEW = ("area", "cell_count")
# Intensities are plainer than textures: these must separate so much better to be taken.
_PLAIN = ("mean_intensity", "log2_ratio")
_PLAINNESS = 1.25


@dataclass(frozen=True, slots=True)
class Oracle:
    """A measurement and where its midpoint between two classes lies.

    Parameters
    ----------
    column : str
        Column of :func:`counterstain.masks.measure_cells`, ``feature:region:channel``.
    medians : tuple of float
        Median over the real crops of each class, in the order of the classes.
    separation : float
        Hedges' g of well means between the two classes it separates best.
    """

    column: str
    medians: tuple[float, ...]
    separation: float

    @property
    def feature(self) -> str:
        """First part of the column's name."""
        return self.column.split(":")[0]

    @property
    def region(self) -> str:
        """Second part of the column's name."""
        return self.column.split(":")[1]

    @property
    def channel(self) -> str:
        """Third part of the column's name."""
        return self.column.split(":", 2)[2]

    @property
    def definition(self) -> str:
        """The measurement in words."""
        words = _WORDS[self.feature].format(channel=self.channel, region=self.region)
        if self.feature in _FOUND_ANEW:
            return f"{words}, found anew in each image by the same rule"
        return f"{words}, measured with the nuclei of the original image"

    def midpoint(self, source: int, target: int) -> float:
        """Return the value halfway between the medians of two classes."""
        return (self.medians[source] + self.medians[target]) / 2

    def to_json(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            "channel": self.channel,
            "region": self.region,
            "feature": self.feature,
            "definition": self.definition,
            "midpoint": self.midpoint(0, 1),
            "median": dict(zip(class_names, self.medians, strict=True)),
            "separation": self.separation,
        }


def _candidates(table: pd.DataFrame, channel: str | None, feature: str | None) -> list[str]:
    found = []
    for column in table.columns:
        parts = str(column).split(":", 2)
        if len(parts) != 3 or parts[0] not in _FEATURES or parts[1] not in _REGIONS:
            continue
        if channel not in (None, parts[2]) or feature not in (None, parts[0], ":".join(parts[:2])):
            continue
        found.append(str(column))
    return found


def _strength(
    values: NDArray[np.float64], classes: NDArray[np.int64], wells: NDArray[np.int64], n: int
) -> float:
    """Return the largest Hedges' g between two classes; -1 where none can be had."""
    good = np.isfinite(values)
    best = -1.0
    for first in range(n):
        for second in range(first + 1, n):
            a, b = good & (classes == first), good & (classes == second)
            if len(np.unique(wells[a])) < 2 or len(np.unique(wells[b])) < 2:
                continue
            if np.ptp(values[a | b]) == 0:
                continue
            effect = abs(standardised_difference(values[a], wells[a], values[b], wells[b]))
            best = max(best, effect if np.isfinite(effect) else -1.0)
    return best


def choose_oracle(
    measurements: pd.DataFrame,
    classes: NDArray[np.int64],
    wells: NDArray[np.int64],
    n_classes: int,
    *,
    channel: str | None = None,
    feature: str | None = None,
) -> Oracle:
    """Choose the measurement that separates the real classes best; the network has no say.

    Parameters
    ----------
    measurements : DataFrame
        :func:`counterstain.masks.measure_cells` of real crops, a row a crop.
    classes, wells : array of int
        Class index and well of each row.
    n_classes : int
        Number of classes.
    channel : str, optional
        Consider this channel only.
    feature : str, optional
        Consider this feature only: ``log2_ratio``, ``mean_intensity``, ``granularity``,
        ``texture_scale``, ``radial_concentration``, ``area``, ``cell_count``, or with the region,
        as in ``mean_intensity:nucleus``.

    Returns
    -------
    Oracle
        The measurement with the largest standardised difference between well means; a mean
        intensity or their ratio where nothing separates 1.25 times as well.

    Notes
    -----
    The choice and the medians rest on the real crops of all wells and never on a counterfactual or
    on a network's output, so the oracle flip is not made larger by choosing. ``separation`` is
    that of the best of many measurements and so on the high side: it is no finding by itself.

    Raises
    ------
    InvalidInputError
        If no measurement is left to choose from.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "mean_intensity:cell:DNA": [1.0, 2.0, 1.5, 1.6],
    ...     "mean_intensity:cell:GFP": [1.0, 1.1, 5.0, 5.2],
    ... })
    >>> oracle = choose_oracle(table, np.array([0, 0, 1, 1]), np.arange(4), 2)
    >>> oracle.channel, oracle.medians
    ('GFP', (1.05, 5.1))
    """
    names = _candidates(measurements, channel, feature)
    if not names:
        raise InvalidInputError(
            f"`oracle` must name a measurement; got channel {channel!r} and feature {feature!r}, "
            "and there is none such: use a channel of `images.channels` and one of "
            f"{list(_FEATURES)}, or leave both out."
        )
    strength = {
        name: _strength(measurements[name].to_numpy(float), classes, wells, n_classes)
        for name in names
    }
    best = max(names, key=strength.__getitem__)
    plain = [name for name in names if name.split(":")[0] in _PLAIN]
    if plain and strength[best] < _PLAINNESS * max(strength[name] for name in plain):
        best = max(plain, key=strength.__getitem__)
    values = measurements[best].to_numpy(float)
    medians = tuple(float(np.nanmedian(values[classes == k])) for k in range(n_classes))
    return Oracle(best, medians, strength[best])
