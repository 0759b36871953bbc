"""Where in a cell the signal of a channel lies: near its nucleus or farther out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.masks.regions import cell_regions

__all__ = ["radial_concentration", "zone_widths"]


def zone_widths(ring_width: int) -> tuple[int, int]:
    """Return where the near and the far zone around a nucleus end, pixels from its edge.

    The near zone is two thirds of the ring of `measure_cells`, the far one goes on to five thirds.

    Examples
    --------
    >>> zone_widths(6), zone_widths(1)
    ((4, 10), (1, 2))
    """
    near = max(1, round(2 * ring_width / 3))
    return near, max(near + 1, round(5 * ring_width / 3))


def radial_concentration(
    images: NDArray[Any],
    nuclei: NDArray[np.uint8],
    base: NDArray[np.float64],
    ring_width: int = 6,
    *,
    floor: float = 0.01,
) -> NDArray[np.float64]:
    """Measure which share of the signal outside the nucleus lies near to it.

    Mean signal of the near zone over the sum of the mean signals of the near and of the far zone,
    both around the own nucleus and outside of every nucleus. What the mean signal is does not
    matter, nor does the size of the zones.

    Parameters
    ----------
    images : (N, C, H, W) array
        Crops.
    nuclei : (N, H, W) array of uint8
        0 background, 1 the crop's own nucleus, 2 other nuclei.
    base : (N, C) array
        Level of no signal, taken off first.
    ring_width : int
        Width of the ring around the nucleus, pixels; sets the zones, see `zone_widths`.
    floor : float
        Added to both signals, so that a channel without signal is near 0.5 instead of noise.

    Returns
    -------
    (N, C) array of float64
        0 (all far) to 1 (all near); 0.5 where both are alike. NaN where a zone has no pixel.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit each other.

    Examples
    --------
    >>> nuclei = np.zeros((1, 1, 13), np.uint8)
    >>> nuclei[0, 0, 0] = 1
    >>> image = np.zeros((1, 1, 1, 13))
    >>> image[..., 1:5] = 3.0
    >>> image[..., 5:11] = 1.0
    >>> share = radial_concentration(image, nuclei, np.zeros((1, 1)), floor=1e-9)
    >>> round(share.item(), 3)
    0.75
    """
    if images.ndim != 4 or nuclei.shape != (len(images), *images.shape[2:]):
        raise InvalidInputError(
            f"`images` must be (N, C, H, W) and `nuclei` (N, H, W); got {images.shape} and "
            f"{nuclei.shape}: pass the nuclei of the same crops."
        )
    end_near, end_far = zone_widths(ring_width)
    near = cell_regions(nuclei, end_near).ring
    far = cell_regions(nuclei, end_far).ring & ~near
    zones = np.stack([near, far], axis=-1)
    weights = zones.reshape(len(images), images.shape[2] * images.shape[3], 2)
    flat = images.reshape(*images.shape[:2], weights.shape[1]).astype(np.float32)
    area = weights.sum(axis=1, dtype=np.float64)[:, None, :]
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an empty zone
        mean = np.asarray(flat @ weights.astype(np.float32), np.float64) / area
    signal = np.maximum(mean - base[:, :, None], 0.0) + floor
    return np.asarray(signal[:, :, 0] / signal.sum(axis=2))
