"""Interaction, yes or no: how a threshold parts the controls, and what it calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from counterstain.figures.overlap_marks import group_marks
from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, SOFT, styled

__all__ = ["CallCurves", "draw_interaction_calls"]

_LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


@dataclass(frozen=True, slots=True)
class CallCurves:
    """What thresholds do.

    Parameters
    ----------
    threshold : float
        The chosen one.
    false_positive, true_positive, steps : sequence of float
        The ROC curve of the controls, and the threshold of each of its points, falling; empty where
        there are no controls.
    auc : str
        Area under it, in words.
    tried : sequence of float
        Thresholds, rising.
    called : mapping of str to sequence of float
        Share of each group's wells that is called at each of `tried`.
    """

    threshold: float
    false_positive: Sequence[float]
    true_positive: Sequence[float]
    steps: Sequence[float]
    auc: str
    tried: Sequence[float]
    called: Mapping[str, Sequence[float]]


@styled
def draw_interaction_calls(
    curves: CallCurves, groups: Sequence[str], ends: tuple[str, str], label: str
) -> Figure:
    """Draw the ROC curve of the controls, and the share of wells called along the threshold.

    Parameters
    ----------
    curves : CallCurves
        What to draw.
    groups : sequence of str
        Groups in their order.
    ends : (str, str)
        Names of the controls without and with interaction.
    label : str
        What the threshold is laid on.

    Returns
    -------
    Figure
        The ROC curve on the left, where there are controls; calls on the right.

    Examples
    --------
    >>> curves = CallCurves(0.2, [0, 0, 1], [0, 1, 1], [np.inf, 0.3, 0.1], "AUC 1.00",
    ...                     [0.0, 0.2, 0.4], {"a": [1.0, 0.5, 0.0]})
    >>> figure = draw_interaction_calls(curves, ["a"], ("none", "some"), "IoU of the well")
    >>> figure.axes[1].get_xlabel()
    'threshold: IoU of the well'
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, 3.0), layout="constrained")
    if len(curves.steps):
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.45])
        _roc(left, curves, ends)
    else:
        right = figure.subplots()
    _calls(right, curves, groups, label)
    return figure


def _roc(axes: Axes, curves: CallCurves, ends: tuple[str, str]) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=(0, (4, 3)))
    axes.plot(curves.false_positive, curves.true_positive, color=INK, lw=1.6, clip_on=False)
    steps = np.asarray(curves.steps, np.float64)
    chosen = int(np.flatnonzero(steps >= curves.threshold)[-1])
    axes.plot(
        [curves.false_positive[chosen]], [curves.true_positive[chosen]], "o", ms=8, mfc="white",
        mec=INK, mew=1.8, clip_on=False, zorder=3,
    )  # fmt: skip
    axes.text(
        0.97, 0.05, f"{curves.auc}\n○ threshold {curves.threshold:.3g}", ha="right", va="bottom",
        transform=axes.transAxes, color=SOFT, size=8,
    )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set_title("Controls", pad=9)
    for axis, name in ((axes.xaxis, ends[0]), (axes.yaxis, ends[1])):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.set_label_text(f"{name} wells called")


def _calls(axes: Axes, curves: CallCurves, groups: Sequence[str], label: str) -> None:
    marks = group_marks(groups)
    every = max(1, len(curves.tried) // 8)
    for i, name in enumerate(groups):
        if name in curves.called:
            axes.plot(
                curves.tried, curves.called[name], color=marks[name].colour, lw=1.5,
                ls=_LINES[i % len(_LINES)], marker=marks[name].marker, ms=4.5,
                markevery=(i % every, every), label=name, clip_on=False,
            )  # fmt: skip
    axes.axvline(curves.threshold, color=INK, lw=1.1, zorder=0)
    axes.annotate(
        f"{curves.threshold:.3g}", (curves.threshold, 1.0), xycoords=("data", "axes fraction"),
        xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", size=8,
    )  # fmt: skip
    axes.set_ylim(0, 1)
    if len(curves.tried):
        axes.set_xlim(0, max(max(curves.tried), curves.threshold) * 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(f"threshold: {label}")
    axes.set_ylabel("wells called interacting")
    axes.legend(loc="upper right", handlelength=2.8)
