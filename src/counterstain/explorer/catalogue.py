"""Wells, fields and crops (or patches) of a run by number: what a URL names is looked up here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Catalogue", "build_catalogue"]

_WELL = ["Metadata_Plate", "Metadata_Well"]


@dataclass(frozen=True)
class Catalogue:
    """Rows by number; every number is a position in its table.

    Parameters
    ----------
    kind : str
        ``crops`` or ``patches``: what an item is.
    items : DataFrame
        A row a crop or patch, in the order of the pixel store: `field`, `well` (number), `plate`
        (number), `class_name`, `y`, `x` (centre, pixels of the field), `usable`, `fold`, and what
        was scored: `predicted`, `correct`, `score`, `prob_*`, `overlap`, `state`.
    fields : DataFrame
        A row a field, by its number: `well`, `site`, `faulty`, `reason`, `height`, `width`.
    wells : DataFrame
        A row a well, with all ``Metadata_*`` columns and `plate` (number).
    plates : tuple of str
        Names.
    """

    kind: str
    items: pd.DataFrame
    fields: pd.DataFrame
    wells: pd.DataFrame
    plates: tuple[str, ...]

    def items_of(self, column: str, number: int) -> NDArray[np.int64]:
        """Return the numbers of the items of a well or a field, in their order."""
        return np.flatnonzero(self.items[column].to_numpy() == number).astype(np.int64)


def _crops(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame | None:
    crops = tables.get("crops")
    if crops is None or not len(crops):
        return None
    items = crops.sort_values("crop").reset_index(drop=True)
    if not (items["crop"].to_numpy() == np.arange(len(items))).all():
        return None
    scores = tables.get("scores")
    if scores is not None:
        kept = [c for c in scores if str(c).startswith(("prob_", "logit"))]
        kept += [c for c in ("predicted", "correct") if c in scores]
        items = items.merge(scores[["crop", *kept]], on="crop", how="left", validate="1:1")
    return items.rename(columns={"logit": "score"})


def _patches(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame | None:
    patches = tables.get("overlap_patches")
    if patches is None:
        return None
    kept = patches[patches["patch"] >= 0].sort_values("patch").reset_index(drop=True)
    if not len(kept) or not (kept["patch"].to_numpy() == np.arange(len(kept))).all():
        return None
    latents = tables.get("overlap_latents")
    if latents is not None:
        more = [c for c in latents if c == "patch" or c not in kept]
        kept = kept.merge(latents[more], on="patch", how="left", validate="1:1")
    faulty = kept["faulty"].astype(bool) if "faulty" in kept else False
    return kept.assign(
        y=kept["row_px"] + kept["patch_px"] / 2,
        x=kept["column_px"] + kept["patch_px"] / 2,
        usable=~faulty if isinstance(faulty, pd.Series) else True,
        fold=-1,
        overlap=kept.get("iou"),
        predicted=kept.get("class_predicted_plain", ""),
    )


def _fields(table: pd.DataFrame | None, items: pd.DataFrame) -> pd.DataFrame:
    """Return a row a field; from the items alone where the table is missing."""
    if table is None:
        table = items.drop_duplicates("field")[["field", *_WELL, "Metadata_Site"]]
    fields = table.set_index("field", drop=False).sort_index()
    if "fault" in fields:
        text = fields["fault"].astype(object).where(fields["fault"].notna(), "")
        fields = fields.assign(faulty=text != "", reason=text)
    ends = items.groupby("field")[["y", "x"]].max().reindex(fields.index)
    half = float(items["patch_px"].iloc[0]) / 2 if "patch_px" in items else 0.0
    for name, axis in (("height", "y"), ("width", "x")):
        if name not in fields:
            fields[name] = (ends[axis] + half).fillna(0)
    if "faulty" not in fields:
        fields = fields.assign(faulty=False, reason="")
    return fields


def build_catalogue(tables: Mapping[str, pd.DataFrame], *, coculture: bool) -> Catalogue | None:
    """Give wells, fields and items of a run their numbers.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables that could be read.
    coculture : bool
        Whether items are the patches of a co-culture.

    Returns
    -------
    Catalogue or None
        None where the table of items is missing or its numbers are not 0, 1, 2, ...

    Examples
    --------
    >>> build_catalogue({}, coculture=False) is None
    True
    """
    items = _patches(tables) if coculture else _crops(tables)
    if items is None:
        return None
    fields = _fields(tables.get("overlap" if coculture else "fields"), items)
    wells = tables.get("overlap_wells" if coculture else "wells")
    if wells is None:
        columns = [c for c in items if str(c).startswith("Metadata_") and c != "Metadata_Site"]
        wells = items.drop_duplicates(_WELL)[[*columns, "class_name"]]
    wells = wells.astype(dict.fromkeys(_WELL, str)).sort_values(_WELL).reset_index(drop=True)
    plates = tuple(map(str, wells["Metadata_Plate"].unique()))
    wells["plate"] = pd.Index(plates).get_indexer(pd.Index(wells["Metadata_Plate"]))
    places = pd.MultiIndex.from_frame(wells[_WELL])
    numbered = []
    for table in (items, fields):
        keys = pd.MultiIndex.from_frame(table[_WELL].astype(str))
        at = places.get_indexer(keys)
        numbered.append(table.assign(well=at))
    items, fields = numbered
    items["plate"] = wells["plate"].to_numpy()[items["well"].to_numpy()]
    for table in (items, wells):
        table["class_name"] = table["class_name"].astype(object).fillna("")
    return Catalogue("patches" if coculture else "crops", items, fields, wells, plates)
