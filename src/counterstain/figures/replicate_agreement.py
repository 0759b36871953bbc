"""Whether wells of one treatment say the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from counterstain.figures.overlap_marks import group_marks
from counterstain.figures.style import INK, styled

__all__ = ["draw_replicates"]

_MOST_PLATES = 8


@styled
def draw_replicates(pairs: pd.DataFrame) -> Figure:
    """Draw each well's rescue against the mean of the other wells of its treatment.

    Parameters
    ----------
    pairs : DataFrame
        `Metadata_Plate`, `rescue`, `others`.

    Returns
    -------
    Figure
        A colour and a marker a plate, for up to 8 plates; the line is perfect agreement.

    Examples
    --------
    >>> pairs = pd.DataFrame({"Metadata_Plate": ["P1", "P2"], "rescue": [0.1, 0.9],
    ...                       "others": [0.2, 0.8]})
    >>> draw_replicates(pairs).axes[0].get_ylabel()
    'rescue of the well'
    """
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.subplots()
    plates = sorted(map(str, pairs["Metadata_Plate"].unique()))
    several = 1 < len(plates) <= _MOST_PLATES
    marks = group_marks(plates if several else ["a well"])
    for name, mark in marks.items():
        rows = pairs[pairs["Metadata_Plate"].astype(str) == name] if several else pairs
        axes.plot(rows["others"], rows["rescue"], ls="", marker=mark.marker, ms=4, mfc="none",
                  mec=mark.colour, mew=1, alpha=0.9, label=name)  # fmt: skip
    both = pairs[["rescue", "others"]].to_numpy(np.float64)
    ends = [float(both.min(initial=0.0)) - 0.08, float(both.max(initial=1.0)) + 0.08]
    axes.plot(ends, ends, color=INK, lw=0.8, ls=(0, (4, 3)), zorder=0)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.set_xlabel("mean rescue of the treatment's other wells")
    axes.set_ylabel("rescue of the well")
    if several:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="plate", alignment="left")
    return figure
