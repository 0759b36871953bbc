"""The decision boundary: all crops in its plane, pictures across it, and pictures along it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.figures.composite import compose_channels
from counterstain.figures.picture_record import BoundaryPictures
from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, SOFT, class_colours, styled
from counterstain.figures.tiles import (
    caption,
    draw_scale_bar,
    draw_tile,
    mark_origin,
    shorten,
    text_at,
)

__all__ = ["draw_boundary_plane", "log_odds_words", "plane_limits"]

_LEFT_IN, _RIGHT_IN = 0.95, 0.12
_GAP_IN = 0.06
_CAPTION_IN = 0.2
_LEGEND_IN = 0.32
_FAN_IN = 0.4
_PLANE_IN = 3.3
_FOOT_IN = 0.5
_NO_CLASS = "#b8c0c8"
_VEIL = {"boxstyle": "square,pad=0.1", "fc": "#ffffffc0", "ec": "none"}
_WITHIN = (0.1, 99.9)


def plane_limits(values: NDArray[np.float64], path: NDArray[np.float64]) -> tuple[float, float]:
    """Return ends of an axis: all but the outermost 0.1 % at either end, and all pictures.

    Examples
    --------
    >>> plane_limits(np.array([0.0, 10.0]), np.array([-1.0, 4.0]))
    (-1.44, 10.43)
    """
    low, high = np.percentile(values[np.isfinite(values)], _WITHIN)
    low, high = min(low, float(np.nanmin(path))), max(high, float(np.nanmax(path)))
    margin = 0.04 * max(high - low, 1e-6)
    return round(float(low - margin), 2), round(float(high + margin), 2)


@styled
def draw_boundary_plane(
    points: pd.DataFrame,
    pictures: BoundaryPictures,
    pair: tuple[str, str],
    class_names: Sequence[str],
    colours: Sequence[str],
    *,
    component_note: str = "",
    noun: str = "cells",
    gamma: float = 1.0,
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw all crops in the plane of the decision and of the strongest variation beside it.

    Above the plane, crops of either class are carried across the boundary; lines lead from the
    lowest row to the place of each picture on the axis, squares in the plane mark all of them.

    Parameters
    ----------
    points : DataFrame
        A row per crop: `Metadata_Plate`, `Metadata_Well`, `class_name` (empty for wells in no
        class), `log_odds`, `component`.
    pictures : BoundaryPictures
        Its paths are drawn; all must be of this pair.
    pair : (str, str)
        Source and target class; log-odds are of target against source.
    class_names : sequence of str
        All classes, for their colours.
    colours : sequence of str
        A colour a channel.
    component_note : str
        What goes with the second axis, as a line of its label.
    noun : str
        What a crop shows.
    gamma : float
        Exponent of display, the same for every picture.
    pixel_size_um : float, optional
        Draws a scale bar.

    Returns
    -------
    Figure
        7.2 inches wide.

    Raises
    ------
    InvalidInputError
        If there is no crop.
    """
    if points.empty:
        raise InvalidInputError("`points` must hold at least one crop; got none.")
    n_paths = len(pictures.path_images)
    span = PAGE_WIDTH_IN - _LEFT_IN - _RIGHT_IN
    side = span / pictures.path_log_odds.shape[1] - _GAP_IN if n_paths else 0.0
    above = _LEGEND_IN + (n_paths * (side + _CAPTION_IN) + _FAN_IN if n_paths else 0)
    height = above + _PLANE_IN + _FOOT_IN
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    box = (_LEFT_IN / PAGE_WIDTH_IN, _FOOT_IN / height, span / PAGE_WIDTH_IN, _PLANE_IN / height)
    plane = figure.add_axes(box)
    known = class_colours(class_names)
    _frame(plane, points, pictures, noun)
    _scatter(plane, points, known, pair)
    _boundary(plane, pair)
    _legend(figure, points, known, pair, noun)
    plane.set_xlabel(f"log-odds of {pair[1]} against {pair[0]}, across the decision boundary")
    plane.set_ylabel(f"first component within classes (SD)\n{component_note}".strip())
    rgb = compose_channels(pictures.path_images, colours, gamma) if n_paths else ()
    for row in range(n_paths):
        top = _LEGEND_IN + row * (side + _CAPTION_IN)
        colour = known[class_names[int(pictures.path_start[row])]]
        tiles = _path_row(figure, rgb[row], pictures, row, (top, side))
        _row_label(figure, pictures, row, class_names, (top, side, colour))
        x, y = pictures.path_log_odds[row], pictures.path_component[row]
        plane.plot(x, y, "s-", ms=4, lw=0.9, mfc="white", mec=colour, color=colour, zorder=5)
        if row == 0:
            draw_scale_bar(tiles[0], pictures.path_images.shape[-1], pixel_size_um)
        if row == n_paths - 1:
            # Where this row has no picture, the others say where it would be.
            _fan(figure, tiles, plane, _anywhere(pictures, x))
    return figure


def _frame(axes: Axes, points: pd.DataFrame, pictures: BoundaryPictures, noun: str) -> None:
    x, y = points["log_odds"].to_numpy(float), points["component"].to_numpy(float)
    axes.set_xlim(*plane_limits(x, np.append(pictures.path_log_odds.ravel(), 0.0)))
    axes.set_ylim(*plane_limits(y, np.append(pictures.path_component.ravel(), 0.0)))
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    beyond = int(((x < left) | (x > right) | (y < low) | (y > high)).sum())
    if beyond:
        axes.text(
            0.995, 0.985, f"{noun} beyond the frame: {beyond:,}", transform=axes.transAxes,
            ha="right", va="top", size=7, color=SOFT, zorder=6, bbox=_VEIL,
        )  # fmt: skip


