"""Overlap predicted from images against overlap measured from masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from counterstain.figures.overlap_histograms import bins_for, overlay_steps
from counterstain.figures.overlap_marks import GroupMark, group_marks
from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, SOFT, styled

__all__ = ["RegressionPanel", "draw_overlap_regression"]

_MEASURED, _PREDICTED = "#1d2733", "#D55E00"


@dataclass(frozen=True, slots=True)
class RegressionPanel:
    """One regressor.

    Parameters
    ----------
    title, words : str
        Which images it sees, and its errors in a few words.
    patches : DataFrame
        A row a held-out patch: `group`, `measured`, `predicted`.
    """

    title: str
    words: str
    patches: pd.DataFrame


@styled
def draw_overlap_regression(
    panels: Sequence[RegressionPanel], groups: Sequence[str], seed: int = 0
) -> Figure:
    """Draw predicted against measured overlap, the errors, and both histograms.

    Parameters
    ----------
    panels : sequence of RegressionPanel
        A row each, on one scale.
    groups : sequence of str
        Groups in their order; patches of others are grey.
    seed : int
        Of the order in which dots are drawn.

    Returns
    -------
    Figure
        Three panels a row.

    Examples
    --------
    >>> patches = pd.DataFrame({"group": "a", "measured": [0.1, 0.3], "predicted": [0.1, 0.2]})
    >>> figure = draw_overlap_regression([RegressionPanel("plain", "RMSE 0.07", patches)], ["a"])
    >>> figure.axes[0].get_xlabel(), figure.axes[1].get_xlabel()
    ('measured IoU', 'predicted − measured')
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, 2.75 * len(panels) + 0.35), layout="constrained")
    rows = figure.subplots(len(panels), 3, squeeze=False, width_ratios=[1.15, 1, 1.15])
    tables = [panel.patches for panel in panels]
    values = np.concatenate([t[["measured", "predicted"]].to_numpy(float).ravel() for t in tables])
    ends = (min(0.0, float(np.nanmin(values))), float(np.nanmax(values))) if values.size else (0, 1)
    marks = group_marks(groups)
    for axes, panel in zip(rows, panels, strict=True):
        _scatter(axes[0], panel, marks, ends, seed)
        _errors(axes[1], panel.patches)
        _histograms(axes[2], panel.patches)
    handles, labels = rows[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncol=6, markerscale=1.6)
    return figure


def _scatter(
    axes: Axes,
    panel: RegressionPanel,
    marks: dict[str, GroupMark],
    ends: tuple[float, float],
    seed: int,
) -> None:
    table = panel.patches.sample(frac=1, random_state=seed)
    for name in [*marks, *sorted(set(table["group"]) - set(marks))]:
        mark = marks.get(name, GroupMark(GREY, "."))
        rows = table[table["group"] == name]
        axes.scatter(
            rows["measured"], rows["predicted"], s=7, marker=mark.marker, color=mark.colour,
            alpha=0.45, linewidth=0, rasterized=True, label=name if name in marks else "_",
        )  # fmt: skip
    axes.plot(ends, ends, color=INK, lw=0.9, ls=(0, (4, 3)), label="same value")
    axes.set_title(panel.title)
    axes.set_xlabel("measured IoU")
    axes.set_ylabel("predicted IoU")
    axes.text(0.03, 0.97, panel.words, transform=axes.transAxes, va="top", size=7.5, color=SOFT)
    axes.set_ylim(ends[0], ends[1] * 1.25)


def _errors(axes: Axes, patches: pd.DataFrame) -> None:
    errors = (patches["predicted"] - patches["measured"]).dropna().to_numpy(float)
    reach = float(np.percentile(np.abs(errors), 99.5)) if errors.size else 1.0
    edges = np.linspace(-reach, reach, bins_for(errors.size) + 1)
    shares = np.histogram(np.clip(errors, -reach, reach), edges)[0] / max(errors.size, 1)
    axes.stairs(shares, edges, fill=True, color=_PREDICTED, alpha=0.3)
    axes.stairs(shares, edges, color=_PREDICTED, lw=1.4)
    axes.axvline(0, color=INK, lw=0.9, ls=(0, (4, 3)))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))
    axes.set_title("Errors")
    axes.set_xlabel("predicted \N{MINUS SIGN} measured")
    axes.set_ylabel("share of the patches")


def _histograms(axes: Axes, patches: pd.DataFrame) -> None:
    samples = {
        "measured": (patches["measured"].to_numpy(float), _MEASURED),
        "predicted": (patches["predicted"].to_numpy(float), _PREDICTED),
    }
    overlay_steps(axes, samples, "patches")
    axes.set_title("Both histograms")
    axes.set_xlabel("IoU")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.3)
    axes.legend(loc="upper right", handlelength=2.2, title=None)
