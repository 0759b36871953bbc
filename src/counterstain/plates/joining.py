"""Joining what was imaged with what the plate map lists; nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from counterstain.plates.sources import Found, list_some
from counterstain.plates.wells import well_position

__all__ = ["join_wells", "list_gaps", "list_spellings", "plates_apart", "source_columns"]

_KEYS = ["Metadata_Plate", "Metadata_Well"]


def source_columns(found: Found) -> tuple[pd.DataFrame | None, list[str]]:
    """Return what the source itself knows about wells, where that is the same for all fields."""
    if found.metadata is None:
        return None, []
    groups = found.metadata.groupby(_KEYS, sort=False)
    varying = [str(c) for c, n in groups.nunique().max().items() if n > 1]
    notes = []
    if varying:
        notes.append(
            f"Columns of the LoadData table that differ within a well are not used: "
            f"{list_some(varying, most=20)}."
        )
    return groups.first().reset_index().drop(columns=varying), notes


def join_wells(
    fields: pd.DataFrame, plate_map: pd.DataFrame | None, own: pd.DataFrame | None
) -> pd.DataFrame:
    """Join wells of images and wells of the map; none is lost."""
    counts = fields.groupby(_KEYS).size().rename("n_fields").reset_index()
    if plate_map is None:
        wells = counts.assign(in_map=False)
    else:
        listed = plate_map.assign(in_map=True)
        if "Metadata_Plate" not in listed:
            plates = pd.DataFrame({"Metadata_Plate": counts["Metadata_Plate"].unique()})
            listed = plates.merge(listed, how="cross")
        wells = counts.merge(listed, how="outer", on=_KEYS)
    if own is not None:
        new = [c for c in own.columns if c in _KEYS or c not in wells]
        wells = wells.merge(own[new], how="left", on=_KEYS)
    for name in wells.columns:
        if wells[name].dtype == object and name != "in_map":
            wells[name] = wells[name].where(wells[name].notna(), "")
    wells["n_fields"] = wells["n_fields"].fillna(0).astype("int64")
    wells["in_map"] = wells["in_map"].eq(True)
    metadata = [c for c in wells.columns if c not in (*_KEYS, "n_fields", "in_map")]
    wells = wells[[*_KEYS, *metadata, "n_fields", "in_map"]]
    order = sorted(wells.index, key=lambda i: _order(wells, i))
    return wells.loc[order].reset_index(drop=True)


def _order(wells: pd.DataFrame, index: Any) -> tuple[str, tuple[int, int]]:
    plate, well = (wells.loc[index, key] for key in _KEYS)
    return str(plate), well_position(str(well))


def _by_plate(wells: pd.DataFrame) -> Iterable[tuple[str, list[str]]]:
    for plate, rows in wells.groupby("Metadata_Plate", sort=True):
        yield str(plate), [str(well) for well in rows["Metadata_Well"]]


def list_gaps(wells: pd.DataFrame, has_map: bool) -> list[str]:
    """List every well without an image, and every image without a well."""
    notes = []
    for plate, names in _by_plate(wells[wells["n_fields"] == 0]):
        notes.append(
            f"Plate {plate}: {len(names)} well(s) of the plate map have no image: "
            f"{', '.join(names)}."
        )
    if has_map:
        for plate, names in _by_plate(wells[~wells["in_map"]]):
            notes.append(
                f"Plate {plate}: {len(names)} well(s) with images are not in the plate map: "
                f"{', '.join(names)}."
            )
    return notes


def list_spellings(found: Found, spellings: dict[str, str]) -> list[str]:
    """Say where images and plate map write one well in two ways."""
    differing = {
        plane.well: plane.written
        for plane in found.planes
        if spellings.get(plane.well, plane.written) != plane.written
    }
    if not differing:
        return []
    well, written = next(iter(differing.items()))
    return [
        f"{len(differing)} well(s) are written in two ways and were joined: {spellings[well]!r} in "
        f"the plate map and {written!r} with the images are both {well}."
    ]


def plates_apart(fields: pd.DataFrame, plate_map: pd.DataFrame | None) -> list[str]:
    """Say so where images and map share no plate: then nothing could be joined."""
    if plate_map is None or "Metadata_Plate" not in plate_map or fields.empty:
        return []
    imaged = dict.fromkeys(fields["Metadata_Plate"])
    listed = dict.fromkeys(plate_map["Metadata_Plate"])
    if set(imaged) & set(listed):
        return []
    return [
        f"The plate map and the images must share a plate; the map has "
        f"{list_some(map(repr, listed))} and the images have {list_some(map(repr, imaged))}: "
        "correct Metadata_Plate, the {plate} of the pattern or `images.plate`."
    ]
