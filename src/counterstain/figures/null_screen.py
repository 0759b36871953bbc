"""What the machinery claims where there is nothing, beside what it claims of the real classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from counterstain.errors import InvalidInputError
from counterstain.figures.style import GREY, INK, PAGE_WIDTH_IN, styled

__all__ = ["draw_null_screen"]

_NULL = "#A6358B"


@styled
def draw_null_screen(claims: pd.DataFrame) -> Figure:
    """Draw each kind of claim on the null screen (hollow) and on the real classes (filled).

    Parameters
    ----------
    claims : DataFrame
        `claim`, then `null` and `real`, each with `_low` and `_high`, shares or AUC from 0 to 1;
        NaN where there is none. `expected` is what there should be on the null screen.

    Returns
    -------
    Figure
        A row a claim.

    Raises
    ------
    InvalidInputError
        If there is no claim.

    Examples
    --------
    >>> row = {"claim": "AUC of wells", "null": 0.5, "null_low": 0.3, "null_high": 0.7,
    ...        "real": 1.0, "real_low": 0.9, "real_high": 1.0, "expected": 0.5}
    >>> len(draw_null_screen(pd.DataFrame([row])).axes)
    1
    """
    if not len(claims):
        raise InvalidInputError("`claims` must hold at least one claim; got none.")
    figure = Figure(figsize=(PAGE_WIDTH_IN, 0.95 + 0.36 * len(claims)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(claims))
    expected = claims["expected"].to_numpy(float)
    axes.plot(expected, places, "|", color=GREY, ms=17, mew=1.4)
    for kind, shift, colour, face in (("null", 0.14, _NULL, "white"), ("real", -0.14, INK, INK)):
        low, high = (claims[f"{kind}_{end}"].to_numpy(float) for end in ("low", "high"))
        held = np.isfinite(low) & np.isfinite(high)
        axes.hlines(places[held] + shift, low[held], high[held], color=colour, lw=1.5)
        axes.plot(claims[kind].to_numpy(float), places + shift, "D" if kind == "null" else "o",
                  color=colour, mfc=face, ms=5)  # fmt: skip
    axes.set_yticks(places, labels=[str(name) for name in claims["claim"]])
    axes.set_ylim(len(claims) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("share, or AUC (0 to 1)")
    axes.tick_params(axis="y", length=0)
    handles = [
        Line2D([], [], color=INK, marker="o", lw=1.5, ms=5, label="real classes"),
        Line2D([], [], color=_NULL, marker="D", mfc="white", lw=1.5, ms=5, label="null screen"),
        Line2D([], [], color=GREY, marker="|", ls="none", ms=11, mew=1.4,
               label="expected of nothing"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper left", ncol=3)
    return figure
