"""Calls of interaction, and treatments: figures and tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from counterstain.figures.overlap_calls import CallCurves, draw_interaction_calls
from counterstain.figures.overlap_treatments import draw_overlap_treatments
from counterstain.report.chapter import Table
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import as_estimate, decimal, interval
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_words import interaction_sentence

__all__ = [
    "calls_figure",
    "group_table",
    "treatment_figure",
    "treatment_table",
]

_MOST_PANELS, _MOST_ROWS = 24, 200


def group_table(overlap: OverlapData) -> Table | None:
    """Return the numbers of each class."""
    columns = list(dict.fromkeys((overlap.measure, "iou", "iou_above_chance")))
    rows: list[tuple[str, ...]] = []
    for row in overlap.compared:
        cells = [interval(as_estimate(row.get(c)), 3) for c in columns]
        cells += [_share(row.get("share_a_touching"))]
        difference = interval(as_estimate(row["difference"]), 3) if "difference" in row else "–"
        tests = [_small(row.get("p")), _small(row.get("q"))]
        lost = int(row.get("n_wells_without") or 0)
        wells = f"{row.get('n_wells', '?')}{f' (+ {lost} without)' if lost else ''}"
        rows.append((str(row.get("group")), wells, *cells, difference, *tests))
    if not rows:
        return None
    a = overlap.kinds[0]
    header = (
        overlap.group_noun, "wells", *map(overlap.words, columns), f"{a} touching",
        "difference", "p", "q",
    )  # fmt: skip
    caption = (
        f"Overlap by class: means of wells, and differences in {overlap.words()} to "
        f"{overlap.base}, with 95 % intervals over wells; Welch’s test, Benjamini–Hochberg"
    )
    return Table(caption, header, rows, frozenset({len(header) - 2, len(header) - 1}))


def _share(content: Any) -> str:
    found = as_estimate(content)
    return interval(found, 2) if found.is_defined else "–"


def _small(content: Any) -> str:
    value = as_estimate(content).value
    return "–" if np.isnan(value) else "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def calls_figure(overlap: OverlapData, book: FigureBook) -> PageFigure | None:
    """Draw the ROC curve of the controls and the calls along the threshold."""
    found, calls = overlap.numbers.get("interaction") or {}, overlap.numbers.get("calls") or []
    threshold = as_estimate(found.get("threshold"))
    if not threshold.is_defined or not calls:
        return None
    names = list(calls[0].get("called") or {})
    groups = [n for n in overlap.groups if n in names] + [
        n for n in names if n not in overlap.groups
    ]
    totals = _wells_by_group(overlap)
    if not totals:
        return None
    steps = [np.inf if t is None else float(t) for t in found.get("thresholds") or []]
    auc = as_estimate(found.get("auc"))
    curves = CallCurves(
        threshold.value,
        found.get("false_positive_rate") or [],
        found.get("true_positive_rate") or [],
        steps,
        f"area {interval(auc)}" if auc.is_defined else "",
        [float(call["threshold"]) for call in calls],
        {
            n: [call["called"].get(n, 0) / max(totals.get(n, 0), 1) for call in calls]
            for n in groups
        },
    )
    ends = _ends(overlap)
    caption = (
        "Left: share of the control wells with interaction that is called, against that of those "
        "without, for every threshold. Right: share of all wells of each "
        f"{overlap.group_noun} (wells in no class, too) called at each threshold; vertical: "
        f"the chosen one. {sum(totals.values())} wells."
    )
    figure = draw_interaction_calls(curves, groups, ends, f"{overlap.words()} of the well")
    alt = interaction_sentence(overlap)
    shares = pd.DataFrame({"threshold": curves.tried, **curves.called})
    return book.add("overlap_calls", figure, caption=caption, alt=alt, table=shares)


def _wells_by_group(overlap: OverlapData) -> dict[str, int]:
    wells = overlap.wells
    if wells is None or overlap.measure not in wells:
        return {}
    known = wells[wells[overlap.measure].notna()]
    return {str(name): int(n) for name, n in known["group"].value_counts().items()}


def _ends(overlap: OverlapData) -> tuple[str, str]:
    section, names = (
        overlap.data.section("overlap"),
        overlap.data.classes or ("negative", "positive"),
    )
    return str(section.get("negative") or names[0]), str(section.get("positive") or names[-1])


def _treated(overlap: OverlapData) -> pd.DataFrame | None:
    table = overlap.data.table("overlap_treatments")
    column = overlap.group_column
    if table is None or not len(table) or column not in table:
        return None
    if "Metadata_Compound" not in table:
        return None
    dose = table.get("Metadata_Concentration", pd.Series(np.nan, index=table.index))
    numbers = table[["difference", "low", "high", "p", "q"]].apply(pd.to_numeric, errors="coerce")
    found = pd.DataFrame({
        "group": table[column].astype(str), "compound": table["Metadata_Compound"].astype(str),
        "dose": pd.to_numeric(dose, errors="coerce"), "unit": _unit(overlap),
        "n_wells": table["n_wells"], "mean": table["mean"], "reason": table["reason"].fillna(""),
    })  # fmt: skip
    found = found.join(numbers)
    known = found["difference"].notna() & (found["group"] != "")
    return found[known] if known.any() else None


def _unit(overlap: OverlapData) -> str:
    wells = overlap.wells
    if wells is None or "Metadata_ConcentrationUnit" not in wells:
        return ""
    units = {str(u) for u in wells["Metadata_ConcentrationUnit"].dropna()} - {""}
    return {"uM": "µM"}.get(unit := units.pop(), unit) if len(units) == 1 else ""


def treatment_figure(overlap: OverlapData, book: FigureBook) -> PageFigure | None:
    """Draw the difference that each treatment makes, by dose."""
    table = _treated(overlap)
    if table is None:
        return None
    strength = table.groupby("compound")["difference"].apply(lambda d: -d.abs().max())
    order = strength.sort_values(kind="stable").index[:_MOST_PANELS]
    rank = {name: i for i, name in enumerate(order)}
    drawn = table[table["compound"].isin(order)]
    drawn = drawn.assign(rank=drawn["compound"].map(rank)).sort_values(["rank", "dose"])
    sure = int((table["q"] <= 0.05).sum())
    left_out = len(strength) - len(order)
    caption = (
        f"Difference in {overlap.words()} between wells in no class and the control wells of the "
        f"same {overlap.group_noun}; bars: 95 % intervals over wells. Filled: q ≤ 0.05 "
        f"(Benjamini–Hochberg over all {len(table)} rows; {sure} of them). Compounds with the "
        f"largest difference first{f'; {left_out} more are in the table' if left_out else ''}."
    )
    figure = draw_overlap_treatments(drawn, overlap.groups, f"in {overlap.words()}")
    alt = f"Differences by dose for {', '.join(map(str, order[:8]))}: {sure} of {len(table)} sure."
    return book.add("overlap_treatments", figure, caption=caption, alt=alt, table=table)


def treatment_table(overlap: OverlapData) -> Table | None:
    """Return treatments, the surest first."""
    table = _treated(overlap)
    if table is None:
        return None
    rows = []
    for record in table.sort_values(["q", "p"], kind="stable").head(_MOST_ROWS).to_dict("records"):
        ends = [float(record[k]) for k in ("low", "high")]
        bounds = (
            f" [{decimal(ends[0], 3)}, {decimal(ends[1], 3)}]" if np.isfinite(ends).all() else ""
        )
        dose = float(record["dose"])
        rows.append((
            str(record["compound"]), str(record["group"]), "–" if np.isnan(dose) else f"{dose:g}",
            str(record["n_wells"]), decimal(float(record["mean"]), 3),
            decimal(float(record["difference"]), 3) + bounds,
            _small(record["p"]), _small(record["q"]),
        ))  # fmt: skip
    unit = _unit(overlap)
    header = (
        "compound", overlap.group_noun, f"dose{f' ({unit})' if unit else ''}", "wells", "mean",
        "difference", "p", "q",
    )  # fmt: skip
    caption = f"Treatments against control wells of the same {overlap.group_noun}, surest first"
    return Table(caption, header, rows, frozenset({2, 3, 4, 5, 6, 7}))
