"""Overlap against crowding: whether a measure rises with the number of cells alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from counterstain.figures.overlap_marks import draw_dots, group_marks
from counterstain.figures.style import INK, PAGE_WIDTH_IN, styled
from counterstain.types import Estimate

__all__ = ["CrowdingPanel", "draw_crowding"]


@dataclass(frozen=True, slots=True)
class CrowdingPanel:
    """One measure against crowding.

    Parameters
    ----------
    column, title : str
        Column of the table, and words above the panel.
    correlations : mapping of str to Estimate
        Spearman's correlation with the number of cells, by group.
    zero : bool
        Whether 0 means something (chance) and gets a line.
    """

    column: str
    title: str
    correlations: Mapping[str, Estimate]
    zero: bool = False


@styled
def draw_crowding(
    wells: pd.DataFrame, groups: Sequence[str], panels: Sequence[CrowdingPanel]
) -> Figure:
    """Draw measures against the number of cells, two panels a row, each row on one scale.

    Parameters
    ----------
    wells : DataFrame
        A row a well: `group`, `cells` (a field), and the column of each panel.
    groups : sequence of str
        Groups in their order; contact is the same within each.
    panels : sequence of CrowdingPanel
        An even number of measures, best the plain one and beside it the one above chance.

    Returns
    -------
    Figure
        Dots are wells; lines are least-squares lines of each group, to guide the eye. Spearman's
        correlations stand in the panels.

    Examples
    --------
    >>> wells = pd.DataFrame({"group": list("aaa"), "cells": [10, 20, 30], "iou": [0.1, 0.2, 0.3]})
    >>> figure = draw_crowding(wells, ["a"], [CrowdingPanel("iou", "IoU", {"a": Estimate(1.0)})])
    >>> figure.axes[0].get_legend().get_texts()[0].get_text()
    'a  ρ = 1.00'
    """
    n_rows = -(-len(panels) // 2)
    height = n_rows * (2.75 + 0.19 * len(groups))
    figure = Figure(figsize=(PAGE_WIDTH_IN, height), layout="constrained")
    grid = figure.subplots(n_rows, 2, squeeze=False, sharey="row")
    for axes, panel in zip(grid.flat, panels, strict=False):
        _panel(axes, wells, groups, panel)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("mean of the well")
    return figure


def _panel(axes: Axes, wells: pd.DataFrame, groups: Sequence[str], panel: CrowdingPanel) -> None:
    marks = group_marks(groups)
    if panel.zero:
        axes.axhline(0, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=0)
    for name in groups:
        rows = wells[(wells["group"] == name) & wells[panel.column].notna()]
        cells, values = rows["cells"].to_numpy(float), rows[panel.column].to_numpy(float)
        label = f"{name}  {_correlation(panel.correlations.get(name))}"
        draw_dots(axes, cells, values, marks[name], label)
        _line(axes, cells, values, marks[name].colour)
    axes.set_title(panel.title)
    axes.set_xlabel("cells a field, mean of the well")
    axes.tick_params(labelleft=True)
    axes.legend(
        loc="upper left", bbox_to_anchor=(0, -0.19), handletextpad=0.3, borderpad=0,
        borderaxespad=0,
    )  # fmt: skip


def _correlation(rho: Estimate | None) -> str:
    if rho is None or not rho.is_defined:
        return "ρ undefined"
    # Adding 0 takes the sign off a rounded -0.
    value, low, high = (round(v, 2) + 0.0 for v in (rho.value, rho.low, rho.high))
    text = f"ρ = {value:.2f}"
    if np.isfinite([low, high]).all():
        text += f" [{low:.2f}, {high:.2f}]"
    return text.replace("-", "\N{MINUS SIGN}")


def _line(axes: Axes, cells: NDArray[np.float64], values: NDArray[np.float64], colour: str) -> None:
    if np.unique(cells).size < 3:
        return
    ends = np.array([cells.min(), cells.max()])
    axes.plot(ends, np.polyval(np.polyfit(cells, values, 1), ends), color=colour, lw=1.3, zorder=1)
