"""A signed map over its crop: one diverging scale, thin outlines of nuclei, words where none is."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from counterstain.figures.style import CHANGE_MAP, INK, SOFT
from counterstain.figures.tiles import draw_tile, text_at

__all__ = [
    "FAILED",
    "blend_map",
    "draw_map_bar",
    "draw_map_tile",
    "mark_failed",
    "outline_nuclei",
    "why_no_map",
]

FAILED = "#9B1C1C"
"""Red for what did not pass; always beside a word."""
_SHADE = 0.32
_FLAT = 1e-6


def why_no_map(values: NDArray[np.floating], unit: float) -> str:
    """Return why a map cannot be drawn; empty where it can.

    Parameters
    ----------
    values : ndarray of float, shape (H, W)
        A signed map.
    unit : float
        What it would be divided by.

    Returns
    -------
    str
        "not finite" or "constant".

    Examples
    --------
    >>> why_no_map(np.ones((2, 2)), 1.0), why_no_map(np.eye(2), 1.0)
    ('constant', '')
    """
    if not np.isfinite(values).all():
        return "not finite"
    if not np.isfinite(unit) or np.ptp(values) <= _FLAT * unit:
        return "constant"
    return ""


def blend_map(
    values: NDArray[np.floating], backdrop: NDArray[np.floating], unit: float
) -> NDArray[np.float32]:
    """Lay a signed map over a crop: the map gives the colour, the crop a light grey shade.

    Parameters
    ----------
    values : ndarray of float, shape (H, W)
        A signed map; `unit` and beyond is drawn in the full colour.
    backdrop : ndarray of float, shape (H, W)
        Brightness of the crop, 0 to 1; bright is drawn darker, as ink on paper.
    unit : float
        Positive.

    Returns
    -------
    ndarray of float32, shape (H, W, 3)
        RGB in 0 to 1.

    Examples
    --------
    >>> over = blend_map(np.array([[0.0, 1.0]]), np.zeros((1, 2)), 1.0)
    >>> bool(over[0, 0].min() > 0.95), bool(over[0, 1, 1] > over[0, 1, 0])
    (True, True)
    """
    rgb = CHANGE_MAP(Normalize(-1, 1, clip=True)(values / unit))[..., :3]
    shade = 1 - _SHADE * np.clip(backdrop, 0, 1)
    return np.asarray(rgb * shade[..., None], np.float32)


def draw_map_tile(
    figure: Figure,
    values: NDArray[np.floating],
    backdrop: NDArray[np.floating],
    unit: float,
    place: tuple[float, float, float],
) -> Axes:
    """Draw a signed map over its crop, or the word that says why there is none.

    Parameters
    ----------
    figure : Figure
        Where.
    values, backdrop, unit
        As for :func:`blend_map`.
    place : tuple of float
        Inches from the left and from the top, and the side.

    Returns
    -------
    Axes
        Without ticks.
    """
    problem = why_no_map(values, unit)
    grey = np.full((*values.shape, 3), 0.91, np.float32)
    axes = draw_tile(figure, grey if problem else blend_map(values, backdrop, unit), *place)
    axes.spines[:].set(visible=True, color="#c5ccd3", linewidth=0.5)
    if problem:
        axes.text(0.5, 0.5, problem, transform=axes.transAxes, ha="center", va="center", size=7,
                  color=SOFT)  # fmt: skip
    return axes


def outline_nuclei(axes: Axes, nuclei: NDArray[np.uint8], own: str, others: str) -> None:
    """Draw the outlines of nuclei thinly: the crop's own solid, others dotted; none where none is.

    Parameters
    ----------
    axes : Axes
        Of a picture of the same height and width.
    nuclei : ndarray of uint8, shape (H, W)
        0 background, 1 own nucleus, 2 other nuclei.
    own, others : str
        Colours.
    """
    for label, colour, dash in ((1, own, "solid"), (2, others, "dotted")):
        mask = nuclei == label
        if mask.any() and not mask.all():
            axes.contour(
                mask.astype(float), levels=[0.5], colors=[colour], linestyles=dash, linewidths=0.7
            )


def mark_failed(axes: Axes) -> None:
    """Frame and cross out the map of a method that failed the sanity check."""
    axes.spines[:].set(visible=True, color=FAILED, linewidth=1.1, linestyle=(0, (3, 2)))
    axes.plot([0, 1], [1, 0], color=FAILED, lw=0.8, transform=axes.transAxes)


def draw_map_bar(figure: Figure, left: float, label: str, target: str) -> None:
    """Draw the one colour bar of a figure at its foot, and what its signs mean.

    Parameters
    ----------
    figure : Figure
        At least 0.75 inches of it are free at the foot.
    left : float
        Inches from the left.
    label : str
        What the scale counts in.
    target : str
        What the maps speak for, such as "the called class".
    """
    width, height = figure.get_size_inches()
    bar = figure.colorbar(
        ScalarMappable(Normalize(-1, 1), CHANGE_MAP),
        cax=figure.add_axes((left / width, 0.44 / height, 2.5 / width, 0.1 / height)),
        orientation="horizontal",
        extend="both",
        ticks=[-1, -0.5, 0, 0.5, 1],
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, labelsize=7.5)
    text_at(figure, left, height - 0.1, label, size=8, va="center")
    style: dict[str, Any] = {"size": 7.5, "va": "center", "color": INK}
    words = (f"green: speaks for {target}   ·   purple: against it",
             "outlines: own nucleus solid, others dotted   ·   grey: the crop")  # fmt: skip
    for line, text in enumerate(words):
        text_at(figure, left + 2.75, height - 0.52 + 0.15 * line, text, **style)
