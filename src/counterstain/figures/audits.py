"""Evidence of the audits: checks with their numbers, where attribution lies, which maps to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from counterstain.errors import InvalidInputError
from counterstain.figures.attribution_record import method_words
from counterstain.figures.attribution_tiles import FAILED
from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, SOFT, styled
from counterstain.figures.tiles import shorten

__all__ = ["STATUS_MARKS", "draw_checks", "draw_inside_share", "draw_sanity_matrix"]

STATUS_MARKS: Mapping[str, tuple[str, str, str]] = {
    "green": ("✓", "#006b4f", "o"),
    "amber": ("▲", "#8a5a00", "^"),
    "red": ("✗", FAILED, "X"),
    "unknown": ("?", SOFT, "s"),
}
"""Sign, colour and marker of each status, so that none rests on colour."""
_VERDICTS = {"pass": "green", "fail": "red"}
_PALE = {"green": "#dcefe6", "amber": "#fdeccb", "red": "#f7dede", "unknown": "#e8ebee"}


def _mark(status: str) -> tuple[str, str, str]:
    return STATUS_MARKS.get(status, STATUS_MARKS["unknown"])


@styled
def draw_checks(checks: pd.DataFrame) -> Figure:
    """Draw the checks of an audit: a row each, with its interval and its status.

    Parameters
    ----------
    checks : DataFrame
        `check`, `status` ("green", "amber", "red" or "unknown"), `value`, `low`, `high`, `unit`;
        a row without a value is said in words.

    Returns
    -------
    Figure
        A panel a unit, since an axis has one unit.

    Raises
    ------
    InvalidInputError
        If there is no check.

    Examples
    --------
    >>> row = {"check": "corner tag", "status": "green", "value": 0.1, "low": 0.0, "high": 0.2,
    ...        "unit": "px"}
    >>> draw_checks(pd.DataFrame([row])).axes[0].get_xlabel()
    'px'
    """
    if not len(checks):
        raise InvalidInputError("`checks` must hold at least one check; got none.")
    units = list(dict.fromkeys(checks["unit"].astype(str)))
    groups = [checks[checks["unit"].astype(str) == unit] for unit in units]
    heights = [len(group) + 1.7 for group in groups]
    figure = Figure(figsize=(PAGE_WIDTH_IN, 0.25 * sum(heights) + 0.4), layout="constrained")
    panels = figure.subplots(len(units), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, unit, group in zip(panels, units, groups, strict=True):
        _check_panel(panel, group)
        panel.set_xlabel(unit)
    present = [name for name in STATUS_MARKS if name in set(checks["status"])]
    handles = [
        Line2D([], [], color=_mark(name)[1], marker=_mark(name)[2], ls="none", ms=6, label=name)
        for name in present
    ]
    figure.legend(handles=handles, loc="outside upper left", ncol=4)
    return figure


def _check_panel(axes: Axes, rows: pd.DataFrame) -> None:
    values = rows["value"].to_numpy(float)
    ends = rows[["low", "high"]].to_numpy(float)
    for place, status in enumerate(rows["status"].astype(str)):
        sign, colour, marker = _mark(status)
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color="#f5f7f9", lw=0, zorder=-1)
        if np.isfinite(ends[place]).all():
            axes.hlines(place, *ends[place], color=colour, lw=1.5)
        if np.isfinite(values[place]):
            axes.plot(values[place], place, marker, color=colour, ms=6)
        word = status if np.isfinite(values[place]) else f"{status}: no number"
        axes.annotate(f"{sign} {word}", (1.02, place), xycoords=("axes fraction", "data"),
                      va="center", size=7.5, color=colour, weight="bold")  # fmt: skip
    axes.set_yticks(range(len(rows)), labels=[shorten(str(name), 38) for name in rows["check"]])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.06)
    if not np.isfinite(values).any():
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


@styled
def draw_inside_share(shares: pd.DataFrame) -> Figure:
    """Draw each method's share of attribution inside cells beside the share of area they cover.

    Parameters
    ----------
    shares : DataFrame
        `method`, `value`, `low`, `high` (share of the size of the map inside cells, mean of wells)
        and `area` (share of the area), all 0 to 1; `sanity` ("pass", "fail" or "unknown").

    Returns
    -------
    Figure
        A row a method; the bar is what even maps would give.

    Raises
    ------
    InvalidInputError
        If there is no method.

    Examples
    --------
    >>> row = {"method": "occlusion", "value": 0.9, "low": 0.85, "high": 0.95, "area": 0.4,
    ...        "sanity": "pass"}
    >>> len(draw_inside_share(pd.DataFrame([row])).axes)
    1
    """
    if not len(shares):
        raise InvalidInputError("`shares` must hold at least one method; got none.")
    figure = Figure(figsize=(PAGE_WIDTH_IN, 0.95 + 0.3 * len(shares)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(shares))
    value, low, high, area = (shares[c].to_numpy(float) for c in ("value", "low", "high", "area"))
    axes.barh(places, area, height=0.62, color="#dde2e7", lw=0, label="share of the area")
    held = np.isfinite(low) & np.isfinite(high)
    axes.hlines(places[held], low[held], high[held], color=INK, lw=1.6)
    axes.plot(value, places, "o", color=INK, ms=5.5, label="share of the attribution (95 %)")
    names = []
    for place, (method, sanity) in enumerate(zip(shares["method"], shares["sanity"], strict=True)):
        names.append(method_words(str(method)))
        sign, colour, _ = _mark(_VERDICTS.get(str(sanity), "unknown"))
        words = {"pass": "passes", "fail": "fails"}.get(str(sanity), "no verdict of")
        axes.annotate(f"{sign} {words} the sanity check", (1.02, place), va="center", size=7.5,
                      xycoords=("axes fraction", "data"), color=colour)  # fmt: skip
    axes.set_yticks(places, labels=names)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_xlim(0, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("inside cells")
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncol=2)
    return figure


@styled
def draw_sanity_matrix(
    values: pd.DataFrame, statuses: pd.DataFrame, notes: Sequence[str] = ()
) -> Figure:
    """Draw which method passes which sanity check, with the number of each.

    Parameters
    ----------
    values : DataFrame
        A row a method (index), a column a check: its number; NaN where it was not made.
    statuses : DataFrame
        The same shape: "pass", "fail", "unknown", or "" for a number without a verdict of its own.
    notes : sequence of str
        Under each column's name: its limit.

    Returns
    -------
    Figure
        A cell a check: sign, number and a pale colour.

    Raises
    ------
    InvalidInputError
        If there is no method, or the shapes differ.

    Examples
    --------
    >>> values = pd.DataFrame({"cascading": [0.1]}, index=["saliency"])
    >>> statuses = pd.DataFrame({"cascading": ["pass"]}, index=["saliency"])
    >>> [t.get_text() for t in draw_sanity_matrix(values, statuses).axes[0].texts]
    ['✓ 0.10']
    """
    if values.empty or values.shape != statuses.shape:
        raise InvalidInputError(
            f"`values` and `statuses` must be alike, with a method; got {values.shape} and "
            f"{statuses.shape}: give a status for each number."
        )
    n_rows, n_columns = values.shape
    numbers = values.to_numpy(float)
    figure = Figure(figsize=(PAGE_WIDTH_IN, 0.75 + 0.32 * n_rows), layout="constrained")
    axes = figure.subplots()
    for row in range(n_rows):
        for column in range(n_columns):
            status = str(statuses.iat[row, column])
            _cell(axes, (row, column), status, float(numbers[row, column]))
    lines = [*notes] + [""] * (n_columns - len(notes))
    heads = [
        f"{name}\n{note}" if note else str(name)
        for name, note in zip(values.columns, lines, strict=True)
    ]
    axes.set_xticks(range(n_columns), labels=heads)
    axes.set_yticks(range(n_rows), labels=[method_words(str(name)) for name in values.index])
    axes.set_xlim(-0.5, n_columns - 0.5)
    axes.set_ylim(n_rows - 0.5, -0.5)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


def _cell(axes: Axes, place: tuple[int, int], status: str, number: float) -> None:
    row, column = place
    key = _VERDICTS.get(status, "unknown")
    face = _PALE[key] if status else "#f5f7f9"
    axes.add_patch(Rectangle((column - 0.48, row - 0.45), 0.96, 0.9, facecolor=face, lw=0))
    sign, colour, _ = _mark(key)
    if np.isfinite(number):
        # Rounded first: a small negative number is no "−0.00".
        text = f"{round(number, 2) + 0.0:.2f}".replace("-", "−")
    else:
        text = {"pass": "passes", "fail": "fails", "unknown": "no verdict"}.get(status, "not made")
    if status:
        text = f"{sign} {text}"
    axes.text(column, row, text, ha="center", va="center", size=8,
              weight="bold" if status == "fail" else "normal",
              color=colour if status else (INK if np.isfinite(number) else GREY))  # fmt: skip
