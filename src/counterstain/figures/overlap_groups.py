"""Overlap of wells by group: every well, the mean and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from counterstain.figures.overlap_marks import GroupMark, draw_dots, group_marks, spread_dots
from counterstain.figures.style import INK, PAGE_WIDTH_IN, styled
from counterstain.types import Estimate

__all__ = ["GroupPanel", "draw_overlap_groups"]

_DOTS, _MEAN = -0.1, 0.27
_MOST_CHARS = 84
"""Characters of group names that fit side by side over all panels."""


@dataclass(frozen=True, slots=True)
class GroupPanel:
    """One measure to draw.

    Parameters
    ----------
    column, label : str
        Column of the table of wells, and words for its axis.
    means : mapping of str to Estimate
        Mean of each group with its interval, where there is one.
    zero : bool
        Whether 0 means something (chance) and gets a line.
    """

    column: str
    label: str
    means: Mapping[str, Estimate]
    zero: bool = False


@styled
def draw_overlap_groups(
    wells: pd.DataFrame, groups: Sequence[str], panels: Sequence[GroupPanel], seed: int = 0
) -> Figure:
    r"""Draw the wells of each group side by side, a panel a measure.

    Parameters
    ----------
    wells : DataFrame
        A row a well: `group` and the column of each panel; wells without a value are left out.
    groups : sequence of str
        Groups from left to right.
    panels : sequence of GroupPanel
        One to three measures.
    seed : int
        Of the sideways spread of dots, which means nothing.

    Returns
    -------
    Figure
        Dots are wells, black bars beside them the mean and its 95 % interval.

    Examples
    --------
    >>> wells = pd.DataFrame({"group": ["a", "a", "b"], "iou": [0.1, 0.2, 0.4]})
    >>> panel = GroupPanel("iou", "IoU", {"a": Estimate(0.15, 0.1, 0.2)})
    >>> figure = draw_overlap_groups(wells, ["a", "b"], [panel])
    >>> [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    ['a\n2 wells', 'b\n1 well']
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, 3.3), layout="constrained")
    marks = group_marks(groups)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        if panel.zero:
            axes.axhline(0, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=0)
        counts = []
        for place, name in enumerate(groups):
            values = wells.loc[wells["group"] == name, panel.column].dropna().to_numpy(float)
            shifts = spread_dots(values, min(0.24, 0.03 * len(values)), seed + place)
            draw_dots(axes, place + _DOTS + shifts, values, marks[name])
            _mean(axes, place + _MEAN, panel.means.get(name), marks[name])
            counts.append(f"{len(values)} well{'s' if len(values) != 1 else ''}")
        labels = [f"{name}\n{count}" for name, count in zip(groups, counts, strict=True)]
        axes.set_xticks(range(len(groups)), labels=labels)
        if sum(max(len(name), 8) for name in groups) * len(panels) > _MOST_CHARS:
            for label in axes.get_xticklabels():
                label.set(rotation=40, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.55, len(groups) - 0.45)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel(f"{panel.label} (a dot is a well)")
        axes.margins(y=0.08)
    return figure


def _mean(axes: Axes, x: float, mean: Estimate | None, mark: GroupMark) -> None:
    if mean is None or not mean.is_defined:
        return
    if np.isfinite([mean.low, mean.high]).all():
        reach = [[mean.value - mean.low], [mean.high - mean.value]]
        axes.errorbar([x], [mean.value], yerr=reach, ecolor=INK, elinewidth=1.5, capsize=4, ls="")
    axes.plot([x], [mean.value], mark.marker, ms=3.5, color=INK)
