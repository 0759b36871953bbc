"""The leakage audit: whether anything beside biology gives the classes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from counterstain.audit.field_reading import FieldFeatures, field_features
from counterstain.audit.probe import check_plates, check_shuffled, check_splits, make_probe
from counterstain.audit.shortcut_checks import find_shortcuts
from counterstain.audit.verdict import AuditCheck, AuditVerdict
from counterstain.errors import InvalidInputError

if TYPE_CHECKING:
    from counterstain.plates.screen import Screen

__all__ = ["leakage_audit"]

_TITLE = "Leakage and shortcuts"


def leakage_audit(
    source: Screen | FieldFeatures,
    *,
    seed: int,
    crops: pd.DataFrame | None = None,
    measures: pd.DataFrame | ArrayLike | None = None,
    usable: ArrayLike | None = None,
    most_fields: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AuditVerdict:
    """Look for shortcuts in images, and for leaks between what is trained and what is scored.

    No network is involved: a shortcut in the images is one whether this network took it or not.
    Wells are the unit of all tests. Red takes a difference beyond what a phenotype or an ordinary
    plate makes, not significance alone. With fewer than four wells a class little can be red.

    Parameters
    ----------
    source : Screen or FieldFeatures
        A screen, whose fields are read one at a time; or what `field_features` (fields) or
        `image_features` (any images, such as folders of crops) measured before.
    seed : int
        Seed of permutations, folds and trees.
    crops : DataFrame, optional
        A row per crop: ``Metadata_Plate``, ``Metadata_Well``, ``class_name``, where known
        ``usable``. With `measures`, splits are audited too.
    measures : DataFrame or array, (crops, features), optional
        Classical measurements of the same crops, as from `measure_cells`.
    usable : array-like of bool, optional
        Per row of ``screen.fields``; false leaves a faulty field out.
    most_fields : int, optional
        Fields of a well that are read.
    progress : callable, optional
        Called with (fields done, fields in all).

    Returns
    -------
    AuditVerdict
        Key "leakage". Checks: fixed place, illumination, focus, noise, background, position,
        layout, staining, predict row / column / edge / plate / batch, image size; with `measures`
        also random split, shuffled classes and new plate.

    Raises
    ------
    InvalidInputError
        If there are no two classes, `crops` comes without `measures` or the other way round, or
        no image can be read.

    Examples
    --------
    >>> import numpy as np
    >>> from counterstain.audit.field_reading import image_features
    >>> rng = np.random.default_rng(0)
    >>> images = rng.normal(100, 5, (8, 1, 128, 128))
    >>> images[:4, :, :8, :8] = 250
    >>> wells = [f"{row}0{column}" for column in (1, 2) for row in "ABCD"]
    >>> found = image_features(images, wells, ["ill"] * 4 + ["well"] * 4)
    >>> verdict = leakage_audit(found, seed=0)
    >>> verdict.status, verdict.checks[0].check
    ('red', 'fixed place')
    """
    if (crops is None) != (measures is None):
        raise InvalidInputError(
            "`crops` and `measures` belong together; got one of them: pass both, or neither."
        )
    features = (
        source
        if isinstance(source, FieldFeatures)
        else field_features(source, usable=usable, most_fields=most_fields, progress=progress)
    )
    names = sorted(set(features.wells["class_name"]) - {""})
    if len(names) < 2:
        raise InvalidInputError(
            f"`source` must hold wells of two classes or more; got {names or 'none'}: name another "
            "class, since a shortcut is a difference between classes."
        )
    checks = [*find_shortcuts(features, seed=seed), _check_sizes(features)]
    if crops is not None and measures is not None:
        probe = make_probe(measures, crops, seed=seed)
        checks += [check_splits(probe), check_shuffled(probe), check_plates(probe)]
    return AuditVerdict.of_checks(
        "leakage", _TITLE, checks,
        number=_number(checks), sentence=_sentence(checks), details=_details(features),
    )  # fmt: skip


def _check_sizes(features: FieldFeatures) -> AuditCheck:
    """Ask whether images of the classes differ in size."""
    wells = features.wells[features.wells["class_name"] != ""]
    sizes = wells["height"].astype(str) + " x " + wells["width"].astype(str)
    by_class = sizes.groupby(wells["class_name"]).unique()
    every = sorted(set(sizes))
    if len(every) == 1:
        return AuditCheck("image size", "green", n_wells=len(wells),
                          sentence=f"All images are {every[0]} px.")  # fmt: skip
    sets = [set(seen) for seen in by_class]
    apart = all(not a & b for i, a in enumerate(sets) for b in sets[:i])
    seen = "; ".join(f"{name}: {', '.join(found)}" for name, found in by_class.items())
    return AuditCheck(
        "image size", "red" if apart else "amber", n_wells=len(wells),
        sentence=f"Images differ in size ({seen} px; 0 where a well has several)"
        + (", and the size gives the class away" if apart else "")
        + ": image all wells with one setting; fixed places were compared where all have pixels.",
    )  # fmt: skip


def _number(checks: list[AuditCheck]) -> str:
    """Say the leading check in a few characters."""
    judged = [c for c in checks if c.status != "unknown"]
    for status in ("red", "amber"):
        found = [c for c in judged if c.status == status]
        if found:
            return f"{len(found)} of {len(judged)} checks {status}: " + ", ".join(
                c.check for c in found[:3]
            )
    return f"0 of {len(judged)} checks raised" if judged else "nothing judged"


def _sentence(checks: list[AuditCheck]) -> str:
    found = [c for c in checks if c.status == "red"] or [c for c in checks if c.status == "amber"]
    if found:
        return ""
    judged = sum(c.status != "unknown" for c in checks)
    return (
        f"None of {judged} checks found a shortcut: no fixed mark, tilt, focus, noise, background "
        "or position gives the classes away."
        if judged
        else "Nothing could be judged."
    )


def _details(features: FieldFeatures) -> dict[str, Any]:
    return {
        "n_wells": len(features.wells),
        "n_images": int(features.wells["n_images"].sum()),
        "channels": list(features.channels),
        "notes": list(features.notes),
    }
