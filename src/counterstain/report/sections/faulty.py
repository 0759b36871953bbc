"""Fields that were left out, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.figures.faulty import FieldPicture, draw_faulty_fields, shrink
from counterstain.plates.images import read_field
from counterstain.plates.scaling import PixelScaling
from counterstain.report.chapter import Chapter, Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.marks import read_marks
from counterstain.report.numbers import count
from counterstain.report.sections.answer import GAMMA

__all__ = ["faulty_chapter"]

_MOST_PICTURES = 12
_MOST_ROWS = 200


def faulty_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return pictures of faulty fields, a table of all of them, and what was marked by hand."""
    fields = data.table("fields")
    if fields is None:
        return Chapter("faulty", "Faulty fields", "Faulty", {"problem": data.missing["fields"]})
    order = ["Metadata_Plate", "Metadata_Well", "Metadata_Site"]
    faulty = fields[fields["faulty"].astype(bool)].sort_values(order)
    marks = read_marks(data)
    content: dict[str, object] = {
        "problem": "",
        "n_fields": count(len(fields)),
        "n_faulty": count(len(faulty)),
        "reasons": _reasons(data),
        "figure": _figure(data, faulty, book) if len(faulty) else None,
        "table": _table(data, faulty) if len(faulty) else None,
        "marks": marks.sentences,
        "marks_table": marks.table,
        "n_rows_left_out": max(len(faulty) - _MOST_ROWS, 0),
    }
    return Chapter("faulty", "Faulty fields", "Faulty", content)


def _reasons(data: RunData) -> str:
    reasons = (data.metrics.get("quality") or {}).get("reasons") or {}
    kinds: Counter[str] = Counter()
    for name, n in reasons.items():
        kinds[re.split(r"[:(]", data.without_paths(str(name)))[0].strip()] += int(n)
    return "; ".join(f"{name} ({n})" for name, n in kinds.most_common())


def _name(row: Mapping[str, Any], several: bool) -> str:
    plate = f"{row['Metadata_Plate']}  " if several else ""
    return f"{plate}{row['Metadata_Well']} · site {row['Metadata_Site']}"


def _spread(faulty: pd.DataFrame) -> pd.DataFrame:
    """Choose fields so that every reason is seen before any is seen twice."""
    kind = faulty["reason"].astype(str).str.split("[:;(]", regex=True).str[0]
    turn = kind.groupby(kind).cumcount()
    return faulty.loc[turn.sort_values(kind="stable").index[:_MOST_PICTURES]].sort_index()


def _figure(data: RunData, faulty: pd.DataFrame, book: FigureBook) -> PageFigure | None:
    if not data.channels:
        return None
    several = faulty["Metadata_Plate"].nunique() > 1
    pictures = []
    for record in _spread(faulty).to_dict("records"):
        row = {str(key): value for key, value in record.items()}
        reason = data.without_paths(str(row["reason"]))
        pixels, problem = _pixels(data, row)
        pictures.append(FieldPicture(_name(row, several), reason, pixels, problem))
    rest = len(faulty) - len(pictures)
    caption = (
        "Faulty fields as imaged, all on the scale of their plate’s negative controls "
        f"(gamma {GAMMA:g}), with the reason that kept them out of training and scoring."
        + (f" {rest} more are in the table." if rest else "")
        + f" {len(pictures)} fields of {faulty['Metadata_Well'].nunique()} wells."
    )
    alt = "Faulty fields: " + "; ".join(f"{p.title}: {p.reason}" for p in pictures) + "."
    figure = draw_faulty_fields(pictures, data.colours, GAMMA)
    return book.add("faulty_fields", figure, caption=caption, alt=alt, table=_listed(data, faulty))


def _listed(data: RunData, faulty: pd.DataFrame) -> pd.DataFrame:
    """Return all faulty fields without the paths of their files."""
    columns = [c for c in faulty if str(c).startswith("Metadata_") or c in ("n_cells", "n_crops")]
    return faulty[columns].assign(reason=faulty["reason"].astype(str).map(data.without_paths))


def _pixels(data: RunData, row: Mapping[str, Any]) -> tuple[NDArray[np.float32] | None, str]:
    if "path_0" not in row:
        return None, "the table names no image file"
    pages = {f"page_{i}": row.get(f"page_{i}", 0) for i in range(len(data.channels))}
    try:
        field = shrink(read_field({**row, **pages}, len(data.channels)))
    except (InvalidInputError, OSError, KeyError, ValueError) as error:
        return None, data.without_paths(str(error).splitlines()[0] if str(error) else "unreadable")
    return _scaled(data, field, str(row["Metadata_Plate"])), ""


def _scaled(data: RunData, field: NDArray[np.float32], plate: str) -> NDArray[np.float32]:
    """Scale like the crops; where no scaling is known, by the highest value of each channel."""
    content = data.crops.get("scaling")
    if content:
        scaling = PixelScaling.from_json(content)
        if plate in scaling.plates and scaling.low.shape[1] == len(field):
            scaled = scaling.apply(field[None], np.array([scaling.plates.index(plate)]))
            return np.asarray(scaled[0], dtype=np.float32)
    highest = field.max(axis=(1, 2), keepdims=True)
    return np.asarray(field / np.maximum(highest, 1), dtype=np.float32)


def _table(data: RunData, faulty: pd.DataFrame) -> Table:
    rows = []
    for record in faulty.head(_MOST_ROWS).to_dict("records"):
        cells = [record["Metadata_Plate"], record["Metadata_Well"], record["Metadata_Site"]]
        n_cells = record.get("n_cells", float("nan"))
        cells += ["–" if pd.isna(n_cells) else count(float(n_cells))]
        cells += [data.without_paths(str(record["reason"]))]
        rows.append(tuple(str(cell) for cell in cells))
    header = ("plate", "well", "site", "cells found", "reason")
    return Table("All faulty fields", header, rows, frozenset({2, 3}))
