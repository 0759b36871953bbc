"""The plate, coloured by score."""

from __future__ import annotations

import pandas as pd

from counterstain.figures.plate_map import draw_plate_map, score_limit
from counterstain.report.chapter import Chapter, Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook
from counterstain.report.numbers import count, decimal

__all__ = ["plate_chapter"]

_MOST_PLATES = 16
_MOST_ROWS = 400


def plate_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return a map and a table of wells for each plate."""
    wells = data.table("wells")
    score = "logit" if len(data.classes) == 2 else "predicted"
    if wells is None or score not in wells or not data.classes:
        problem = data.missing.get("wells") or "The wells have no scores: no plate can be drawn."
        return Chapter("plate", "The plate", "Plate", {"problem": problem})
    plates = list(wells.groupby("Metadata_Plate", sort=True))
    limit = score_limit(wells["logit"]) if score == "logit" else None
    figures = []
    for number, (plate, rows) in enumerate(plates[:_MOST_PLATES], start=1):
        figures.append(
            book.add(
                f"plate_{number}",
                draw_plate_map(rows, data.classes, limit),
                caption=_caption(data, str(plate), rows),
                alt=_alt(data, str(plate), rows),
                table=rows,
            )
        )
    left_out = [str(plate) for plate, _ in plates[_MOST_PLATES:]]
    content = {
        "problem": "",
        "figures": figures,
        "left_out": left_out,
        "table": _table(data, wells),
        "n_rows_left_out": max(len(wells) - _MOST_ROWS, 0),
        "notes": _notes(wells),
    }
    title = "The plate" if len(plates) == 1 else "The plates"
    return Chapter("plate", title, "Plate", content)


def _caption(data: RunData, plate: str, rows: pd.DataFrame) -> str:
    n_wells, n_crops = int((rows["n_crops"] > 0).sum()), float(rows["n_crops"].sum())
    counts = f"{n_wells} scored wells, {count(n_crops)} {data.noun}."
    if len(data.classes) == 2:
        first, second = data.classes
        return (
            f"Plate {plate}. Colour: mean score of the well, from {first} (vermillion) to {second} "
            f"(blue). Letters: the class that the plate map gives. Look for wells whose colour "
            f"contradicts their letter, and for gradients along rows or columns. {counts}"
        )
    return (
        f"Plate {plate}. Colour: the class that the well is called, the paler the less sure. "
        f"Letters: the class that the plate map gives. Look for letters on another class's "
        f"colour. {counts}"
    )


def _alt(data: RunData, plate: str, rows: pd.DataFrame) -> str:
    labelled = rows[(rows["class_name"] != "") & (rows["n_crops"] > 0)]
    right = (
        int((labelled["predicted"] == labelled["class_name"]).sum()) if "predicted" in rows else 0
    )
    return (
        f"Map of plate {plate}: {len(rows)} wells coloured by score; {right} of {len(labelled)} "
        "wells with a class are called that class. The table of wells holds every value."
    )


def _notes(wells: pd.DataFrame) -> list[str]:
    notes = []
    absent = wells[wells["n_fields"] == 0]
    if len(absent):
        notes.append(f"Wells without an image (hatched): {_names(absent)}.")
    lost = wells[(wells["n_fields"] > 0) & (wells["n_crops"] == 0)]
    if len(lost):
        notes.append(f"Wells with images but nothing to score (crossed): {_names(lost)}.")
    return notes


def _names(wells: pd.DataFrame, most: int = 40) -> str:
    several = wells["Metadata_Plate"].nunique() > 1
    names = [
        f"{plate} {well}" if several else str(well)
        for plate, well in zip(wells["Metadata_Plate"], wells["Metadata_Well"], strict=True)
    ]
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _table(data: RunData, wells: pd.DataFrame) -> Table:
    extra = [c for c in ("Metadata_Compound", "Metadata_Concentration") if c in wells]
    score = "logit" if len(data.classes) == 2 else None
    header = ["plate and well", "class", *(c.removeprefix("Metadata_").lower() for c in extra)]
    header += ["fields", "faulty", data.noun, "called", *(["score"] if score else [])]
    rows = []
    for record in wells.head(_MOST_ROWS).to_dict("records"):
        cells = [
            f"{record['Metadata_Plate']} {record['Metadata_Well']}",
            record["class_name"] or "–",
        ]
        cells += ["–" if pd.isna(record[c]) else str(record[c]) for c in extra]
        cells += [str(record["n_fields"]), str(record.get("n_faulty", "–"))]
        cells += [count(record["n_crops"]), str(record.get("predicted") or "–")]
        cells += [decimal(float(record[score]))] if score else []
        rows.append(tuple(str(cell) for cell in cells))
    first = 2 + len(extra)
    numeric = {first, first + 1, first + 2, first + 4}
    return Table("Wells and their mean scores", tuple(header), rows, frozenset(numeric))
