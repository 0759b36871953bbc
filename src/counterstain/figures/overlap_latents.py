"""Patches in latent space: two maps, coloured by what they might be sorted by."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from counterstain.figures.overlap_marks import GroupMark, group_marks
from counterstain.figures.style import GREY, PAGE_WIDTH_IN, SOFT, styled

__all__ = ["LatentColouring", "draw_latent_maps"]

_ROW_IN, _HEAD_IN, _FOOT_IN = 2.7, 0.55, 0.42
_LEAST, _MOST = 4.0, 26.0
_FULL_SIZE = 1500
"""Points up to which sizes are as in the legend; more are drawn smaller, so that none is buried."""
_LINE_CHARS = 118
_SLICES = 10
_MOST_LABELS = 12


@dataclass(frozen=True, slots=True)
class LatentColouring:
    """One way to colour the maps.

    Parameters
    ----------
    title, words : str
        What the colours say, and whether points of one colour lie together beyond chance.
    labels : sequence of str
        A label a point.
    order : sequence of str
        Labels in the order of their colours; the first twelve get one, the rest is grey.
    """

    title: str
    words: str
    labels: Sequence[str]
    order: Sequence[str]


@styled
def draw_latent_maps(
    points: pd.DataFrame,
    colourings: Sequence[LatentColouring],
    explained: tuple[float, float] | None = None,
    seed: int = 0,
) -> Figure:
    """Draw UMAP and principal components of patches, a row a colouring.

    Parameters
    ----------
    points : DataFrame
        A row a patch: `umap1`, `umap2`, `pc1`, `pc2` (NaN: not laid out), and `overlap`, which
        sets the size of the point.
    colourings : sequence of LatentColouring
        Rows of the figure.
    explained : (float, float), optional
        Share of the variance of both components.
    seed : int
        Of the order in which points are drawn, so that no label lies on top.

    Returns
    -------
    Figure
        Two maps a row; a legend of sizes at the foot.

    Examples
    --------
    >>> points = pd.DataFrame(np.eye(4), columns=["umap1", "umap2", "pc1", "pc2"])
    >>> points["overlap"] = [0.0, 0.1, 0.2, 0.3]
    >>> row = LatentColouring("faulty", "no structure beyond chance", list("yynn"), ["n", "y"])
    >>> figure = draw_latent_maps(points, [row])
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['UMAP 1', 'component 1']
    """
    height = len(colourings) * (_ROW_IN + _HEAD_IN) + _FOOT_IN
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    grid = figure.add_gridspec(
        len(colourings), 2, left=0.035, right=0.825, wspace=0.09, top=1 - _HEAD_IN / height,
        bottom=(_FOOT_IN + 0.3) / height, hspace=(_HEAD_IN + 0.08) / (_ROW_IN - 0.08),
    )  # fmt: skip
    most = float(points["overlap"].max()) if points["overlap"].notna().any() else 0.0
    scale = float(np.clip(np.sqrt(_FULL_SIZE / max(len(points), 1)), 0.3, 1.0))
    sizes = scale * point_sizes(points["overlap"].to_numpy(float), most)
    order = np.random.default_rng(seed).permutation(len(points))
    for row, colouring in enumerate(colourings):
        left, right = figure.add_subplot(grid[row, 0]), figure.add_subplot(grid[row, 1])
        marks = _marks(colouring.order)
        labels = np.asarray(colouring.labels, dtype=object)
        for axes, names in ((left, ("umap1", "umap2")), (right, ("pc1", "pc2"))):
            _scatter(axes, points[list(names)].to_numpy(float), sizes, labels, marks, order)
        _axes_words(left, right, explained)
        words = textwrap.fill(f"{colouring.title}: {colouring.words}", _LINE_CHARS)
        left.set_title(words, size=8, weight="normal", color=SOFT, pad=5)
        _legend(right, labels, marks)
    _size_legend(figure, most, scale, height)
    return figure


def point_sizes(overlap: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Return the area of each point: it grows evenly with the overlap.

    Examples
    --------
    >>> point_sizes(np.array([0.0, 0.2, 0.4, np.nan]), 0.4).tolist()
    [4.0, 15.0, 26.0, 4.0]
    """
    share = np.nan_to_num(overlap) / most if most > 0 else np.zeros(len(overlap))
    return np.asarray(_LEAST + (_MOST - _LEAST) * np.clip(share, 0, 1))


def _marks(order: Sequence[str]) -> dict[str, GroupMark]:
    return group_marks(list(order)[:_MOST_LABELS])


def _scatter(
    axes: Axes,
    places: NDArray[np.float64],
    sizes: NDArray[np.float64],
    labels: NDArray[np.object_],
    marks: dict[str, GroupMark],
    order: NDArray[np.int64],
) -> None:
    others = GroupMark(GREY, ".")
    for chosen in np.array_split(order, _SLICES):
        for name in dict.fromkeys(labels[chosen].tolist()):
            mark = marks.get(name, others)
            rows = chosen[labels[chosen] == name]
            axes.scatter(
                places[rows, 0], places[rows, 1], s=sizes[rows], marker=mark.marker,
                color=mark.colour, alpha=0.5, linewidth=0, rasterized=True,
            )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)


def _axes_words(left: Axes, right: Axes, explained: tuple[float, float] | None) -> None:
    left.set_xlabel("UMAP 1")
    left.set_ylabel("UMAP 2")
    shares = [f" ({100 * share:.0f} %)" for share in explained] if explained else ["", ""]
    right.set_xlabel(f"component 1{shares[0]}")
    right.set_ylabel(f"component 2{shares[1]}")
    if not any(np.isfinite(c.get_offsets()).any() for c in left.collections):
        left.text(0.5, 0.5, "no UMAP: too few patches", transform=left.transAxes, ha="center",
                  color=SOFT)  # fmt: skip


def _legend(axes: Axes, labels: NDArray[np.object_], marks: dict[str, GroupMark]) -> None:
    present = set(labels.tolist())
    handles = [
        Line2D([], [], ls="", marker=mark.marker, color=mark.colour, ms=5, label=name[:18])
        for name, mark in marks.items()
        if name in present
    ]
    rest = len(present - set(marks))
    if rest:
        handles.append(Line2D([], [], ls="", marker=".", color=GREY, label=f"{rest} others"))
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.02), handletextpad=0.2,
        labelspacing=0.35,
    )  # fmt: skip


def _size_legend(figure: Figure, most: float, scale: float, height: float) -> None:
    steps = [0.0, most / 2, most] if most > 0 else [0.0]
    handles = [
        Line2D(
            [], [], ls="", marker="o", color=GREY, mec="none",
            ms=float(np.sqrt(scale * point_sizes(np.array([step]), most)[0])),
            label=f"IoU {step:.2f}",
        )
        for step in steps
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.02, 0.02 / height), ncol=3,
        title="size of a point: overlap of the patch", title_fontsize=8, alignment="left",
        borderaxespad=0.2,
    )  # fmt: skip
