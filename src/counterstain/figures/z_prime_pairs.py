"""How far every two classes lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from counterstain.errors import InvalidInputError
from counterstain.figures.style import GREY, ink_on, styled

__all__ = ["draw_z_prime_pairs"]

# Vermillion below 0 (the wells overlap), white at 0, blue from 0.5 on (an excellent assay).
_MAP = LinearSegmentedColormap.from_list(
    "counterstain.z_prime",
    [(0.0, "#D55E00"), (0.5, "#F7F6F3"), (0.75, "#6BAED6"), (1.0, "#00466E")],
)


@styled
def draw_z_prime_pairs(values: ArrayLike, class_names: Sequence[str]) -> Figure:
    """Draw Z' of every two classes.

    Parameters
    ----------
    values : array_like of float, shape (K, K)
        Z' of the wells of two classes; NaN where undefined, such as on the diagonal.
    class_names : sequence of str
        Names of the K classes.

    Returns
    -------
    Figure
        Colours end at -1; a hyphen stands where there is no number.

    Raises
    ------
    InvalidInputError
        If `values` is not K x K.

    Examples
    --------
    >>> figure = draw_z_prime_pairs([[np.nan, 0.71], [0.71, np.nan]], ["sick", "well"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['–', '0.71', '0.71', '–']
    """
    table, k = np.asarray(values, float), len(class_names)
    if table.shape != (k, k):
        raise InvalidInputError(
            f"`values` must be ({k}, {k}), a row and a column a class; got {table.shape}: pass the "
            "matrix of these classes."
        )
    side = max(1.7, (0.5 if k <= 6 else 0.36) * k)
    label = 0.07 * max(len(name) for name in class_names) + 0.2
    figure = Figure(figsize=(side + label + 1.1, side + label + 0.3), layout="constrained")
    axes = figure.add_subplot()
    digits = 2 if k <= 8 else 1
    clipped = np.clip(table, -1, 1)
    image = axes.imshow(np.ma.masked_invalid(clipped), cmap=_MAP, vmin=-1, vmax=1, aspect="equal")
    for row in range(k):
        for column in range(k):
            value = table[row, column]
            known = np.isfinite(value)
            # A Z' of minus thirty says no more than one of minus nine.
            # Adding zero turns a negative one into a plain one.
            shown = round(max(value, -9.0), digits) + 0.0 if known else 0.0
            text = f"{shown:.{digits}f}".replace("-", "−") if known else "–"
            ink = ink_on(_MAP((clipped[row, column] + 1) / 2)) if known else GREY
            axes.text(column, row, text, ha="center", va="center", color=ink, size=7)
    axes.set_xticks(range(k), labels=list(class_names))
    # Names of more than a few letters meet where cells are narrow.
    if k > 3 or max(len(name) for name in class_names) > 8:
        axes.tick_params(axis="x", labelrotation=45)
        for tick in axes.get_xticklabels():
            tick.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(k), labels=list(class_names))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, ticks=[-1, 0, 0.5, 1], pad=0.03)
    bar.ax.set_yticklabels(["≤ −1", "0", "0.5", "1"])
    bar.set_label("Z′ by well")
    bar.outline.set_visible(False)
    return figure
