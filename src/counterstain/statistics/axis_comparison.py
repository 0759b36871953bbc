"""Whether a treatment undoes the disease's own direction, or goes elsewhere.

Two ways start at the diseased wells: to the healthy ones, and to the treated ones. Along the same
way, the treatment undoes what the disease did; at a right angle it does something else. In a space
of many dimensions two noisy means always look far apart in direction, and two ways that share their
start look alike by its noise alone. So squared lengths and the inner product are freed of the part
that the wells' own spread adds to them, and beside the angle stands the one that the disease's axis
makes with itself when it is found twice, on different halves of the wells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.axis_products import AxisWells, cosine_of, degrees_of
from counterstain.statistics.inputs import as_class_index, warn_undefined
from counterstain.statistics.intervals import check_settings, estimate_from_resamples
from counterstain.types import Estimate

__all__ = ["AxisComparison", "compare_axes"]

_HALF_WAY = 45.0
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class AxisComparison:
    """Two ways from one class, compared.

    Parameters
    ----------
    angle : Estimate
        Between the two ways, degrees, freed of noise, with its well-bootstrap interval.
    raw_angle : float
        The same with the noise in it.
    halves_angle : Estimate
        Median angle between the first way, found on one half of the wells, and the second, found
        on the other; the ends hold 95 % of the halvings.
    same_axis_angle : Estimate
        The null: likewise, but both times the first way. Noise alone makes this angle.
    undone : Estimate
        Length of the second way along the first, as a share of the first: 1 undoes the disease.
    elsewhere : Estimate
        Length of the second way across the first, likewise.
    verdict : {'along', 'elsewhere', 'undecided', 'undefined'}
        Whether the interval of the angle lies below 45 degrees, above, or holds them; undefined
        where a way is no longer than its noise.
    sentence : str
        The same in words.
    """

    angle: Estimate
    raw_angle: float
    halves_angle: Estimate
    same_axis_angle: Estimate
    undone: Estimate
    elsewhere: Estimate
    verdict: Literal["along", "elsewhere", "undecided", "undefined"]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        names = ("angle", "halves_angle", "same_axis_angle", "undone", "elsewhere")
        raw = None if math.isnan(self.raw_angle) else self.raw_angle
        estimates = {name: getattr(self, name).to_json() for name in names}
        rest = {k: v for k, v in asdict(self).items() if k in ("verdict", "sentence")}
        return {**estimates, "raw_angle": raw, **rest}


def compare_axes(
    profiles: ArrayLike,
    classes: ArrayLike,
    names: Sequence[str],
    *,
    seed: int,
    spaces: ArrayLike | None = None,
    n_resamples: int = 2000,
    n_halvings: int = 200,
    confidence: float = 0.95,
) -> AxisComparison:
    """Compare the way from a class to a second with that to a third, on profiles of wells.

    Parameters
    ----------
    profiles : array-like of float, shape (W, D)
        A profile a well, such as its mean latents from a network that never saw it.
    classes : array-like of str, shape (W,)
        Class of each well; wells of other classes than the three are left out.
    names : sequence of str
        Where both ways start (diseased), where the first ends (healthy), where the second ends
        (treated).
    seed : int
        Seed of resamples and halvings.
    spaces : array-like, optional, shape (W,)
        Space of each profile, such as the fold of its network or its plate: ways are found within
        each, and their products added up. One space where left out.
    n_resamples : int
        Resamples of wells.
    n_halvings : int
        Halvings of wells for the null.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    AxisComparison
        Latents are measured in units of the wells' own spread within classes. Undefined, with a
        warning, where a way is no longer than its noise.

    Raises
    ------
    InvalidInputError
        If shapes differ, a profile is not finite, or a class has fewer than two wells in a space.

    References
    ----------
    Unbiased products of means as in Chen & Qin 2010, doi:10.1214/09-AOS716.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ends = np.zeros((3, 20))
    >>> ends[1, 0], ends[2, 0] = 12, 6
    >>> wells = np.repeat(ends, 12, axis=0) + rng.normal(size=(36, 20))
    >>> found = compare_axes(wells, np.repeat(["DS", "WT", "TT"], 12), ["DS", "WT", "TT"], seed=0)
    >>> found.verdict, found.raw_angle > found.angle.value, bool(0.3 < found.undone.value < 0.7)
    ('along', True, True)
    """
    check_settings(n_resamples, confidence)
    wells = _wells(profiles, classes, names, spaces)
    value = wells.measures(np.ones((1, wells.count)), noise=1.0)[0]
    resamples = wells.resample(n_resamples, seed)
    without = wells.measures(1 - np.eye(wells.count), noise=1.0)
    members = [wells.classes == k for k in range(3)]
    estimates = [
        _estimate(label, value, resamples, without, members, i, wells.count, confidence)
        for i, label in enumerate(("angle", "share undone", "share elsewhere"))
    ]
    angle = _angle(estimates[0])
    raw = degrees_of(float(cosine_of(*wells.products(np.ones((1, wells.count)), 0.0))[0]))
    across, same = (_spread(angles, wells.count) for angles in wells.halvings(n_halvings, seed))
    verdict = _verdict(angle)
    sentence = _sentence(verdict, angle, estimates[1], same, tuple(names))
    return AxisComparison(angle, raw, across, same, estimates[1], estimates[2], verdict, sentence)


def _wells(
    profiles: ArrayLike, classes: ArrayLike, names: Sequence[str], spaces: ArrayLike | None
) -> AxisWells:
    if len(names) != 3 or len(set(names)) != 3:
        raise InvalidInputError(
            f"`names` must be three classes: start, end of the first way, end of the second; got "
            f"{list(names)}: pass for example ['DS', 'WT', 'TT']."
        )
    table, labels = np.asarray(profiles, np.float64), np.asarray(classes).astype(str)
    where = np.zeros(labels.size, np.int64) if spaces is None else np.asarray(spaces)
    if table.ndim != 2 or labels.shape != table.shape[:1] or where.shape != labels.shape:
        raise InvalidInputError(
            f"`profiles` must be (W, D), with a class and a space a well; got {table.shape}, "
            f"{labels.shape} and {where.shape}: pass all from one table."
        )
    kept = np.isin(labels, list(names))
    table, where = table[kept], where[kept]
    if not np.isfinite(table).all():
        raise InvalidInputError(
            "`profiles` must be finite; got wells that are not: leave out wells without crops, and "
            "layers of networks that were trained on the well."
        )
    index = as_class_index(labels[kept], names, "classes")
    few = [
        f"{names[k]} has {n} in space {space}"
        for space in np.unique(where)
        for k in range(3)
        if (n := int(((where == space) & (index == k)).sum())) < _FEWEST
    ]
    if few or not index.size:
        raise InvalidInputError(
            f"`classes` must have {_FEWEST} wells a class and space or more, one for each half; "
            f"{'; '.join(few) or 'there is no well'}: add wells, or leave that space out."
        )
    return AxisWells.of(table, index, np.unique(where, return_inverse=True)[1])


def _estimate(
    label: str,
    value: NDArray[np.float64],
    resamples: NDArray[np.float64],
    without: NDArray[np.float64],
    members: list[NDArray[np.bool_]],
    which: int,
    n_wells: int,
    confidence: float,
) -> Estimate:
    if not math.isfinite(value[which]):
        reason = "a way is no longer than the noise of its ends"
        warn_undefined(label, reason)
        return Estimate.undefined(reason, n_wells)
    return estimate_from_resamples(
        float(value[which]),
        resamples[:, which],
        [without[of_class, which] for of_class in members],
        n_wells=n_wells,
        confidence=confidence,
    )


def _angle(cosine: Estimate) -> Estimate:
    """Return the angle of a cosine, whose interval may reach beyond 1."""
    low, high = degrees_of(cosine.high), degrees_of(cosine.low)
    return Estimate(degrees_of(cosine.value), low, high, cosine.n_wells, cosine.reason)


def _spread(angles: NDArray[np.float64], n_wells: int) -> Estimate:
    low, middle, high = (float(q) for q in np.quantile(angles, [0.025, 0.5, 0.975]))
    return Estimate(middle, low, high, n_wells=n_wells)


def _verdict(angle: Estimate) -> Literal["along", "elsewhere", "undecided", "undefined"]:
    if not angle.is_defined:
        return "undefined"
    if angle.high < _HALF_WAY:
        return "along"
    return "elsewhere" if angle.low > _HALF_WAY else "undecided"


def _sentence(
    verdict: str, angle: Estimate, undone: Estimate, same: Estimate, names: tuple[str, ...]
) -> str:
    start, first, second = names
    if verdict == "undefined":
        return (
            f"Whether {second} undoes the way from {first} to {start} cannot be said: "
            f"{angle.reason}."
        )
    what = {
        "along": f"{second} goes back along the way from {start} to {first}",
        "elsewhere": f"{second} goes elsewhere than from {start} to {first}",
        "undecided": f"whether {second} goes back along the way from {start} to {first} is open",
    }[verdict]
    ends = "" if math.isnan(angle.low) else f" [{angle.low:.0f}, {angle.high:.0f}]"
    return (
        f"{what[0].upper()}{what[1:]}: {angle.value:.0f}°{ends} between the two, "
        f"{100 * undone.value:.0f} % of the way undone; noise alone turns the axis by "
        f"{same.value:.0f}° between halves of the wells."
    )
