"""Diseased, healthy, treated: the two ways in latent space, as a table and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from counterstain.figures.axis_angle import draw_axis_angle
from counterstain.report.chapter import Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import as_estimate, count, decimal, interval

__all__ = ["ways_content", "ways_figure"]


def ways_content(data: RunData) -> dict[str, Any]:
    """Return the two ways of a three-way screen, with what noise alone makes beside them."""
    found = data.metrics.get("axes")
    if not isinstance(found, Mapping):
        return {"axes": None}
    start, first, second = found["classes"]
    if "angle" not in found:
        sentence = f"The ways {start} → {first} and {start} → {second} were not compared."
        rows = [("not compared", "–", "–", str(found.get("reason", "")))]
    else:
        sentence = str(found["sentence"])
        rows = [
            (name, interval(as_estimate(found[key])), count(as_estimate(found[key]).n_wells), text)
            for key, name, text in (
                (
                    "angle",
                    "angle, °",
                    "freed of noise; 0 undoes the disease, 90 does something else",
                ),
                (
                    "halves_angle",
                    "the same on halves, °",
                    f"{first} on one half, {second} on the other",
                ),
                (
                    "same_axis_angle",
                    "noise alone, °",
                    f"{first} on both halves: the null of the row above",
                ),
                ("undone", "share undone", f"along the way to {first}, as a share of it"),
                ("elsewhere", "share elsewhere", "across that way, likewise"),
            )
        ]
    header = ("measure", "value [95 % interval]", "wells", "meaning")
    caption = f"The ways {start} → {first} and {start} → {second} in latent space, by well"
    return {"axes": Table(caption, header, rows, frozenset({1, 2})), "axes_sentence": sentence}


def ways_figure(data: RunData, book: FigureBook) -> PageFigure | None:
    """Draw both ways of a three-way screen; None where they were not compared."""
    found = data.metrics.get("axes")
    keys = ("angle", "same_axis_angle", "undone", "elsewhere")
    if not isinstance(found, Mapping) or not set(keys) <= set(found):
        return None
    angle, noise, undone, elsewhere = (as_estimate(found[key]) for key in keys)
    if not (undone.is_defined and elsewhere.is_defined):
        return None
    start, first, second = found["classes"]
    caption = (
        f"The ways {start} → {first} and {start} → {second} in latent space, freed of noise, in "
        f"the plane that holds both; {first} is 100 % of its way. Bars and the coloured wedge are "
        "95 % intervals over wells; inside the grey wedge lie axes that noise alone turns as far "
        f"(median of halvings of the wells, {decimal(noise.value, 0)}°). {count(angle.n_wells)} "
        "wells."
    )
    figure = draw_axis_angle(
        (start, first, second), angle=angle, noise=noise, undone=undone, elsewhere=elsewhere
    )
    rows = [{"measure": key, **found[key]} for key in (*keys, "halves_angle")]
    table = pd.DataFrame(rows).drop(columns="reason", errors="ignore")
    return book.add("ways", figure, caption=caption, alt=str(found["sentence"]), table=table)
