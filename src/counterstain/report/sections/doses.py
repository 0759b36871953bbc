"""Score against dose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from counterstain.figures.dose import draw_dose_curves
from counterstain.figures.style import class_colours
from counterstain.report.chapter import Chapter, Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook
from counterstain.report.numbers import as_estimate, count, decimal

__all__ = ["doses_chapter"]

_MOST_PANELS = 24


def doses_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return the score of every compound against its dose."""
    wells = _dosed(data)
    if wells is None or not len(wells):
        why = "The plate map gives no compound at two doses or more: there is no dose to plot."
        return Chapter("doses", "Doses", "Doses", {"problem": data.missing.get("wells", why)})
    ranked = _ranked(data, wells)
    shown = ranked[:_MOST_PANELS]
    order = {compound: place for place, compound in enumerate(shown)}
    drawn = wells[wells["compound"].isin(shown)]
    drawn = drawn.assign(place=drawn["compound"].map(order)).sort_values(["place", "dose"])
    two = len(data.classes) == 2
    label = (
        f"mean score of the well (log-odds of {data.classes[1]})"
        if two
        else f"mean probability of {data.classes[0]}"
    )
    figure = draw_dose_curves(
        drawn,
        references=_references(data, two),
        score_label=label,
        boundary=0.0 if two else None,
    )
    caption = (
        "Mean score of each well (circles) against its dose, and the mean of each dose (line); "
        "horizontal lines are the median wells of the classes. A curve that leaves one line for "
        f"the other moves cells from class to class. {int(drawn['score'].notna().sum())} wells, "
        f"{count(float(drawn['n_crops'].sum()))} {data.noun}."
    )
    alt = f"Score against dose for {', '.join(shown[:8])}{' and more' if len(shown) > 8 else ''}."
    content = {
        "figure": book.add(
            "doses", figure, caption=caption, alt=alt, table=drawn.drop(columns="place")
        ),
        "n_left_out": len(ranked) - len(shown),
        "table": _table(data),
        "problem": "",
        "nothing": data.nothing_to_explain,
    }
    return Chapter("doses", "Doses", "Doses", content)


def _dosed(data: RunData) -> pd.DataFrame | None:
    """Return the wells of compounds with two doses or more as compound, dose, unit, score."""
    wells = data.table("wells")
    if wells is None or "Metadata_Compound" not in wells or not data.classes:
        return None
    doses = [c for c in wells if str(c).startswith("Metadata_Concentration")]
    doses = [c for c in doses if pd.api.types.is_numeric_dtype(wells[c])]
    score = "logit" if len(data.classes) == 2 else f"prob_{data.classes[0]}"
    if not doses or score not in wells:
        return None
    units = {e.get("compound"): e.get("unit") or "" for e in data.metrics.get("dose") or []}
    table = pd.DataFrame({
        "compound": wells["Metadata_Compound"].astype("string"), "dose": wells[doses[0]],
        "score": wells[score], "n_crops": wells["n_crops"],
    })  # fmt: skip
    table["unit"] = wells.get("Metadata_ConcentrationUnit", table["compound"].map(units))
    table["unit"] = table["unit"].astype("string").fillna("")
    table = table[table["compound"].notna() & (table["compound"] != "") & (table["dose"] >= 0)]
    n_doses = table.loc[table["score"].notna()].groupby("compound")["dose"].nunique()
    return table[table["compound"].isin(n_doses.index[n_doses > 1])]


def _strength(entry: Mapping[str, Any]) -> float:
    """Return the size of a rank correlation; 0 where it is undefined."""
    rho = abs(as_estimate(entry.get("spearman")).value)
    return rho if math.isfinite(rho) else 0.0


def _ranked(data: RunData, wells: pd.DataFrame) -> list[str]:
    strength = {str(e.get("compound")): _strength(e) for e in data.metrics.get("dose") or []}
    names = [str(name) for name in wells["compound"].unique()]
    return sorted(names, key=lambda name: -strength.get(name, 0.0))


def _references(data: RunData, two: bool) -> dict[str, tuple[float, str]]:
    wells, colours = data.tables["wells"], class_colours(data.classes)
    score = "logit" if two else f"prob_{data.classes[0]}"
    medians = wells[wells["class_name"] != ""].groupby("class_name")[score].median().dropna()
    return {c: (float(medians[c]), colours[c]) for c in data.classes if c in medians}


def _table(data: RunData) -> Table | None:
    entries = data.metrics.get("dose") or []
    rows = []
    for entry in sorted(entries, key=_strength, reverse=True):
        rho = as_estimate(entry.get("spearman")).value
        doses = count(as_estimate(entry.get("n_doses")).value)
        rows.append(
            (str(entry.get("compound")), decimal(rho), doses, str(entry.get("unit") or "–"))
        )
    if not rows:
        return None
    header = ("compound", "Spearman’s ρ", "doses", "unit")
    caption = "Does the mean score rise with the dose? Rank correlation over doses"
    return Table(caption, header, rows, frozenset({1, 2}))
