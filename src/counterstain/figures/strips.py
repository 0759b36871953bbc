"""Counterfactual strips: a crop, the crop on the boundary, the crop as the other class.

Sizes are laid out in inches by hand, so that every crop has the same size and no label meets
another, for one channel or eight.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.figures.composite import compose_channels, nice_length
from counterstain.figures.strip_record import Strips, change_limit
from counterstain.figures.style import CHANGE_MAP, GREY, INK, PAGE_WIDTH_IN, SOFT, styled

__all__ = ["draw_counterfactual_strips"]

_LABEL_IN = 0.95
_GAP_IN = 0.06
_CAPTION_IN = 0.2
_HEAD_IN = 0.45
_FOOT_IN = 0.74


@styled
def draw_counterfactual_strips(
    strips: Strips,
    channels: Sequence[str],
    class_names: Sequence[str],
    colours: Sequence[str],
    *,
    limit: float | None = None,
    gamma: float = 1.0,
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw a row a counterfactual.

    Columns: the original, the picture on the decision boundary, the counterfactual, and the
    difference (counterfactual less original) of each channel. All differences share one scale.

    Parameters
    ----------
    strips : Strips
        At least one.
    channels, class_names, colours : sequence of str
        Names of channels and classes, a colour a channel.
    limit : float, optional
        End of the scale of differences; give the same to all figures of a run.
    gamma : float
        Exponent of display, the same for every picture.
    pixel_size_um : float, optional
        Draws a scale bar.

    Returns
    -------
    Figure
        The figure, 7.2 inches wide, wider from five channels on.

    Raises
    ------
    InvalidInputError
        If there is no strip.

    Examples
    --------
    >>> one, none = np.ones((1, 1, 8, 8), np.float32), np.zeros(1)
    >>> strips = Strips(one, one, one, none.astype(int), none.astype(int) + 1, np.array(["B02"]),
    ...                 none, none, none, none)
    >>> len(draw_counterfactual_strips(strips, ["DNA"], ["sick", "well"], ["white"]).axes)
    5
    """
    if not len(strips):
        raise InvalidInputError("`strips` must hold at least one counterfactual; got none.")
    n_columns = 3 + len(channels)
    width = PAGE_WIDTH_IN if len(channels) <= 4 else PAGE_WIDTH_IN + 0.75 * (len(channels) - 4)
    side = min(1.35, (width - _LABEL_IN - 0.12) / n_columns - _GAP_IN)
    pitch = side + _CAPTION_IN
    height = _HEAD_IN + len(strips) * pitch + _FOOT_IN
    figure = Figure(figsize=(width, height))
    end = change_limit(strips) if limit is None else limit
    pictures = [
        compose_channels(images, colours, gamma)
        for images in (strips.original, strips.boundary, strips.counterfactual)
    ]
    for row in range(len(strips)):
        top = height - _HEAD_IN - row * pitch
        _row_label(figure, strips, row, class_names, (width, height, top, side))
        for column in range(n_columns):
            left = _LABEL_IN + column * (side + _GAP_IN) + (0.1 if column > 2 else 0)
            box = (left / width, (top - side) / height, side / width, side / height)
            axes = figure.add_axes(box, xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if column < 3:
                _picture(axes, pictures[column][row], column, side)
                _caption(axes, strips, row, column)
            else:
                change = strips.counterfactual[row, column - 3] - strips.original[row, column - 3]
                axes.imshow(change, cmap=CHANGE_MAP, vmin=-end, vmax=end, interpolation="none")
                axes.add_patch(
                    Rectangle(
                        (0, 0), 1, 1, transform=axes.transAxes, fill=False, ec="#d5dae0", lw=0.8
                    )
                )
            if row == 0:
                _heading(axes, column, channels, colours, side)
            if row == 0 and column == 0 and pixel_size_um:
                _scale_bar(axes, strips.original.shape[-1], pixel_size_um)
    _colour_bar(figure, end, (width, height))
    return figure


def _row_label(
    figure: Figure,
    strips: Strips,
    row: int,
    class_names: Sequence[str],
    size: tuple[float, float, float, float],
) -> None:
    width, height, top, side = size
    source, target = class_names[strips.source[row]], class_names[strips.target[row]]
    middle = (top - side / 2) / height
    figure.text(
        0.06 / width,
        middle + 0.08 / height,
        _cut(str(strips.well[row]), 13),
        weight="bold",
        size=9,
        va="bottom",
    )
    text = f"{_cut(source)}\n→ {_cut(target)}"
    figure.text(
        0.06 / width,
        middle + 0.04 / height,
        text,
        size=7.5,
        va="top",
        color=SOFT,
        linespacing=1.25,
    )


def _cut(name: str, longest: int = 14) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _picture(axes: Axes, rgb: NDArray[np.float32], column: int, side: float) -> None:
    axes.imshow(rgb, interpolation="none")
    if column == 0:
        return
    words = "computed image" if side >= 0.85 else "computed"
    axes.text(
        0.5,
        0.025,
        words,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        size=7,
        color="white",
        bbox={"boxstyle": "square,pad=0.12", "fc": "#000000a0", "ec": "none"},
    )


def _caption(axes: Axes, strips: Strips, row: int, column: int) -> None:
    logit = (strips.logit_original, strips.logit_boundary, strips.logit_counterfactual)[column][row]
    text = f"logit {logit:+.1f}".replace("-", "−")
    if abs(logit) < 0.05:
        text = "logit 0.0"
    axes.text(
        0.5, -0.03, text, transform=axes.transAxes, ha="center", va="top", size=7.5, color="#3e4c59"
    )


def _heading(
    axes: Axes, column: int, channels: Sequence[str], colours: Sequence[str], side: float
) -> None:
    roomy = side >= 0.85
    words = ("original\nas imaged", "on the boundary\ncomputed", "counterfactual\ncomputed")
    if not roomy:
        words = ("original\nas imaged", "boundary\ncomputed", "counter-\nfactual")
    if column < 3:
        text, weight = words[column], "bold"
    else:
        name, weight = channels[column - 3], "normal"
        lines = textwrap.wrap(f"Δ {name}", 10, max_lines=2, placeholder="…")
        text = f"change in\n{_cut(name, 14)}" if roomy else "\n".join(lines)
        axes.add_patch(
            Rectangle(
                (0, 1.015),
                1,
                0.025,
                transform=axes.transAxes,
                clip_on=False,
                facecolor=colours[column - 3],
                edgecolor=GREY,
                lw=0.3,
            )
        )
    axes.text(
        0.5,
        1.05,
        text,
        weight=weight,
        linespacing=1.2,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        size=8 if roomy else 7.5,
    )


def _scale_bar(axes: Axes, n_pixels: int, pixel_size_um: float) -> None:
    length = nice_length(n_pixels * pixel_size_um)
    share = length / (n_pixels * pixel_size_um)
    axes.plot(
        [0.94 - share, 0.94],
        [0.07, 0.07],
        transform=axes.transAxes,
        color="white",
        lw=2.2,
        solid_capstyle="butt",
    )
    axes.text(
        0.95,
        0.1,
        f"{length:g} µm",
        transform=axes.transAxes,
        color="white",
        ha="right",
        va="bottom",
        size=7,
    )


def _colour_bar(figure: Figure, end: float, size: tuple[float, float]) -> None:
    width, height = size
    box = (_LABEL_IN / width, 0.46 / height, 2.6 / width, 0.1 / height)
    bar = figure.colorbar(
        ScalarMappable(Normalize(-end, end), CHANGE_MAP),
        cax=figure.add_axes(box),
        orientation="horizontal",
        extend="both",
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, labelsize=7.5)
    bar.set_label("change (share of the negative controls’ range)", size=8, labelpad=2)
    figure.text(
        (_LABEL_IN + 2.95) / width,
        0.51 / height,
        "purple: less   ·   green: more   ·   white: as before",
        size=8,
        va="center",
        color=INK,
    )
