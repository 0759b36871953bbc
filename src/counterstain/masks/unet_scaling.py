"""What a U-Net sees of an image: each channel between its own dark and bright level, compressed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["network_input"]

_DARK, _BRIGHT = 1.0, 99.8
# Nuclei of one field differ tenfold in brightness; a logarithm shows the network both kinds.
_COMPRESSION = 10.0
_HIGHEST = 1.5
_SAMPLE = 65_536


def network_input(image: NDArray[Any]) -> NDArray[np.float32]:
    """Scale each channel of a field by its own percentiles, then compress it.

    Pixels of exactly 0 are taken for places without data (the border of a registered image) and do
    not count for the levels. A constant channel becomes 0 throughout.

    Parameters
    ----------
    image : (C, H, W) array
        A field, any unit; finite.

    Returns
    -------
    (C, H, W) array of float32
        0 at the 1st percentile and below, 1 at the 99.8th, at most 1.5.

    Raises
    ------
    InvalidInputError
        If the image has not three axes, or holds NaN or infinity.

    Examples
    --------
    >>> image = np.arange(1, 1001, dtype=np.uint16).reshape(1, 25, 40)
    >>> scaled = network_input(image)
    >>> float(scaled.min()), round(float(scaled.max()), 2), str(scaled.dtype)
    (0.0, 1.0, 'float32')
    """
    if image.ndim != 3 or image.size == 0:
        raise InvalidInputError(
            f"`image` must be (C, H, W) with at least one pixel; got {image.shape}: pass "
            "`image[None]` for a single channel."
        )
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise InvalidInputError(
            "`image` must be finite; got NaN or infinity: put a number there, or leave the field "
            "out and count it."
        )
    out = np.empty(image.shape, np.float32)
    for channel, plane in enumerate(image):
        out[channel] = _scaled(plane)
    return out


def _scaled(plane: NDArray[Any]) -> NDArray[np.float32]:
    # A sample on a grid tells percentiles well enough, and a 2048² field is not sorted.
    step = max(1, int(np.sqrt(plane.size / _SAMPLE)))
    sample = plane[::step, ::step]
    sample = sample[sample != 0]
    if sample.size < 2:
        return np.zeros(plane.shape, np.float32)
    dark, bright = np.percentile(sample, [_DARK, _BRIGHT])
    if bright <= dark:
        return np.zeros(plane.shape, np.float32)
    share = (plane.astype(np.float32) - np.float32(dark)) * np.float32(1 / (bright - dark))
    np.maximum(share, 0, out=share)
    share *= np.float32(_COMPRESSION)
    np.log1p(share, out=share)
    share *= np.float32(1 / np.log1p(_COMPRESSION))
    return np.asarray(np.minimum(share, np.float32(_HIGHEST), out=share))
