"""Rescue against dose, with the curve that gives the EC50."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from counterstain.figures.dose import dose_axis
from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, SOFT, styled
from counterstain.figures.tiles import shorten
from counterstain.statistics.log_logistic import log_logistic

__all__ = ["draw_rescue_doses"]

_CURVE = "#33475b"
_OFF = "#882255"


@styled
def draw_rescue_doses(wells: pd.DataFrame, doses: pd.DataFrame, *, unit: str) -> Figure:
    """Draw the rescue of every well against its dose, a panel a compound.

    Parameters
    ----------
    wells : DataFrame
        Scored wells: `compound`, `concentration`, `rescue`, `call` of the well's treatment.
    doses : DataFrame
        A row per compound, in the order of the panels: `Metadata_Compound`, `ec50`, `ec50_low`,
        `ec50_high`, `slope`, `plateau` (NaN without a fit).
    unit : str
        Of the concentrations; may be empty.

    Returns
    -------
    Figure
        The band is the interval of the EC50; crosses are wells of doses that are toxic or off the
        axis.

    Examples
    --------
    >>> wells = pd.DataFrame({"compound": "C1", "concentration": [0.1, 1.0, 10.0],
    ...                       "rescue": [0.0, 0.5, 1.0], "call": "hit"})
    >>> doses = pd.DataFrame({"Metadata_Compound": ["C1"], "ec50": 1.0, "ec50_low": 0.8,
    ...                       "ec50_high": 1.3, "slope": -2.0, "plateau": 1.0})
    >>> draw_rescue_doses(wells, doses, unit="µM").axes[0].texts[0].get_text()
    'EC50 1 [0.8, 1.3]'
    """
    n_columns = 4 if len(doses) > 6 else min(3, max(len(doses), 1))
    n_rows = -(-len(doses) // n_columns)
    height = 3.2 if len(doses) == 1 else 1.8 * n_rows + 0.7
    figure = Figure(figsize=(PAGE_WIDTH_IN, height), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes, row in zip(panels.flat, doses.to_dict("records"), strict=False):
        fit = {str(name): value for name, value in row.items()}
        _panel(axes, wells[wells["compound"] == fit["Metadata_Compound"]], fit)
        axes.set_title(shorten(str(fit["Metadata_Compound"]), 40 if len(doses) == 1 else 22))
    for axes in panels.flat[len(doses) :]:
        axes.set_visible(False)
    limits = wells["rescue"].to_numpy(np.float64)
    low, high = min(float(limits.min(initial=0.0)), -0.1), max(float(limits.max(initial=1.0)), 1.1)
    panels[0, 0].set_ylim(low - 0.05, high + 0.28)
    figure.supylabel("rescue of the well", size=8.5)
    figure.supxlabel(f"dose ({unit})" if unit else "dose", size=8.5)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncol=5, columnspacing=1.4)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, fit: dict[str, float]) -> None:
    for value in (0.0, 1.0):
        axes.axhline(value, color="#c9d0d7", lw=0.9, zorder=0)
    dose = rows["concentration"].to_numpy(np.float64)
    rescue = rows["rescue"].to_numpy(np.float64)
    place, ticks, labels = dose_axis(dose)
    off = (rows["call"] == "toxic/off-axis").to_numpy()
    axes.plot(place[~off], rescue[~off], "o", ms=4, mfc="white", mec=_CURVE, mew=1, label="a well")
    axes.plot(place[off], rescue[off], "X", ms=5, mfc=_OFF, mec=_OFF, mew=0.5,
              label="a well of a toxic/off-axis dose")  # fmt: skip
    axes.set_xticks(ticks, labels=labels)
    if len(place):
        axes.set_xlim(place.min() - 0.25, place.max() + 0.25)
    if not np.isfinite(fit["ec50"]):
        axes.text(0.03, 0.97, "no fit", transform=axes.transAxes, va="top", size=7.5, color=GREY)
        return
    line = np.linspace(place.min(), place.max(), 200)
    curve = log_logistic(
        10.0**line, -abs(fit["slope"]), 0.0, fit["plateau"], float(np.log(fit["ec50"]))
    )
    axes.plot(line, curve, color=_CURVE, lw=1.5, zorder=1, label="fitted curve")
    axes.axvline(np.log10(fit["ec50"]), color=INK, lw=0.8, ls=(0, (4, 3)), ymax=0.86, label="EC50")
    if np.isfinite([fit["ec50_low"], fit["ec50_high"]]).all():
        ends = np.log10(np.maximum([fit["ec50_low"], fit["ec50_high"]], 1e-300))
        axes.axvspan(
            ends[0], ends[1], ymax=0.86, color=INK, alpha=0.1, lw=0, zorder=0, label="its interval"
        )
    words = f"EC50 {fit['ec50']:.3g} [{fit['ec50_low']:.3g}, {fit['ec50_high']:.3g}]"
    axes.text(0.03, 0.97, words, transform=axes.transAxes, va="top", size=7.5, color=SOFT)
