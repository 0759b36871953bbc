"""Channels become one colour picture.

Colours add up, as light does. The scale is given from outside and is the same for all pictures of a
figure: a picture never decides about its own brightness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import is_color_like, to_hex, to_rgb
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["PALETTES", "channel_colours", "compose_channels", "nice_length", "palette_colours"]

# Nuclei blue (light enough to be seen on black), then green and magenta: the three stay apart in
# every common colour vision, and green over magenta gives white.
_NUCLEUS = "#4f8bff"
# What microscopists call the usual lookup tables, where CSS means a darker colour.
_LOOKUP_TABLES = {"blue": _NUCLEUS, "green": "#00ff00", "gray": "#ffffff", "grey": "#ffffff"}
_OTHERS = ("#1fd65f", "#ff4fd8", "#ffc400", "#00d5ff", "#ff7a2f", "#b6a2ff", "#d0d0d0")

PALETTES = {
    "cmy": ("#00ffff", "#ff00ff", "#ffff00", "#ffffff", "#ff8a5c", "#7d8bff", "#6ee787", "#c0c0c0"),
}
"""Channel colours by name: cyan, magenta and yellow stay apart in every common colour vision."""


def palette_colours(name: str, n_channels: int) -> tuple[str, ...]:
    """Return the colours of a palette, in the order of the channels.

    Parameters
    ----------
    name : str
        A key of `PALETTES`.
    n_channels : int
        Number of channels, 1 to 8.

    Raises
    ------
    InvalidInputError
        If there is no such palette.

    Examples
    --------
    >>> palette_colours("cmy", 2)
    ('#00ffff', '#ff00ff')
    """
    if name not in PALETTES:
        raise InvalidInputError(
            f"`palette` must be run or {' or '.join(PALETTES)}; got {name!r}: choose one of these."
        )
    return PALETTES[name][:n_channels]


def channel_colours(
    n_channels: int, given: Sequence[str] | None = None, nucleus_index: int = 0
) -> tuple[str, ...]:
    """Choose a colour a channel.

    Parameters
    ----------
    n_channels : int
        Number of channels, 1 to 8.
    given : sequence of str, optional
        Colours of the configuration; used where every one is a colour that Matplotlib knows.
        "green" and "grey" are those of lookup tables, "blue" is lightened to be seen on black.
    nucleus_index : int
        Channel that shows nuclei.

    Returns
    -------
    tuple of str
        Hexadecimal colours: as given, else white for one channel, else blue for nuclei and green,
        magenta, yellow ... for the others.

    Examples
    --------
    >>> channel_colours(1)
    ('#ffffff',)
    >>> channel_colours(3, nucleus_index=1)
    ('#1fd65f', '#4f8bff', '#ff4fd8')
    >>> channel_colours(2, ["cyan", "magenta"])
    ('#00ffff', '#ff00ff')
    """
    if given and len(given) == n_channels and all(is_color_like(c) for c in given):
        return tuple(to_hex(_LOOKUP_TABLES.get(c.lower(), c)) for c in given)
    if n_channels == 1:
        return ("#ffffff",)
    others = iter(_OTHERS)
    return tuple(_NUCLEUS if i == nucleus_index else next(others) for i in range(n_channels))


def compose_channels(
    pixels: NDArray[np.floating], colours: Sequence[str], gamma: float = 1.0
) -> NDArray[np.float32]:
    """Add up channels in their colours; from four channels on dimmed by 3 / C.

    Parameters
    ----------
    pixels : ndarray of float, shape (..., C, H, W)
        Scaled intensities: 0 is drawn black and 1 in the channel's full colour; values beyond are
        cut off, NaN is black.
    colours : sequence of str
        A colour a channel.
    gamma : float
        Exponent on the intensities; below 1 lifts faint structures. The same for every picture.

    Returns
    -------
    ndarray of float32, shape (..., H, W, 3)
        RGB in 0 to 1.

    Raises
    ------
    InvalidInputError
        If the numbers of channels and colours differ.

    Examples
    --------
    >>> compose_channels(np.array([[[1.0, 0.5]], [[0.0, 2.0]]]), ["red", "#00ff00"]).tolist()
    [[[1.0, 0.0, 0.0], [0.5, 1.0, 0.0]]]
    """
    pixels = np.asarray(pixels, dtype=np.float32)
    if pixels.ndim < 3 or pixels.shape[-3] != len(colours):
        raise InvalidInputError(
            f"`pixels` must be (..., C, H, W) with a channel a colour ({len(colours)}); got shape "
            f"{pixels.shape}: give a colour for each channel."
        )
    light = np.clip(np.nan_to_num(pixels, nan=0.0), 0, 1) ** np.float32(gamma)
    rgb = np.array([to_rgb(c) for c in colours], dtype=np.float32)
    # Many channels would add up to white where cells are thick in all of them.
    rgb *= min(1.0, 3 / len(colours))
    summed = np.einsum("...chw,ck->...hwk", light, rgb)
    return np.asarray(np.clip(summed, 0, 1), dtype=np.float32)


def nice_length(extent: float) -> float:
    """Return a round length (1, 2 or 5 times a power of ten) of about a third of an extent.

    Examples
    --------
    >>> nice_length(41.6), nice_length(640.0)
    (10.0, 200.0)
    """
    wanted = extent / 3
    power = 10.0 ** np.floor(np.log10(wanted))
    steps = [step * power for step in (1, 2, 5) if step * power <= wanted]
    return float(steps[-1])
