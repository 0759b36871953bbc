"""Where a well lies: gradients over the plate, and classes that keep to places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.audit.field_reading import FieldFeatures
from counterstain.audit.shortcut_focus import blur_by_channel
from counterstain.audit.shortcut_light import judge
from counterstain.audit.shortcut_tests import GRADIENT_ALPHA, Shift, gradient_of
from counterstain.audit.verdict import AuditCheck
from counterstain.errors import InvalidInputError
from counterstain.plates.wells import well_position

__all__ = ["check_gradient", "places_of"]

FloatArray = NDArray[np.float64]

# The gradient of an ordinary plate is 5 %.
_SIGNAL, _BACKGROUND, _BLUR, _TILT = 0.055, 0.055, 0.25, 0.02
_MAIN_SHARE = 0.8
_ONE_CHANNEL = 1.6
_LEAST_EDGE_WELLS = 3


def places_of(wells: pd.DataFrame) -> pd.DataFrame:
    """Return ``row``, ``column`` (from 0) and ``edge`` (bool) of wells; NaN without a position.

    The edge is that of the wells in the table.

    Examples
    --------
    >>> wells = pd.DataFrame({"Metadata_Plate": "P", "Metadata_Well": ["A01", "B02"]})
    >>> places_of(wells)["row"].tolist()
    [0.0, 1.0]
    """
    found: list[tuple[float, float]] = []
    for well in wells["Metadata_Well"]:
        try:
            row, column = map(float, well_position(str(well)))
        except (InvalidInputError, ValueError):
            row, column = np.nan, np.nan
        found.append((float(row), float(column)))
    table = pd.DataFrame(found, columns=["row", "column"], index=wells.index, dtype=np.float64)
    edge = pd.Series(False, index=table.index)
    for name in ("row", "column"):
        of_plate = table[name].groupby(wells["Metadata_Plate"].astype(str))
        low, high = of_plate.transform("min"), of_plate.transform("max")
        if ((high - low) > 1).any():
            edge |= (table[name] == low) | (table[name] == high)
    return table.assign(edge=edge)


def _watched(features: FieldFeatures) -> list[tuple[str, FloatArray, float, float, str, bool]]:
    """List (words, values, tolerance, scale, unit, whether it leads) of what may change."""
    watched = []
    for name, words, tolerance in (
        ("signal", "brightness of cells", _SIGNAL),
        ("background", "background", _BACKGROUND),
    ):
        values = features.values[name]
        usable = np.isfinite(values).mean(axis=0) > 0.5
        if not usable.any():
            continue
        filled = np.where(np.isfinite(values), values, np.nan)[:, usable]
        factor = 1.0 if usable.sum() > 1 else _ONE_CHANNEL
        watched.append((words, filled.mean(axis=1), tolerance * factor, 100.0, "%", True))
        if usable.sum() > 1:
            watched += [
                (
                    f"{words} in {features.channels[c]}",
                    values[:, c],
                    tolerance * _ONE_CHANNEL,
                    100.0,
                    "%",
                    False,
                )
                for c in np.flatnonzero(usable)
            ]  # fmt: skip
    blur = blur_by_channel(features)[0]
    usable = np.isfinite(blur).all(axis=0)
    if usable.any():
        watched.append(("blur", blur[:, usable].mean(axis=1), _BLUR, 1.0, "px²", False))
    for axis in ("tilt_y", "tilt_x"):
        tilt = features.values[axis].mean(axis=1)
        watched.append(("tilt of the light", tilt, _TILT, 100.0, "% of the background", False))
    return watched


def check_gradient(features: FieldFeatures) -> AuditCheck:
    """Ask whether images change over the plate by more than plates usually do.

    Wells of all classes count, each centred on its class, so that classes in columns of their own
    do not pass for a gradient.

    Parameters
    ----------
    features : FieldFeatures
        Numbers by well; wells named by row and column.

    Returns
    -------
    AuditCheck
        Value: largest change from one end of the wells in use to the other.
    """
    tested = [item for item in _tried(features) if np.isfinite(item.shift.value)]
    if not tested:
        return AuditCheck(
            "position",
            "unknown",
            sentence="Gradients over the plate could not be judged: it takes seven or more wells "
            "of known row and column.",
        )
    # Most of the level goes to what a gradient over the plate does, the rest to all others.
    share = {True: _MAIN_SHARE, False: 1 - _MAIN_SHARE}
    weight = {main: sum(t.main == main for t in tested) / share[main] for main in share}
    found = min(tested, key=lambda item: item.shift.p * weight[item.main])
    status = judge(min(1.0, found.shift.p * weight[found.main]), alpha=GRADIENT_ALPHA)
    value, low, high = (v * found.scale for v in _ends(found.shift))
    size = (
        f"{abs(value):.2g} {found.unit}" if found.scale == 1 else f"{abs(value):.0f} {found.unit}"
    )
    if status == "green":
        sentence = (
            "Images of one class change over the plate no more than plates usually do "
            f"({found.words} along the {found.where}: {size})."
        )
    else:
        sentence = (
            f"Position shows in the images: within a class, the {found.words} changes along the "
            f"{found.where} by {size}; correct it by the negative controls around, or spread the "
            "classes over the plate at random."
        )
    return AuditCheck(
        "position", status, value, low, high, found.unit, found.shift.n_wells, sentence
    )


def _ends(shift: Shift) -> tuple[float, float, float]:
    return shift.value, shift.low, shift.high


@dataclass(frozen=True, slots=True)
class _Tried:
    shift: Shift
    words: str
    where: str
    scale: float
    unit: str
    main: bool


def _tried(features: FieldFeatures) -> list[_Tried]:
    """Test every number of every plate along rows and columns, and at the edge."""
    places = places_of(features.wells)
    known = (features.wells["class_name"] != "").to_numpy() & places["row"].notna().to_numpy()
    plates = features.wells["Metadata_Plate"].to_numpy(str)
    groups = features.wells["class_name"].to_numpy(str)
    watched = _watched(features)
    tried = []
    for plate in np.unique(plates[known]):
        here = known & (plates == plate)
        of_plate = f" of plate {plate}" if plate else ""
        grid = places.loc[here, ["row", "column"]].to_numpy(np.float64)
        edge = places.loc[here, "edge"].to_numpy(np.float64)
        for words, values, tolerance, scale, unit, main in watched:
            found, axis = gradient_of(values[here], grid, groups[here], tolerance)
            where = ("rows", "columns")[axis] + of_plate
            tried.append(_Tried(found, words, where, scale, unit, main))
            if min(edge.sum(), (1 - edge).sum()) >= _LEAST_EDGE_WELLS:
                found = gradient_of(values[here], edge[:, None], groups[here], tolerance)[0]
                tried.append(_Tried(found, words, "edge" + of_plate, scale, unit, False))
    return tried
