"""What treatments do to overlap, against the control wells of the same group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from counterstain.figures.overlap_marks import GroupMark, group_marks
from counterstain.figures.style import INK, PAGE_WIDTH_IN, styled

__all__ = ["draw_overlap_treatments"]

_OFFSET = 0.2


@styled
def draw_overlap_treatments(table: pd.DataFrame, groups: Sequence[str], label: str) -> Figure:
    """Draw the difference that each treatment makes, by dose, a panel a compound.

    Parameters
    ----------
    table : DataFrame
        A row a group, compound and dose: `group`, `compound`, `dose` (NaN where unknown),
        `difference`, `low`, `high` (NaN without interval), `q`. Panels follow the order in which
        compounds come.
    groups : sequence of str
        Groups in their order.
    label : str
        What the difference is of, with the unit of the dose where there is one.

    Returns
    -------
    Figure
        Marks are filled where q is at most 0.05, hollow otherwise; bars are 95 % intervals.

    Examples
    --------
    >>> table = pd.DataFrame({"group": "OVA", "compound": "C1", "dose": [1.0, 10.0],
    ...     "difference": [0.0, -0.2], "low": [-0.1, -0.3], "high": [0.1, -0.1], "q": [0.9, 0.01]})
    >>> figure = draw_overlap_treatments(table, ["OVA"], "IoU")
    >>> [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    ['1', '10']
    """
    compounds = list(dict.fromkeys(table["compound"]))
    n_columns = min(4 if len(compounds) > 3 else 3, max(len(compounds), 1))
    n_rows = -(-len(compounds) // n_columns)
    figure = Figure(figsize=(PAGE_WIDTH_IN, 1.75 * n_rows + 0.75), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    marks = group_marks(groups)
    for panel, compound in zip(panels.flat, compounds, strict=False):
        rows = table[table["compound"] == compound]
        _panel(panel, rows, [g for g in groups if g in set(rows["group"])], marks)
        name = str(compound)
        panel.set_title(name if len(name) <= 22 else name[:21] + "…")
    for panel in panels.flat[len(compounds) :]:
        panel.set_visible(False)
    figure.supylabel(f"difference to control wells of the group\n{label}", size=8.5)
    units = set(table["unit"]) - {""} if "unit" in table else set()
    figure.supxlabel(f"dose ({units.pop()})" if len(units) == 1 else "dose", size=8.5)
    _legend(figure, [g for g in groups if g in set(table["group"])], marks)
    return figure


def _panel(
    axes: Axes, rows: pd.DataFrame, groups: Sequence[str], marks: dict[str, GroupMark]
) -> None:
    axes.axhline(0, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=0)
    doses = np.unique(rows["dose"].to_numpy(float))
    shifts = np.linspace(-_OFFSET, _OFFSET, len(groups)) if len(groups) > 1 else np.zeros(1)
    for shift, group in zip(shifts, groups, strict=True):
        own = rows[rows["group"] == group]
        place = np.array([_place(doses, d) for d in own["dose"].to_numpy(float)], float) + shift
        _marks(axes, place, own, marks[group])
    axes.set_xticks(range(len(doses)), labels=[_number(d) for d in doses])
    axes.set_xlim(-0.55, len(doses) - 0.45)


def _place(doses: NDArray[np.float64], dose: float) -> int:
    same = np.isnan(doses) if np.isnan(dose) else doses == dose
    return int(np.flatnonzero(same)[0])


def _marks(axes: Axes, place: NDArray[np.float64], rows: pd.DataFrame, mark: GroupMark) -> None:
    value, low, high = (rows[c].to_numpy(float) for c in ("difference", "low", "high"))
    known = np.isfinite(low) & np.isfinite(high)
    axes.vlines(place[known], low[known], high[known], color=mark.colour, lw=1.3)
    sure = rows["q"].to_numpy(float) <= 0.05
    for chosen, fill in ((sure, mark.colour), (~sure, "white")):
        axes.plot(
            place[chosen], value[chosen], mark.marker, ms=5, mfc=fill, mec=mark.colour, mew=1.2
        )


def _number(dose: float) -> str:
    return "–" if np.isnan(dose) else f"{dose:,.0f}" if dose >= 1000 else f"{dose:.3g}"


def _legend(figure: Figure, groups: Sequence[str], marks: dict[str, GroupMark]) -> None:
    handles = [
        Line2D([], [], marker=marks[g].marker, color=marks[g].colour, ms=5, label=g) for g in groups
    ]
    handles += [
        Line2D([], [], ls="", marker="o", mec=INK, ms=5, mfc=fill, label=words)
        for fill, words in ((INK, "q ≤ 0.05"), ("white", "q > 0.05"))
    ]
    figure.legend(handles=handles, loc="outside upper left", ncol=6, columnspacing=1.4)
