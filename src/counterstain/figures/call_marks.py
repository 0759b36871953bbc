"""How calls of treatments look, and how treatments are named in figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from counterstain.figures.style import GREY
from counterstain.figures.tiles import shorten
from counterstain.statistics.calls import CALLS

__all__ = ["CALL_MARKS", "CallMark", "call_handles", "draw_calls", "treatment_names"]


@dataclass(frozen=True, slots=True)
class CallMark:
    """Look of a call: colour alone never carries a meaning.

    Parameters
    ----------
    colour, fill : str
        Colours of edge and face; not those of the classes, so that none is read in.
    marker : str
        Marker as Matplotlib names it.
    size : float
        Points.
    """

    colour: str
    fill: str
    marker: str
    size: float


CALL_MARKS = dict(
    zip(
        CALLS,
        (
            CallMark("#00734f", "#009E73", "o", 6.0),
            CallMark("#a87400", "#E69F00", "D", 5.0),
            CallMark(GREY, "#b4bdc6", "o", 4.0),
            CallMark("#882255", "#882255", "X", 6.5),
            CallMark(GREY, "white", "s", 4.5),
        ),
        strict=True,
    )
)
"""Hit, partial, inactive, toxic/off-axis, not enough wells."""


def treatment_names(treatments: pd.DataFrame, unit: str, longest: int = 26) -> list[str]:
    """Return a name for each treatment, with its dose where there is one.

    Examples
    --------
    >>> table = pd.DataFrame({"Metadata_Compound": ["C1", "C2"],
    ...                       "Metadata_Concentration": [0.316, float("nan")]})
    >>> [name.replace(chr(0xA0), " ") for name in treatment_names(table, "µM")]
    ['C1 0.316 µM', 'C2']
    """
    names = []
    for compound, dose in zip(
        treatments["Metadata_Compound"], treatments["Metadata_Concentration"], strict=True
    ):
        amount = f" {dose:.4g}\N{NO-BREAK SPACE}{unit}".rstrip() if np.isfinite(dose) else ""
        names.append(shorten(str(compound), max(longest - len(amount), 6)) + amount)
    return names


def draw_calls(
    axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], calls: Iterable[str]
) -> None:
    """Draw a mark a treatment; what matters least first, so that it hides nothing."""
    found = np.array(list(calls), dtype=object)
    for call in ("inactive", "not enough wells", "partial", "toxic/off-axis", "hit"):
        rows, mark = found == call, CALL_MARKS[call]
        axes.plot(
            x[rows], y[rows], ls="", marker=mark.marker, ms=mark.size, mfc=mark.fill,
            mec=mark.colour, mew=0.9, zorder=3,
        )  # fmt: skip


def call_handles(calls: Iterable[str]) -> list[Line2D]:
    """Return a legend's handles for the calls that occur, with how many of each."""
    found = list(calls)
    return [
        Line2D([], [], ls="", marker=mark.marker, ms=mark.size, mfc=mark.fill, mec=mark.colour,
               mew=0.9, label=f"{call} ({found.count(call)})")
        for call, mark in CALL_MARKS.items()
        if call in found
    ]  # fmt: skip
