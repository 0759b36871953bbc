"""Names beside points that lie on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from counterstain.figures.style import INK, SOFT

__all__ = ["free_place", "label_points"]

_SIZE = 7.0
_CHARACTER, _LINE = 0.56, 1.25
"""Usual width and height of a letter, in font sizes."""
_SPOTS = [
    (side * distance, up * distance)
    for distance in (6, 13, 22, 34)
    for side, up in ((1, 0.45), (1, -0.45), (-1, 0.45), (-1, -0.45), (0.3, 1), (0.3, -1))
]
_Box = tuple[float, float, float, float]


def free_place(
    point: tuple[float, float],
    size: tuple[float, float],
    taken: Sequence[_Box],
    bounds: _Box,
) -> tuple[float, float] | None:
    """Return where a label may stand without touching anything.

    Parameters
    ----------
    point : tuple of float
        What it names, in points.
    size : tuple of float
        Width and height of the label, points.
    taken : sequence of (left, bottom, right, top)
        Boxes that it must not touch.
    bounds : (left, bottom, right, top)
        Box that it must stay in.

    Returns
    -------
    tuple of float or None
        Lower left corner of the nearest free place; None where there is none.

    Examples
    --------
    >>> free_place((50.0, 50.0), (20, 8), [], (0, 0, 100, 100))
    (56.0, 48.7)
    >>> free_place((50, 50), (20, 8), [(0, 0, 100, 100)], (0, 0, 100, 100)) is None
    True
    """
    for across, up in _SPOTS:
        left = point[0] + across - (size[0] if across < 0 else 0)
        bottom = point[1] + up - size[1] / 2
        box = (left, bottom, left + size[0], bottom + size[1])
        inside = (
            box[0] >= bounds[0] and box[1] >= bounds[1] and box[2] <= bounds[2]
            and box[3] <= bounds[3]
        )  # fmt: skip
        if inside and not any(_touch(box, other) for other in taken):
            return round(left, 6), round(bottom, 6)
    return None


def _touch(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def label_points(
    figure: Figure,
    axes: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    names: Sequence[str],
    chosen: Sequence[int],
) -> int:
    """Write the names of some points where they cover neither a point nor each other.

    Call it last: the places hold for the layout as it is.

    Parameters
    ----------
    figure, axes : Figure, Axes
        Where.
    x, y : ndarray of float, shape (n,)
        All points, in data coordinates.
    names : sequence of str, length n
        A name each.
    chosen : sequence of int
        Points to name, the most important first.

    Returns
    -------
    int
        How many found a place.
    """
    figure.draw_without_rendering()
    scale = 72 / figure.dpi
    places = axes.transData.transform(np.column_stack([x, y])) * scale
    frame = axes.get_window_extent()
    bounds = tuple(float(edge) * scale for edge in frame.extents)
    taken: list[_Box] = [(a - 3.5, b - 3.5, a + 3.5, b + 3.5) for a, b in places.tolist()]
    done = 0
    for row in chosen:
        name = names[row]
        size = (_CHARACTER * _SIZE * len(name), _LINE * _SIZE)
        point = (float(places[row, 0]), float(places[row, 1]))
        spot = free_place(point, size, taken, (bounds[0], bounds[1], bounds[2], bounds[3]))
        if spot is None:
            continue
        taken.append((spot[0], spot[1], spot[0] + size[0], spot[1] + size[1]))
        offset = (spot[0] - point[0], spot[1] + size[1] / 2 - point[1])
        axes.annotate(
            name, (x[row], y[row]), xytext=offset, textcoords="offset points", size=_SIZE,
            color=INK, va="center", ha="left", zorder=4,
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": SOFT, "shrinkA": 0, "shrinkB": 2},
        )  # fmt: skip
        done += 1
    return done
