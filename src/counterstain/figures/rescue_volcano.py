"""How large rescue is against how sure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from counterstain.figures.call_marks import call_handles, draw_calls, treatment_names
from counterstain.figures.point_labels import label_points
from counterstain.figures.style import INK, PAGE_WIDTH_IN, SOFT, styled

__all__ = ["draw_rescue_volcano"]

_MOST_NAMED = 14


@styled
def draw_rescue_volcano(
    treatments: pd.DataFrame, *, unit: str, level: float, hit_rescue: float
) -> Figure:
    """Draw rescue against its q on a logarithmic axis, the surest at the top.

    Parameters
    ----------
    treatments : DataFrame
        In the order of rank: `Metadata_Compound`, `Metadata_Concentration`, `rescue`, `q_value`,
        `call`. Rows without q (too few wells) are left out.
    unit : str
        Of the concentrations; may be empty.
    level : float
        q up to which rescue counts as shown.
    hit_rescue : float
        Rescue from which a treatment is a hit.

    Returns
    -------
    Figure
        Names stand beside at most 14 hits, partial and toxic treatments, where they fit.

    Examples
    --------
    >>> table = pd.DataFrame({"Metadata_Compound": ["C1", "C2"], "Metadata_Concentration": 1.0,
    ...     "rescue": [0.9, 0.0], "q_value": [0.001, 0.8], "call": ["hit", "inactive"]})
    >>> figure = draw_rescue_volcano(table, unit="µM", level=0.05, hit_rescue=0.5)
    >>> "C1 1" in [text.get_text()[:4] for text in figure.axes[0].texts]
    True
    """
    rows = treatments[treatments["rescue"].notna() & treatments["q_value"].notna()]
    figure = Figure(figsize=(PAGE_WIDTH_IN, 3.9), layout="constrained")
    axes = figure.subplots()
    x = rows["rescue"].to_numpy(np.float64)
    y = -np.log10(np.maximum(rows["q_value"].to_numpy(np.float64), 1e-12))
    draw_calls(axes, x, y, rows["call"])
    top = max(float(y.max(initial=0.0)), -np.log10(level)) * 1.12 + 0.1
    axes.set_ylim(-0.06 * top, top)
    axes.axhline(-np.log10(level), color=INK, lw=0.7, ls=(0, (4, 3)), zorder=0)
    axes.text(0.005, -np.log10(level), f" q = {level:g}", transform=axes.get_yaxis_transform(),
              va="bottom", size=7.5, color=SOFT)  # fmt: skip
    axes.axvline(hit_rescue, color=INK, lw=0.7, ls=(0, (4, 3)), zorder=0)
    axes.axvline(0, color="#c9d0d7", lw=0.8, zorder=0)
    axes.margins(x=0.08)
    axes.set_xlabel("rescue: 0 as diseased wells, 1 as healthy ones")
    axes.set_ylabel("−log10 q  (higher is surer)")
    if len(rows):
        figure.legend(handles=call_handles(rows["call"]), loc="outside upper left", ncol=5,
                      columnspacing=1.3, handletextpad=0.3)  # fmt: skip
        chosen = [i for i, call in enumerate(rows["call"]) if call != "inactive"]
        first = sorted(chosen, key=lambda i: rows["call"].iloc[i] == "partial")[:_MOST_NAMED]
        label_points(figure, axes, x, y, treatment_names(rows, unit, 20), first)
    return figure
