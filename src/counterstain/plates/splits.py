"""Which wells are held out together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["assign_folds", "choose_group", "single_group_classes"]

_ATTEMPTS = 50
# From the coarsest on: what is shared within a donor or a plate must not leak into the score.
_GROUPS = ("Metadata_Donor", "Metadata_Patient", "Metadata_Plate")


def choose_group(wells: pd.DataFrame, group: str) -> str:
    """Return the column to hold out as a whole.

    Parameters
    ----------
    wells : DataFrame
        A row per well with ``class_name``, ``Metadata_*`` and, where known, ``n_fields``: wells
        without images do not count.
    group : str
        A column by name, or ``auto``: donor, patient or plate, the first of which every class
        has at least two and every classed well has one; the well where there is none such.

    Examples
    --------
    >>> wells = pd.DataFrame({"Metadata_Plate": list("PPQQ"), "class_name": list("abab")})
    >>> choose_group(wells, "auto")
    'Metadata_Plate'
    >>> choose_group(wells[:2], "auto")
    'Metadata_Well'
    """
    if group != "auto":
        return group
    classed = wells[wells["class_name"] != ""]
    if "n_fields" in classed:
        classed = classed[classed["n_fields"] > 0]
    for column in _GROUPS:
        if column not in classed:
            continue
        values = classed[column].fillna("").astype(str)
        several = values.groupby(classed["class_name"]).nunique() >= 2
        if len(several) and several.all() and (values != "").all():
            return column
    return "Metadata_Well"


def assign_folds(
    wells: pd.DataFrame,
    group: str,
    folds: int,
    seed: int,
    *,
    usable: pd.Series[bool] | None = None,
    single: bool = False,
) -> tuple[pd.Series[int], int]:
    """Deal groups of wells into folds, so that each fold holds every class in like parts.

    A group is never shared between folds, so every well is scored by a network that saw neither
    it nor its group. With fewer groups than folds in a class there are fewer folds.

    Parameters
    ----------
    wells : DataFrame
        A row per well with ``Metadata_Plate``, ``Metadata_Well``, ``class_name`` and `group`. The
        order of the rows does not matter.
    group : str
        Column that is held out as a whole. With ``Metadata_Well`` the same name on two plates
        means two groups.
    folds : int
        Folds wanted.
    seed : int
        Makes the choice repeat.
    usable : Series of bool, optional
        Wells that can be trained on; the others get a fold, but do not count. All where not given.
    single : bool
        Let classes of one group pass where two classes or more have several. Their wells are
        scored by a network that never saw the class; see `single_group_classes`.

    Returns
    -------
    fold : Series of int64
        Fold that holds the well out; -1 for wells in no class. Index of `wells`.
    n_folds : int
        Folds made.

    Raises
    ------
    InvalidInputError
        If `group` is no column or has gaps, a class has fewer than two groups, or no split leaves
        every class in every training set.

    Examples
    --------
    >>> wells = pd.DataFrame({"Metadata_Plate": "P1", "class_name": list("aaaabb") + [""],
    ...                       "Metadata_Well": [f"A{i:02d}" for i in range(1, 8)]})
    >>> fold, n_folds = assign_folds(wells, "Metadata_Well", folds=4, seed=0)
    >>> n_folds, sorted(fold.tolist())
    (2, [-1, 0, 0, 0, 1, 1, 1])
    """
    fold = pd.Series(-1, index=wells.index, dtype=np.int64, name="fold")
    classed = wells[wells["class_name"] != ""]
    names = _group_names(classed, group)
    counts = _counts(classed, names, usable)
    groups = (counts > 0).sum()
    lonely = groups == 1 if single and (groups >= 2).sum() >= 2 else groups < 0
    n_folds = _possible_folds(counts.loc[:, ~lonely], group, folds)
    rng = np.random.default_rng(seed)
    for _ in range(_ATTEMPTS):
        dealt = _deal(counts.to_numpy(), n_folds, rng)
        if _every_class_trains(counts.loc[:, ~lonely].to_numpy(), dealt, n_folds):
            fold[classed.index] = names.map(dict(zip(counts.index, dealt, strict=True)))
            return fold, n_folds
    raise InvalidInputError(
        f"`split.group` = {group!r}: no split into {n_folds} folds leaves every class in every "
        "training set: use fewer folds, or group by another column."
    )


def single_group_classes(
    wells: pd.DataFrame, group: str, usable: pd.Series[bool] | None = None
) -> dict[str, str]:
    """Return classes of one group only, and that group: held out, nothing is left to train on.

    Examples
    --------
    >>> wells = pd.DataFrame({"Metadata_Plate": list("PQPQP"), "class_name": list("aabbc")})
    >>> single_group_classes(wells, "Metadata_Plate")
    {'c': 'P'}
    """
    classed = wells[wells["class_name"] != ""]
    counts = _counts(classed, _group_names(classed, group), usable)
    found = (counts > 0).sum()
    return {str(name): str(counts[name].idxmax()) for name in found.index[found == 1]}


def _counts(
    classed: pd.DataFrame, names: pd.Series[str], usable: pd.Series[bool] | None
) -> pd.DataFrame:
    """Count the usable wells of each group (rows) and class (columns)."""
    weight = pd.Series(True, classed.index) if usable is None else usable[classed.index]
    return (
        weight.astype(np.int64)
        .groupby([names.rename("group"), classed["class_name"]])
        .sum()
        .unstack(fill_value=0)
        .sort_index()
    )


def _group_names(classed: pd.DataFrame, group: str) -> pd.Series[str]:
    if group not in classed.columns:
        known = sorted(c for c in classed.columns if c.startswith("Metadata_"))
        raise InvalidInputError(
            f"`split.group` must be a column of the plate map; got {group!r}: "
            f"use one of {', '.join(known)}."
        )
    gaps = classed[classed[group].isna() | (classed[group].astype(str) == "")]
    if len(gaps):
        named = ", ".join(gaps["Metadata_Plate"].astype(str) + "/" + gaps["Metadata_Well"])
        raise InvalidInputError(
            f"`split.group` = {group!r} must have a value for every well in a class; it has none "
            f"for {named}: fill the plate map, or take these wells out of their class."
        )
    names = classed[group].astype(str)
    if group == "Metadata_Well":
        names = classed["Metadata_Plate"].astype(str) + "/" + names
    return names


def _possible_folds(counts: pd.DataFrame, group: str, folds: int) -> int:
    groups = (counts > 0).sum()
    few = groups[groups < 2]
    if len(few) or groups.empty:
        raise InvalidInputError(
            [
                f"Class {name!r} has {n} group of `split.group` = {group!r} with usable images; at "
                "least 2 are needed, one to train on and one to score: add wells to the class, or "
                "group by another column."
                for name, n in few.items()
            ]
            or "No well is in any class: mend [classes]."
        )
    return int(min(folds, groups.min()))


def _deal(counts: NDArray[np.int64], n_folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Give each group, largest first, to the fold that lacks its classes most."""
    share = counts / counts.sum(axis=0)
    held = np.zeros((n_folds, counts.shape[1]))
    dealt = np.zeros(len(counts), np.int64)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-share[order].max(axis=1), kind="stable")]
    for index in order:
        # Squares of the filled shares grow least where the group's classes are scarcest.
        cost = ((held + share[index]) ** 2 - held**2).sum(axis=1)
        best = np.flatnonzero(np.isclose(cost, cost.min()))
        total = held[best].sum(axis=1)
        best = best[np.isclose(total, total.min())]
        dealt[index] = best[0]
        held[best[0]] += share[index]
    return dealt


def _every_class_trains(counts: NDArray[np.int64], dealt: NDArray[np.int64], n_folds: int) -> bool:
    filled = len(np.unique(dealt)) == n_folds
    return filled and all((counts[dealt != fold].sum(axis=0) > 0).all() for fold in range(n_folds))
