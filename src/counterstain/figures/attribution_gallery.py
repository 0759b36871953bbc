"""What the network saw where it was right, and where it was wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
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
from counterstain.figures.style import INK, PAGE_WIDTH_IN, SOFT, class_colours, styled
from counterstain.figures.tiles import draw_scale_bar, draw_tile, shorten, text_at

__all__ = ["MOST_TILES", "draw_outcome_gallery", "outcome_rows"]

MOST_TILES = 6
"""Crops beside each other that stay legible, with their captions, on the width of a page."""
_LABEL_IN = 0.95
_GAP_IN = 0.05
_HEAD_IN = 0.08
_CAPTION_IN = 0.6
_FOOT_IN = 0.85


def outcome_rows(
    pictures: AttributionPictures, class_index: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the crops that were called a class: rightly, and wrongly.

    Parameters
    ----------
    pictures : AttributionPictures
        All crops.
    class_index : int
        The class that they were called.

    Returns
    -------
    right, wrong : ndarray of int
        Rows of true and of false positives of the class.

    Examples
    --------
    >>> pictures = AttributionPictures(
    ...     np.zeros((2, 1, 2, 2)), np.zeros((2, 2, 2)), *[np.zeros(2, int)] * 3,
    ...     source=np.array([0, 1]), called=np.zeros(2, int), target=np.zeros(2, int),
    ...     score=np.zeros(2), outcome=np.array(["right", "wrong"]))
    >>> [rows.tolist() for rows in outcome_rows(pictures, 0)]
    [[0], [1]]
    """
    called = pictures.called == class_index
    right = pictures.source == class_index
    return np.flatnonzero(called & right), np.flatnonzero(called & ~right)


@styled
def draw_outcome_gallery(
    pictures: AttributionPictures,
    class_index: int,
    method: str,
    class_names: Sequence[str],
    colours: Sequence[str],
    *,
    status: str = "",
    unit: float | None = None,
    gamma: float = 1.0,
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw true above false positives of a class: each crop, and below it one method's map.

    Parameters
    ----------
    pictures : AttributionPictures
        All crops; the first six of either outcome are drawn.
    class_index : int
        The class that the crops were called.
    method : str
        Whose maps, summed over channels.
    class_names, colours : sequence of str
        Names of classes, and a colour a channel.
    status : {"", "pass", "fail", "unknown"}
        What the sanity check says of the method; maps of one that fails are crossed out.
    unit : float, optional
        The one number that all maps are divided by; that of all crops where left out.
    gamma : float
        Exponent of display of the crops, the same for every picture.
    pixel_size_um : float, optional
        Draws a scale bar.

    Returns
    -------
    Figure
        7.2 inches wide; an outcome without a crop is said in words.

    Raises
    ------
    InvalidInputError
        If no crop was called the class, or the method is unknown.
    """
    right, wrong = outcome_rows(pictures, class_index)
    if not len(right) + len(wrong) or method not in pictures.maps:
        raise InvalidInputError(
            f"`class_index` must be a class that crops were called, and `method` one of "
            f"{', '.join(pictures.methods) or 'none'}; got {class_index} and {method!r}: leave "
            "out classes that no crop was called."
        )
    side = (PAGE_WIDTH_IN - _LABEL_IN - 0.1) / MOST_TILES - _GAP_IN
    full, empty = 2 * side + _GAP_IN + _CAPTION_IN, 0.62
    heights = [full if len(rows) else empty for rows in (right, wrong)]
    figure = Figure(figsize=(PAGE_WIDTH_IN, _HEAD_IN + sum(heights) + _FOOT_IN))
    number = pictures.unit(method) if unit is None else unit
    tops = (_HEAD_IN, _HEAD_IN + heights[0])
    first = True
    for kind, rows, top in zip(("right", "wrong"), (right, wrong), tops, strict=True):
        _group_label(figure, kind, len(rows), class_names[class_index], class_names, top, side)
        if len(rows):
            bar = pixel_size_um if first else None
            chosen = pictures.take(rows[:MOST_TILES])
            _group(figure, chosen, method, class_names, colours, (top, side), number, status, gamma,
                   bar)  # fmt: skip
            first = False
    label = f"{method_words(method)}, in units of its 99th percentile"
    draw_map_bar(figure, 0.3, label, f"“{shorten(class_names[class_index])}”")
    if status == "fail":
        words = f"✗ {method_words(method)} fails the sanity check on this network: do not read its"
        text_at(figure, 0.3, figure.get_size_inches()[1] - 0.75, f"{words} maps.", size=7.5,
                weight="bold", color=FAILED, va="bottom")  # fmt: skip
    return figure


def _group_label(
    figure: Figure, kind: str, n: int, name: str, class_names: Sequence[str], top: float,
    side: float,
) -> None:  # fmt: skip
    right = kind == "right"
    words = f"{'✓' if right else '✗'} {kind}"
    text_at(figure, 0.06, top + 0.02, words, weight="bold", size=9, va="top",
            color=INK if right else FAILED)  # fmt: skip
    lines = f"called\n{shorten(name)}"
    text_at(figure, 0.06, top + 0.2, lines, size=7.5, va="top", linespacing=1.2,
            color=class_colours(class_names)[name])  # fmt: skip
    if not n:
        text = "None of the pictured crops was called so " + ("rightly." if right else "wrongly.")
        text_at(figure, _LABEL_IN, top + 0.1, text, size=8, va="top", color=SOFT)
        return
    text_at(figure, 0.06, top + side + _GAP_IN + 0.02, "what counted\nfor the call", size=7.5,
            va="top", color=SOFT, linespacing=1.2)  # fmt: skip


def _group(
    figure: Figure,
    pictures: AttributionPictures,
    method: str,
    class_names: Sequence[str],
    colours: Sequence[str],
    place: tuple[float, float],
    unit: float,
    status: str,
    gamma: float,
    bar_um: float | None,
) -> None:
    top, side = place
    rgb = compose_channels(pictures.images, colours, gamma)
    shades = (np.clip(np.nan_to_num(pictures.images), 0, 1) ** gamma).mean(axis=1)
    maps = pictures.summed(method)
    for column in range(len(pictures)):
        left = _LABEL_IN + column * (side + _GAP_IN)
        axes = draw_tile(figure, rgb[column], left, top, side)
        outline_nuclei(axes, pictures.nuclei[column], "white", "#c8c8c8")
        if column == 0:
            draw_scale_bar(axes, rgb.shape[1], bar_um)
        below = top + side + _GAP_IN
        axes = draw_map_tile(figure, maps[column], shades[column], unit, (left, below, side))
        outline_nuclei(axes, pictures.nuclei[column], INK, SOFT)
        if status == "fail":
            mark_failed(axes)
        middle, foot = left + side / 2, below + side + 0.03
        true, called = (class_names[int(i[column])] for i in (pictures.source, pictures.called))
        score = f"{float(pictures.score[column]):+.1f}".replace("-", "−")
        text_at(figure, middle, foot, shorten(str(pictures.well[column]), 13), ha="center",
                va="top", size=7.5, weight="bold")  # fmt: skip
        lines = f"is {shorten(true, 13)}\ncalled {shorten(called, 11)}\nlog-odds {score}"
        text_at(figure, middle, foot + 0.125, lines, ha="center", va="top", size=6.8, color=SOFT,
                linespacing=1.15)  # fmt: skip
