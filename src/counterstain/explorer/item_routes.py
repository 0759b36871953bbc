"""Answers about one crop: its pixels, its strip across the boundary, its attribution maps."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Response
from numpy.typing import NDArray

from counterstain.explorer.framing import frame, json_rows, json_value
from counterstain.explorer.plate_routes import row_of
from counterstain.explorer.session import Session
from counterstain.explorer.sheets import to_webp

__all__ = ["item_routes"]

_BINARY = "application/octet-stream"
_KEPT = {"Cache-Control": "private, max-age=3600"}
Class = Annotated[int, Query(ge=0, le=99)]


class _Items:
    """Answers of these routes."""

    def __init__(self, session: Session) -> None:
        self._session, self._run = session, session.run

    def _check(self, number: int) -> Any:
        return row_of(self._run.catalogue.items, number, self._run.kind[:-1])

    def _pair(self, first: int, second: int) -> tuple[int, int]:
        n = len(self._run.classes)
        if first == second or not max(first, second) < n:
            raise HTTPException(422, f"`first` and `second` must be two of {n} classes, from 0.")
        return first, second

    def item(self, number: int) -> dict[str, Any]:
        row, book = self._check(number), self._run.catalogue
        ids = book.items_of("well", int(row["well"]))
        at = int(np.searchsorted(ids, number))
        return {
            "id": number,
            "facts": json_rows(book.items.iloc[[number]])[0],
            "well": json_rows(book.wells.iloc[[int(row["well"])]])[0],
            "previous": int(ids[at - 1]) if at else None,
            "next": int(ids[at + 1]) if at + 1 < len(ids) else None,
            "place": [at + 1, len(ids)],
        }

    def pixels(self, number: int) -> Response:
        self._check(number)
        pixels = self._session.networks.pixels_of([number])[0].numpy()
        return Response(frame({}, {"pixels": pixels}), media_type=_BINARY)

    def thumbnail(self, number: int, size: Annotated[int, Query(ge=16, le=256)] = 96) -> Response:
        self._check(number)
        picture = self._session.sheets.pictures(np.array([number], np.int64), size)[0]
        return Response(to_webp(picture), media_type="image/webp", headers=_KEPT)

    def sheet(self, number: int) -> Response:
        if not 0 <= number < self._session.sheets.count:
            raise HTTPException(404, f"There is no sheet {number}.")
        data = self._session.sheets.sheet(number)
        return Response(data, media_type="image/webp", headers=_KEPT)

    def strip(self, number: int, first: Class = 0, second: Class = 1) -> Response:
        self._check(number)
        strip = self._session.strips.strip(number, *self._pair(first, second))
        facts = {
            "original": strip.original,
            "boundary": strip.boundary,
            "fold": strip.fold,
            "views": strip.views,
            "error_kind": strip.error_kind,
        }
        arrays: dict[str, NDArray[Any]] = {
            "images": strip.images,
            "log_odds": strip.log_odds,
            "credible": strip.credible,
        }
        return Response(frame(facts, arrays), media_type=_BINARY)

    def bounds(self, number: int, first: Class = 0, second: Class = 1) -> dict[str, Any]:
        self._check(number)
        both = self._pair(first, second)
        bounds = self._session.strips.bounds(number, *both)
        tolerance = self._session.strips.strip(number, *both).tolerance
        return {
            "bounds": [json_value(b) for b in bounds],
            "kept": [bool(b <= tolerance) for b in bounds],
            "tolerance": json_value(tolerance),
        }

    def attribution(
        self, number: int, method: Annotated[str, Query(max_length=40)], target: Class = 1
    ) -> Response:
        self._check(number)
        n = len(self._run.classes)
        if target >= n:
            raise HTTPException(422, f"`target` must be one of {n} classes, from 0.")
        found = self._session.maps.map(number, method, target)
        facts = {"stored": found.stored}
        return Response(frame(facts, {"values": found.values}), media_type=_BINARY)


def item_routes(session: Session) -> APIRouter:
    """Return the routes."""
    router, answers = APIRouter(prefix="/api"), _Items(session)
    router.add_api_route("/items/{number}", answers.item)
    router.add_api_route("/items/{number}/pixels", answers.pixels)
    router.add_api_route("/items/{number}/thumbnail.webp", answers.thumbnail)
    router.add_api_route("/items/{number}/strip", answers.strip)
    router.add_api_route("/items/{number}/strip/bounds", answers.bounds)
    router.add_api_route("/items/{number}/attribution", answers.attribution)
    router.add_api_route("/sheets/{number}.webp", answers.sheet)
    return router
