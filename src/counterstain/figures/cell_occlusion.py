"""What happens to a call when one compartment of a cell is removed in one channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.figures.style import INK, PAGE_WIDTH_IN, class_colours, styled
from counterstain.figures.tiles import shorten

__all__ = ["MOST_SERIES", "draw_cell_occlusion"]

MOST_SERIES = 4
"""Classes beside each other in a row that stay legible."""
_MARKERS = "oDs^"
_COLUMNS = ("called", "region", "channel", "drop", "drop_low", "drop_high", "flips", "flips_low",
            "flips_high")  # fmt: skip


@styled
def draw_cell_occlusion(summary: pd.DataFrame, class_names: Sequence[str]) -> Figure:
    """Draw, for each region and channel, the drop of the log-odds and the share of calls that flip.

    Parameters
    ----------
    summary : DataFrame
        A row per class called, region and channel: `called`, `region`, `channel` ("all" for all at
        once), `drop` and `flips` (share, 0 to 1), each with `_low` and `_high` by well. Rows are
        drawn in their order; NaN is left out. `called` may be "all classes".
    class_names : sequence of str
        All classes, for their colours.

    Returns
    -------
    Figure
        Two panels: drops on the left, flips on the right; a marker and a colour a class.

    Raises
    ------
    InvalidInputError
        If there is no row, or there are more than four classes to a row.

    Examples
    --------
    >>> row = {"called": "sick", "region": "nucleus", "channel": "DNA", "drop": 1.0,
    ...        "drop_low": 0.8, "drop_high": 1.2, "flips": 0.3, "flips_low": 0.2,
    ...        "flips_high": 0.4}
    >>> figure = draw_cell_occlusion(pd.DataFrame([row]), ["sick", "well"])
    >>> figure.axes[0].get_yticklabels()[0].get_text()
    'nucleus · DNA'
    """
    series = list(dict.fromkeys(summary["called"].astype(str))) if len(summary) else []
    if not 1 <= len(series) <= MOST_SERIES:
        raise InvalidInputError(
            f"`summary` must hold rows of one to {MOST_SERIES} classes; got {len(series)}: pool "
            "them as “all classes”."
        )
    places = list(dict.fromkeys(zip(summary["region"], summary["channel"], strict=True)))
    row_in = 0.17 + 0.075 * len(series)
    figure = Figure(figsize=(PAGE_WIDTH_IN, 1.05 + row_in * len(places)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.1})
    known = class_colours(class_names)
    for number, name in enumerate(series):
        rows = summary[summary["called"] == name]
        shift = 0.56 * ((number + 0.5) / len(series) - 0.5)
        style = {
            "color": known.get(name, INK),
            "marker": _MARKERS[number],
            "label": f"called {name}" if name in known else name,
        }
        where = [places.index(key) for key in zip(rows["region"], rows["channel"], strict=True)]
        for axes, column in ((left, "drop"), (right, "flips")):
            _dots(axes, rows, column, np.array(where) + shift, style)
    _rows(left, right, places)
    left.set_xlabel("drop of the call’s log-odds")
    right.set_xlabel("share of calls that flip")
    right.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set_xticks(np.linspace(0, 1, 5))
    right.set_xlim(-0.03, 1.03)
    left.locator_params(axis="x", nbins=5)
    # Ticks beyond the limits are not drawn, but would still take room beside the next panel.
    low, high = left.get_xlim()
    left.set_xticks([tick for tick in left.get_xticks() if low <= tick <= high])
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncol=len(series))
    return figure


def _dots(
    axes: Axes, rows: pd.DataFrame, column: str, places: NDArray[np.float64], style: dict[str, Any]
) -> None:
    value = rows[column].to_numpy(float)
    low, high = (rows[f"{column}_{end}"].to_numpy(float) for end in ("low", "high"))
    held = np.isfinite(low) & np.isfinite(high)
    axes.hlines(places[held], low[held], high[held], color=style["color"], lw=1.4)
    axes.plot(value, places, ls="none", ms=4.4, mew=0, **style)


def _rows(left: Axes, right: Axes, places: Sequence[tuple[str, str]]) -> None:
    labels = [
        f"{region} · {'all channels' if channel == 'all' else shorten(str(channel), 18)}"
        for region, channel in places
    ]
    regions = list(dict.fromkeys(region for region, _ in places))
    for axes in (left, right):
        axes.axvline(0, color="#9aa5b1", lw=0.8, zorder=0)
        for place, (region, _) in enumerate(places):
            if regions.index(region) % 2:
                axes.axhspan(place - 0.5, place + 0.5, color="#f3f5f7", lw=0, zorder=-1)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    left.set_yticks(range(len(places)), labels=labels)
    left.set_ylim(len(places) - 0.5, -0.5)
