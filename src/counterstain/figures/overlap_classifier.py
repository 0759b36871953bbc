"""How a classifier of patches learns, and how much worse it is on wells it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, SOFT, styled

__all__ = ["ClassifierPanel", "draw_classifier_accuracy"]

_PARTS = (
    ("train", "#b8c2cc", ""),
    ("validation", "#6b7783", ""),
    ("test", "#0072B2", "///"),
)


@dataclass(frozen=True, slots=True)
class ClassifierPanel:
    """One classifier.

    Parameters
    ----------
    title : str
        Which images it sees.
    accuracy : mapping of str to mapping of str to float
        What is called (e.g. "patches") to the share that is right in `train`, `validation`, `test`.
    chance : float
        Share that is right by always calling the commonest class; NaN where unknown.
    curves : mapping of str to (sequence, sequence)
        Name ("train", "validation") to steps and accuracies of the chosen one.
    step : float
        The step that was kept.
    """

    title: str
    accuracy: Mapping[str, Mapping[str, float]]
    chance: float
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    step: float


@styled
def draw_classifier_accuracy(panels: Sequence[ClassifierPanel]) -> Figure:
    """Draw accuracy of training, validation and test wells side by side, and the curves.

    Parameters
    ----------
    panels : sequence of ClassifierPanel
        A row each.

    Returns
    -------
    Figure
        Bars with the gap (train − test) in points above them; on the right, accuracy by step.

    Examples
    --------
    >>> accuracy = {"patches": {"train": 0.95, "validation": 0.93, "test": 0.92}}
    >>> curves = {"train": ([1, 2], [0.5, 0.95]), "validation": ([1, 2], [0.5, 0.93])}
    >>> figure = draw_classifier_accuracy([ClassifierPanel("plain", accuracy, 0.5, curves, 2)])
    >>> [text.get_text() for text in figure.axes[0].texts][-1]
    'gap +3.0 points'
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, 2.6 * len(panels) + 0.3), layout="constrained")
    rows = figure.subplots(len(panels), 2, squeeze=False, width_ratios=[1.5, 1], sharey=True)
    for (left, right), panel in zip(rows, panels, strict=True):
        _bars(left, panel)
        _curves(right, panel)
        left.set_title(f"{panel.title}: called right")
        right.set_title("While it learns")
        left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        left.set_ylim(0, 1.18)
        left.set_yticks(np.linspace(0, 1, 6))
        right.tick_params(labelleft=True)
    handles, labels = rows[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncol=4, handlelength=1.3)
    return figure


def _bars(axes: Axes, panel: ClassifierPanel) -> None:
    for place, (name, shares) in enumerate(panel.accuracy.items()):
        for k, (part, colour, hatch) in enumerate(_PARTS):
            share, x = float(shares.get(part, np.nan)), place + 0.27 * (k - 1)
            axes.bar(
                x, share, width=0.25, color=colour, hatch=hatch, edgecolor="white", linewidth=0,
                label=f"{part} wells" if place == 0 else "_",
            )  # fmt: skip
            if np.isfinite(share):
                axes.text(x, share + 0.012, f"{100 * share:.1f}", ha="center", size=7.5)
        gap = 100 * (float(shares.get("train", np.nan)) - float(shares.get("test", np.nan)))
        if np.isfinite(gap):
            words = f"gap {gap:+.1f} points".replace("-", "\N{MINUS SIGN}")
            axes.text(place, 1.105, words, ha="center", size=8, weight="bold")
        del name
    if np.isfinite(panel.chance):
        axes.axhline(panel.chance, color=INK, lw=0.9, ls=(0, (4, 3)), label="commonest class")
    axes.set_xticks(range(len(panel.accuracy)), labels=list(panel.accuracy))
    axes.tick_params(axis="x", length=0)


def _curves(axes: Axes, panel: ClassifierPanel) -> None:
    looks = {"train": (GREY, "-"), "validation": (INK, (0, (5, 1.5)))}
    for name, (steps, values) in panel.curves.items():
        colour, dashes = looks.get(name, (INK, "-"))
        axes.plot(steps, values, color=colour, ls=dashes, lw=1.6, label=name)
    if np.isfinite(panel.step):
        axes.axvline(panel.step, color=SOFT, lw=0.9, ls=(0, (1.5, 1.5)))
        backing = {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none"}
        axes.text(panel.step, 1.07, "kept", ha="center", size=7.5, color=SOFT, bbox=backing)
    axes.set_xlabel("step")
    axes.legend(loc="lower right", handlelength=2.4, frameon=True, edgecolor="none", framealpha=1)
