"""What disturbs a field: specks of dust in every one, and real faults in a few."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from counterstain.errors import InvalidInputError

__all__ = ["FAULTS", "apply_fault", "scatter_specks"]

FloatArray = npt.NDArray[np.float32]

FAULTS = ("out_of_focus", "saturated", "empty", "debris")
"""What can be wrong with a field."""


def scatter_specks(light: FloatArray, rng: np.random.Generator, *, mean: float = 2.0) -> None:
    """Add the few small bright specks of dust that ordinary fields have, in place.

    Parameters
    ----------
    light : ndarray of float32, shape (C, H, W)
        Photons a pixel.
    rng : numpy.random.Generator
        Source of randomness.
    mean : float, default 2
        Mean number of specks a field.
    """
    channels, height, width = light.shape
    for _ in range(int(rng.poisson(mean))):
        y, x = int(rng.integers(6, height - 6)), int(rng.integers(6, width - 6))
        width_px = rng.uniform(0.6, 1.6)
        at = np.arange(-6, 7)
        bump = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * width_px**2))
        peak = rng.lognormal(np.log(2500), 0.6) * rng.dirichlet(np.full(channels, 0.25))
        patch = (peak[:, None, None] * bump).astype(np.float32)
        light[:, y - 6 : y + 7, x - 6 : x + 7] += patch


def _add_debris(light: FloatArray, rng: np.random.Generator, border: int) -> None:
    """Lay a bright fibre and lumps across a field, in place."""
    channels, edge, _ = light.shape
    inner = edge - 2 * border
    steps = 3 * inner
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.03, steps))
    y = rng.uniform(0.3, 0.7) * inner + np.cumsum(0.5 * np.sin(angle))
    x = rng.uniform(0.3, 0.7) * inner + np.cumsum(0.5 * np.cos(angle))
    sheet = np.zeros((edge, edge), np.float32)
    # A fibre that leaves the field comes back in: the mirror keeps it in sight.
    rows = border + np.minimum(np.abs((y - inner) % (2 * inner) - inner), inner - 1)
    columns = border + np.minimum(np.abs((x - inner) % (2 * inner) - inner), inner - 1)
    np.add.at(sheet, (rows.astype(int), columns.astype(int)), 1.0)
    sheet = 10 * ndimage.gaussian_filter(sheet, 1.8)
    for _ in range(4):
        centre = rng.integers(border, border + inner, 2)
        lump = np.zeros_like(sheet)
        lump[centre[0], centre[1]] = 1
        width = rng.uniform(6, 14)
        sheet += ndimage.gaussian_filter(lump, width) * np.float32(2 * np.pi * width**2 * 3)
    share = np.asarray(rng.uniform(0.5, 1.0, channels), np.float32)
    light += 2200 * share[:, None, None] * sheet


def apply_fault(
    light: FloatArray, fault: str, rng: np.random.Generator, *, border: int = 0
) -> tuple[FloatArray, float, dict[str, float]]:
    """Spoil a field.

    Parameters
    ----------
    light : ndarray of float32, shape (C, H, W)
        Photons a pixel; debris is added in place.
    fault : str
        One of `FAULTS`; ``empty`` fields are made by drawing no cells and pass unchanged.
    rng : numpy.random.Generator
        Source of randomness.
    border : int, default 0
        Pixels around the field proper.

    Returns
    -------
    light : ndarray of float32, shape (C, H, W)
        The spoiled light.
    exposure : float
        Factor on the exposure.
    parameters : dict
        What was done, for the truth.

    Raises
    ------
    InvalidInputError
        If the fault is not one of `FAULTS`.
    """
    if fault not in FAULTS:
        raise InvalidInputError(f"`fault` must be one of {', '.join(FAULTS)}; got {fault!r}.")
    if fault == "out_of_focus":
        sigma = float(rng.uniform(4.5, 7.0))
        blurred = ndimage.gaussian_filter(light, (0, sigma, sigma), truncate=3)
        return blurred, 1.0, {"blur_px": round(sigma, 3)}
    if fault == "saturated":
        exposure = float(rng.uniform(14.0, 20.0))
        return light, exposure, {"exposure": round(exposure, 3)}
    if fault == "debris":
        _add_debris(light, rng, border)
    return light, 1.0, {}
