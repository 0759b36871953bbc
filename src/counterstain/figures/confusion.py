"""Which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from counterstain.errors import InvalidInputError
from counterstain.figures.style import GREY, ink_on, styled

__all__ = ["draw_confusion_matrix"]


@styled
def draw_confusion_matrix(
    counts: ArrayLike, class_names: Sequence[str], noun: str = "cells"
) -> Figure:
    """Draw a confusion matrix: counts, and the share of each true class.

    Parameters
    ----------
    counts : array_like of int, shape (K, K)
        Rows are the true classes, columns the predicted ones.
    class_names : sequence of str
        Names of the K classes.
    noun : str
        What was counted.

    Returns
    -------
    Figure
        The figure; colour follows the share of the row.

    Raises
    ------
    InvalidInputError
        If `counts` is not K x K.

    Examples
    --------
    >>> figure = draw_confusion_matrix([[90, 10], [5, 95]], ["diseased", "healthy"])
    >>> [text.get_text() for text in figure.axes[0].texts][:2]
    ['90.0 %', '90']
    """
    table = np.asarray(counts, dtype=float)
    k = len(class_names)
    if table.shape != (k, k):
        raise InvalidInputError(
            f"`counts` must be ({k}, {k}), a row and a column a class; got {table.shape}."
        )
    totals = table.sum(axis=1, keepdims=True)
    share = np.divide(table, totals, out=np.full_like(table, np.nan), where=totals > 0)
    side = max(2.2, 0.62 * k) if k <= 6 else 0.52 * k
    figure = Figure(figsize=(side + 1.6, side + 0.9), layout="constrained")
    axes = figure.add_subplot()
    cmap = colormaps["Blues"]
    axes.imshow(np.nan_to_num(share), cmap=cmap, vmin=0, vmax=1.15, aspect="equal")
    for row in range(k):
        for column in range(k):
            _cell(axes, row, column, share[row, column], table[row, column], cmap)
    axes.set_xticks(range(k), labels=list(class_names))
    if k > 3:
        axes.tick_params(axis="x", labelrotation=45)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(k), labels=list(class_names))
    axes.set_xlabel(f"called ({noun})")
    axes.set_ylabel("true class of the well")
    axes.set_xticks(np.arange(k - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(k - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return figure


def _cell(axes: Axes, row: int, column: int, share: float, count: float, cmap: Colormap) -> None:
    ink = GREY if np.isnan(share) else ink_on(cmap(share / 1.15))
    text = "–" if np.isnan(share) else f"{100 * share:.1f} %"
    axes.text(column, row - 0.1, text, ha="center", va="center", color=ink, weight="bold")
    axes.text(column, row + 0.22, f"{count:,.0f}", ha="center", va="center", color=ink, size=7.5)
