"""All shortcuts that images themselves show, without any network."""

from __future__ import annotations

import numpy as np

from counterstain.audit.field_reading import FieldFeatures
from counterstain.audit.shortcut_focus import check_focus
from counterstain.audit.shortcut_layout import check_layout, check_staining
from counterstain.audit.shortcut_light import (
    check_background,
    check_illumination,
    check_noise,
    judge,
    sides_of,
)
from counterstain.audit.shortcut_places import oddest_place
from counterstain.audit.shortcut_position import check_gradient
from counterstain.audit.shortcut_predict import check_predictable
from counterstain.audit.verdict import AuditCheck

__all__ = ["check_places", "find_shortcuts"]


def check_places(features: FieldFeatures) -> AuditCheck:
    """Ask whether one class has something at a fixed place of its images."""
    sides = list(sides_of(features))
    if len(sides) == 1:
        name, member, other = sides[0]
        first = str(features.wells["class_name"].to_numpy(str)[other][0])
        sides.append((first, other, member))
    tried = [
        (oddest_place(features, member, other), name, int((member | other).sum()))
        for name, member, other in sides
        if min(member.sum(), other.sum()) >= 2
    ]
    if not tried:
        return AuditCheck(
            "fixed place", "unknown",
            sentence="Fixed places could not be compared: it needs two wells of each class.",
        )  # fmt: skip
    found, name, n_wells = min(tried, key=lambda item: item[0].p)
    p = min(1.0, found.p * len(tried))
    status = judge(p)
    ratio = found.score / found.other
    if status == "green":
        sentence = "No place of the image is odd in one class alone."
    else:
        sentence = (
            f"One class carries a mark: images of {name} are {found.words} in {found.channel} "
            f"around y = {found.y}, x = {found.x} px ({np.exp(-found.score):.2%} of places are as "
            "odd); look there, and cut or mask it in all images."
        )
    return AuditCheck(
        "fixed place", status, ratio, unit="times the oddness expected", n_wells=n_wells,
        sentence=sentence,
    )  # fmt: skip


def find_shortcuts(features: FieldFeatures, *, seed: int = 0) -> tuple[AuditCheck, ...]:
    """Ask the images themselves for shortcuts; no network is involved.

    Parameters
    ----------
    features : FieldFeatures
        From `field_features` or `image_features`.
    seed : int, default 0
        Seed of permutations of wells.

    Returns
    -------
    tuple of AuditCheck
        fixed place, illumination, focus, noise, background, position, layout, staining, and
        "predict ..." for what negative controls tell of their place.
    """
    layout = check_layout(features, seed)
    return (
        check_places(features),
        check_illumination(features),
        check_focus(features),
        check_noise(features),
        check_background(features),
        check_gradient(features),
        layout,
        check_staining(features, layout.status in ("amber", "red")),
        *check_predictable(features, seed),
    )
