"""Fields that were left out, with the reason under each."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from counterstain.figures.composite import compose_channels
from counterstain.figures.style import GREY, PAGE_WIDTH_IN, styled

__all__ = ["FieldPicture", "draw_faulty_fields", "shrink"]


@dataclass(frozen=True, slots=True)
class FieldPicture:
    """A field to show.

    Parameters
    ----------
    title : str
        Plate, well and site.
    reason : str
        Why it is faulty.
    pixels : ndarray of float, shape (C, H, W), or None
        Scaled intensities (0 to 1 is the range of the negative controls); None where the image
        cannot be read.
    problem : str
        Why there are no pixels.
    """

    title: str
    reason: str
    pixels: NDArray[np.floating] | None
    problem: str = ""


def shrink(field: NDArray[np.generic], longest: int = 320) -> NDArray[np.float32]:
    """Make a field small enough for a page, by the mean of blocks of pixels.

    Parameters
    ----------
    field : ndarray, shape (C, H, W)
        Any field.
    longest : int
        Pixels of the longer side that are not to be exceeded by more than double.

    Returns
    -------
    ndarray of float32, shape (C, H // k, W // k)
        Block means; rows and columns that fill no block are left out.

    Examples
    --------
    >>> shrink(np.array([[[0, 2, 4, 4], [2, 4, 4, 4]]]), longest=2).tolist()
    [[[2.0, 4.0]]]
    """
    channels, height, width = field.shape
    k = max(1, round(max(height, width) / longest))
    k = min(k, height, width)
    cut = field[:, : height // k * k, : width // k * k]
    blocks = cut.reshape(channels, height // k, k, width // k, k)
    return np.asarray(blocks.mean(axis=(2, 4)), dtype=np.float32)


@styled
def draw_faulty_fields(
    pictures: Sequence[FieldPicture], colours: Sequence[str], gamma: float = 1.0
) -> Figure:
    """Draw faulty fields side by side, all on the scale of the negative controls.

    Parameters
    ----------
    pictures : sequence of FieldPicture
        At least one.
    colours : sequence of str
        A colour a channel.
    gamma : float
        Exponent of display, the same for every picture.

    Returns
    -------
    Figure
        Four tiles a row; an unreadable field is a grey tile that says why.

    Examples
    --------
    >>> gone = FieldPicture("B02, site 1", "unreadable", None, "the file is truncated")
    >>> figure = draw_faulty_fields([gone], ["white"])
    >>> figure.axes[0].get_title(loc="left")
    'B02, site 1'
    """
    n_columns = 4
    n_rows = -(-len(pictures) // n_columns)
    side, gap, below, above = 1.66, 0.15, 0.52, 0.24
    height = n_rows * (side + below + above) + 0.05
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    for i, picture in enumerate(pictures):
        row, column = divmod(i, n_columns)
        left = 0.05 + column * (side + gap)
        bottom = height - row * (side + below + above) - above - side
        box = (left / PAGE_WIDTH_IN, bottom / height, side / PAGE_WIDTH_IN, side / height)
        axes = figure.add_axes(box, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        _tile(axes, picture, colours, gamma)
        axes.set_title(picture.title, size=8, pad=3)
        reason = _wrapped(picture.reason, 30, 3)
        axes.text(
            0,
            -0.035,
            reason,
            transform=axes.transAxes,
            va="top",
            size=7.5,
            color="#3e4c59",
            linespacing=1.15,
        )
    return figure


def _tile(axes: Axes, picture: FieldPicture, colours: Sequence[str], gamma: float) -> None:
    if picture.pixels is not None:
        axes.imshow(compose_channels(picture.pixels, colours, gamma), interpolation="none")
        return
    axes.add_patch(
        Rectangle(
            (0, 0),
            1,
            1,
            transform=axes.transAxes,
            facecolor="#eef0f2",
            edgecolor=GREY,
            hatch="///",
            lw=0.6,
        )
    )
    words = _wrapped(f"no picture: {picture.problem}", 24, 5)
    axes.text(
        0.5,
        0.5,
        words,
        transform=axes.transAxes,
        ha="center",
        va="center",
        size=7.5,
        bbox={"boxstyle": "round,pad=0.4", "fc": "white", "ec": "none"},
    )


def _wrapped(text: str, width: int, lines: int) -> str:
    return "\n".join(textwrap.wrap(text, width, max_lines=lines, placeholder=" …"))
