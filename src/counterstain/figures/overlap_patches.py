"""Patches as imaged, and the same with their masks outlined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from counterstain.figures.composite import compose_channels
from counterstain.figures.style import PAGE_WIDTH_IN, SOFT, styled
from counterstain.figures.tiles import caption, draw_scale_bar, draw_tile, text_at

__all__ = ["PatchPicture", "PatchRow", "draw_patch_examples"]

_PAIRS = 3
_LEFT, _GAP, _BETWEEN = 0.05, 0.03, 0.14
_TITLE, _WORDS, _LEGEND = 0.26, 0.3, 0.3
_RAGGED = 0.15


@dataclass(frozen=True, slots=True)
class PatchPicture:
    """A patch to show.

    Parameters
    ----------
    pixels : ndarray of float, shape (2, S, S)
        Scaled intensities.
    regions : ndarray of uint8, shape (S, S)
        1 inside of the first kind's mask, plus 2 inside of the second's.
    words : str
        Under the picture: where it is from, and its overlap.
    """

    pixels: NDArray[np.floating]
    regions: NDArray[np.uint8]
    words: str


@dataclass(frozen=True, slots=True)
class PatchRow:
    """Patches of one group, at most three.

    Parameters
    ----------
    title : str
        Whose they are, and how they were chosen.
    pictures : sequence of PatchPicture
        Patches.
    """

    title: str
    pictures: Sequence[PatchPicture]


@styled
def draw_patch_examples(
    rows: Sequence[PatchRow],
    kinds: tuple[str, str],
    colours: tuple[str, str],
    pixel_size_um: float | None,
    gamma: float = 1.0,
) -> Figure:
    """Draw patches as imaged, each with its masks outlined beside it.

    Parameters
    ----------
    rows : sequence of PatchRow
        One a group, all on the same scale.
    kinds, colours : (str, str)
        Names and colours of the two kinds of cells.
    pixel_size_um : float or None
        Size of a pixel of the patch; no scale bar where it is unknown.
    gamma : float
        Exponent of display, the same for every picture.

    Returns
    -------
    Figure
        Three pairs a row. Outlines: thin for the first kind, dashed for the second, white and
        thicker around what lies in both.

    Examples
    --------
    >>> patch = PatchPicture(np.zeros((2, 8, 8)), np.zeros((8, 8), np.uint8), "A01, IoU 0.10")
    >>> row = PatchRow("OVA", [patch])
    >>> figure = draw_patch_examples([row], ("T", "DC"), ("#00ff00", "#ff00ff"), None)
    >>> len(figure.axes), figure.texts[0].get_text()
    (2, 'OVA')
    """
    side = (PAGE_WIDTH_IN - 2 * _LEFT - (_PAIRS - 1) * _BETWEEN - _PAIRS * _GAP) / (2 * _PAIRS)
    height = len(rows) * (_TITLE + side + _WORDS) + _LEGEND
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    for i, row in enumerate(rows):
        top = i * (_TITLE + side + _WORDS)
        text_at(figure, _LEFT, top + 0.06, row.title, weight="bold", size=9, va="top")
        for k, picture in enumerate(row.pictures[:_PAIRS]):
            left = _LEFT + k * (2 * side + _GAP + _BETWEEN)
            rgb = compose_channels(picture.pixels, colours, gamma)
            plain = draw_tile(figure, rgb, left, top + _TITLE, side)
            draw_scale_bar(plain, rgb.shape[0], pixel_size_um)
            outlined = draw_tile(figure, rgb * 0.55, left + side + _GAP, top + _TITLE, side)
            _outline(outlined, picture.regions, colours)
            caption(plain, picture.words)
            plain.texts[-1].set(ha="left", x=0.0)
    _legend(figure, kinds, colours, height)
    return figure


def _pale(colour: str) -> tuple[float, float, float]:
    red, green, blue = (0.55 + 0.45 * c for c in to_rgb(colour))
    return red, green, blue


def _outline(axes: Axes, regions: NDArray[np.uint8], colours: tuple[str, str]) -> None:
    looks = (
        ((regions & 1) > 0, _pale(colours[0]), 0.9, "solid"),
        ((regions & 2) > 0, _pale(colours[1]), 0.9, (0, (2.5, 1.2))),
        (regions == 3, (1.0, 1.0, 1.0), 1.5, "solid"),
    )
    for mask, colour, width, style in looks:
        if mask.any() and not mask.all():
            # Masks of noise are all edge: thick lines would cover what they outline.
            edge = float((mask[1:] != mask[:-1]).mean())
            width = width if edge < _RAGGED else 0.4
            axes.contour(
                np.pad(mask.astype(float), 1), [0.5], colors=[colour], linewidths=width,
                linestyles=[style], extent=(-1.5, mask.shape[1] + 0.5, -1.5, mask.shape[0] + 0.5),
            )  # fmt: skip
    axes.set_xlim(-0.5, regions.shape[1] - 0.5)
    axes.set_ylim(regions.shape[0] - 0.5, -0.5)


def _legend(
    figure: Figure, kinds: tuple[str, str], colours: tuple[str, str], height: float
) -> None:
    handles = [
        Line2D([], [], color=_pale(colours[0]), lw=1.6, label=kinds[0]),
        Line2D([], [], color=_pale(colours[1]), lw=1.6, ls=(0, (2.5, 1.2)), label=kinds[1]),
        Line2D([], [], color="white", lw=2.4, label="in both masks"),
    ]
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(_LEFT / PAGE_WIDTH_IN, 0.04 / height),
        ncol=3, frameon=True, facecolor="#10161d", edgecolor="none", labelcolor="white",
        borderaxespad=0, handlelength=2.6,
    )  # fmt: skip
    text_at(
        figure, PAGE_WIDTH_IN - _LEFT, height - 0.05, "left: as imaged   right: with its masks",
        ha="right", va="bottom", size=8, color=SOFT,
    )  # fmt: skip
