"""A cheap classifier on classical measurements, split honestly and dishonestly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from counterstain.audit.verdict import AuditCheck, Status
from counterstain.errors import InvalidInputError
from counterstain.statistics import mean_by_well
from counterstain.statistics.inputs import undefined_noted
from counterstain.types import Estimate

__all__ = ["Probe", "check_plates", "check_shuffled", "check_splits", "make_probe"]

FloatArray = NDArray[np.float64]

_TREES = 40
_FOLDS = 4
_SHUFFLES = 5
_GAP = 0.05
_PLATE_GAP = 0.10
_ABOVE_CHANCE = 0.10


@dataclass(frozen=True)
class Probe:
    """Measurements of crops, their wells and classes.

    Parameters
    ----------
    x : (n, features) array of float
        Measurements without NaN.
    well, plate : (n,) array of str
        Well with its plate, and plate, of each crop.
    y : (n,) array of int
        Class of each crop.
    classes : tuple of str
        Names of the classes.
    seed : int
        Seed of trees, folds and shuffles.
    """

    x: FloatArray
    well: NDArray[np.str_]
    plate: NDArray[np.str_]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    seed: int

    @property
    def n_wells(self) -> int:
        """Number of wells."""
        return len(np.unique(self.well))


def make_probe(
    measures: pd.DataFrame | ArrayLike,
    crops: pd.DataFrame,
    *,
    seed: int,
    most_crops: int = 3000,
) -> Probe:
    """Put measurements and wells together.

    Parameters
    ----------
    measures : DataFrame or array, shape (n, features)
        Measurements of crops, as from `measure_cells`; NaN becomes the column's median.
    crops : DataFrame, n rows in the same order
        ``Metadata_Well``, ``class_name`` and, where known, ``Metadata_Plate``; rows of class "" are
        left out, and those with ``usable`` false.
    seed : int
        Seed of everything random.
    most_crops : int, default 3000
        Crops that are used, the same number of each well.

    Returns
    -------
    Probe
        Ready to be split.

    Raises
    ------
    InvalidInputError
        If the lengths differ, a column is missing, or fewer than two classes have two wells each.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> crops = pd.DataFrame({"Metadata_Well": np.repeat(["A01", "A02", "B01", "B02"], 5),
    ...                       "class_name": np.repeat(["ill", "well"], 10)})
    >>> make_probe(rng.normal(size=(20, 3)), crops, seed=0).n_wells
    4
    """
    table = np.asarray(measures, np.float64)
    missing = [c for c in ("Metadata_Well", "class_name") if c not in crops]
    if missing or table.ndim != 2 or len(table) != len(crops):
        raise InvalidInputError(
            "`measures` must be (crops, features) with a row for each row of `crops`, which needs "
            f"Metadata_Well and class_name; got {table.shape} for {len(crops)} crops"
            + (f" without {', '.join(missing)}" if missing else "")
            + ": pass the measurements of these crops."
        )
    plate = crops["Metadata_Plate"] if "Metadata_Plate" in crops else pd.Series("", crops.index)
    kept = (crops["class_name"].fillna("") != "").to_numpy()
    if "usable" in crops:
        kept &= crops["usable"].to_numpy(bool)
    known = np.isfinite(table)
    usable = known[kept].any(axis=0)
    table, known = table[:, usable], known[:, usable]
    middle = np.nanmedian(np.where(known & kept[:, None], table, np.nan), axis=0)
    table = np.where(known, table, middle)
    wells = (plate.astype(str) + "|" + crops["Metadata_Well"].astype(str)).to_numpy(str)
    rows = _thinned(np.flatnonzero(kept), wells, most_crops, seed)
    names, y = np.unique(crops["class_name"].to_numpy(str)[rows], return_inverse=True)
    counts = [len(np.unique(wells[rows][y == k])) for k in range(len(names))]
    if len(names) < 2 or min(counts) < 2:
        seen = ", ".join(f"{n} of {name}" for name, n in zip(names, counts, strict=True)) or "none"
        raise InvalidInputError(
            f"`crops` must hold two wells of two classes or more; got {seen}: add control wells."
        )
    return Probe(
        table[rows], wells[rows], plate.to_numpy(str)[rows], y.astype(np.int64), tuple(names), seed
    )


def _thinned(
    rows: NDArray[np.intp], wells: NDArray[np.str_], most: int, seed: int
) -> NDArray[np.intp]:
    """Take as many crops of each well as fit."""
    n_wells = len(np.unique(wells[rows]))
    each = max(4, most // max(n_wells, 1))
    shuffled = np.random.default_rng(seed).permutation(rows)
    number = pd.Series(wells[shuffled]).groupby(wells[shuffled]).cumcount().to_numpy()
    return np.sort(shuffled[number < each])


def _hits(probe: Probe, y: NDArray[np.int64], fold: NDArray[np.int64]) -> FloatArray:
    """Return whether each crop is called right by trees that saw no crop of its fold."""
    from sklearn.ensemble import ExtraTreesClassifier

    hits = np.full(len(y), np.nan)
    for k in np.unique(fold):
        held = fold == k
        if len(np.unique(y[~held])) < 2:
            continue
        trees = ExtraTreesClassifier(
            _TREES, min_samples_leaf=3, class_weight="balanced", random_state=probe.seed
        )
        trees.fit(probe.x[~held], y[~held])
        hits[held] = trees.predict(probe.x[held]) == y[held]
    return hits


def _folds_of_wells(probe: Probe, y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Deal the wells of each class out to folds."""
    rng = np.random.default_rng(probe.seed)
    fold = np.zeros(len(y), np.int64)
    for k in range(len(probe.classes)):
        wells = rng.permutation(np.unique(probe.well[y == k]))
        for i, well in enumerate(wells):
            fold[probe.well == well] = i % _FOLDS
    return fold


