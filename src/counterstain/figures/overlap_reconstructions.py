"""Patches beside what the autoencoder makes of them, and the error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from counterstain.figures.composite import compose_channels
from counterstain.figures.style import CHANGE_MAP, PAGE_WIDTH_IN, styled
from counterstain.figures.tiles import caption, draw_scale_bar, draw_tile, text_at

__all__ = ["draw_patch_reconstructions"]

_MOST = 5
_LEFT, _GAP, _RIGHT, _TOP, _WORDS = 1.0, 0.06, 0.75, 0.04, 0.24


@styled
def draw_patch_reconstructions(
    original: NDArray[np.floating],
    reconstruction: NDArray[np.floating],
    words: Sequence[str],
    kinds: tuple[str, str],
    colours: tuple[str, str],
    pixel_size_um: float | None = None,
    gamma: float = 1.0,
) -> Figure:
    r"""Draw originals, reconstructions, and the error of each channel.

    Parameters
    ----------
    original, reconstruction : ndarray of float, shape (N, 2, S, S)
        From the best reconstruction to the worst; five are shown, evenly spread.
    words : sequence of str
        Under each patch.
    kinds, colours : (str, str)
        Names and colours of the channels.
    pixel_size_um : float, optional
        For the scale bar.
    gamma : float
        Exponent of display of the composites.

    Returns
    -------
    Figure
        Four rows; both errors on one scale, green where the reconstruction is brighter, purple
        where it is darker.

    Examples
    --------
    >>> patch = np.zeros((1, 2, 8, 8))
    >>> figure = draw_patch_reconstructions(patch, patch, ["A01"], ("T", "DC"), ("red", "blue"))
    >>> [text.get_text() for text in figure.texts][:2]
    ['original', 'recon-\nstruction']
    """
    chosen = np.unique(np.linspace(0, len(original) - 1, _MOST).round().astype(int))
    error = reconstruction - original
    side = (PAGE_WIDTH_IN - _LEFT - _RIGHT - (_MOST - 1) * _GAP) / _MOST
    height = _TOP + 4 * (side + _GAP) + _WORDS
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    # The median patch sets the scale: a saturated one would hide the errors of all others.
    ends = np.percentile(np.abs(error[chosen]), 99.5, axis=(1, 2, 3))
    end = float(np.median(ends)) or 1.0
    names = ("original", "recon-\nstruction", *(f"error in\n{kind}" for kind in kinds))
    for row, name in enumerate(names):
        top = _TOP + row * (side + _GAP)
        text_at(figure, _LEFT - 0.1, top + side / 2, name, ha="right", va="center", size=8.5)
    scale = Normalize(-end, end)
    for column, patch in enumerate(chosen):
        left = _LEFT + column * (side + _GAP)
        pictures = [compose_channels(x[patch], colours, gamma) for x in (original, reconstruction)]
        pictures += [CHANGE_MAP(scale(error[patch, k]))[..., :3] for k in (0, 1)]
        for row, picture in enumerate(pictures):
            axes = draw_tile(figure, picture, left, _TOP + row * (side + _GAP), side)
            if row == 0 and column == 0:
                draw_scale_bar(axes, picture.shape[0], pixel_size_um)
        caption(axes, words[patch])
    _bar(figure, scale, _TOP + 2 * (side + _GAP), side, height)
    return figure


def _bar(figure: Figure, scale: Normalize, top: float, side: float, height: float) -> None:
    length = 2 * side + _GAP
    left = (PAGE_WIDTH_IN - _RIGHT + 0.1) / PAGE_WIDTH_IN
    box = (left, 1 - (top + length) / height, 0.1 / PAGE_WIDTH_IN, length / height)
    bar = figure.colorbar(
        ScalarMappable(scale, CHANGE_MAP), cax=figure.add_axes(box), extend="both"
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, labelsize=7.5)
    bar.set_label("reconstruction \N{MINUS SIGN} original", size=7.5)
