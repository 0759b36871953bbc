"""Cells with a compartment removed: how the call answers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from counterstain.figures.cell_occlusion import MOST_SERIES, draw_cell_occlusion
from counterstain.report.audit_data import withheld
from counterstain.report.chapter import Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import count, interval, percent
from counterstain.report.occlusion_summary import occlusion_sentences, occlusion_summary
from counterstain.types import Estimate

__all__ = ["occlusion_content"]


def occlusion_content(data: RunData, book: FigureBook) -> dict[str, Any]:
    """Return what removing compartments does: sentences, a figure, a table, or why there is none.

    Parameters
    ----------
    data : RunData
        A run.
    book : FigureBook
        Where figures go.

    Returns
    -------
    dict
        ``sentences`` (none while sentences about biology are withheld), ``occlusion``,
        ``occlusion_table``, ``no_occlusion``.
    """
    content: dict[str, Any] = {
        "sentences": [], "occlusion": [], "occlusion_table": None, "no_occlusion": ""
    }  # fmt: skip
    table = data.table("cell_occlusion")
    if table is None:
        return content | {"no_occlusion": data.missing.get("cell_occlusion", "")}
    pooled = table["called"].nunique() > MOST_SERIES
    seed = data.run.get("seed")
    summary = occlusion_summary(
        table, data.channels, pooled=pooled, seed=seed if isinstance(seed, int) else 0
    )
    if not len(summary):
        return content | {"no_occlusion": "No crop held a compartment that could be removed."}
    quiet = withheld(data) is not None
    return content | {
        "sentences": [] if quiet else occlusion_sentences(summary, data.noun),
        "occlusion": [_figure(data, table, summary, pooled, book)],
        "occlusion_table": _table(summary),
    }


def _figure(
    data: RunData, table: pd.DataFrame, summary: pd.DataFrame, pooled: bool, book: FigureBook
) -> PageFigure:
    wells = len(table[["Metadata_Plate", "Metadata_Well"]].drop_duplicates())
    crops = table["crop"].nunique() if "crop" in table else int(summary["n_crops"].max())
    caption = (
        "One compartment of a cell removed in one channel, or in all: by how much the log-odds of "
        "the class it was called drop (mean of well means), and in which share of cells the call "
        "flips; 95 % intervals over wells. Below zero: without it the network is surer."
        + (" All classes are taken together." if pooled else "")
        + f" {wells} wells, {count(float(crops))} {data.noun}."
    )
    regions = ", ".join(dict.fromkeys(summary["region"].astype(str)))
    alt = f"Dots of the drop of log-odds and the share of flipped calls by {regions} and channel."
    figure = draw_cell_occlusion(summary, data.classes)
    return book.add("cell_occlusion", figure, caption=caption, alt=alt, table=summary)


def _table(summary: pd.DataFrame) -> Table:
    rows = []
    for record in summary.to_dict("records"):
        drop, flips = (
            Estimate(float(record[k]), float(record[f"{k}_low"]), float(record[f"{k}_high"]))
            for k in ("drop", "flips")
        )
        channel = "all channels" if record["channel"] == "all" else str(record["channel"])
        rows.append((
            f"{record['region']} · {channel}", str(record["called"]), interval(drop),
            percent(flips, 0), count(float(record["n_wells"])), count(float(record["n_crops"])),
        ))  # fmt: skip
    header = ("removed", "called", "drop of log-odds", "calls that flip", "wells", "crops")
    caption = "What removing a compartment does to the call; 95 % intervals over wells"
    return Table(caption, header, rows, frozenset({2, 3, 4, 5}))
