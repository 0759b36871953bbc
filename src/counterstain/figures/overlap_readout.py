"""Overlap beside another software's readout of the same wells, before and after calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from counterstain.figures.overlap_histograms import overlay_steps
from counterstain.figures.overlap_marks import GroupMark, draw_dots, group_marks
from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, styled

__all__ = ["CalibrationCurve", "draw_readout_agreement", "draw_readout_histograms"]

_CURVES = {"linear": ("#0072B2", "-"), "monotone": ("#D55E00", (0, (5, 1.5)))}
_READOUT, _BEFORE, _AFTER = "#1d2733", "#D55E00", "#0072B2"


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """A curve from overlap to readout, and the agreement after it.

    Parameters
    ----------
    kind : str
        "linear" or "monotone".
    x, y : sequence of float
        Its corners.
    bias, low, high : float
        Mean difference to the readout and limits of agreement after it.
    """

    kind: str
    x: Sequence[float]
    y: Sequence[float]
    bias: float
    low: float
    high: float


@styled
def draw_readout_agreement(
    wells: pd.DataFrame,
    groups: Sequence[str],
    before: tuple[float, float, float],
    curves: Sequence[CalibrationCurve],
    labels: tuple[str, str],
) -> Figure:
    """Draw readout against overlap with the curves, and Bland and Altman's plots.

    Parameters
    ----------
    wells : DataFrame
        A row a well: `group`, `overlap`, `readout`, and `calibrated_{kind}` of each curve.
    groups : sequence of str
        Groups in their order; wells of others are grey.
    before : (float, float, float)
        Mean difference and limits of agreement of the overlap as measured.
    curves : sequence of CalibrationCurve
        None, one or two.
    labels : (str, str)
        Words for the overlap and for the readout.

    Returns
    -------
    Figure
        The scatter plot, then difference (overlap − readout) against mean: as measured, and after
        each curve, each well by the curve of the others, on one scale.

    Examples
    --------
    >>> wells = pd.DataFrame({"group": "a", "overlap": [0.1, 0.2], "readout": [0.2, 0.4],
    ...                       "calibrated_linear": [0.2, 0.4]})
    >>> curve = CalibrationCurve("linear", [0.1, 0.2], [0.2, 0.4], 0.0, 0.0, 0.0)
    >>> figure = draw_readout_agreement(wells, ["a"], (-0.15, -0.3, 0), [curve], ("IoU", "other"))
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Scatter', 'As measured', 'After the linear curve']
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, 4.8), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=[1.35, 1])
    marks = group_marks(groups)
    axes = figure.add_subplot(grid[0])
    _scatter(axes, wells, marks, curves, labels)
    panels = grid[1].subgridspec(1, 1 + len(curves)).subplots(squeeze=False)[0]
    columns = [("overlap", "As measured", before)]
    columns += [
        (f"calibrated_{c.kind}", f"After the {c.kind} curve", (c.bias, c.low, c.high))
        for c in curves
    ]
    for panel, (column, title, limits) in zip(panels, columns, strict=True):
        _bland_altman(panel, wells, column, marks, limits)
        panel.set_title(title)
        panel.set_xlabel("mean of both")
    # As measured, both softwares may be in different units: that scale would hide what is left.
    for panel in panels[2:]:
        panel.sharey(panels[1])
    panels[0].set_ylabel("overlap − readout")
    return figure


def _parts(wells: pd.DataFrame, marks: Mapping[str, GroupMark]) -> list[tuple[str, GroupMark]]:
    others = [name for name in dict.fromkeys(wells["group"]) if name not in marks]
    return [*marks.items(), *((name, GroupMark(GREY, "o")) for name in others)]


def _scatter(
    axes: Axes,
    wells: pd.DataFrame,
    marks: Mapping[str, GroupMark],
    curves: Sequence[CalibrationCurve],
    labels: tuple[str, str],
) -> None:
    for name, mark in _parts(wells, marks):
        rows = wells[wells["group"] == name]
        x, y = rows["overlap"].to_numpy(float), rows["readout"].to_numpy(float)
        draw_dots(axes, x, y, mark, name if name in marks else "_", 14)
    seen = axes.axis()
    axes.axline((0, 0), slope=1, color=GREY, lw=0.9, ls=(0, (1.5, 1.5)), label="same value")
    for curve in curves:
        colour, dashes = _CURVES.get(curve.kind, (INK, "-"))
        axes.plot(curve.x, curve.y, color=colour, ls=dashes, lw=1.7, label=f"{curve.kind} curve")
    axes.axis(seen)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_title("Scatter")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), handlelength=2.4)


def _bland_altman(
    axes: Axes,
    wells: pd.DataFrame,
    column: str,
    marks: Mapping[str, GroupMark],
    limits: tuple[float, float, float],
) -> None:
    for name, mark in _parts(wells, marks):
        rows = wells[wells["group"] == name]
        one, other = rows[column].to_numpy(float), rows["readout"].to_numpy(float)
        draw_dots(axes, (one + other) / 2, one - other, mark, size=10)
    bias, low, high = limits
    axes.axhline(0, color=GREY, lw=0.8, zorder=0)
    axes.axhline(bias, color=INK, lw=1.3, zorder=0)
    for limit in (low, high):
        axes.axhline(limit, color=INK, lw=1.0, ls=(0, (4, 3)), zorder=0)


@styled
def draw_readout_histograms(
    before: Mapping[str, NDArray[np.float64]],
    after: Mapping[str, NDArray[np.float64]],
    labels: tuple[str, str],
) -> Figure:
    """Draw the histograms of both softwares over each other, before and after calibration.

    Parameters
    ----------
    before, after : mapping of str to ndarray of float
        Values by name, the readout first.
    labels : (str, str)
        Titles of the two panels.

    Returns
    -------
    Figure
        Two panels.

    Examples
    --------
    >>> values = {"readout": np.array([0.1, 0.2]), "overlap": np.array([0.2, 0.3])}
    >>> figure = draw_readout_histograms(values, values, ("before", "after"))
    >>> figure.axes[1].get_title(loc="left")
    'after'
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, 3.1), layout="constrained")
    parts = ((before, (_READOUT, _BEFORE)), (after, (_READOUT, _AFTER, "#E69F00")))
    for axes, (samples, colours), title in zip(figure.subplots(1, 2), parts, labels, strict=True):
        pairs = zip(samples.items(), colours, strict=False)
        overlay_steps(axes, {n: (v, c) for (n, v), c in pairs}, "wells")
        axes.set_title(title)
        axes.set_xlabel("overlap of the well")
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), handlelength=2.6, borderpad=0)
    return figure
