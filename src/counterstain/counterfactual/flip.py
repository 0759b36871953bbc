"""How many counterfactuals carry the judge's measurement across, and how far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterstain.counterfactual.oracle import Oracle
from counterstain.statistics import share_by_well
from counterstain.types import Estimate

__all__ = ["OracleFlip", "crossed", "gap_closed", "measure_flip"]


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
