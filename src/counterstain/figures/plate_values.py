"""The plate, well by well: rescue, side effect, number of cells, and what takes no part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from counterstain.figures.plate_map import EMPTY_WELL, number_plate
from counterstain.figures.style import INK, PAGE_WIDTH_IN, SCORE_MAP, styled
from counterstain.plates.wells import plate_shape, well_position

__all__ = ["PlateScales", "draw_plate_values", "plate_scales"]

_SIDE_MAP, _CELL_MAP = "magma_r", "YlGnBu"
_STATES = ("counted", "too few cells", "no profile", "other reason")
_STATE_COLOURS = ("#dfe4e8", "#882255", "#E69F00", "#33475b")


@dataclass(frozen=True, slots=True)
class PlateScales:
    """Ends of the colour scales, alike for all plates of a run.

    Parameters
    ----------
    side_effect, n_cells : float
        Values at the dark ends; the scale of rescue always runs from -0.5 to 1.5.
    """

    side_effect: float
    n_cells: float


def plate_scales(wells: pd.DataFrame) -> PlateScales:
    """Return scales that fit all wells: up to their 98th percentiles.

    Examples
    --------
    >>> plate_scales(pd.DataFrame({"side_effect": [1.0, 9.0], "n_cells": [0.0, 0.0]})).n_cells
    1.0
    """
    ends = []
    for name in ("side_effect", "n_cells"):
        values = wells[name].to_numpy(np.float64)
        values = values[np.isfinite(values)]
        ends.append(max(float(np.percentile(values, 98)), 1.0) if values.size else 1.0)
    return PlateScales(*ends)


@styled
def draw_plate_values(
    wells: pd.DataFrame, scales: PlateScales, ends: tuple[str, str] = ("diseased", "healthy")
) -> Figure:
    """Draw four maps of one plate: rescue, side effect, cells, and which wells are left out.

    Parameters
    ----------
    wells : DataFrame
        Wells of one plate, of 6 to 1536: `Metadata_Well`, `class_name`, `rescue`, `side_effect`,
        `n_cells` (NaN where unknown) and `mark` (why a well takes no part, or "").
    scales : PlateScales
        Ends of the colour scales.
    ends : tuple of str
        Names of the diseased and the healthy class: their wells carry a dot and a ring.

    Returns
    -------
    Figure
        Wells that have no value are grey.

    Examples
    --------
    >>> wells = pd.DataFrame({"Metadata_Well": ["A01", "A02"], "class_name": ["diseased", ""],
    ...     "rescue": [0.0, 0.9], "side_effect": [0.0, 2.0], "n_cells": [40.0, 3.0],
    ...     "mark": ["", "too few cells"]})
    >>> figure = draw_plate_values(wells, plate_scales(wells))
    >>> [axes.get_title(loc="left") for axes in figure.axes[:4]]
    ['Rescue', 'Side effect', 'Cells', 'Left out']
    """
    n_rows, n_columns = plate_shape(wells["Metadata_Well"])
    height = 2 * (PAGE_WIDTH_IN / 2 - 0.75) * n_rows / n_columns + 1.55
    figure = Figure(figsize=(PAGE_WIDTH_IN, height), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    rows, columns = np.array([well_position(str(w)) for w in wells["Metadata_Well"]]).T
    place = (rows, columns, (n_rows, n_columns))
    step = max(1, -(-n_columns // 12))
    for axes, title in zip(panels, ("Rescue", "Side effect", "Cells", "Left out"), strict=True):
        number_plate(axes, n_rows, n_columns, step=step)
        axes.tick_params(labelsize=7)
        axes.set_title(title)
    parts: tuple[tuple[str, str | Colormap, float, float, str], ...] = (
        ("rescue", SCORE_MAP, -0.5, 1.5, "0 diseased, 1 healthy"),
        ("side_effect", _SIDE_MAP, 0.0, scales.side_effect, "SDs of control wells"),
        ("n_cells", _CELL_MAP, 0.0, scales.n_cells, "cells a well"),
    )
    for axes, (name, colours, low, high, label) in zip(panels[:3], parts, strict=True):
        drawn = _fill(axes, place, wells[name].to_numpy(np.float64), colours, (low, high))
        bar = figure.colorbar(drawn, ax=axes, shrink=0.9, aspect=22, pad=0.02)
        bar.set_label(label, size=7.5)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=2, labelsize=7)
    _mark_controls(panels[0], wells, place, ends)
    _draw_states(figure, panels[3], wells, place, ends)
    return figure


_Place = tuple[NDArray[np.int64], NDArray[np.int64], tuple[int, int]]


def _fill(
    axes: Axes,
    place: _Place,
    values: NDArray[np.float64],
    colours: str | Colormap,
    limits: tuple[float, float],
) -> ScalarMappable:
    rows, columns, shape = place
    grid, there = np.full(shape, np.nan), np.full(shape, np.nan)
    grid[rows, columns], there[rows, columns] = values, 1.0
    # One mesh a map: 1536 wells as patches of their own take half a minute.
    across, down = np.arange(shape[1] + 1) - 0.5, np.arange(shape[0] + 1) - 0.5
    look: dict[str, Any] = {"edgecolors": "white", "linewidth": 0.8 if shape[1] <= 24 else 0.3}
    axes.pcolormesh(across, down, there, cmap=ListedColormap([EMPTY_WELL]), **look)
    norm = Normalize(*limits)
    return axes.pcolormesh(
        across, down, np.ma.masked_invalid(grid), cmap=colours, norm=norm, **look
    )


def _mark_controls(axes: Axes, wells: pd.DataFrame, place: _Place, ends: tuple[str, str]) -> None:
    size = 130.0 / place[2][1] ** 1.2
    for name, face in zip(ends, (INK, "white"), strict=True):
        chosen = (wells["class_name"] == name).to_numpy()
        axes.scatter(place[1][chosen], place[0][chosen], s=size, facecolor=face, edgecolor=INK,
                     linewidths=0.6)  # fmt: skip


def _draw_states(
    figure: Figure, axes: Axes, wells: pd.DataFrame, place: _Place, ends: tuple[str, str]
) -> None:
    mark = wells["mark"].astype(str)
    known = {"": 0, "too few cells": 1, "no profile": 2}
    codes = np.asarray(mark.map(known).fillna(3), np.float64)
    _fill(axes, place, codes, ListedColormap(list(_STATE_COLOURS)), (-0.5, 3.5))
    present = [i for i in range(4) if (codes == i).any()]
    handles: list[Artist] = [Patch(facecolor=_STATE_COLOURS[i], label=_STATES[i]) for i in present]
    handles += [
        axes.scatter([], [], s=22, facecolor=face, edgecolor=INK, linewidths=0.6, label=name)
        for name, face in zip(ends, (INK, "white"), strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower left", ncol=6, columnspacing=1.3,
                  handlelength=1.1, handleheight=1.1)  # fmt: skip
