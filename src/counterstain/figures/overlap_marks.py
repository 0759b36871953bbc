"""How groups of wells look in figures of overlap: a colour and a marker each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from counterstain.figures.style import class_colours

__all__ = ["GroupMark", "draw_dots", "group_marks", "spread_dots"]

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")


@dataclass(frozen=True, slots=True)
class GroupMark:
    """Look of a group: colour alone never carries a meaning.

    Parameters
    ----------
    colour : str
        Hexadecimal colour.
    marker : str
        Marker as Matplotlib names it.
    """

    colour: str
    marker: str


def group_marks(names: Iterable[str]) -> dict[str, GroupMark]:
    """Give each group its colour and marker, by its place.

    Parameters
    ----------
    names : iterable of str
        Groups in their order.

    Returns
    -------
    dict
        A look a group.

    Examples
    --------
    >>> group_marks(["unstimulated", "OVA"])["OVA"]
    GroupMark(colour='#0072B2', marker='s')
    """
    ordered = list(names)
    colours = class_colours(ordered)
    return {
        name: GroupMark(colours[name], _MARKERS[i % len(_MARKERS)])
        for i, name in enumerate(ordered)
    }


def spread_dots(
    values: Sequence[float] | NDArray[np.float64], width: float, seed: int
) -> NDArray[np.float64]:
    """Return sideways shifts that part dots of one column; the same seed gives the same picture.

    Parameters
    ----------
    values : sequence of float
        Dots of the column.
    width : float
        Widest shift.
    seed : int
        Of the shifts.

    Returns
    -------
    ndarray of float64
        A shift a dot, evenly spread over -width to width in random order.

    Examples
    --------
    >>> sorted(spread_dots([5.0, 5.0, 5.0], 0.2, seed=0).round(3).tolist())
    [-0.2, 0.0, 0.2]
    """
    n = len(values)
    places = np.linspace(-width, width, n) if n > 1 else np.zeros(n)
    return np.random.default_rng(seed).permutation(places)


def draw_dots(
    axes: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    mark: GroupMark,
    label: str = "_",
    size: float = 18,
) -> None:
    """Draw wells as dots that stay apart where they meet: pale inside, a rim in full colour."""
    axes.scatter(
        x, y, s=size, marker=mark.marker, facecolor=[mark.colour + "66"], edgecolor=mark.colour,
        linewidth=0.8, label=label,
    )  # fmt: skip
