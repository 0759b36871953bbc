"""Pictures of crops laid out by hand, in inches, with a word on every one that is no photograph."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from counterstain.figures.composite import nice_length
from counterstain.figures.style import INK, SOFT

__all__ = [
    "caption",
    "draw_scale_bar",
    "draw_tile",
    "mark_empty",
    "mark_origin",
    "shorten",
    "stamp",
    "text_at",
]

_STAMP = {"boxstyle": "square,pad=0.12", "fc": "#000000a0", "ec": "none"}


def draw_tile(
    figure: Figure, rgb: NDArray[np.float32], left: float, top: float, side: float
) -> Axes:
    """Draw a picture (H, W, 3) as a square.

    Parameters
    ----------
    figure : Figure
        Where.
    rgb : ndarray
        The picture, 0 to 1.
    left, top, side : float
        Inches from the left and from the top of the figure, and the square's side.

    Returns
    -------
    Axes
        Without ticks and frame.

    Examples
    --------
    >>> axes = draw_tile(Figure(figsize=(2, 2)), np.zeros((4, 4, 3)), 0.5, 0.5, 1.0)
    >>> tuple(float(edge) for edge in axes.get_position().bounds)
    (0.25, 0.25, 0.5, 0.5)
    """
    width, height = figure.get_size_inches()
    box = (left / width, 1 - (top + side) / height, side / width, side / height)
    axes = figure.add_axes(box, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.imshow(rgb, interpolation="none")
    return axes


def stamp(axes: Axes, words: str) -> None:
    """Print words into a picture, at its lower edge."""
    axes.text(
        0.5, 0.025, words, transform=axes.transAxes, ha="center", va="bottom", size=6.5,
        color="white", bbox=_STAMP,
    )  # fmt: skip


def mark_origin(axes: Axes, computed: bool, shown: bool) -> None:
    """Frame a picture as imaged, stamp a computed one, say so where there is none."""
    if not computed:
        axes.spines[:].set(visible=True, color=INK, linewidth=1.6)
    elif shown:
        stamp(axes, "computed")
    else:
        mark_empty(axes)


def caption(axes: Axes, words: str) -> None:
    """Write words below a picture."""
    axes.text(0.5, -0.045, words, transform=axes.transAxes, ha="center", va="top", size=7.5,
              color=SOFT)  # fmt: skip


def mark_empty(axes: Axes) -> None:
    """Say in place of a picture that there is none, and why."""
    axes.set_facecolor("#e8ebee")
    axes.images[0].set_visible(False)
    axes.text(0.5, 0.5, "not shown:\ninverse\ninexact", transform=axes.transAxes, ha="center",
              va="center", size=6.5, color=SOFT)  # fmt: skip


def draw_scale_bar(axes: Axes, n_pixels: int, pixel_size_um: float | None) -> None:
    """Draw a scale bar at the upper right of a picture; nothing where the scale is unknown."""
    if not pixel_size_um:
        return
    length = nice_length(n_pixels * pixel_size_um)
    share = length / (n_pixels * pixel_size_um)
    outline = [withStroke(linewidth=1.2, foreground="black")]
    place: dict[str, Any] = {"transform": axes.transAxes, "color": "white", "path_effects": outline}
    bar = [withStroke(linewidth=2.8, foreground="black")]
    axes.plot([0.94 - share, 0.94], [0.94, 0.94], lw=2.0, solid_capstyle="butt",
              **(place | {"path_effects": bar}))  # fmt: skip
    axes.text(0.95, 0.9, f"{length:g} µm", ha="right", va="top", size=6.5, **place)


def text_at(figure: Figure, left: float, top: float, words: str, **style: Any) -> None:
    """Write words at a place in inches from the left and from the top."""
    width, height = figure.get_size_inches()
    figure.text(left / width, 1 - top / height, words, **style)


def shorten(name: str, longest: int = 14) -> str:
    """Cut a name to a length.

    Examples
    --------
    >>> shorten("wortmannin, 150 nM")
    'wortmannin, 1…'
    """
    return name if len(name) <= longest else name[: longest - 1] + "…"
