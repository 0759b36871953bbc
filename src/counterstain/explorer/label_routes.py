"""Marks that people set: faulty fields and mislabelled crops, written back to the run."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from counterstain.annotations import (
    LONGEST_NOTE,
    Annotation,
    append_annotation,
    read_annotations,
    standing_annotations,
)
from counterstain.errors import InvalidInputError
from counterstain.explorer.framing import json_rows
from counterstain.explorer.plate_routes import row_of
from counterstain.explorer.session import Session

__all__ = ["label_routes"]


class Mark(BaseModel):
    """What a page sends: which field or crop, by number, and what to do."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["faulty_field", "mislabelled_crop"]
    action: Literal["mark", "undo"] = "mark"
    number: int = Field(ge=0)
    note: str = Field(default="", max_length=LONGEST_NOTE)


def label_routes(session: Session) -> APIRouter:
    """Return the routes."""
    router, run = APIRouter(prefix="/api"), session.run
    book = run.catalogue

    def annotation(mark: Mark) -> Annotation:
        crop = -1
        if mark.kind == "faulty_field":
            if mark.number not in book.fields.index:
                raise HTTPException(404, f"There is no field {mark.number}.")
            number = mark.number
        else:
            item = row_of(book.items, mark.number, run.kind[:-1])
            number, crop = int(item["field"]), mark.number
        field = book.fields.loc[[number]].iloc[0]
        return Annotation(
            mark.kind,
            mark.action,
            str(field["Metadata_Plate"]),
            str(field["Metadata_Well"]),
            int(field["Metadata_Site"]),
            crop,
            mark.note,
        )

    @router.get("/annotations")
    def read_marks() -> dict[str, Any]:
        try:
            table = read_annotations(run.folder)
        except InvalidInputError as error:
            return {"rows": [], "n_rows": 0, "reason": str(error)}
        standing = standing_annotations(table)
        fields = {
            (str(p), str(w), int(s)): int(number)
            for number, p, w, s in book.fields[
                ["Metadata_Plate", "Metadata_Well", "Metadata_Site"]
            ].itertuples(name=None)
        }
        rows = json_rows(standing)
        for row in rows:
            row["field"] = fields.get((row["plate"], row["well"], int(row["site"])))
        return {"rows": rows, "n_rows": len(table), "reason": ""}

    @router.post("/annotations", status_code=201)
    def add_mark(mark: Mark) -> dict[str, Any]:
        made = annotation(mark)
        with session.writing:
            try:
                append_annotation(run.folder, made)
            except InvalidInputError as error:
                raise HTTPException(507, str(error)) from error
        return read_marks()

    return router
