"""How far the scores of the classes lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, SOFT, class_colours, styled

__all__ = ["draw_class_scores", "draw_control_scores"]

_OTHERS = "#6b7783"


@styled
def draw_control_scores(
    scores: pd.DataFrame, wells: pd.DataFrame, class_names: Sequence[str], noun: str = "cells"
) -> Figure:
    """Draw the score histograms of two classes over each other, and the well means as ticks.

    Scores beyond the 0.2 and 99.8 percentiles are counted in the outermost bins.

    Parameters
    ----------
    scores : DataFrame
        A row per crop: `class_name`, `logit`.
    wells : DataFrame
        A row per well: `class_name`, `logit` (mean).
    class_names : sequence of str
        The two classes; the boundary lies at 0, class 1 on the right.
    noun : str
        What a crop shows.

    Returns
    -------
    Figure
        Histograms above, ticks below; wells in no class have a row of ticks where there are any.

    Examples
    --------
    >>> scores = pd.DataFrame({"class_name": ["a"] * 3 + ["b"] * 3, "logit": [-2, -1, 0, 1, 2, 3]})
    >>> wells = pd.DataFrame({"class_name": ["a", "b"], "logit": [-1.0, 2.0]})
    >>> len(draw_control_scores(scores, wells, ["a", "b"]).axes)
    2
    """
    names = list(class_names)
    rows = [*names] + ([""] if _means(wells, "", "logit").size else [])
    figure = Figure(figsize=(PAGE_WIDTH_IN, 3.1 + 0.24 * len(rows)), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=[2.7, 0.27 * len(rows)], hspace=0.02)
    top = figure.add_subplot(grid[0])
    below = figure.add_subplot(grid[1], sharex=top)
    drawn = scores[scores["class_name"].isin(names)]
    edges = _edges(drawn["logit"].to_numpy(float), wells["logit"].to_numpy(float))
    colours = class_colours(names)
    for name in names:
        values = drawn.loc[drawn["class_name"] == name, "logit"].to_numpy(float)
        n_wells = _means(wells, name, "logit").size
        label = f"{name}  ({n_wells} wells, {values.size:,} {noun})"
        _histogram(top, values, edges, colours[name], label)
    _finish_histogram(top, noun)
    _boundary(top, below, names)
    _ticks(below, wells, rows, colours, "logit")
    below.set_xlabel(
        f"score: log-odds of {names[1]} against {names[0]}, by a network that never saw the well"
    )
    return figure


@styled
def draw_class_scores(
    scores: pd.DataFrame, wells: pd.DataFrame, class_names: Sequence[str], noun: str = "cells"
) -> Figure:
    """Draw, for each of three or more classes, the probability its own and other crops get.

    Parameters
    ----------
    scores, wells : DataFrame
        `class_name` and a `prob_{class}` each class, a row per crop and per well.
    class_names : sequence of str
        The classes.
    noun : str
        What a crop shows.

    Returns
    -------
    Figure
        A panel a class.

    Examples
    --------
    >>> table = pd.DataFrame({"class_name": list("abc"), "prob_a": [0.8, 0.1, 0.1],
    ...                       "prob_b": [0.1, 0.8, 0.1], "prob_c": [0.1, 0.1, 0.8]})
    >>> len(draw_class_scores(table, table, ["a", "b", "c"]).axes)
    3
    """
    names = list(class_names)
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    figure = Figure(figsize=(PAGE_WIDTH_IN, 2.1 * n_rows + 0.2), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True)
    edges, colours = np.linspace(0, 1, 31), class_colours(names)
    drawn = scores[scores["class_name"].isin(names)]
    for panel, name in zip(panels.flat, names, strict=False):
        own = drawn["class_name"] == name
        column = drawn[f"prob_{name}"].to_numpy(float)
        _histogram(panel, column[~own], edges, _OTHERS, "other classes")
        _histogram(panel, column[own], edges, colours[name], name)
        means = _means(wells, name, f"prob_{name}")
        panel.plot(
            means,
            np.full(means.size, -0.04),
            "|",
            color=colours[name],
            ms=7,
            mew=1.1,
            transform=panel.get_xaxis_transform(),
            clip_on=False,
        )
        panel.set_title(f"{name}  ({means.size} wells, {int(own.sum()):,} {noun})")
        panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panel.set_xlim(0, 1)
        panel.tick_params(axis="x", pad=8)
    for panel in panels.flat[len(names) :]:
        panel.set_visible(False)
    panels.flat[0].legend(loc="upper center", handlelength=1.2)
    figure.supxlabel(
        "probability of the panel's class, by a network that never saw the well", size=8.5
    )
    figure.supylabel(f"share of {noun}", size=8.5)
    return figure


def _edges(crops: NDArray[np.float64], wells: NDArray[np.float64]) -> NDArray[np.float64]:
    crops, wells = crops[np.isfinite(crops)], wells[np.isfinite(wells)]
    ends = [-1.0, 1.0]
    if crops.size:
        ends += [float(q) for q in np.percentile(crops, [0.2, 99.8])]
    ends += [float(w) for w in wells]
    return np.linspace(min(ends), max(ends), 61)


def _histogram(
    axes: Axes, values: NDArray[np.float64], edges: NDArray[np.float64], colour: str, label: str
) -> None:
    values = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
    counts = np.histogram(values, edges)[0] / max(values.size, 1)
    axes.stairs(counts, edges, fill=True, color=colour, alpha=0.32, lw=0)
    axes.stairs(counts, edges, color=colour, lw=1.4, label=label)


def _finish_histogram(axes: Axes, noun: str) -> None:
    axes.set_ylabel(f"share of the class's {noun}")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(0, axes.get_ylim()[1] * 1.16)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncol=2, handlelength=1.4, borderpad=0)


def _boundary(top: Axes, below: Axes, names: list[str]) -> None:
    for axes in (top, below):
        axes.axvline(0, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=0)
    notes = ((f"← called {names[0]} ", "right", -3), (f" called {names[1]} →", "left", 3))
    for text, side, shift in notes:
        top.annotate(
            text,
            (0, 0.985),
            xycoords=("data", "axes fraction"),
            xytext=(shift, 0),
            textcoords="offset points",
            ha=side,
            va="top",
            size=7.5,
            color=SOFT,
        )


def _means(wells: pd.DataFrame, class_name: str, column: str) -> NDArray[np.float64]:
    values = wells.loc[wells["class_name"] == class_name, column].to_numpy(float)
    return np.asarray(values[np.isfinite(values)], dtype=np.float64)


def _ticks(
    axes: Axes, wells: pd.DataFrame, rows: list[str], colours: dict[str, str], column: str
) -> None:
    for row, name in enumerate(rows):
        means = _means(wells, name, column)
        axes.plot(
            means, np.full(means.size, row), "|", ms=9, mew=1.2, color=colours.get(name, GREY)
        )
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), labels=[name or "in no class" for name in rows])
    axes.set_ylabel("well\nmeans", rotation=0, ha="right", va="center")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
