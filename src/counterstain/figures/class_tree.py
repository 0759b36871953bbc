"""Many classes taken for each other: confusions by row and by column, like beside like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import dendrogram, leaves_list

from counterstain.errors import InvalidInputError
from counterstain.figures.style import GREY, SOFT, ink_on, styled

__all__ = ["draw_class_tree"]

_SHOWN_FROM = 0.005
_LEAF = 10.0  # distance of leaves in SciPy's drawing of a dendrogram


@styled
def draw_class_tree(
    counts: ArrayLike, class_names: Sequence[str], linkage: ArrayLike, noun: str = "cells"
) -> Figure:
    """Draw a confusion matrix twice, ordered by a tree of classes that is drawn beside it.

    Parameters
    ----------
    counts : array_like of int, shape (K, K)
        Rows are the true classes, columns the called ones.
    class_names : sequence of str
        Names of the K classes, in the order of `counts`.
    linkage : array_like of float, shape (K - 1, 4)
        The tree, see :func:`counterstain.statistics.class_hierarchy`.
    noun : str
        What was counted.

    Returns
    -------
    Figure
        The tree, shares of each row (recall on the diagonal) and shares of each column (precision
        on the diagonal). Numbers are per cent; those below half a per cent are left out.

    Raises
    ------
    InvalidInputError
        If `counts` is not K x K or the tree is not of K classes.

    Examples
    --------
    >>> figure = draw_class_tree([[8, 0, 2], [0, 9, 1], [4, 0, 6]], ["round", "flat", "oval"],
    ...                          [[0, 2, 0.57, 2], [1, 3, 0.97, 3]])
    >>> [tick.get_text() for tick in figure.axes[1].get_yticklabels()]
    ['flat', 'round', 'oval']
    """
    table, tree = np.asarray(counts, float), np.asarray(linkage, float)
    k = len(class_names)
    if table.shape != (k, k) or tree.shape != (k - 1, 4):
        raise InvalidInputError(
            f"`counts` must be ({k}, {k}) and `linkage` ({k - 1}, 4) for {k} classes; got "
            f"{table.shape} and {tree.shape}: pass both of the same classes."
        )
    order = leaves_list(tree)
    table = table[np.ix_(order, order)]
    names = [class_names[int(leaf)] for leaf in order]
    by_row = _share(table, table.sum(axis=1, keepdims=True))
    by_column = _share(table, table.sum(axis=0, keepdims=True))
    longest = max(len(name) for name in names)
    side = max(1.9, 0.27 * k)
    label = 0.07 * longest + 0.15
    figure = Figure(figsize=(2 * side + 2 * label + 1.4, side + label + 0.6), layout="constrained")
    grid = figure.add_gridspec(1, 3, width_ratios=[0.75, side, side], wspace=0.02)
    tree_axes, left, right = (figure.add_subplot(grid[i]) for i in range(3))
    _tree(tree_axes, tree, k)
    _matrix(left, by_row, names, "by row: recall")
    _matrix(right, by_column, names, "by column: precision")
    left.set_ylabel("true class")
    for axes in (left, right):
        axes.set_xlabel(f"called ({noun})")
    return figure


def _share(table: NDArray[np.float64], totals: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(table, totals, out=np.full_like(table, np.nan), where=totals > 0)


def _tree(axes: Axes, tree: NDArray[np.float64], k: int) -> None:
    # SciPy computes the lines; drawn here, so that leaves lie level with the rows of the matrix.
    drawn = dendrogram(tree, no_plot=True)
    for heights, places in zip(drawn["dcoord"], drawn["icoord"], strict=True):
        axes.plot(heights, np.array(places) / _LEAF - 0.5, color=SOFT, lw=1.1)
    axes.set_ylim(k - 0.5, -0.5)
    # Where hardly a class is taken for another all branches join near 1: that end is shown.
    nearest = max(0.0, float(tree[:, 2].min()) - 0.2)
    axes.set_xlim(1.01, nearest)
    axes.set_yticks([])
    axes.set_xticks([1.0, round(nearest, 2)])
    axes.set_xlabel("distance")
    axes.spines["left"].set_visible(False)


def _matrix(axes: Axes, share: NDArray[np.float64], names: list[str], title: str) -> None:
    k, cmap = len(names), colormaps["Blues"]
    axes.imshow(np.nan_to_num(share), cmap=cmap, vmin=0, vmax=1.15, aspect="auto")
    for row in range(k):
        for column in range(k):
            value = share[row, column]
            if np.isnan(value):
                axes.text(column, row, "–", ha="center", va="center", color=GREY, size=6.5)
            elif value >= _SHOWN_FROM:
                ink = ink_on(cmap(value / 1.15))
                weight = "bold" if row == column else "normal"
                axes.text(
                    column,
                    row,
                    f"{100 * value:.0f}",
                    ha="center",
                    va="center",
                    color=ink,
                    size=6.5,
                    weight=weight,
                )
    axes.set_title(f"{title}, %")
    axes.set_xticks(range(k), labels=names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(k), labels=names)
    axes.set_xticks(np.arange(k - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(k - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
