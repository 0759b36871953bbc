"""Attribution maps beside their crops: methods side by side, and channels side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.figures.attribution_record import AttributionPictures, method_words
from counterstain.figures.attribution_tiles import (
    FAILED,
    draw_map_bar,
    draw_map_tile,
    mark_failed,
    outline_nuclei,
)
from counterstain.figures.composite import compose_channels
from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, SOFT, styled
from counterstain.figures.tiles import draw_scale_bar, draw_tile, shorten, text_at

__all__ = ["MOST_METHODS", "draw_attribution_sheet", "draw_channel_maps", "sanity_words"]

MOST_METHODS = 6
"""Methods beside each other that stay legible on the width of a page."""
_LABEL_IN = 1.0
_GAP_IN = 0.05
_HEAD_IN = 0.62
_PLAIN_HEAD_IN = 0.4
_FOOT_IN = 0.85
_LARGEST_IN = 1.3
_BAR = "signed map, in units of each method’s own 99th percentile"
_SANITY = {
    "fail": "✗ fails the\nsanity check:\ndo not read",
    "unknown": "? sanity check\nwithout verdict",
    "pass": "✓ passes the\nsanity check",
}


def sanity_words(status: str) -> str:
    """Return what stands beside the maps of a method; empty where it was not checked.

    Examples
    --------
    >>> sanity_words("fail").replace(chr(10), " ")
    '✗ fails the sanity check: do not read'
    """
    return _SANITY.get(status, "")


@dataclass(frozen=True, slots=True)
class _Column:
    """Maps of all crops, (n, H, W), their shades, their unit, and what stands above them."""

    heading: str
    values: NDArray[np.float32]
    backdrop: NDArray[np.float32]
    unit: float
    status: str = ""
    colour: str = ""


@styled
def draw_attribution_sheet(
    pictures: AttributionPictures,
    class_names: Sequence[str],
    colours: Sequence[str],
    *,
    methods: Sequence[str] | None = None,
    sanity: Mapping[str, str] | None = None,
    units: Mapping[str, float] | None = None,
    gamma: float = 1.0,
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw a row a crop: as imaged, then each method's signed map, summed over channels.

    Parameters
    ----------
    pictures : AttributionPictures
        At least one crop.
    class_names, colours : sequence of str
        Names of classes, and a colour a channel.
    methods : sequence of str, optional
        One to six; the first six of the record where left out.
    sanity : mapping of str to {"pass", "fail", "unknown"}, optional
        What the sanity check says of each method; maps of one that fails are crossed out.
    units : mapping of str to float, optional
        The one number that a method's maps are divided by; pass those of a whole run so that its
        figures share them. Otherwise that of the crops shown.
    gamma : float
        Exponent of display of the crops, the same for every picture.
    pixel_size_um : float, optional
        Draws a scale bar.

    Returns
    -------
    Figure
        7.2 inches wide.

    Raises
    ------
    InvalidInputError
        If there is no crop, no method, an unknown one, or more than six.

    Examples
    --------
    >>> pictures = AttributionPictures(
    ...     np.zeros((1, 1, 4, 4)), np.zeros((1, 4, 4), np.uint8), *[np.zeros(1, int)] * 7,
    ...     np.array(["right"]), maps={"saliency": np.eye(4)[None, None]})
    >>> len(draw_attribution_sheet(pictures, ["sick"], ["white"]).axes)
    3
    """
    chosen = list(pictures.methods[:MOST_METHODS] if methods is None else methods)
    unknown = [name for name in chosen if name not in pictures.maps]
    if not len(pictures) or unknown or not 1 <= len(chosen) <= MOST_METHODS:
        raise InvalidInputError(
            f"`pictures` must hold a crop, and `methods` one to {MOST_METHODS} of its methods "
            f"({', '.join(pictures.methods) or 'none'}); got {len(pictures)} crops and "
            f"{', '.join(chosen) or 'no method'}: draw more methods in a second figure."
        )
    shade = _brightness(pictures.images, gamma).mean(axis=1)
    side = _side(len(chosen))
    columns = [
        _Column(
            _lines(method_words(name), side),
            pictures.summed(name),
            shade,
            (units or {}).get(name, pictures.unit(name)),
            (sanity or {}).get(name, ""),
        )
        for name in chosen
    ]
    rgb = compose_channels(pictures.images, colours, gamma)
    figure = _sheet(pictures, columns, rgb, class_names, pixel_size_um)
    draw_map_bar(figure, 0.3, _BAR, "the called class")
    return figure


