"""What the real wells differ by, beside what the counterfactuals change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from counterstain.figures.style import INK, PAGE_WIDTH_IN, styled

__all__ = ["VERDICT_MARKS", "draw_effects", "measurement_name"]

_REAL = INK
_COUNTERFACTUAL = "#A6358B"
VERDICT_MARKS = {
    "confirmed": "✓",
    "not confirmed by real wells": "✗",
    "missed by the counterfactual": "○",
    "none": "–",
}
"""A sign for each verdict, so that none rests on colour."""


# Counted or weighed over all that a crop shows: a region would say nothing more.
_PLACELESS = ("cell count", "radial concentration")


def measurement_name(channel: str, region: str, feature: str) -> str:
    """Name a measurement; a region that the feature names already is not named twice.

    Examples
    --------
    >>> measurement_name("GFP", "nucleus/ring", "log2 nucleus/ring")
    'GFP · log2 nucleus/ring'
    >>> measurement_name("DNA", "nucleus", "area"), measurement_name("DNA", "crop", "cell count")
    ('DNA · nucleus · area', 'DNA · cell count')
    """
    parts = (channel, "" if region in feature or feature in _PLACELESS else region, feature)
    return " · ".join(part for part in parts if part)


@styled
def draw_effects(effects: pd.DataFrame, class_names: Sequence[str]) -> Figure:
    """Draw a forest plot: a row a measurement, its two estimates with their intervals.

    Parameters
    ----------
    effects : DataFrame
        Rows of the effects table in the order to draw: `channel`, `region`, `feature`, `unit`,
        `real`, `real_low`, `real_high`, `counterfactual`, `counterfactual_low`,
        `counterfactual_high`, `verdict`.
    class_names : sequence of str
        The first two say the direction: from the first to the second.

    Returns
    -------
    Figure
        A panel a unit, since an axis has one unit.

    Examples
    --------
    >>> row = {"channel": "mito", "region": "cell", "feature": "mean intensity", "unit": "%",
    ...        "real": 38.0, "real_low": 34.0, "real_high": 41.0, "counterfactual": 35.0,
    ...        "counterfactual_low": 31.0, "counterfactual_high": 39.0, "verdict": "confirmed"}
    >>> figure = draw_effects(pd.DataFrame([row]), ["diseased", "healthy"])
    >>> figure.axes[0].get_yticklabels()[0].get_text()
    'mito · cell · mean intensity'
    """
    units = list(dict.fromkeys(effects["unit"].astype(str)))
    groups = [effects[effects["unit"].astype(str) == unit] for unit in units]
    heights = [len(group) + 1.6 for group in groups]
    figure = Figure(
        figsize=(PAGE_WIDTH_IN, 0.27 * sum(heights) + 0.5 + 0.25 * len(units)),
        layout="constrained",
    )
    panels = figure.subplots(len(units), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, unit, group in zip(panels, units, groups, strict=True):
        _panel(panel, group)
        panel.set_xlabel(f"change from {class_names[0]} to {class_names[1]} ({unit or 'no unit'})")
    handles = [
        Line2D([], [], color=_REAL, marker="o", ms=5, lw=1.4, label="real wells"),
        Line2D(
            [],
            [],
            color=_COUNTERFACTUAL,
            marker="D",
            ms=4.5,
            mfc="white",
            lw=1.4,
            label="counterfactuals",
        ),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncol=2)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    places = np.arange(len(rows))
    axes.axvline(0, color="#9aa5b1", lw=0.8, zorder=0)
    for place in places[1::2]:
        axes.axhspan(place - 0.5, place + 0.5, color="#f5f7f9", lw=0, zorder=-1)
    for column, shift, colour, marker, fill in (
        ("real", -0.16, _REAL, "o", _REAL),
        ("counterfactual", 0.16, _COUNTERFACTUAL, "D", "white"),
    ):
        low, high = rows[f"{column}_low"].to_numpy(float), rows[f"{column}_high"].to_numpy(float)
        value = rows[column].to_numpy(float)
        axes.hlines(places + shift, low, high, color=colour, lw=1.5)
        axes.plot(value, places + shift, marker, color=colour, mfc=fill, ms=4.6, mew=1.1)
    keys = zip(rows["channel"], rows["region"], rows["feature"], strict=True)
    names = [measurement_name(*map(str, key)) for key in keys]
    axes.set_yticks(places, labels=names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for place, verdict in zip(places, rows["verdict"].astype(str), strict=True):
        shown = verdict == "confirmed"
        axes.annotate(
            f"{VERDICT_MARKS.get(verdict, '·')} {verdict}",
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            size=7.5,
            color=INK if shown else "#5c6874",
            weight="bold" if shown else "normal",
        )
