"""Treatments in order of rescue, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from counterstain.figures.call_marks import CALL_MARKS, call_handles, draw_calls, treatment_names
from counterstain.figures.style import INK, PAGE_WIDTH_IN, SOFT, styled

__all__ = ["draw_rescue_waterfall"]

_MOST_NAMED = 40
_NAMED_OF_MANY = 25


@styled
def draw_rescue_waterfall(
    treatments: pd.DataFrame, *, unit: str, ends: Mapping[str, str], hit_rescue: float
) -> Figure:
    """Draw the rescue of every treatment with its interval, in falling order.

    Up to 40 treatments have their names beside them. Where there are more, all are drawn without
    names above, and the 25 first in rank with names below.

    Parameters
    ----------
    treatments : DataFrame
        `rank`, `Metadata_Compound`, `Metadata_Concentration`, `rescue`, `rescue_low`,
        `rescue_high`, `call`; NaN rescues are left out.
    unit : str
        Of the concentrations; may be empty.
    ends : mapping of str to str
        Names of the diseased and the healthy class, and their colours.
    hit_rescue : float
        Rescue from which a treatment is a hit.

    Returns
    -------
    Figure

    Examples
    --------
    >>> table = pd.DataFrame({"rank": [1, 2], "Metadata_Compound": ["C1", "C2"],
    ...     "Metadata_Concentration": 1.0, "rescue": [0.9, 0.0], "rescue_low": [0.8, -0.1],
    ...     "rescue_high": [1.0, 0.1], "call": ["hit", "inactive"]})
    >>> ends = {"diseased": "red", "healthy": "blue"}
    >>> figure = draw_rescue_waterfall(table, unit="µM", ends=ends, hit_rescue=0.5)
    >>> [tick.get_text()[:4] for tick in figure.axes[0].get_yticklabels()]
    ['C1 1', 'C2 1']
    """
    known = treatments[treatments["rescue"].notna()]
    falling = known.sort_values("rescue", ascending=False)
    many = len(falling) > _MOST_NAMED
    named = known.sort_values("rank").head(_NAMED_OF_MANY) if many else falling
    height = 0.17 * max(len(named), 2) + 1.25
    size = (PAGE_WIDTH_IN, height + (2.3 if many else 0))
    figure = Figure(figsize=size, layout="constrained")
    if many:
        above, below = figure.subplots(2, 1, height_ratios=[2.1, height - 0.6])
        _overview(above, falling, ends, hit_rescue)
        below.set_title(
            f"The first {len(named)} by call, then by the lower end of the interval", pad=16
        )
    else:
        below = figure.subplots()
    _named_rows(below, named, unit, ends, hit_rescue)
    handles = call_handles(falling["call"])
    if handles:
        figure.legend(handles=handles, loc="outside upper left", ncol=5, columnspacing=1.3,
                      handletextpad=0.3)  # fmt: skip
    return figure


def _overview(axes: Axes, rows: pd.DataFrame, ends: Mapping[str, str], hit_rescue: float) -> None:
    place = np.arange(1, len(rows) + 1, dtype=np.float64)
    colours = [CALL_MARKS[call].fill for call in rows["call"]]
    colours = ["#b4bdc6" if colour == "white" else colour for colour in colours]
    axes.vlines(place, rows["rescue_low"], rows["rescue_high"], color=colours, lw=0.8, alpha=0.6)
    axes.scatter(place, rows["rescue"], s=7, color=colours, zorder=3, linewidths=0)
    for value, (name, colour) in zip((0.0, 1.0), ends.items(), strict=True):
        axes.axhline(value, color=colour, lw=1.1, zorder=0)
        axes.text(1.005, value, name, transform=axes.get_yaxis_transform(), size=7.5, va="center",
                  color=SOFT)  # fmt: skip
    axes.axhline(hit_rescue, color=INK, lw=0.7, ls=(0, (4, 3)), zorder=0)
    axes.set_xlim(0, len(rows) + 1)
    axes.set_xlabel("place by rescue")
    axes.set_ylabel("rescue")
    axes.set_title(f"All {len(rows):,} treatments")


def _named_rows(
    axes: Axes, rows: pd.DataFrame, unit: str, ends: Mapping[str, str], hit_rescue: float
) -> None:
    place = np.arange(len(rows), dtype=np.float64)
    colours = [CALL_MARKS[call].colour for call in rows["call"]]
    axes.hlines(place, rows["rescue_low"], rows["rescue_high"], color=colours, lw=1.2)
    draw_calls(axes, rows["rescue"].to_numpy(np.float64), place, rows["call"])
    axes.set_yticks(place, labels=treatment_names(rows, unit))
    axes.tick_params(axis="y", length=0, labelsize=7.5)
    axes.set_ylim(max(len(rows), 2) - 0.4, -0.6)
    top = axes.get_xaxis_transform()
    for value, (name, colour) in zip((0.0, 1.0), ends.items(), strict=True):
        axes.axvline(value, color=colour, lw=1.1, zorder=0)
        axes.text(value, 1.005, name, transform=top, ha="center", va="bottom", size=7.5, color=SOFT)
    axes.axvline(hit_rescue, color=INK, lw=0.7, ls=(0, (4, 3)), zorder=0)
    axes.text(hit_rescue, 1.005, "hit from here", transform=top, ha="center", va="bottom", size=7.5,
              color=SOFT)  # fmt: skip
    axes.set_xlabel("rescue: share of the way from diseased to healthy wells")
