"""Whether maps name what counts: insertion, deletion and ROAD, against random and edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from counterstain.errors import InvalidInputError
from counterstain.figures.attribution_record import method_words
from counterstain.figures.style import INK, PAGE_WIDTH_IN, styled

__all__ = ["FAITHFULNESS_TESTS", "draw_faithfulness"]

FAITHFULNESS_TESTS: Mapping[str, str] = {
    "insertion": "insertion",
    "deletion": "deletion",
    "road": "ROAD",
}
"""Tests in the order of the panels."""
_KINDS: Mapping[str, dict[str, Any]] = {
    "method": {"color": INK, "marker": "o", "ms": 5, "label": "the method"},
    "random": {"color": "#A6358B", "marker": "x", "ms": 5, "mew": 1.4, "label": "random map"},
    "edges": {"color": "#0072B2", "marker": "s", "ms": 4.2, "mfc": "white",
              "label": "edges of the image"},
}  # fmt: skip


@styled
def draw_faithfulness(
    scores: pd.DataFrame, better: Mapping[str, str], units: Mapping[str, str] | None = None
) -> Figure:
    """Draw each method's faithfulness beside that of a random map and of an edge detector.

    Parameters
    ----------
    scores : DataFrame
        `method`, `test` ("insertion", "deletion" or "road"), `kind` ("method", "random" or
        "edges"), `value`, `low`, `high`.
    better : mapping of str to {"higher", "lower"}
        Which way each test goes.
    units : mapping of str to str, optional
        What the values of each test are.

    Returns
    -------
    Figure
        A panel a test that has a finite number, a row a method.

    Raises
    ------
    InvalidInputError
        If no number is finite.

    Examples
    --------
    >>> row = {"method": "occlusion", "test": "insertion", "kind": "method", "value": 0.8,
    ...        "low": 0.7, "high": 0.9}
    >>> figure = draw_faithfulness(pd.DataFrame([row]), {"insertion": "higher"})
    >>> figure.axes[0].get_title(loc="left").splitlines()
    ['insertion', 'higher is better →']
    """
    known = scores[np.isfinite(scores["value"].to_numpy(float))] if len(scores) else scores
    tests = [name for name in FAITHFULNESS_TESTS if len(known) and (known["test"] == name).any()]
    if not tests:
        raise InvalidInputError("`scores` must hold a finite number; got none.")
    methods = list(dict.fromkeys(scores["method"].astype(str)))
    figure = Figure(figsize=(PAGE_WIDTH_IN, 1.25 + 0.34 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(tests), squeeze=False, sharey=True)[0]
    for panel, test in zip(panels, tests, strict=True):
        rows = known[known["test"] == test]
        for kind, shift in (("edges", 0.2), ("random", 0.0), ("method", -0.2)):
            _dots(panel, rows[rows["kind"] == kind], methods, shift, _KINDS[kind])
        arrow = {"higher": "higher is better →", "lower": "← lower is better"}
        panel.set_title("\n".join(filter(None, [FAITHFULNESS_TESTS[test],
                                                arrow.get(better.get(test, ""), "")])))  # fmt: skip
        for place in range(1, len(methods), 2):
            panel.axhspan(place - 0.5, place + 0.5, color="#f5f7f9", lw=0, zorder=-1)
        panel.tick_params(axis="y", length=0)
        panel.spines["left"].set_visible(False)
        panel.locator_params(axis="x", nbins=4)
        panel.set_xlabel((units or {}).get(test, ""))
    panels[0].set_yticks(range(len(methods)), labels=[method_words(name) for name in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    handles = [Line2D([], [], ls="none", **style) for style in _KINDS.values()]
    figure.legend(handles=handles, loc="outside upper left", ncol=3)
    return figure


def _dots(
    axes: Axes, rows: pd.DataFrame, methods: list[str], shift: float, style: dict[str, Any]
) -> None:
    places = np.array([methods.index(str(name)) for name in rows["method"]], float) + shift
    low, high = rows["low"].to_numpy(float), rows["high"].to_numpy(float)
    held = np.isfinite(low) & np.isfinite(high)
    axes.hlines(places[held], low[held], high[held], color=style["color"], lw=1.2)
    axes.plot(rows["value"].to_numpy(float), places, ls="none", **style)
