"""Whether probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from counterstain.errors import InvalidInputError
from counterstain.figures.style import GREY, INK, SOFT, styled

__all__ = ["draw_reliability"]

_BLUE = "#0072B2"
_GAP = "#E69F00"


@styled
def draw_reliability(
    bins: Sequence[dict[str, Any]], error: str = "", noun: str = "cells"
) -> Figure:
    """Draw how often calls are right against how sure the network was.

    Parameters
    ----------
    bins : sequence of dict
        `low`, `high`, `confidence`, `accuracy`, `n_crops` of each bin that holds a crop, as in the
        ``calibration`` of ``metrics.json``.
    error : str
        Expected calibration error as a number with its interval, for the title.
    noun : str
        What was called.

    Returns
    -------
    Figure
        Points on the dashed line are honest; below it the network is too sure. Bars below count
        what is in each bin.

    Raises
    ------
    InvalidInputError
        If there is no bin.

    Examples
    --------
    >>> part = {"low": 0.8, "high": 1.0, "confidence": 0.9, "accuracy": 0.8, "n_crops": 50}
    >>> figure = draw_reliability([part], "0.100")
    >>> len(figure.axes)
    2
    """
    if not bins:
        raise InvalidInputError("`bins` must hold a bin with crops or more; got none: score crops.")
    sure = np.array([part["confidence"] for part in bins], float)
    right = np.array([part["accuracy"] for part in bins], float)
    counts = np.array([part["n_crops"] for part in bins], float)
    edges = [(float(part["low"]), float(part["high"])) for part in bins]
    figure = Figure(figsize=(3.7, 4.4), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1])
    _diagram(top, sure, right, counts)
    if error:
        top.set_title(f"calibration error {error}")
    top.set_ylabel(f"share of {noun} called right")
    for (low, high), count in zip(edges, counts, strict=True):
        below.bar(low, count, high - low, align="edge", color=GREY, edgecolor="white", lw=0.8)
    below.set_ylabel(noun)
    below.set_xlabel("probability of the called class")
    below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    below.set_xlim(0, 1)
    figure.align_ylabels()
    return figure


def _diagram(axes: Axes, sure: Any, right: Any, counts: Any) -> None:
    axes.plot([0, 1], [0, 1], color=INK, lw=0.9, ls=(0, (4, 3)), zorder=1)
    axes.vlines(
        sure, np.minimum(sure, right), np.maximum(sure, right), color=_GAP, lw=2.5, zorder=2
    )
    # The area of a point is what the bin weighs in the error.
    sizes = 12 + 130 * counts / counts.max()
    axes.plot(sure, right, color=_BLUE, lw=1.0, zorder=3)
    axes.scatter(sure, right, sizes, color=_BLUE, edgecolor="white", lw=0.8, zorder=4)
    style: dict[str, Any] = {"size": 7.5, "color": SOFT, "transform": axes.transAxes}
    axes.text(0.97, 0.06, "too sure", ha="right", va="bottom", **style)
    axes.text(0.03, 0.94, "not sure enough", ha="left", va="top", **style)
    axes.set_ylim(-0.02, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