def _scatter(
    axes: Axes, points: pd.DataFrame, known: dict[str, str], pair: tuple[str, str]
) -> None:
    names = points["class_name"].to_numpy(object)
    labelled = np.isin(names, list(pair))
    # Shuffled, so that no class lies on top of another; always the same way.
    order = np.random.default_rng(0).permutation(len(points))
    order = np.concatenate([order[~labelled[order]], order[labelled[order]]])
    shade = [known.get(str(names[i]), _NO_CLASS) if labelled[i] else _NO_CLASS for i in order]
    x, y = (points[name].to_numpy(float)[order] for name in ("log_odds", "component"))
    size = float(np.clip(22000 / len(points), 3.0, 16.0))
    axes.scatter(x, y, s=size, c=shade, alpha=0.6, lw=0, rasterized=True, zorder=2)


def _boundary(axes: Axes, pair: tuple[str, str]) -> None:
    axes.axvline(0, color=INK, lw=1.2, ls=(0, (4, 3)), zorder=3)
    notes = ((f"← called {shorten(pair[0], 20)} ", "right", -3),
             (f" called {shorten(pair[1], 20)} →", "left", 3))  # fmt: skip
    for text, side, shift in notes:
        axes.annotate(
            text, (0, 0.015), xycoords=("data", "axes fraction"), xytext=(shift, 0),
            textcoords="offset points", ha=side, va="bottom", size=7.5, color=INK, zorder=6,
            bbox=_VEIL,
        )  # fmt: skip


def _legend(
    figure: Figure,
    points: pd.DataFrame,
    known: dict[str, str],
    pair: tuple[str, str],
    noun: str,
) -> None:
    handles = []
    groups = [(name, points["class_name"] == name) for name in pair]
    rest = ~points["class_name"].isin(pair)
    only_unlabelled = bool((points.loc[rest, "class_name"] == "").all())
    groups.append(("in no class" if only_unlabelled else "others", rest))
    for name, chosen in groups:
        rows = points[chosen]
        if len(rows):
            wells = len(rows[["Metadata_Plate", "Metadata_Well"]].drop_duplicates())
            label = f"{shorten(name, 22)} ({wells} wells, {len(rows):,} {noun})"
            colour = known[name] if name in pair else _NO_CLASS
            handles.append(Line2D([], [], ls="", marker="o", ms=5, color=colour, label=label))
    height = figure.get_size_inches()[1]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.0, 1 - 0.02 / height), ncol=3,
        handletextpad=0.1, columnspacing=1.2, borderpad=0.2,
    )  # fmt: skip


def _path_row(
    figure: Figure,
    rgb: NDArray[np.float32],
    pictures: BoundaryPictures,
    row: int,
    place: tuple[float, float],
) -> list[Axes]:
    top, side = place
    tiles = []
    for column, picture in enumerate(rgb):
        axes = draw_tile(figure, picture, _LEFT_IN + column * (side + _GAP_IN), top, side)
        odds = float(pictures.path_log_odds[row, column])
        computed = bool(column != pictures.path_original[row])
        mark_origin(axes, computed, bool(np.isfinite(odds)))
        words = log_odds_words(odds)
        if np.isfinite(odds) and not pictures.path_credible[row, column]:
            words += " †"
        caption(axes, words)
        tiles.append(axes)
    return tiles


def log_odds_words(value: float) -> str:
    """Return log-odds with their sign, and zero without one.

    Examples
    --------
    >>> log_odds_words(-2.34), log_odds_words(0.01)
    ('−2.3', '0.0')
    """
    if not np.isfinite(value):
        return "–"
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}".replace("-", "−")


def _row_label(
    figure: Figure,
    pictures: BoundaryPictures,
    row: int,
    class_names: Sequence[str],
    place: tuple[float, float, str],
) -> None:
    top, side, colour = place
    name = shorten(class_names[int(pictures.path_start[row])], 13)
    middle = top + side / 2
    text_at(figure, 0.06, middle - 0.08, shorten(str(pictures.path_well[row]), 12),
            weight="bold", size=8.5, va="bottom")  # fmt: skip
    text_at(figure, 0.06, middle - 0.04, name, size=7.5, va="top", color=colour)
    text_at(figure, 0.06, middle + 0.1, "framed: as imaged", size=6.5, va="top", color=SOFT)
    text_at(figure, 0.06, top + side + 0.03, "log-odds", size=7.5, va="top", color=SOFT)


def _anywhere(pictures: BoundaryPictures, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each column, a place at which some row has a picture; NaN where none has."""
    found = places.copy()
    for row in pictures.path_log_odds:
        found = np.where(np.isfinite(found), found, row)
    return found


def _fan(figure: Figure, tiles: list[Axes], plane: Axes, places: NDArray[np.float64]) -> None:
    """Lead from each picture to its place on the axis."""
    for axes, place in zip(tiles, places, strict=True):
        if not np.isfinite(place):
            continue
        figure.add_artist(
            ConnectionPatch(
                (0.5, -0.24),
                (place, 1.0),
                axes.transAxes,
                plane.get_xaxis_transform(),
                color=GREY,
                lw=0.7,
            )
        )
        plane.plot([place], [1.0], "v", ms=3.5, color=GREY, transform=plane.get_xaxis_transform(),
                   clip_on=False)  # fmt: skip
