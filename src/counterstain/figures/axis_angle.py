"""Two ways from one class: does the second undo the first, or does it go elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from matplotlib.ticker import PercentFormatter

from counterstain.errors import InvalidInputError
from counterstain.figures.style import GREY, INK, SOFT, styled
from counterstain.types import Estimate

__all__ = ["draw_axis_angle"]

_FIRST, _SECOND = "#0072B2", "#D55E00"
_NOISE = "#c3cad1"


@styled
def draw_axis_angle(
    names: Sequence[str],
    *,
    angle: Estimate,
    noise: Estimate,
    undone: Estimate,
    elsewhere: Estimate,
) -> Figure:
    """Draw the ways from one class to two others in the plane that holds both.

    Parameters
    ----------
    names : sequence of str
        Where both ways start, where the first ends, where the second ends.
    angle : Estimate
        Between the two ways, degrees, freed of noise.
    noise : Estimate
        Angle that noise alone makes between halves of the wells, degrees.
    undone, elsewhere : Estimate
        Length of the second way along the first and across it, as shares of the first.

    Returns
    -------
    Figure
        The first way is 1 long and lies on the horizontal axis; bars at the end of the second are
        its intervals, the coloured wedge that of the angle, the grey one noise alone.

    Raises
    ------
    InvalidInputError
        If there are not three names, or the second way is undefined.

    Examples
    --------
    >>> from counterstain.types import Estimate
    >>> ends = {"undone": Estimate(0.4, 0.3, 0.5, 36), "elsewhere": Estimate(0.1, 0.0, 0.2, 36)}
    >>> angles = {"angle": Estimate(14, 2, 27, 36), "noise": Estimate(11, 6, 19, 36)}
    >>> len(draw_axis_angle(("DS", "WT", "TT"), **angles, **ends).axes)
    1
    """
    if len(names) != 3 or not (undone.is_defined and elsewhere.is_defined):
        raise InvalidInputError(
            f"`names` must be three classes with both shares known; got {list(names)}, "
            f"{undone.value} and {elsewhere.value}: compare ways that are longer than their noise."
        )
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    tip = (undone.value, elsewhere.value)
    _wedges(axes, angle, noise, max(0.35, 0.75 * math.hypot(*tip)))
    start, first, second = names
    _way(axes, (1.0, 0.0), first, _FIRST, above=False)
    _way(axes, tip, second, _SECOND, above=True)
    axes.errorbar(
        *tip, xerr=_beside(undone), yerr=_beside(elsewhere), color=_SECOND, lw=1.2, capsize=2.5,
        zorder=4,
    )  # fmt: skip
    axes.plot(0, 0, "o", color=INK, ms=5, zorder=5)
    axes.annotate(start, (0, 0), (0, -9), textcoords="offset points", ha="center", va="top")
    _frame(axes, start, first, undone, elsewhere)
    return figure


def _wedges(axes: Axes, angle: Estimate, noise: Estimate, radius: float) -> None:
    for low, high, colour, alpha, share in (
        (0.0, noise.value, _NOISE, 0.6, 0.6),
        (angle.low, angle.high, _SECOND, 0.18, 1.0),
    ):
        if math.isfinite(low) and math.isfinite(high):
            axes.add_patch(
                Wedge((0, 0), share * radius, low, high, color=colour, alpha=alpha, lw=0)
            )


def _way(axes: Axes, tip: tuple[float, float], name: str, colour: str, *, above: bool) -> None:
    axes.annotate(
        "", tip, (0, 0),
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.0, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip
    axes.annotate(
        name, tip, (6, 7 if above else -9), textcoords="offset points", color=colour,
        fontweight="bold", va="bottom" if above else "top", ha="left" if above else "center",
    )  # fmt: skip


def _beside(share: Estimate) -> list[list[float]]:
    """Return how far the ends of an interval lie from its value, 0 where there are none."""
    ends = (share.value - share.low, share.high - share.value)
    return [[max(0.0, end) if math.isfinite(end) else 0.0] for end in ends]


def _frame(axes: Axes, start: str, first: str, undone: Estimate, elsewhere: Estimate) -> None:
    right = max(v for v in (1.0, undone.value, undone.high) if math.isfinite(v))
    left = min(v for v in (0.0, undone.value, undone.low) if math.isfinite(v))
    top = max(v for v in (0.4, elsewhere.value, elsewhere.high) if math.isfinite(v))
    axes.axhline(0, color=GREY, lw=0.6, zorder=0)
    axes.set_xlim(left - 0.08, right + 0.12)
    axes.set_ylim(-0.16, top + 0.12)
    # One scale for both ways: an angle on paper is the angle that was measured.
    axes.set_aspect("equal")
    axes.set_xlabel(f"along {start} → {first} (share of that way)")
    axes.set_ylabel("across it, elsewhere")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.tick_params(colors=SOFT)
