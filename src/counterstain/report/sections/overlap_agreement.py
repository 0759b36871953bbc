"""Overlap beside another software's readout: figures and table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from counterstain.figures.overlap_readout import (
    CalibrationCurve,
    draw_readout_agreement,
    draw_readout_histograms,
)
from counterstain.report.chapter import Table
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import as_estimate, count, decimal, interval, plain_percent
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_words import readout_sentence

__all__ = ["readout_figures", "readout_table"]


def readout_figures(overlap: OverlapData, book: FigureBook) -> list[PageFigure]:
    """Draw agreement with another software, where it was given."""
    found, wells = overlap.numbers.get("readout") or {}, overlap.wells
    curves = found.get("curves") or {}
    if not curves or wells is None or "readout" not in wells or overlap.measure not in wells:
        return []
    rows = wells[wells["readout"].notna() & wells[overlap.measure].notna()]
    rows = rows.assign(overlap=rows[overlap.measure].astype(float))
    drawn = [_curve(kind, content) for kind, content in curves.items()]
    before = _limits((next(iter(curves.values())) or {}).get("before") or {})
    labels = (f"{overlap.words()} of the well", f"readout “{found.get('column')}”")
    agreement = draw_readout_agreement(rows, overlap.groups, before, drawn, labels)
    caption = (
        "Above: readout against overlap, with the curves fitted to all wells. Below: Bland and "
        "Altman’s plots, difference against mean, before and after; solid: mean difference, "
        f"dashed: 95 % limits of agreement. Calibrated values are each by the curve of the other "
        f"wells. {len(rows)} wells."
    )
    alt = readout_sentence(overlap)
    figures = [book.add("overlap_readout", agreement, caption=caption, alt=alt, table=rows)]
    readout = rows["readout"].to_numpy(float)
    after = {"readout": readout} | {
        f"{c.kind} curve": rows[f"calibrated_{c.kind}"].to_numpy(float) for c in drawn
    }
    histograms = draw_readout_histograms(
        {"readout": readout, "overlap": rows["overlap"].to_numpy(float)}, after,
        ("Before calibration", "After calibration"),
    )  # fmt: skip
    distances = [
        f"{kind} {plain_percent(as_estimate(c.get('wasserstein_before')).value)} before, "
        f"{plain_percent(as_estimate(c.get('wasserstein_after')).value)} after"
        for kind, c in curves.items()
    ]
    caption = (
        "Histograms over wells. Wasserstein distance to the readout, of its range: "
        f"{'; '.join(distances)}."
    )
    figures.append(
        book.add(
            "overlap_readout_histograms",
            histograms,
            caption=caption,
            alt=caption,
            table=pd.DataFrame({"overlap": rows["overlap"].to_numpy(float)} | after),
        )
    )
    return figures


def _curve(kind: str, content: Any) -> CalibrationCurve:
    calibration = content.get("calibration") or {}
    bias, low, high = _limits(content.get("after") or {})
    return CalibrationCurve(kind, calibration["x"], calibration["y"], bias, low, high)


def _limits(content: Any) -> tuple[float, float, float]:
    bias, low, high = (
        as_estimate(content.get(k)).value for k in ("bias", "lower_limit", "upper_limit")
    )
    return bias, low, high


def readout_table(overlap: OverlapData) -> Table | None:
    """Return the agreement before and after each curve."""
    curves = (overlap.numbers.get("readout") or {}).get("curves") or {}
    if not curves:
        return None
    rows = []
    first = next(iter(curves.values()))
    for name, when, content in (
        ("as measured", "before", first), *((f"{k} curve", "after", c) for k, c in curves.items())
    ):  # fmt: skip
        plot = content.get(when) or {}
        bias, low, high = (as_estimate(plot.get(k)) for k in ("bias", "lower_limit", "upper_limit"))
        limits = f"{decimal(low.value, 3)} to {decimal(high.value, 3)}"
        rows.append((
            name, interval(bias, 3), limits,
            interval(as_estimate(content.get(f"concordance_{when}"))),
            plain_percent(as_estimate(content.get(f"wasserstein_{when}")).value),
        ))  # fmt: skip
    header = (
        "values", "mean difference", "limits of agreement", "concordance",
        "Wasserstein distance (of the readout’s range)",
    )  # fmt: skip
    n = count(as_estimate(first.get("spearman")).n_wells)
    return Table(f"Agreement with the readout, {n} wells", header, rows, frozenset({4}))
