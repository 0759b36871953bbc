"""Isosurface strips: pictures that the network scores alike and that differ all the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from counterstain.errors import InvalidInputError
from counterstain.figures.boundary import log_odds_words
from counterstain.figures.composite import compose_channels
from counterstain.figures.picture_record import BoundaryPictures
from counterstain.figures.style import PAGE_WIDTH_IN, SOFT, class_colours, styled
from counterstain.figures.tiles import (
    caption,
    draw_scale_bar,
    draw_tile,
    mark_origin,
    shorten,
    text_at,
)

__all__ = ["draw_isosurface_strips"]

_LABEL_IN = 1.15
_GAP_IN = 0.06
_CAPTION_IN = 0.22
_HEAD_IN = 0.28


@styled
def draw_isosurface_strips(
    pictures: BoundaryPictures,
    class_names: Sequence[str],
    colours: Sequence[str],
    *,
    gamma: float = 1.0,
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw crops moved along components within classes while their log-odds stay.

    Parameters
    ----------
    pictures : BoundaryPictures
        Its isosurface strips are drawn; all must be of one pair.
    class_names : sequence of str
        All classes.
    colours : sequence of str
        A colour a channel.
    gamma : float
        Exponent of display, the same for every picture.
    pixel_size_um : float, optional
        Draws a scale bar.

    Returns
    -------
    Figure
        A row a crop and component, 7.2 inches wide.

    Raises
    ------
    InvalidInputError
        If there is no strip.
    """
    n_rows = len(pictures.surface_images)
    if not n_rows:
        raise InvalidInputError("`pictures` must hold at least one isosurface strip; got none.")
    n_columns = pictures.surface_images.shape[1]
    side = min(1.15, (PAGE_WIDTH_IN - _LABEL_IN - 0.1) / n_columns - _GAP_IN)
    pitch = side + _CAPTION_IN
    figure = Figure(figsize=(PAGE_WIDTH_IN, _HEAD_IN + n_rows * pitch + 0.05))
    rgb = compose_channels(pictures.surface_images, colours, gamma)
    for row in range(n_rows):
        top = _HEAD_IN + row * pitch
        _label(figure, pictures, row, class_names, top + side / 2)
        for column in range(n_columns):
            left = _LABEL_IN + column * (side + _GAP_IN)
            axes = draw_tile(figure, rgb[row, column], left, top, side)
            shift = float(pictures.surface_shift[row, column])
            odds = float(pictures.surface_log_odds[row, column])
            mark_origin(axes, bool(shift), bool(np.isfinite(odds)))
            caption(axes, f"log-odds {log_odds_words(odds)}")
            if row == 0:
                heading = f"{shift:+g} SD".replace("-", "−") if shift else "as imaged"
                axes.set_title(heading, loc="center", size=8, weight="bold", pad=4)
            if row == 0 and column == 0:
                draw_scale_bar(axes, rgb.shape[-2], pixel_size_um)
    return figure


def _label(
    figure: Figure, pictures: BoundaryPictures, row: int, class_names: Sequence[str], middle: float
) -> None:
    name = class_names[int(pictures.surface_start[row])]
    text_at(figure, 0.06, middle - 0.14, shorten(str(pictures.surface_well[row]), 13),
            weight="bold", size=8.5, va="bottom")  # fmt: skip
    text_at(figure, 0.06, middle - 0.1, shorten(name, 16), size=7.5, va="top",
            color=class_colours(class_names)[name])  # fmt: skip
    share = f"{100 * float(pictures.surface_share[row]):.1f} % of the variance\nwithin classes"
    words = f"component {int(pictures.surface_component[row]) + 1}\n{share}"
    text_at(figure, 0.06, middle + 0.05, words, size=7, va="top", color=SOFT, linespacing=1.25)
