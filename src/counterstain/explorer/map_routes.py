"""Answers about maps of all crops, selections on them, and treatments."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pandas as pd
from fastapi import APIRouter, HTTPException, Query, Response
from numpy.typing import NDArray

from counterstain.explorer.framing import frame, json_rows
from counterstain.explorer.run_reading import as_finite
from counterstain.explorer.session import Session

__all__ = ["map_routes"]

_CATEGORIES = {
    "class_name": "Class of the well", "predicted": "Called", "Metadata_Compound": "Treatment",
    "Metadata_Stimulation": "Stimulation", "Metadata_Plate": "Plate", "state": "State",
    "usable": "Left out",
}  # fmt: skip
_NUMBERS = {"score": "Score (log-odds)", "overlap": "Overlap (IoU)",
            "Metadata_Concentration": "Concentration"}  # fmt: skip
_TREATMENT = ("rank", "Metadata_Compound", "Metadata_Concentration", "call", "rescue",
              "rescue_low", "rescue_high", "q_value", "side_effect", "n_wells")  # fmt: skip
_LONGEST_POLYGON = 4000
_BINARY = "application/octet-stream"
Name = Annotated[str, Query(max_length=60)]


def _levels(values: pd.Series) -> tuple[list[str], NDArray[np.int32]]:
    """Return names and the number of each row's; the empty name last."""
    text = values.astype(object).where(values.notna(), "").astype(str)
    names = sorted(set(text), key=lambda name: (name == "", name))
    return names, pd.Index(names).get_indexer(pd.Index(text)).astype(np.int32)


def _wait_for(state: dict[str, Any]) -> Response | None:
    """Return an answer that says how far the work is; None where it is done."""
    if state["status"] == "failed":
        raise HTTPException(422, state["reason"])
    if state["status"] == "done":
        return None
    return Response(frame({"working": state["share"]}, {}), 202, media_type=_BINARY)


class _Maps:
    """Answers of these routes."""

    def __init__(self, session: Session) -> None:
        self._session, self._run = session, session.run

    def map(self, name: Name) -> Response:
        embeddings, items = self._session.embeddings, self._run.catalogue.items
        waiting = _wait_for(embeddings.state(name))
        if waiting is not None:
            return waiting
        places = embeddings.embedding(name)
        shown = np.flatnonzero(np.isfinite(places.x) & np.isfinite(places.y))
        arrays: dict[str, NDArray[Any]] = {
            "x": places.x[shown],
            "y": places.y[shown],
            "item": shown.astype(np.int32),
        }
        columns = _add_columns(items.iloc[shown], arrays)
        facts = {"n": len(shown), "n_all": len(items), "columns": columns}
        return Response(frame(facts, arrays), media_type=_BINARY)

    def selection(
        self, name: Name, polygon: Annotated[str, Query(max_length=_LONGEST_POLYGON)]
    ) -> Response:
        try:
            corners = np.array([float(v) for v in polygon.split(",")]).reshape(-1, 2)
        except ValueError as error:
            raise HTTPException(422, "`polygon` must be x,y,x,y,... in the map's axes.") from error
        embeddings, selections = self._session.embeddings, self._session.selections
        for state in (embeddings.state(name), selections.intensities.state()):
            waiting = _wait_for(state)
            if waiting is not None:
                return waiting
        facts = selections.describe(embeddings.embedding(name), corners)
        return Response(frame(facts, {}), media_type=_BINARY)

    def treatments(self) -> dict[str, Any]:
        table = self._run.tables.get("treatments")
        if table is None:
            reason = self._run.missing.get(
                "treatments", "A co-culture has no ranking of treatments by rescue."
            )
            return {"columns": [], "rows": [], "unit": "", "reason": reason}
        columns = [c for c in _TREATMENT if c in table]
        rows = json_rows(table, columns)
        for row, places in zip(rows, self._wells_of(table), strict=True):
            row["wells"] = places
        unit = str((self._run.metrics.get("ranking") or {}).get("unit") or "")
        return {"columns": columns, "rows": rows, "unit": unit, "reason": ""}

    def _wells_of(self, table: pd.DataFrame) -> list[list[int]]:
        """Return the wells of each treatment, by compound and concentration."""
        wells = self._run.catalogue.wells
        keys = ["Metadata_Compound", "Metadata_Concentration"]
        keys = [k for k in keys if k in wells and k in table]
        found: dict[tuple[str, ...], list[int]] = {}
        for number, *key in wells[keys].itertuples(name=None):
            found.setdefault(tuple(map(str, key)), []).append(int(number))
        rows = table[keys].itertuples(index=False, name=None)
        return [found.get(tuple(map(str, key)), []) for key in rows]


def _add_columns(items: pd.DataFrame, arrays: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """Add what points can be coloured by to the arrays; return what it is called."""
    columns: list[dict[str, Any]] = []
    for column, label in _CATEGORIES.items():
        if column in items:
            values = items[column]
            if column == "usable":
                values = values.astype(bool).map({True: "no", False: "faulty field"})
                if "mislabelled" in items:
                    values = values.where(~items["mislabelled"].astype(bool), "mislabelled")
            names, arrays[column] = _levels(values)
            columns.append({"name": column, "label": label, "levels": names})
    for column, label in _NUMBERS.items():
        if column in items and np.isfinite(as_finite(items[column])).any():
            arrays[column] = as_finite(items[column])
            columns.append({"name": column, "label": label, "levels": None})
    return columns


def map_routes(session: Session) -> APIRouter:
    """Return the routes."""
    router, answers = APIRouter(prefix="/api"), _Maps(session)
    router.add_api_route("/map", answers.map)
    router.add_api_route("/selection", answers.selection)
    router.add_api_route("/treatments", answers.treatments)
    return router
