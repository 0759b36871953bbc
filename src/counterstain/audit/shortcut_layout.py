"""Classes that keep to places of their own, so that place and biology cannot be told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.audit.field_reading import FieldFeatures
from counterstain.audit.shortcut_light import compared
from counterstain.audit.shortcut_position import places_of
from counterstain.audit.shortcut_tests import ALPHA
from counterstain.audit.verdict import AuditCheck, Status

__all__ = ["check_layout", "check_staining", "confounded_with", "guess_by_place"]

_CONFOUNDED = 0.9
_PERMUTATIONS = 199
_LEVEL = 0.02
_STAINING = 0.065


def guess_by_place(classes: NDArray[np.str_], places: NDArray[np.str_]) -> float:
    """Return how often a well's class is that of most other wells of the same place.

    Wells that are alone at their place are guessed wrong unless their class is the commonest.

    Examples
    --------
    >>> guess_by_place(np.array(["a", "a", "b", "b"]), np.array(["1", "1", "2", "2"]))
    1.0
    """
    names, c = np.unique(classes, return_inverse=True)
    at, k = np.unique(places, return_inverse=True)
    counts = np.zeros((len(at), len(names)))
    np.add.at(counts, (k, c), 1)
    own = counts[k]
    own[np.arange(len(c)), c] -= 1
    # Ties, and places with no other well, count as a guess at random.
    best = own == own.max(axis=1, keepdims=True)
    return float((best[np.arange(len(c)), c] / best.sum(axis=1)).mean())


def _p_of_guess(
    classes: NDArray[np.str_], places: NDArray[np.str_], seed: int
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    value = guess_by_place(classes, places)
    higher = sum(
        guess_by_place(rng.permutation(classes), places) >= value - 1e-9
        for _ in range(_PERMUTATIONS)
    )
    return value, (1 + higher) / (1 + _PERMUTATIONS)


def confounded_with(wells: pd.DataFrame, seed: int = 0) -> list[tuple[str, float, bool]]:
    """List (what, share of classes guessed by it, whether it gives the class away).

    Parameters
    ----------
    wells : DataFrame
        ``Metadata_Plate``, ``Metadata_Well`` and ``class_name`` of wells of the classes.
    seed : int, default 0
        Seed of the permutations of classes over wells.

    Returns
    -------
    list of tuple
        For rows, columns, edge, plates and, where there are such columns, batches and donors.
    """
    places = places_of(wells)
    keys: dict[str, pd.Series[str]] = {
        name: places[name].astype(str)
        for name in ("row", "column", "edge")
        if places[name].notna().all()
    }
    for name in ("Metadata_Plate", "Metadata_Batch", "Metadata_Donor"):
        if name in wells:
            keys[name.removeprefix("Metadata_").lower()] = wells[name].astype(str)
    classes = wells["class_name"].to_numpy(str)
    found = []
    for name, key in keys.items():
        if key.nunique() < 2:
            continue
        value, p = _p_of_guess(classes, key.to_numpy(str), seed)
        found.append((name, value, value >= _CONFOUNDED and p <= _LEVEL))
    return found


def check_layout(features: FieldFeatures, seed: int = 0) -> AuditCheck:
    """Ask whether the place of a well gives its class away.

    Parameters
    ----------
    features : FieldFeatures
        Wells with positions.
    seed : int, default 0
        Seed of the permutations.

    Returns
    -------
    AuditCheck
        Value: share of wells whose class the other wells of its row, column, plate or batch tell.
        Amber where that is nearly all: no image can say then what place does and what biology.
        Red where whole plates or batches hold one class.
    """
    wells = features.wells[features.wells["class_name"] != ""].reset_index(drop=True)
    tried = confounded_with(wells, seed)
    if wells["class_name"].nunique() < 2 or not tried:
        return AuditCheck(
            "layout", "unknown", n_wells=len(wells),
            sentence="The layout could not be judged: it needs two classes and wells with "
            "positions.",
        )  # fmt: skip
    given = [item for item in tried if item[2]]
    if not given:
        name, value, _ = max(tried, key=lambda item: item[1])
        return AuditCheck(
            "layout", "green", value, unit="share of classes guessed", n_wells=len(wells),
            sentence=f"The place of a well does not give its class away (by {name}: {value:.0%}).",
        )  # fmt: skip
    whole = [item for item in given if item[0] in ("plate", "batch", "donor")]
    name, value, _ = (whole or given)[0]
    names = " and ".join(item[0] for item in given)
    return AuditCheck(
        "layout", "red" if whole else "amber", value, unit="share of classes guessed",
        n_wells=len(wells),
        sentence=f"The {names} of a well gives its class away ({value:.0%} right): what the "
        f"{name} does cannot be told from what the class does; next time spread the classes over "
        "the plate.",
    )  # fmt: skip


def check_staining(features: FieldFeatures, confounded: bool) -> AuditCheck:
    """Ask whether cells of one class are brighter in all channels alike.

    Parameters
    ----------
    features : FieldFeatures
        ``signal``, log of grey values.
    confounded : bool
        Whether the layout gives the class away: then a common change is red, since a gradient over
        the plate makes it; else it is amber, since cells that shrink do so too.

    Returns
    -------
    AuditCheck
        Value: the change that all channels share, %.
    """
    values = features.values["signal"]
    usable = np.isfinite(values).mean(axis=0) > 0.5
    if usable.sum() < 2:
        return AuditCheck(
            "staining", "unknown",
            sentence="A common change of all stains needs two channels with cells.",
        )  # fmt: skip
    values = values[:, usable]
    found = []
    for k, (name, shift) in enumerate(compared(features, values.mean(axis=1), _STAINING)):
        each = [
            list(compared(features, values[:, c], _STAINING))[k][1] for c in range(values.shape[1])
        ]
        shares = [s.value * np.sign(shift.value) for s in each]
        # The weakest channel speaks: a phenotype is stronger in some channel than in another.
        alike = min(shares) >= max(_STAINING, 0.5 * max(shares))
        found.append((shift, name, shift.p if alike else 1.0))
    shift, name, p = min(found, key=lambda item: item[2])
    if not np.isfinite(shift.value):
        return AuditCheck(
            "staining", "unknown",
            sentence="Stains could not be compared by class: it needs two wells of each.",
        )  # fmt: skip
    limit = min(1.0, p * len(found)) <= ALPHA
    status: Status = ("red" if confounded else "amber") if limit else "green"
    size = 100 * abs(shift.value)
    sentence = (
        f"Cells of {name} differ in brightness by {size:.0f} % in all channels alike, which "
        "exposure, staining and gradients over the plate do"
        + (", and the layout cannot rule that out" if confounded else "")
        + ": compare ratios of channels, or repeat with the classes mixed."
        if limit
        else "Brightness of cells does not change in all channels alike."
    )
    value, low, high = (100 * v for v in (shift.value, shift.low, shift.high))
    return AuditCheck("staining", status, value, low, high, "%", shift.n_wells, sentence)
