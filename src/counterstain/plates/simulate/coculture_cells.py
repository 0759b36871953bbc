"""T cells and dendritic cells of one field: where they lie, and which are bound.

Dendritic cells keep a distance from each other. A bound T cell lies over the rim of its dendritic
cell; the others lie anywhere, whatever dendritic cells are there, so that what they touch is
chance. How many are bound does not depend on how many cells there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ANGLES", "MARGIN", "Coculture", "draw_coculture"]

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

ANGLES = 120
"""Steps of the angle at which outlines are tabulated."""
MARGIN = 40
"""Cells lie up to this far outside the field, in pixels, so that some are cut by its edge."""

_DENDRITIC_PER_PIXEL = 3 / 192**2
_T_PER_PIXEL = 15 / 192**2
_DENDRITIC_RADIUS = 17.5
_T_RADIUS = 7.2
_SWELLING = 0.12  # an activated T cell grows
# Standard deviation of the Fourier modes of an outline, as a share of the radius, from mode 1 on:
# dendritic cells are long (mode 2) and put out a few processes (modes 3 to 6).
_DENDRITIC_MODES = (0.04, 0.16, 0.11, 0.10, 0.09, 0.06, 0.03)
_T_MODES = (0.0, 0.05, 0.03, 0.02)
# How deep a bound T cell reaches over its dendritic cell, as a share of its diameter.
_DEPTH = (0.35, 0.8)
_LEAST_GAP = 30.0
_T_GAP = 0.7  # closest T cells as a share of the sum of their radii


@dataclass(frozen=True, slots=True)
class Coculture:
    """The cells of one field.

    Parameters
    ----------
    dendritic, t : ndarray of float64, shape (n, 2)
        Centres (y, x) in pixels; may lie up to `MARGIN` outside the field.
    dendritic_outline, t_outline : ndarray of float32, shape (n, ANGLES)
        Radius in pixels around the centre, by angle.
    dendritic_light, t_light : ndarray of float32, shape (n,)
        Brightness, 1 on average.
    partner : ndarray of int, shape (n T cells,)
        Index of the dendritic cell that a T cell is bound to; -1 for free ones.
    """

    dendritic: DoubleArray
    t: DoubleArray
    dendritic_outline: FloatArray
    t_outline: FloatArray
    dendritic_light: FloatArray
    t_light: FloatArray
    partner: npt.NDArray[np.intp]


def _density_at(spot: DoubleArray, wave: DoubleArray, gathering: float) -> float:
    """Return the relative density of cells at a place; at most 1."""
    height = 1 + gathering * math.sin(wave[0] * spot[0] + wave[1] * spot[1] + wave[2])
    return height / (1 + gathering)


def _scatter(
    rng: np.random.Generator, count: int, size: int, wave: DoubleArray, gathering: float, gap: float
) -> DoubleArray:
    """Lay cells down one after the other, denser where the wave is high."""
    placed = np.empty((count, 2))
    for i in range(count):
        spot = np.zeros(2)
        for attempt in range(40):
            spot = rng.uniform(-MARGIN, size + MARGIN, 2)
            if rng.random() > _density_at(spot, wave, gathering):
                continue
            apart = np.hypot(*(placed[:i] - spot).T).min(initial=np.inf)
            # Where the field is crowded, cells give up their distance step by step.
            if apart >= gap * (1 - attempt / 80):
                break
        placed[i] = spot
    return placed


def _outlines(
    rng: np.random.Generator, radius: DoubleArray, modes: tuple[float, ...]
) -> DoubleArray:
    """Return radii by angle, shape (n, ANGLES), from random Fourier modes."""
    angle = np.linspace(0, 2 * math.pi, ANGLES, endpoint=False)
    order = np.arange(1, len(modes) + 1)[:, None]
    waves = np.concatenate([np.cos(order * angle), np.sin(order * angle)])
    weights = rng.standard_normal((len(radius), 2 * len(modes))) * np.tile(modes, 2) / math.sqrt(2)
    return np.asarray(radius[:, None] * np.clip(1 + weights @ waves, 0.55, 1.7))


def _bind(
    rng: np.random.Generator,
    hosts: DoubleArray,
    outlines: DoubleArray,
    radius: float,
    placed: DoubleArray,
) -> tuple[DoubleArray, int] | None:
    """Find a place at the rim of some dendritic cell that no bound T cell has yet."""
    for attempt in range(30):
        host = int(rng.integers(len(hosts)))
        k = int(rng.integers(ANGLES))
        depth = rng.uniform(*_DEPTH)
        reach = outlines[host, k] + radius * (1 - 2 * depth)
        angle = 2 * math.pi * k / ANGLES
        spot = hosts[host] + reach * np.array([math.sin(angle), math.cos(angle)])
        apart = np.hypot(*(placed - spot).T).min(initial=np.inf)
        if apart >= 2 * radius * (1 - attempt / 60):
            return spot, host
    return None


def draw_coculture(
    rng: np.random.Generator,
    *,
    size: int,
    contact_rate: float,
    density: float = 1.0,
    activation: float = 0.0,
    gathering: float = 0.0,
) -> Coculture:
    """Draw the cells of one field.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : int
        Edge of the square field in pixels.
    contact_rate : float
        Chance of a T cell to be bound to a dendritic cell, 0 to 1.
    density : float, default 1
        Factor on the number of both kinds; at 1 about 107 T cells and 21 dendritic cells in 512².
    activation : float, default 0
        How far T cells are activated, 0 to 1: they grow by up to 12 %.
    gathering : float, default 0
        How much denser both kinds lie in one part of the field than in another, 0 to 1.

    Returns
    -------
    Coculture
        The cells.

    Examples
    --------
    >>> cells = draw_coculture(np.random.default_rng(0), size=192, contact_rate=0.5)
    >>> len(cells.t), len(cells.dendritic), round(float((cells.partner >= 0).mean()), 1)
    (36, 6, 0.5)
    """
    counts, place, shape, binding, bright = rng.spawn(5)
    area = (size + 2 * MARGIN) ** 2
    n_dendritic, n_t = counts.poisson(
        [_DENDRITIC_PER_PIXEL * density * area, _T_PER_PIXEL * density * area]
    )
    direction, phase = counts.uniform(0, 2 * math.pi, 2)
    # Less than a whole wave a field: one part is crowded, another is not.
    pitch = 2 * math.pi * 0.7 / size
    wave = np.array([pitch * math.sin(direction), pitch * math.cos(direction), phase])
    dendritic = _scatter(place, n_dendritic, size, wave, gathering, _LEAST_GAP)
    grown = np.exp(0.10 * shape.standard_normal(n_dendritic))
    dendritic_outline = _outlines(shape, _DENDRITIC_RADIUS * grown, _DENDRITIC_MODES)
    radius = _T_RADIUS * (1 + _SWELLING * activation) * np.exp(0.07 * shape.standard_normal(n_t))
    free = _scatter(place, n_t, size, wave, gathering, _T_GAP * 2 * _T_RADIUS)
    t, partner = free.copy(), np.full(n_t, -1)
    wanted = np.flatnonzero(binding.random(n_t) < contact_rate)
    for done, i in enumerate(wanted.tolist()):
        found = (
            _bind(binding, dendritic, dendritic_outline, float(radius[i]), t[wanted[:done]])
            if n_dendritic
            else None
        )
        if found is not None:
            t[i], partner[i] = found
    return Coculture(
        dendritic=dendritic,
        t=t,
        dendritic_outline=dendritic_outline.astype(np.float32),
        t_outline=_outlines(shape, radius, _T_MODES).astype(np.float32),
        dendritic_light=np.exp(0.15 * bright.standard_normal(n_dendritic)).astype(np.float32),
        t_light=np.exp(0.18 * bright.standard_normal(n_t)).astype(np.float32),
        partner=partner,
    )
