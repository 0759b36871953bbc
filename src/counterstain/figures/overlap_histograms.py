"""Histograms of overlap over one another, with what is no overlap counted apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from counterstain.figures.overlap_marks import group_marks
from counterstain.figures.style import PAGE_WIDTH_IN, SOFT, styled

__all__ = ["bins_for", "common_edges", "draw_patch_histograms", "overlay_steps"]

_LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
_STATES = (("contact", "#33475b", ""), ("no contact", "#b8c2cc", ""), ("faulty", "#ffffff", "////"))
_MOST_BINS = 30


def common_edges(
    samples: Sequence[NDArray[np.float64]], bins: int = _MOST_BINS
) -> NDArray[np.float64]:
    """Return bins from 0 to the 99.5th percentile of all values; the last bin takes the rest.

    Parameters
    ----------
    samples : sequence of ndarray of float
        Values; NaN is left out.
    bins : int
        Their number.

    Returns
    -------
    ndarray of float64, shape (bins + 1,)
        Edges; from the lowest value on where some are below 0.

    Examples
    --------
    >>> common_edges([np.array([0.0, 1.0])], bins=2).round(2).tolist()
    [0.0, 0.5, 1.0]
    """
    values = np.concatenate([np.asarray(s, np.float64).ravel() for s in samples] or [np.zeros(1)])
    values = values[np.isfinite(values)]
    if not values.size:
        return np.linspace(0.0, 1.0, bins + 1)
    low, high = np.percentile(values, [0.5, 99.5])
    low = min(0.0, float(low))
    return np.linspace(low, max(float(high), low + 1e-6), bins + 1)


def bins_for(n_values: int) -> int:
    """Return how many bins so many values fill.

    Examples
    --------
    >>> bins_for(40), bins_for(5000)
    (12, 30)
    """
    return 12 if n_values < 150 else 20 if n_values < 1000 else _MOST_BINS


def overlay_steps(
    axes: Axes, samples: Mapping[str, tuple[NDArray[np.float64], str]], unit: str
) -> None:
    """Draw histograms over each other; lines differ in colour and in dashes.

    Parameters
    ----------
    axes : Axes
        Where.
    samples : mapping of str to (ndarray of float, str)
        Label to its values (NaN is left out) and colour.
    unit : str
        What is counted, e.g. "patches".
    """
    total = sum(len(values) for values, _ in samples.values())
    edges = common_edges([values for values, _ in samples.values()], bins_for(total))
    for i, (label, (values, colour)) in enumerate(samples.items()):
        values = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
        shares = np.histogram(values, edges)[0] / max(values.size, 1)
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.22, lw=0)
        axes.stairs(
            shares, edges, color=colour, lw=1.5, ls=_LINES[i % len(_LINES)],
            label=f"{label}  ({values.size:,} {unit})",
        )  # fmt: skip
    axes.set_ylabel(f"share of the {unit}")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], min_n_ticks=2))
    axes.set_xlim(edges[0], edges[-1])


@styled
def draw_patch_histograms(
    patches: pd.DataFrame, fields: pd.DataFrame, groups: Sequence[str], label: str
) -> Figure:
    """Draw the overlap of patches by group, what is no overlap apart, and sums of images.

    Parameters
    ----------
    patches : DataFrame
        A row a patch: `group`, `state` (contact, no contact, or what is faulty), `iou`.
    fields : DataFrame
        A row a field: `group`, `patch_iou_sum`; NaN where the field is faulty.
    groups : sequence of str
        Groups in their order.
    label : str
        Words for the overlap of a patch.

    Returns
    -------
    Figure
        Above, patches in contact only: the others are 0, by measurement or by definition, and are
        counted below on the left. Below on the right, the sum of all patches of an image.

    Examples
    --------
    >>> patches = pd.DataFrame({"group": "a", "state": ["contact", "empty"], "iou": [0.2, 0.0]})
    >>> fields = pd.DataFrame({"group": ["a"], "patch_iou_sum": [0.2]})
    >>> figure = draw_patch_histograms(patches, fields, ["a"], "IoU of a patch")
    >>> figure.axes[0].get_legend().get_texts()[0].get_text()
    'a  (1 patches)'
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, 4.9), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=[1.15, 1])
    marks = group_marks(groups)
    touching = patches[patches["state"] == "contact"]
    axes = figure.add_subplot(grid[0])
    samples = {n: (_of(touching, n, "iou"), marks[n].colour) for n in groups}
    overlay_steps(axes, samples, "patches")
    axes.set_title("Patches in contact")
    axes.set_xlabel(label)
    axes.legend(loc="upper right", handlelength=2.6)
    left, right = grid[1].subgridspec(1, 2).subplots(squeeze=False)[0]
    _states(left, patches, groups)
    sums = {n: (_of(fields, n, "patch_iou_sum"), marks[n].colour) for n in groups}
    overlay_steps(right, sums, "images")
    right.set_title("Sum over the patches of an image")
    right.set_xlabel("sum of the patches' IoU")
    return figure


def _of(table: pd.DataFrame, group: str, column: str) -> NDArray[np.float64]:
    return table.loc[table["group"] == group, column].dropna().to_numpy(np.float64)


def _states(axes: Axes, patches: pd.DataFrame, groups: Sequence[str]) -> None:
    known = [name for name, _, _ in _STATES]
    state = patches["state"].where(patches["state"].isin(known), "faulty")
    for row, group in enumerate(groups):
        own = state[patches["group"] == group]
        shares = own.value_counts(normalize=True)
        start = 0.0
        for name, colour, hatch in _STATES:
            share = float(shares.get(name, 0.0))
            axes.barh(
                row, share, left=start, height=0.62, color=colour, edgecolor="#52606d",
                linewidth=0.6, hatch=hatch, label=name if row == 0 else "_",
            )  # fmt: skip
            _print_share(axes, row, start, share, name)
            start += share
    axes.set_yticks(range(len(groups)), labels=list(groups))
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.tick_params(axis="y", length=0)
    axes.set_title("All patches")
    axes.set_xlabel("share of the patches")
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.45, -0.27), ncol=3, handlelength=1.2,
        columnspacing=1.2, borderpad=0,
    )  # fmt: skip


def _print_share(axes: Axes, row: int, start: float, share: float, name: str) -> None:
    if share < 0.11:
        return
    ink = {"contact": "white", "no contact": "#1d2733"}.get(name, SOFT)
    backing = {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none"}
    axes.text(
        start + share / 2, row, f"{100 * share:.0f} %", ha="center", va="center_baseline", size=7.5,
        color=ink, bbox=backing if name == "faulty" else None,
    )  # fmt: skip
