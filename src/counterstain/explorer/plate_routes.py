"""Answers about the run, its plates, wells and fields."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
from fastapi import APIRouter, HTTPException, Response

from counterstain.errors import InvalidInputError
from counterstain.explorer.framing import json_rows
from counterstain.explorer.mosaic import draw_mosaic
from counterstain.explorer.session import Session
from counterstain.explorer.sheets import GAMMA, TILE, to_webp
from counterstain.plates.wells import plate_shape, well_position

__all__ = ["plate_routes", "row_of"]

_VALUES: Final = {
    "logit": "Score (log-odds)", "iou_above_chance": "Overlap above chance",
    "iou": "Overlap (IoU)", "n_crops": "Cells", "n_a": "Cells of kind a",
    "n_b": "Cells of kind b", "n_faulty": "Faulty fields", "n_faulty_fields": "Faulty fields",
}  # fmt: skip
_ITEM: Final = ["predicted", "correct", "score", "usable", "class_name", "fold", "overlap", "state"]
_FIELD: Final = ["field", "Metadata_Site", "faulty", "reason", "height", "width", "well",
                 "Metadata_Plate", "Metadata_Well", "class_name"]  # fmt: skip


def row_of(table: pd.DataFrame, number: int, what: str) -> Any:
    """Return a row by its number, or answer 404: numbers are looked up, never made a path."""
    if not 0 <= number < len(table):
        raise HTTPException(404, f"There is no {what} {number}: there are {len(table)}.")
    return table.iloc[number]


def _values(wells: pd.DataFrame) -> list[dict[str, str]]:
    """Return the numbers of wells that can be shown: scores first, then counts."""
    probabilities = [str(c) for c in wells if str(c).startswith("prob_")]
    names = [n for n in _VALUES if n in wells and not n.startswith("n_")] + probabilities
    names += [n for n in _VALUES if n in wells and n.startswith("n_")]
    return [
        {"name": name, "label": _VALUES.get(name, f"P({name[5:]})")}
        for name in names
        if pd.to_numeric(wells[name], errors="coerce").notna().any()
    ]


class _Plates:
    """Answers of these routes."""

    def __init__(self, session: Session) -> None:
        self._session, self._run, self._book = session, session.run, session.run.catalogue

    def run(self) -> dict[str, Any]:
        run, session = self._run, self._session
        noun = run.config.crops.kind if run.config else "cells"
        return {
            "screen": str(run.record.get("screen") or ""),
            "folder": run.folder.root.resolve().name,
            "kind": run.kind,
            "noun": noun if run.kind == "crops" else "patches",
            "classes": list(run.classes),
            "plates": list(self._book.plates),
            "channels": [
                {"name": name, "colour": colour}
                for name, colour in zip(run.channels, run.colours, strict=True)
            ],
            "pixel_size_um": run.pixel_size_um,
            "size": int(run.pixels.pixels.shape[-1]) if run.pixels is not None else 0,
            "gamma": GAMMA,
            "n_items": len(self._book.items),
            "has_pixels": run.pixels is not None,
            "sheets": {"tile": TILE, "side": session.sheets.side, "count": session.sheets.count},
            "missing": list(run.missing.values()),
            "no_edit": session.networks.why_no_edit(),
            "methods": list(session.maps.names),
            "maps": session.embeddings.describe(),
            "values": _values(self._book.wells),
            "version": str(run.record.get("version") or ""),
        }

    def plate(self, number: int) -> dict[str, Any]:
        book = self._book
        if not 0 <= number < len(book.plates):
            raise HTTPException(404, f"There is no plate {number}: there are {len(book.plates)}.")
        wells = book.wells[book.wells["plate"] == number]
        names = [str(w) for w in wells["Metadata_Well"]]
        try:
            rows, columns = plate_shape(names)
            places = [well_position(name) for name in names]
        except InvalidInputError as error:
            raise HTTPException(409, str(error)) from error
        more = [str(c) for c in wells if str(c).startswith("Metadata_")]
        values = [v["name"] for v in _values(book.wells)]
        shown = json_rows(wells, [*more, "class_name", "predicted", *values])
        for entry, well, (row, column) in zip(shown, wells.index, places, strict=True):
            entry |= {"id": int(well), "row": row, "column": column}
        return {"name": book.plates[number], "rows": rows, "columns": columns, "wells": shown}

    def well(self, number: int) -> dict[str, Any]:
        book = self._book
        row_of(book.wells, number, "well")
        ids = book.items_of("well", number)
        items = book.items.iloc[ids]
        fields = book.fields[book.fields["well"] == number]
        probabilities = [str(c) for c in items if str(c).startswith("prob_")]
        crops = json_rows(items, ["field", *_ITEM, *probabilities])
        for entry, item in zip(crops, ids, strict=True):
            entry["id"] = int(item)
        return {
            "id": number,
            "facts": json_rows(book.wells.iloc[[number]])[0],
            "fields": json_rows(fields, ["field", "Metadata_Site", "faulty", "reason", "n_crops"]),
            "items": crops,
        }

    def field(self, number: int) -> dict[str, Any]:
        table = self._field(number)
        ids = self._book.items_of("field", number)
        crops = json_rows(self._book.items.iloc[ids], ["y", "x", *_ITEM])
        for entry, item in zip(crops, ids, strict=True):
            entry["id"] = int(item)
        facts = json_rows(table, _FIELD)[0]
        # Patches may be stored smaller than they are in the field.
        side = self._run.pixels.pixels.shape[-1] if self._run.pixels is not None else 1
        items = self._book.items
        step = float(items["patch_px"].iloc[0]) / side if "patch_px" in items else 1.0
        return {"facts": facts, "items": crops, "stored_width": float(facts["width"]) / step}

    def mosaic(self, number: int) -> Response:
        self._field(number)
        picture = draw_mosaic(self._run, number)
        if picture is None:
            raise HTTPException(404, "This field has no crop whose pixels are kept.")
        return Response(to_webp(picture), media_type="image/webp")

    def _field(self, number: int) -> pd.DataFrame:
        if number not in self._book.fields.index:
            raise HTTPException(404, f"There is no field {number}.")
        return self._book.fields.loc[[number]]


def plate_routes(session: Session) -> APIRouter:
    """Return the routes."""
    router, answers = APIRouter(prefix="/api"), _Plates(session)
    router.add_api_route("/run", answers.run)
    router.add_api_route("/plates/{number}", answers.plate)
    router.add_api_route("/wells/{number}", answers.well)
    router.add_api_route("/fields/{number}", answers.field)
    router.add_api_route("/fields/{number}/mosaic.webp", answers.mosaic)
    return router