def _folds_of_crops(probe: Probe) -> NDArray[np.int64]:
    rng = np.random.default_rng(probe.seed)
    return np.asarray(rng.permutation(len(probe.y)) % _FOLDS, np.int64)


def _balanced(hits: FloatArray, y: NDArray[np.int64]) -> float:
    known = np.isfinite(hits)
    return float(np.mean([hits[known & (y == k)].mean() for k in np.unique(y[known])]))


def _by_well(values: FloatArray, probe: Probe) -> Estimate:
    known = np.isfinite(values)
    # An interval that wells cannot give is NaN, and the sentence says so.
    with undefined_noted():
        return mean_by_well(values[known], probe.well[known], seed=probe.seed)


def check_splits(probe: Probe) -> AuditCheck:
    """Compare a random split of crops with a split by whole wells.

    Parameters
    ----------
    probe : Probe
        Measurements.

    Returns
    -------
    AuditCheck
        Value: accuracy with crops split at random minus that with wells split, 0 to 1. Amber where
        its interval by well lies above 0.05: wells are recognised, and only the second number
        counts.
    """
    by_well = _hits(probe, probe.y, _folds_of_wells(probe, probe.y))
    by_crop = _hits(probe, probe.y, _folds_of_crops(probe))
    gap = _by_well(by_crop - by_well, probe)
    low = gap.low if np.isfinite(gap.low) else -np.inf
    status: Status = "amber" if low > _GAP else "green"
    first, second = _balanced(by_crop, probe.y), _balanced(by_well, probe.y)
    sentence = (
        f"A probe on classical measurements reaches {first:.0%} where crops are split at random "
        f"and {second:.0%} where whole wells are held out"
    )
    sentence += (
        ": it recognises wells, so only accuracies by held-out wells count here."
        if status == "amber"
        else ": wells are not recognised to speak of."
    )
    return AuditCheck("random split", status, gap.value, gap.low, gap.high, "accuracy",
                      probe.n_wells, sentence)  # fmt: skip


def check_shuffled(probe: Probe) -> AuditCheck:
    """Shuffle the classes of whole wells: with honest splits, accuracy falls to chance.

    Parameters
    ----------
    probe : Probe
        Measurements.

    Returns
    -------
    AuditCheck
        Value: mean accuracy over shuffles minus chance, with its 95 % range over them.
    """
    rng = np.random.default_rng(probe.seed + 1)
    wells, first = np.unique(probe.well, return_index=True)
    of_well, index = probe.y[first], np.searchsorted(wells, probe.well)
    chance = 1 / len(probe.classes)
    found = []
    for _ in range(_SHUFFLES):
        y = rng.permutation(of_well)[index]
        found.append(_balanced(_hits(probe, y, _folds_of_wells(probe, y)), y) - chance)
    value, spread = float(np.mean(found)), float(np.std(found, ddof=1)) / np.sqrt(_SHUFFLES)
    # 2.78 is Student's t for five shuffles.
    low, high = value - 2.78 * spread, value + 2.78 * spread
    status: Status = "red" if low > _ABOVE_CHANCE else "green"
    sentence = (
        f"With the classes of whole wells shuffled, the probe reaches {value + chance:.0%} (chance "
        f"{chance:.0%})"
    )
    sentence += (
        ": wells of different folds share something that is no class, such as the same cells."
        if status == "red"
        else ", as it must."
    )
    return AuditCheck("shuffled classes", status, value, low, high, "accuracy above chance",
                      probe.n_wells, sentence)  # fmt: skip


def check_plates(probe: Probe) -> AuditCheck:
    """Compare holding out whole plates with holding out wells.

    Parameters
    ----------
    probe : Probe
        Measurements.

    Returns
    -------
    AuditCheck
        Value: accuracy on wells that are new minus that on plates that are new. Unknown with one
        plate. Amber where its interval by well lies above 0.1.
    """
    plates, index = np.unique(probe.plate, return_inverse=True)
    if len(plates) < 2:
        return AuditCheck(
            "new plate", "unknown", unit="accuracy", n_wells=probe.n_wells,
            sentence="Whether the difference holds on a new plate is unknown: there is one plate.",
        )  # fmt: skip
    by_plate = _hits(probe, probe.y, index.astype(np.int64))
    by_well = _hits(probe, probe.y, _folds_of_wells(probe, probe.y))
    if not np.isfinite(by_plate).any():
        return AuditCheck(
            "new plate", "unknown", unit="accuracy", n_wells=probe.n_wells,
            sentence="No plate can be left out: the others would hold one class alone.",
        )  # fmt: skip
    gap = _by_well(by_well - by_plate, probe)
    low = gap.low if np.isfinite(gap.low) else -np.inf
    status: Status = "amber" if low > _PLATE_GAP else "green"
    first, second = _balanced(by_well, probe.y), _balanced(by_plate, probe.y)
    sentence = f"The probe reaches {second:.0%} on new plates and {first:.0%} on new wells"
    sentence += (
        ": what it learns is partly the plate's; hold out whole plates, and scale by plate."
        if status == "amber"
        else "."
    )
    return AuditCheck("new plate", status, gap.value, gap.low, gap.high, "accuracy",
                      probe.n_wells, sentence)  # fmt: skip
