"""Rescue and its price: each treatment in the plane of rescue and side effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from counterstain.figures.call_marks import call_handles, draw_calls, treatment_names
from counterstain.figures.point_labels import label_points
from counterstain.figures.style import INK, PAGE_WIDTH_IN, SOFT, styled
from counterstain.figures.tiles import draw_scale_bar, shorten

__all__ = ["Thumbnail", "draw_rescue_plane"]

_MOST_NAMED = 14
_MOST_THUMBNAILS = 8
_FULL_WAY = 0.3


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A typical crop of a treatment or a control.

    Parameters
    ----------
    rgb : ndarray of float32, shape (H, W, 3)
        The picture as imaged.
    name, detail : str
        Two lines under it.
    """

    rgb: NDArray[np.float32]
    name: str
    detail: str


@styled
def draw_rescue_plane(
    treatments: pd.DataFrame,
    *,
    unit: str,
    limit: float,
    share: float,
    axis_length: float,
    thumbnails: Sequence[Thumbnail] = (),
    pixel_size_um: float | None = None,
) -> Figure:
    """Draw side effect against rescue, with the limit above which a treatment is off the axis.

    Parameters
    ----------
    treatments : DataFrame
        In the order of rank: `Metadata_Compound`, `Metadata_Concentration`, `rescue`,
        `side_effect`, `call`. Rows without a side effect are left out.
    unit : str
        Of the concentrations; may be empty.
    limit, share : float
        Side effect above which a treatment is off the axis: in standard deviations of control
        wells, and as a share of its own way to healthy.
    axis_length : float
        Way from diseased to healthy, standard deviations of control wells.
    thumbnails : sequence of Thumbnail
        Drawn in a row above the plane, 8 at most.
    pixel_size_um : float, optional
        For the scale bar of the first thumbnail.

    Returns
    -------
    Figure

    Examples
    --------
    >>> table = pd.DataFrame({"Metadata_Compound": ["C1", "C2"], "Metadata_Concentration": 1.0,
    ...     "rescue": [0.9, 0.7], "side_effect": [0.0, 9.0], "call": ["hit", "toxic/off-axis"]})
    >>> figure = draw_rescue_plane(table, unit="µM", limit=3.0, share=0.33, axis_length=15.0)
    >>> figure.axes[0].get_ylabel()
    'side effect (SDs of control wells)'
    """
    rows = treatments[treatments["rescue"].notna() & treatments["side_effect"].notna()]
    shown = list(thumbnails)[:_MOST_THUMBNAILS]
    figure = Figure(figsize=(PAGE_WIDTH_IN, 5.3 if shown else 3.9), layout="constrained")
    if shown:
        parts = np.asarray(figure.subfigures(2, 1, height_ratios=[1.35, 3.95]))
        strip, plane = parts[0], parts[1]
        _strip(strip.subplots(1, max(len(shown), 5)), shown, pixel_size_um)
        axes = plane.subplots()
    else:
        axes = figure.subplots()
    x, y = (rows[name].to_numpy(np.float64) for name in ("rescue", "side_effect"))
    draw_calls(axes, x, y, rows["call"])
    low, high = min(x.min(initial=0.0), -0.1), max(x.max(initial=1.0), 1.1)
    along = np.linspace(low - 0.08, high + 0.08, 200)
    line = np.maximum(limit, share * axis_length * np.clip(along, _FULL_WAY, 1))
    top = max(float(y.max(initial=0.0)), float(line.max())) * 1.15
    axes.fill_between(along, line, top, color="#882255", alpha=0.06, lw=0, zorder=0)
    axes.plot(along, line, color="#882255", lw=0.9, ls=(0, (4, 3)), zorder=1)
    axes.text(0.01, 0.985, "off the axis, where it is also shown by its q", va="top", size=7.5,
              transform=axes.transAxes, color="#882255")  # fmt: skip
    axes.set_ylim(-0.05 * top, top)
    axes.set_xlim(along[0], along[-1])
    for value in (0.0, 1.0):
        axes.axvline(value, color="#c9d0d7", lw=0.8, zorder=0)
    axes.set_xlabel("rescue: 0 as diseased wells, 1 as healthy ones")
    axes.set_ylabel("side effect (SDs of control wells)")
    if len(rows):
        axes.legend(handles=call_handles(rows["call"]), loc="lower left", ncol=5,
                    bbox_to_anchor=(-0.01, 1.0), columnspacing=1.2, handletextpad=0.3,
                    borderaxespad=0.1)  # fmt: skip
        chosen = [i for i, call in enumerate(rows["call"]) if call != "inactive"]
        first = sorted(chosen, key=lambda i: rows["call"].iloc[i] == "partial")[:_MOST_NAMED]
        label_points(figure, axes, x, y, treatment_names(rows, unit, 20), first)
    return figure


def _strip(
    panels: NDArray[np.object_], thumbnails: Sequence[Thumbnail], pixel_size_um: float | None
) -> None:
    for number, axes in enumerate(np.atleast_1d(panels)):
        if number >= len(thumbnails):
            axes.set_visible(False)
            continue
        _tile(axes, thumbnails[number])
        if number == 0:
            draw_scale_bar(axes, thumbnails[0].rgb.shape[1], pixel_size_um)


def _tile(axes: Axes, thumbnail: Thumbnail) -> None:
    axes.imshow(thumbnail.rgb, interpolation="none")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=True, color=INK, linewidth=1.0)
    words = f"{shorten(thumbnail.name, 18)}\n{shorten(thumbnail.detail, 20)}"
    axes.set_xlabel(words, size=7, color=SOFT, labelpad=3)
