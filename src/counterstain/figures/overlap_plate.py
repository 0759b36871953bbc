"""The plate, well by well, coloured by overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from counterstain.figures.plate_map import EMPTY_WELL, draw_well, frame_plate, mark_well
from counterstain.figures.style import GREY, PAGE_WIDTH_IN, class_letters, styled
from counterstain.plates.wells import plate_shape, well_position

__all__ = ["draw_overlap_plate", "overlap_limits"]

_MAP = colormaps["cividis"]


def overlap_limits(values: pd.Series) -> tuple[float, float]:
    """Return the ends of a colour scale: 0 or the lowest value, and the 99th percentile.

    Parameters
    ----------
    values : Series of float
        Overlap of wells; NaN where there is none.

    Returns
    -------
    tuple of float
        Low and high; 0 and 1 where no well has a value.

    Examples
    --------
    >>> overlap_limits(pd.Series([0.1, 0.3, float("nan")]))
    (0.0, 0.3)
    """
    known = values.dropna().astype(float)
    if not len(known):
        return 0.0, 1.0
    low, high = min(0.0, float(known.min())), float(np.percentile(known, 99, method="higher"))
    return low, max(high, low + 1e-6)


@styled
def draw_overlap_plate(
    wells: pd.DataFrame, groups: Sequence[str], limits: tuple[float, float], label: str
) -> Figure:
    """Draw the wells of one plate.

    Colour is the overlap; a letter says the group of wells in a class, a dot marks wells of which
    a field is faulty, a cross wells of which every field is; wells without an image are hatched.

    Parameters
    ----------
    wells : DataFrame
        Wells of one plate: `Metadata_Well`, `group`, `class_name`, `value`, `n_fields`,
        `n_faulty_fields`.
    groups : sequence of str
        Groups in their order.
    limits : (float, float)
        Ends of the colour scale, the same for all plates of a run.
    label : str
        What the colour means.

    Returns
    -------
    Figure
        The figure, 7.2 inches wide.

    Examples
    --------
    >>> wells = pd.DataFrame({"Metadata_Well": ["A01", "A02"], "group": ["OVA", "ConA"],
    ...     "class_name": ["OVA", "ConA"], "value": [0.2, float("nan")], "n_fields": [2, 0],
    ...     "n_faulty_fields": [0, 0]})
    >>> figure = draw_overlap_plate(wells, ["OVA", "ConA"], (0, 1), "IoU of the well")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['O', 'C']
    """
    n_rows, n_columns = plate_shape(wells["Metadata_Well"])
    pitch = (PAGE_WIDTH_IN - 1.2) / n_columns
    figure = Figure(figsize=(PAGE_WIDTH_IN, max(pitch * n_rows + 0.9, 1.8)), layout="constrained")
    axes = figure.add_subplot()
    frame_plate(axes, n_rows, n_columns)
    letters, size = class_letters(list(groups)), float(np.clip(pitch * 72 * 0.42, 5, 10))
    for record in wells.to_dict("records"):
        row, column = well_position(str(record["Metadata_Well"]))
        share = (float(record["value"]) - limits[0]) / (limits[1] - limits[0])
        colour = None if np.isnan(share) else _MAP(float(np.clip(share, 0, 1)))
        hatch = None if record["n_fields"] else "//////"
        draw_well(axes, row, column, colour, hatch)
        letter = letters.get(str(record["group"])) if record["class_name"] else None
        mark_well(axes, (row, column), letter, colour, hatch, size)
        if record["n_faulty_fields"] and colour is not None:
            _dot(axes, row, column, pitch)
    _bar(figure, axes, limits, label)
    _legend(figure, wells, groups, letters)
    return figure


def _dot(axes: Axes, row: int, column: int, pitch: float) -> None:
    size = float(np.clip(pitch * 11, 2.2, 4))
    axes.plot([column + 0.32], [row - 0.32], "o", ms=size, mfc="#D55E00", mec="white", mew=0.5)


def _bar(figure: Figure, axes: Axes, limits: tuple[float, float], label: str) -> None:
    bar = figure.colorbar(
        ScalarMappable(Normalize(*limits), _MAP), ax=axes, extend="max", shrink=0.86, aspect=26,
        pad=0.02,
    )  # fmt: skip
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)


def _legend(
    figure: Figure, wells: pd.DataFrame, groups: Sequence[str], letters: dict[str, str]
) -> None:
    handles: list[Patch | Line2D] = []
    classed = set(wells.loc[wells["class_name"] != "", "group"])
    handles += [
        Patch(fc="none", ec="none", label=f"{letters[name]} = {name}")
        for name in groups
        if name in classed
    ]
    known = wells["value"].notna()
    if ((wells["n_faulty_fields"] > 0) & known).any():
        handles.append(
            Line2D([], [], ls="", marker="o", mfc="#D55E00", mec="white", ms=4.5,
                   label="a field is faulty")
        )  # fmt: skip
    if (~known & (wells["n_fields"] > 0)).any():
        handles.append(
            Line2D([], [], ls="", marker="x", color=GREY, ms=6, label="no overlap: all faulty")
        )
    if (wells["n_fields"] == 0).any():
        handles.append(Patch(fc=EMPTY_WELL, ec="#b3bcc5", hatch="//////", label="no image"))
    if handles:
        columns = 6 if max(len(str(h.get_label())) for h in handles[: len(groups)]) < 18 else 3
        figure.legend(handles=handles, loc="outside lower left", ncol=columns, handlelength=0.9)
