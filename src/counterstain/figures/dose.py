"""Score against dose."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from counterstain.figures.style import INK, PAGE_WIDTH_IN, styled

__all__ = ["dose_axis", "draw_dose_curves"]


@styled
def draw_dose_curves(
    wells: pd.DataFrame,
    *,
    references: Mapping[str, tuple[float, str]],
    score_label: str,
    boundary: float | None = 0.0,
) -> Figure:
    """Draw the score of every well against its dose, a panel a compound.

    Parameters
    ----------
    wells : DataFrame
        A row per well: `compound`, `dose` (0 or more), `unit`, `score`; NaN scores are left out.
        Panels follow the order in which compounds come.
    references : mapping of str to (float, str)
        Class name to its median score and colour: drawn as lines across all panels.
    score_label : str
        What the score is.
    boundary : float, optional
        Decision boundary, where there is one.

    Returns
    -------
    Figure
        Panels with one common score axis. Doses are on a logarithmic axis; dose 0 stands on its
        left, apart.

    Examples
    --------
    >>> wells = pd.DataFrame({"compound": "drug", "dose": [0.0, 1, 10, 100], "unit": "nM",
    ...                       "score": [-3.0, -2, 1, 4]})
    >>> figure = draw_dose_curves(wells, references={"healthy": (4.0, "blue")}, score_label="score")
    >>> figure.axes[0].get_title(loc="left")
    'drug'
    """
    compounds = list(dict.fromkeys(wells["compound"]))
    n_columns = min(4 if len(compounds) > 6 else 3, max(len(compounds), 1))
    n_rows = -(-len(compounds) // n_columns)
    single = len(compounds) == 1
    figure = Figure(
        figsize=(PAGE_WIDTH_IN, 3.2 if single else 1.75 * n_rows + 0.7), layout="constrained"
    )
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for panel, compound in zip(panels.flat, compounds, strict=False):
        rows = wells[(wells["compound"] == compound) & wells["score"].notna()]
        _panel(panel, rows.sort_values("dose"), references, boundary)
        panel.set_title(_short(str(compound), 40 if single else 22))
    for panel in panels.flat[len(compounds) :]:
        panel.set_visible(False)
    figure.supylabel(score_label, size=8.5)
    figure.supxlabel(
        "dose" if wells["unit"].nunique() != 1 else f"dose ({wells['unit'].iloc[0]})", size=8.5
    )
    _legend(figure, panels.flat[0], len(references))
    return figure


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _panel(
    axes: Axes,
    rows: pd.DataFrame,
    references: Mapping[str, tuple[float, str]],
    boundary: float | None,
) -> None:
    for name, (value, colour) in references.items():
        axes.axhline(value, color=colour, lw=1.2, alpha=0.75, label=f"median of {name}", zorder=0)
    if boundary is not None:
        axes.axhline(boundary, color=INK, lw=0.7, ls=(0, (4, 3)), label="boundary", zorder=0)
    dose, score = rows["dose"].to_numpy(float), rows["score"].to_numpy(float)
    place, ticks, labels = dose_axis(dose)
    axes.plot(place, score, "o", ms=4, mfc="white", mec="#33475b", mew=1, label="a well")
    means = pd.Series(score).groupby(place).mean()
    axes.plot(means.index, means, color="#33475b", lw=1.5, label="mean of a dose", zorder=1)
    axes.set_xticks(ticks, labels=labels)
    if len(place):
        axes.set_xlim(place.min() - 0.25, place.max() + 0.25)
    axes.margins(y=0.08)


def dose_axis(
    dose: NDArray[np.float64],
) -> tuple[NDArray[np.float64], list[float], list[str]]:
    """Place doses on a logarithmic axis with 0 one step left of the lowest; choose the ticks.

    Parameters
    ----------
    dose : ndarray of float, shape (n,)
        Doses, 0 or more.

    Returns
    -------
    place : ndarray of float, shape (n,)
        log10 of each dose; that of 0 lies left of the others.
    ticks : list of float
        Where ticks stand.
    labels : list of str
        What they say.

    Examples
    --------
    >>> dose_axis(np.array([1.0, 10.0, 0.0]))
    (array([ 0.,  1., -1.]), [-1.0, 0.0, 1.0], ['0', '1', '10'])
    """
    positive = np.unique(dose[dose > 0])
    if positive.size == 0:
        return np.zeros_like(dose), [0.0], ["0"]
    logs = np.log10(positive)
    gap = max(0.5, float(np.median(np.diff(logs))) if logs.size > 1 else 0.5)
    zero = float(logs[0]) - gap
    place = np.where(dose > 0, np.log10(np.where(dose > 0, dose, 1)), zero)
    decades = [float(k) for k in range(int(np.ceil(logs[0])), int(np.floor(logs[-1])) + 1)]
    if len(decades) < 2:
        decades = [float(v) for v in (logs if logs.size <= 5 else logs[:: -(-logs.size // 5)])]
    elif len(decades) > 5:
        decades = decades[:: -(-len(decades) // 5)]
    ticks, labels = list(decades), [_number(10**k) for k in decades]
    if (dose == 0).any():
        ticks, labels = [zero, *ticks], ["0", *labels]
    return place, ticks, labels


def _number(dose: float) -> str:
    return f"{dose:,.0f}" if dose >= 1000 else f"{dose:.3g}"


def _legend(figure: Figure, panel: Axes, n_references: int) -> None:
    handles, labels = panel.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside upper left",
            ncol=3 + n_references,
            handlelength=1.6,
            columnspacing=1.4,
        )
