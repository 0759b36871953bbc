"""What a network draws of its own: samples, morphs, reconstructions. Each says that it is made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.figures.composite import compose_channels
from counterstain.figures.picture_record import GeneratedPictures
from counterstain.figures.style import INK, PAGE_WIDTH_IN, SOFT, class_colours, styled
from counterstain.figures.tiles import (
    draw_scale_bar,
    draw_tile,
    mark_empty,
    shorten,
    stamp,
    text_at,
)

__all__ = ["draw_morphs", "draw_reconstructions", "draw_samples"]

_LABEL_IN = 0.95
_GAP_IN = 0.05
_GENERATED = "generated"


def _side(n_columns: int, largest: float = 1.1) -> float:
    return min(largest, (PAGE_WIDTH_IN - _LABEL_IN - 0.1) / n_columns - _GAP_IN)


def _row(
    figure: Figure,
    rgb: NDArray[np.float32],
    top: float,
    side: float,
    made: Sequence[bool],
    bar_um: float | None = None,
) -> None:
    for column, picture in enumerate(rgb):
        axes = draw_tile(figure, picture, _LABEL_IN + column * (side + _GAP_IN), top, side)
        if np.isnan(picture).any():
            mark_empty(axes)
        elif made[column]:
            stamp(axes, _GENERATED)
        if column == 0:
            draw_scale_bar(axes, picture.shape[0], bar_um)


def _class_label(figure: Figure, name: str, words: str, middle: float, colour: str) -> None:
    text_at(figure, 0.06, middle - 0.03, shorten(name), weight="bold", size=8.5, va="bottom",
            color=colour)  # fmt: skip
    text_at(figure, 0.06, middle + 0.01, words, size=7.5, va="top", color=SOFT, linespacing=1.2)


@styled
def draw_samples(
    pictures: GeneratedPictures,
    class_names: Sequence[str],
    colours: Sequence[str],
    *,
    gamma: float = 1.0,
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw, for each class, crops as imaged above samples of the network's model of the class.

    Parameters
    ----------
    pictures : GeneratedPictures
        Its samples and the real crops beside them.
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
        7.2 inches wide; "generated" stands in every picture that is no photograph.

    Raises
    ------
    InvalidInputError
        If there is no sample.
    """
    classes = [int(k) for k in np.unique(pictures.sample_class)]
    if not classes:
        raise InvalidInputError("`pictures` must hold at least one sample; got none.")
    groups = []
    for k in classes:
        real = pictures.real_images[pictures.real_class == k]
        made = pictures.sample_images[pictures.sample_class == k]
        groups += [(k, real, False)] if len(real) else []
        groups.append((k, made, True))
    side = _side(max(len(images) for _, images, _ in groups))
    tops = np.cumsum([0.06, *(side + (0.18 if made else _GAP_IN) for _, _, made in groups)])
    figure = Figure(figsize=(PAGE_WIDTH_IN, float(tops[-1])))
    known = class_colours(class_names)
    for number, (k, images, made) in enumerate(groups):
        rgb, top = compose_channels(images, colours, gamma), float(tops[number])
        bar = None if number else pixel_size_um
        _row(figure, rgb, top, side, [made] * len(rgb), bar)
        name = class_names[k]
        words = "generated\nby the network" if made else "as imaged"
        _class_label(figure, name, words, top + side / 2, known[name])
    return figure


@styled
def draw_morphs(
    pictures: GeneratedPictures,
    class_names: Sequence[str],
    colours: Sequence[str],
    *,
    gamma: float = 1.0,
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw crops that turn into crops of another class by way of the latents.

    Parameters
    ----------
    pictures, class_names, colours, gamma, pixel_size_um
        As for :func:`draw_samples`.

    Returns
    -------
    Figure
        A row a pair; both ends are as imaged.

    Raises
    ------
    InvalidInputError
        If there is no morph.
    """
    n_rows = len(pictures.morph_images)
    if not n_rows:
        raise InvalidInputError("`pictures` must hold at least one morph; got none.")
    n_columns = pictures.morph_images.shape[1]
    side = _side(n_columns)
    head, pitch = 0.3, side + 0.1
    figure = Figure(figsize=(PAGE_WIDTH_IN, head + n_rows * pitch))
    rgb = compose_channels(pictures.morph_images, colours, gamma)
    rgb[np.isnan(pictures.morph_images).any((2, 3, 4))] = np.nan
    made = [0 < column < n_columns - 1 for column in range(n_columns)]
    for row in range(n_rows):
        top = head + row * pitch
        _row(figure, rgb[row], top, side, made, None if row else pixel_size_um)
        ends = ((pictures.morph_first[row], pictures.morph_source[row]),
                (pictures.morph_second[row], pictures.morph_target[row]))  # fmt: skip
        for place, (well, k) in enumerate(ends):
            arrow = "→ " if place else ""
            words, height = f"{arrow}{shorten(str(well), 12)}", top + side / 2 + 0.32 * place - 0.3
            text_at(figure, 0.06, height, words, weight="bold", size=8, va="top")
            name = class_names[int(k)]
            text_at(figure, 0.06, height + 0.135, shorten(name, 16), size=7, va="top",
                    color=class_colours(class_names)[name])  # fmt: skip
    for column in (0, n_columns - 1):
        middle = _LABEL_IN + column * (side + _GAP_IN) + side / 2
        text_at(figure, middle, head - 0.06, "as imaged", ha="center", va="bottom", size=8,
                weight="bold", color=INK)  # fmt: skip
    return figure


@styled
def draw_reconstructions(
    pictures: GeneratedPictures,
    class_names: Sequence[str],
    colours: Sequence[str],
    *,
    gamma: float = 1.0,
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw crops above what the network rebuilds of them from its latents.

    Parameters
    ----------
    pictures, class_names, colours, gamma, pixel_size_um
        As for :func:`draw_samples`.

    Returns
    -------
    Figure
        Two rows a class, with the largest error of a pixel under each column.

    Raises
    ------
    InvalidInputError
        If there is no reconstruction.
    """
    classes = [int(k) for k in np.unique(pictures.rebuilt_class)]
    if not classes:
        raise InvalidInputError("`pictures` must hold at least one reconstruction; got none.")
    most = max(int((pictures.rebuilt_class == k).sum()) for k in classes)
    side = _side(most)
    pitch = 2 * (side + _GAP_IN) + 0.32
    figure = Figure(figsize=(PAGE_WIDTH_IN, 0.06 + len(classes) * pitch))
    known = class_colours(class_names)
    for number, k in enumerate(classes):
        rows = np.flatnonzero(pictures.rebuilt_class == k)
        top, name = 0.06 + number * pitch, class_names[k]
        for images, made in ((pictures.rebuilt_original, False), (pictures.rebuilt_images, True)):
            rgb = compose_channels(images[rows], colours, gamma)
            bar = None if number or made else pixel_size_um
            _row(figure, rgb, top, side, [made] * len(rows), bar)
            words = "rebuilt" if made else "as imaged"
            _class_label(figure, name, words, top + side / 2, known[name])
            top += side + _GAP_IN
        for column, row in enumerate(rows):
            words = f"error {pictures.rebuilt_error[row]:.2g}"
            middle = _LABEL_IN + column * (side + _GAP_IN) + side / 2
            text_at(figure, middle, top, words, ha="center", va="top", size=7, color=SOFT)
    return figure
