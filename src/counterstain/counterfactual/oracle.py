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
from counterstain.statistics import share_by_well, standardised_difference
from counterstain.types import Estimate

__all__ = ["Oracle", "OracleFlip", "choose_oracle", "gap_closed", "measure_flip"]

# What may judge: plain to say in words and to repeat by hand. Texture measures stay out.
_FEATURES = ("mean_intensity", "log2_ratio")
_REGIONS = ("nucleus", "ring", "cell", "nucleus/ring")
_WORDS = {
    "mean_intensity": "mean intensity of {channel} in the {region}",
    "log2_ratio": "log2 of the mean intensity of {channel} in the nucleus over the ring around it",
}


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
        Consider this feature only: ``log2_ratio``, ``mean_intensity``, or with the region, as in
        ``mean_intensity:nucleus``.

    Returns
    -------
    Oracle
        The measurement with the largest standardised difference between well means.

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
    values = measurements[best].to_numpy(float)
    medians = tuple(float(np.nanmedian(values[classes == k])) for k in range(n_classes))
    return Oracle(best, medians, strength[best])


@dataclass(frozen=True, slots=True)
class OracleFlip:
    """How far counterfactuals of one direction carry the measurement.

    Parameters
    ----------
    flip : Estimate
        Share that crosses the midpoint, of the crops that lay on their own class's side.
    gap_closed : Estimate
        Median change over the difference of the classes' medians: 1 closes the gap, more
        overshoots.
    n_crops : int
        Crops that lay on their own side and so could cross.
    n_left_out : int
        Crops that lay on the other side from the start, or had no measurement.
    """

    flip: Estimate
    gap_closed: Estimate
    n_crops: int
    n_left_out: int


def crossed(
    oracle: Oracle,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    source: int,
    target: int,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which crops could cross the midpoint, and which of all did."""
    sign = np.sign(oracle.medians[target] - oracle.medians[source]) or 1.0
    middle = oracle.midpoint(source, target)
    could = np.isfinite(before) & np.isfinite(after) & (sign * (before - middle) < 0)
    return could, could & (sign * (after - middle) > 0)


def gap_closed(
    oracle: Oracle,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    source: int,
    target: int,
) -> NDArray[np.float64]:
    """Return the change of each crop over the difference of the classes' medians."""
    gap = oracle.medians[target] - oracle.medians[source]
    if gap == 0:
        return np.full(len(before), np.nan)
    return (after - before) / gap


def measure_flip(
    oracle: Oracle,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    wells: NDArray[np.int64],
    source: int,
    target: int,
    *,
    seed: int,
) -> OracleFlip:
    """Measure the oracle flip and the gap closed, with intervals that draw whole wells.

    Parameters
    ----------
    oracle : Oracle
        The judge.
    before, after : array
        Its measurement of the originals and of their counterfactuals.
    wells : array of int
        Well of each.
    source, target : int
        Class indices.
    seed : int
        Seed of the resamples.

    Examples
    --------
    >>> judge = Oracle("mean_intensity:cell:GFP", (0.0, 1.0), 9.0)
    >>> before, after = np.array([0.0, 0.1, 0.2, 0.9]), np.array([1.0, 0.9, 0.3, 1.0])
    >>> found = measure_flip(judge, before, after, np.array([0, 1, 2, 2]), 0, 1, seed=0)
    >>> round(found.flip.value, 3), found.n_crops, found.n_left_out
    (0.667, 3, 1)
    """
    could, did = crossed(oracle, before, after, source, target)
    n_left_out = int(len(before) - could.sum())
    if not could.any():
        reason = "no crop lay on its own class's side of the midpoint"
        none = Estimate.undefined(reason)
        return OracleFlip(none, none, 0, n_left_out)
    flip = share_by_well(did[could], wells[could], seed=seed)
    closed = gap_closed(oracle, before, after, source, target)[could]
    gap = _median_by_well(closed, wells[could], seed)
    return OracleFlip(flip, gap, int(could.sum()), n_left_out)


def _median_by_well(values: NDArray[np.float64], wells: NDArray[np.int64], seed: int) -> Estimate:
    """Return the median of all values, with an interval from drawing whole wells again."""
    groups = [values[wells == well] for well in np.unique(wells)]
    generator = np.random.default_rng(seed)
    value = float(np.median(values))
    if not np.isfinite(value):
        return Estimate.undefined("the classes have the same median", len(groups))
    if len(groups) < 2:
        return Estimate(value, n_wells=1, reason="one well gives no interval")
    medians = [
        np.median(
            np.concatenate([groups[i] for i in generator.integers(len(groups), size=len(groups))])
        )
        for _ in range(500)
    ]
    low, high = np.quantile(medians, [0.025, 0.975])
    return Estimate(value, float(low), float(high), len(groups))
