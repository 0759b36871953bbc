"""The plate, well by well, coloured by the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch

from counterstain.figures.style import (
    GREY,
    INK,
    PAGE_WIDTH_IN,
    SCORE_MAP,
    class_colours,
    class_letters,
    ink_on,
    styled,
)
from counterstain.plates.wells import plate_shape, row_name, well_position

__all__ = [
    "EMPTY_WELL",
    "draw_plate_map",
    "draw_well",
    "frame_plate",
    "mark_well",
    "number_plate",
    "score_limit",
]

EMPTY_WELL = "#eef0f2"
"""Colour of a well that has no value."""
_RGBA = tuple[float, float, float, float]


def score_limit(logits: pd.Series) -> float:
    """Return the end of a symmetric colour scale for well scores.

    Parameters
    ----------
    logits : Series of float
        Mean scores of wells; NaN where there is none.

    Returns
    -------
    float
        The 98th percentile of their size, at least 1; 1 where no well has a score.

    Examples
    --------
    >>> score_limit(pd.Series([-4.0, 4.0, float("nan")]))
    4.0
    """
    sizes = logits.astype(float).abs().dropna()
    return max(1.0, round(float(np.percentile(sizes, 98)), 1)) if len(sizes) else 1.0


@styled
def draw_plate_map(
    wells: pd.DataFrame, class_names: Sequence[str], limit: float | None = None
) -> Figure:
    """Draw the wells of one plate.

    Two classes: colour is the mean score (log-odds of class 1 against class 0). More: colour is the
    called class, the paler the less sure. A letter marks the class that the plate map gives; wells
    without an image are hatched, wells without a score are crossed.

    Parameters
    ----------
    wells : DataFrame
        Wells of one plate: `Metadata_Well`, `class_name`, `n_fields`, and `logit`, or `predicted`
        and a `prob_{class}` each class.
    class_names : sequence of str
        Classes in their order.
    limit : float, optional
        Score at the ends of the colour scale; give the same to all plates of a run.

    Returns
    -------
    Figure
        The figure, 7.2 inches wide.

    Examples
    --------
    >>> wells = pd.DataFrame({"Metadata_Well": ["A01", "A02"], "class_name": ["sick", "well"],
    ...                       "n_fields": [2, 0], "logit": [-3.0, float("nan")]})
    >>> figure = draw_plate_map(wells, ["sick", "well"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['S', 'W']
    """
    names = list(class_names)
    n_rows, n_columns = plate_shape(wells["Metadata_Well"])
    two = len(names) == 2
    end = score_limit(wells["logit"]) if two and limit is None else (limit or 1.0)
    pitch = (PAGE_WIDTH_IN - (1.3 if two else 0.5)) / n_columns
    height = pitch * n_rows + (0.9 if len(names) <= 6 else 1.3)
    figure = Figure(figsize=(PAGE_WIDTH_IN, max(height, 1.8)), layout="constrained")
    axes = figure.add_subplot()
    frame_plate(axes, n_rows, n_columns)
    letters, size = class_letters(names), float(np.clip(pitch * 72 * 0.42, 5, 10))
    for record in wells.to_dict("records"):
        row, column = well_position(str(record["Metadata_Well"]))
        colour = _colour({str(k): v for k, v in record.items()}, names, end)
        hatch = "//////" if not record["n_fields"] else None
        draw_well(axes, row, column, colour, hatch)
        mark_well(axes, (row, column), letters.get(str(record["class_name"])), colour, hatch, size)
    if two:
        _score_bar(figure, axes, names, end)
    _legend(figure, wells, names, letters)
    return figure


def frame_plate(axes: Axes, n_rows: int, n_columns: int) -> None:
    """Draw the empty places of a plate, rows lettered and columns numbered."""
    number_plate(axes, n_rows, n_columns, step=2 if n_columns > 24 else 1)
    axes.tick_params(labelsize=8 if n_columns <= 12 else 7)
    for row in range(n_rows):
        for column in range(n_columns):
            axes.add_patch(_box(row, column, facecolor="none", edgecolor="#e1e5e9", lw=0.6))


def number_plate(axes: Axes, n_rows: int, n_columns: int, *, step: int) -> None:
    """Letter the rows and number the columns of a plate, every `step`-th of them."""
    axes.set_xlim(-0.6, n_columns - 0.4)
    axes.set_ylim(n_rows - 0.4, -0.6)
    axes.set_aspect("equal")
    columns, rows = range(0, n_columns, step), range(0, n_rows, step)
    axes.set_xticks(columns, labels=[str(i + 1) for i in columns])
    axes.set_yticks(rows, labels=[row_name(i) for i in rows])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _box(row: int, column: int, **look: object) -> FancyBboxPatch:
    shape = "round,pad=0,rounding_size=0.16"
    return FancyBboxPatch((column - 0.45, row - 0.45), 0.9, 0.9, boxstyle=shape, **look)  # type: ignore[arg-type]


def _colour(record: dict[str, Any], names: list[str], end: float) -> _RGBA | None:
    """Return the fill of a well; None where it has no score."""
    if len(names) == 2:
        logit = float(record["logit"])
        return None if np.isnan(logit) else SCORE_MAP(0.5 + 0.5 * np.clip(logit / end, -1, 1))
    called = str(record.get("predicted", ""))
    if called not in names:
        return None
    probability = float(record.get(f"prob_{called}", np.nan))
    if np.isnan(probability):
        return None
    floor = 1 / len(names)
    sure = 0.25 + 0.75 * float(np.clip((probability - floor) / (1 - floor), 0, 1))
    red, green, blue = (1 - sure * (1 - c) for c in to_rgb(class_colours(names)[called]))
    return red, green, blue, 1.0


def draw_well(axes: Axes, row: int, column: int, colour: _RGBA | None, hatch: str | None) -> None:
    """Fill a well with a colour (grey where it has none) and a hatch."""
    look = {"facecolor": colour or EMPTY_WELL, "edgecolor": "#b3bcc5", "lw": 0.6, "hatch": hatch}
    axes.add_patch(_box(row, column, **look))


def mark_well(
    axes: Axes,
    place: tuple[int, int],
    letter: str | None,
    colour: _RGBA | None,
    hatch: str | None,
    size: float,
) -> None:
    """Write a letter on a well; cross a well that has neither a colour nor a hatch."""
    row, column = place
    if colour is None and hatch is None:
        line = np.array([-0.26, 0.26])
        for sign in (1, -1):
            axes.plot(column + line, row + sign * line, color="#a3adb7", lw=0.9)
    if letter is None:
        return
    backing = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"}
    axes.text(
        column,
        row,
        letter,
        ha="center",
        va="center_baseline",
        size=size,
        weight="bold",
        color=ink_on(colour) if colour else INK,
        bbox=None if colour else backing,
    )


def _score_bar(figure: Figure, axes: Axes, names: list[str], end: float) -> None:
    mappable = ScalarMappable(Normalize(-end, end), SCORE_MAP)
    bar = figure.colorbar(mappable, ax=axes, extend="both", shrink=0.86, aspect=26, pad=0.02)
    bar.set_label(f"mean score of the well (log-odds)\n{names[0]}  ←   →  {names[1]}")
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)


def _legend(figure: Figure, wells: pd.DataFrame, names: list[str], letters: dict[str, str]) -> None:
    colours, handles, labels = class_colours(names), [], []
    for name in names:
        handles.append(Patch(facecolor=colours[name], edgecolor="none"))
        labels.append(f"{letters[name]}  {name}")
    if (wells["n_fields"] == 0).any():
        handles.append(Patch(facecolor=EMPTY_WELL, edgecolor="#b3bcc5", hatch="//////"))
        labels.append("no image")
    score = "logit" if len(names) == 2 else f"prob_{names[0]}"
    if (wells[score].isna() & (wells["n_fields"] > 0)).any():
        handles.append(Patch(facecolor=EMPTY_WELL, edgecolor=GREY))
        labels.append("×  imaged, no score")
    columns = min(len(handles), 4 if max(map(len, labels)) > 22 else 6)
    figure.legend(
        handles, labels, loc="outside lower left", ncol=columns, handlelength=1.1, handleheight=1.1
    )