@styled
def draw_channel_maps(
    pictures: AttributionPictures,
    method: str,
    channels: Sequence[str],
    class_names: Sequence[str],
    colours: Sequence[str],
    *,
    status: str = "",
    unit: float | None = None,
    gamma: float = 1.0,
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw a row a crop: as imaged, then one method's signed map of each channel, on one scale.

    Parameters
    ----------
    pictures, class_names, colours, gamma, pixel_size_um
        As for :func:`draw_attribution_sheet`.
    method : str
        Whose maps.
    channels : sequence of str
        Names of channels.
    status : {"", "pass", "fail", "unknown"}
        What the sanity check says of the method.
    unit : float, optional
        The number that all maps are divided by.

    Returns
    -------
    Figure
        7.2 inches wide.

    Raises
    ------
    InvalidInputError
        If there is no crop, or the method is unknown.
    """
    if not len(pictures) or method not in pictures.maps:
        raise InvalidInputError(
            f"`method` must be one of {', '.join(pictures.methods) or 'none'} of at least one "
            f"crop; got {method!r} and {len(pictures)} crops: choose one that was computed."
        )
    number = pictures.unit(method, per_channel=True) if unit is None else unit
    shades, side = _brightness(pictures.images, gamma), _side(len(channels))
    columns = [
        _Column(
            _lines(name, side),
            pictures.maps[method][:, i],
            shades[:, i],
            number,
            status if status == "fail" else "",
            colours[i],
        )
        for i, name in enumerate(channels)
    ]
    rgb = compose_channels(pictures.images, colours, gamma)
    figure = _sheet(pictures, columns, rgb, class_names, pixel_size_um)
    label = f"{method_words(method)} of a channel, in units of its 99th percentile"
    draw_map_bar(figure, 0.3, label, "the called class")
    return figure


def _side(n_maps: int) -> float:
    return min(_LARGEST_IN, (PAGE_WIDTH_IN - _LABEL_IN - 0.1) / (1 + n_maps) - _GAP_IN)


def _lines(name: str, side: float) -> str:
    """Break a name into two lines that fit above a tile."""
    longest = int(side / 0.072)
    lines = textwrap.wrap(name, longest, max_lines=2, placeholder="…", break_long_words=False)
    return "\n".join(shorten(line, longest) for line in lines)


def _brightness(images: NDArray[np.float32], gamma: float) -> NDArray[np.float32]:
    return np.asarray(np.clip(np.nan_to_num(images), 0, 1) ** gamma, np.float32)


def _sheet(
    pictures: AttributionPictures,
    columns: Sequence[_Column],
    rgb: NDArray[np.float32],
    class_names: Sequence[str],
    pixel_size_um: float | None,
) -> Figure:
    side = _side(len(columns))
    pitch = max(side, 0.68) + 0.07
    head = _HEAD_IN if any(column.status for column in columns) else _PLAIN_HEAD_IN
    figure = Figure(figsize=(PAGE_WIDTH_IN, head + len(pictures) * pitch + _FOOT_IN))
    for row in range(len(pictures)):
        top = head + row * pitch
        _row_label(figure, pictures, row, class_names, top)
        axes = draw_tile(figure, rgb[row], _LABEL_IN, top, side)
        outline_nuclei(axes, pictures.nuclei[row], "white", "#c8c8c8")
        if row == 0:
            draw_scale_bar(axes, rgb.shape[1], pixel_size_um)
            _heading(axes, "as imaged", "", "")
        for place, column in enumerate(columns, start=1):
            left = _LABEL_IN + place * (side + _GAP_IN)
            values, shade = column.values[row], column.backdrop[row]
            axes = draw_map_tile(figure, values, shade, column.unit, (left, top, side))
            outline_nuclei(axes, pictures.nuclei[row], INK, SOFT)
            if column.status == "fail":
                mark_failed(axes)
            if row == 0:
                _heading(axes, column.heading, column.status, column.colour)
    return figure


def _heading(axes: Axes, words: str, status: str, colour: str) -> None:
    """Write a column's name above its first tile, and between them what the check says."""
    place = axes.transAxes
    below = sanity_words(status)
    lift = 0.0
    if below:
        ink = FAILED if status == "fail" else SOFT
        axes.annotate(below, (0.5, 1), (0, 2), xycoords="axes fraction",
                      textcoords="offset points", ha="center", va="bottom", size=6.3,
                      linespacing=1.1, color=ink,
                      weight="bold" if status == "fail" else "normal")  # fmt: skip
        lift = 7.4 * (below.count("\n") + 1) + 1
    if colour:
        axes.add_patch(Rectangle((0, 1.015), 1, 0.03, transform=place, clip_on=False,
                                 facecolor=colour, edgecolor=GREY, lw=0.3))  # fmt: skip
        lift += 3
    axes.annotate(words, (0.5, 1), (0, 2 + lift), xycoords="axes fraction",
                  textcoords="offset points", ha="center", va="bottom", size=7.5, weight="bold",
                  linespacing=1.1)  # fmt: skip


def _row_label(
    figure: Figure, pictures: AttributionPictures, row: int, class_names: Sequence[str], top: float
) -> None:
    text_at(figure, 0.06, top + 0.01, shorten(str(pictures.well[row]), 13), weight="bold", size=8.5,
            va="top")  # fmt: skip
    right = str(pictures.outcome[row]) == "right"
    true, called = (class_names[int(i[row])] for i in (pictures.source, pictures.called))
    score = f"{float(pictures.score[row]):+.1f}".replace("-", "−")
    lines = (f"is {shorten(true, 14)}", f"called {shorten(called, 11)}", f"log-odds {score}")
    text_at(figure, 0.06, top + 0.16, "\n".join(lines), size=7, va="top", color=SOFT,
            linespacing=1.2)  # fmt: skip
    text_at(figure, 0.06, top + 0.53, "✓ right" if right else "✗ wrong", size=7, va="top",
            color=SOFT if right else FAILED, weight="bold")  # fmt: skip
