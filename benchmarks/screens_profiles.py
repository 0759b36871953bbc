"""Screens drawn at the level of well profiles, with a known truth for every compound and dose.

Made to be hard where real screens are: noise has heavy tails and a decaying spectrum, some wells
are plainly wrong, plates are shifted and stretched, rows, columns and edges drift (partly along the
axis that is looked for), and toxic compounds walk along that axis while they leave it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ROWS, COLUMNS = 16, 24
DOSES = (0.1, 0.4, 1.6, 6.4, 25.6)
STRENGTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0)
N_TOXIC, N_INACTIVE = 6, 44
N_HEALTHY, N_DISEASED = 36, 48


@dataclass(frozen=True)
class ProfileScreen:
    """Profiles (W, D), the table of wells, and the truth per compound and dose."""

    profiles: NDArray[np.float64]
    wells: pd.DataFrame
    truth: pd.DataFrame


def simulate_screen(
    seed: int, *, latents: int, n_plates: int = 4, drift: float = 1.0, tail: float = 4.0
) -> ProfileScreen:
    """Draw a screen of 60 compounds at five doses, a well each on every plate."""
    rng = np.random.default_rng(seed)
    root = _noise_root(latents, rng)
    length = rng.uniform(14, 22)
    axis = rng.normal(size=latents)
    axis /= np.linalg.norm(axis)
    truth, off = _compounds(latents, length, axis, rng)
    fixed_map = seed % 2 == 0
    layout = _layout(seed, rng)
    common = _drift(latents, length, axis, rng)
    profiles, wells = [], []
    for plate in range(n_plates):
        if not fixed_map:
            layout = _layout(seed, rng)
        kinds, treatment = layout
        rescue = np.where(kinds == 1, 1.0, 0.0)
        moved = np.zeros((ROWS * COLUMNS, latents))
        treated = treatment >= 0
        waver = 1 + 0.03 * rng.normal(size=len(truth))[treatment[treated]]
        rescue[treated] = truth["rescue"].to_numpy()[treatment[treated]] * waver
        moved[treated] = off[treatment[treated]] * waver[:, None]
        stretch = 1 + 0.05 * rng.normal()
        whitened = rescue[:, None] * stretch * length * axis + moved
        own = _drift(latents, length, axis, rng)
        whitened += drift * _surface(0.7 * common + 0.7 * own)
        whitened += _noise(ROWS * COLUMNS, latents, tail, rng)
        whitened += 3 * rng.normal(size=latents)
        profiles.append(whitened @ root + 5)
        wells.append(_table(f"P{plate + 1}", kinds, treatment, truth))
    return ProfileScreen(np.concatenate(profiles), pd.concat(wells, ignore_index=True), truth)


def _noise_root(latents: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the root of a covariance whose spectrum decays as 1 / rank."""
    turned = np.linalg.qr(rng.normal(size=(latents, latents)))[0]
    spectrum = 1 / np.arange(1, latents + 1)
    return (turned * np.sqrt(spectrum / spectrum.mean())) @ turned.T


def _noise(n: int, latents: int, tail: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return multivariate t noise of unit variance; one well in fifty is four times as far off."""
    scale = np.sqrt((tail - 2) / rng.chisquare(tail, n))
    scale[rng.random(n) < 0.02] *= 4
    return rng.normal(size=(n, latents)) * scale[:, None]


def _compounds(
    latents: int, length: float, axis: NDArray[np.float64], rng: np.random.Generator
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    rows, off = [], []
    roles = ["rescuer"] * len(STRENGTHS) + ["toxic"] * N_TOXIC + ["inactive"] * N_INACTIVE
    for number, role in enumerate(roles):
        ec50, hill = np.exp(rng.uniform(np.log(0.3), np.log(5))), rng.uniform(1, 2)
        strength = {"rescuer": (*STRENGTHS, *[0.0] * 50)[number], "inactive": 0.0}.get(
            role, rng.uniform(0.3, 1.0)
        )
        aside = {"rescuer": 1.0, "inactive": 0.0}.get(role, rng.uniform(0.6, 1.2) * length)
        direction = rng.normal(size=latents)
        direction -= (direction @ axis) * axis
        direction /= np.linalg.norm(direction)
        for dose in DOSES:
            response = 1 / (1 + (ec50 / dose) ** hill)
            rows.append(
                {
                    "compound": f"C{number:02d}", "dose": dose, "role": role, "strength": strength,
                    "ec50": ec50, "rescue": strength * response, "aside": aside * response,
                }
            )  # fmt: skip
            off.append(aside * response * direction)
    return pd.DataFrame(rows), np.array(off)


def _layout(seed: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return kind and treatment of each place; every other pair of seeds has controls outside."""
    places = rng.permutation(ROWS * COLUMNS)
    if seed % 4 < 2:
        outer = np.isin(places % COLUMNS, (0, 1, COLUMNS - 2, COLUMNS - 1))
        places = np.concatenate([places[outer], places[~outer]])
    kinds = np.full(ROWS * COLUMNS, -1)
    controls = rng.permutation(places[: N_HEALTHY + N_DISEASED])
    kinds[controls[:N_HEALTHY]], kinds[controls[N_HEALTHY:]] = 1, 0
    treatment = np.full(ROWS * COLUMNS, -1)
    treatment[places[N_HEALTHY + N_DISEASED :]] = np.arange(300)
    return kinds, treatment


def _drift(
    latents: int, length: float, axis: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return what slopes, bowls and edge add, (5, D): a few per cent of the axis, and aside."""
    aside = 0.4 * rng.normal(size=(5, latents))
    return aside + 0.03 * length * rng.normal(size=(5, 1)) * axis


def _surface(drift: NDArray[np.float64]) -> NDArray[np.float64]:
    row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    r, c = 2 * row / (ROWS - 1) - 1, 2 * column / (COLUMNS - 1) - 1
    # Not the surface that is fitted: a sine, a cosine and an edge that fades over two wells.
    edge = np.exp(-np.minimum.reduce([row, ROWS - 1 - row, column, COLUMNS - 1 - column]))
    shapes = [np.sin(1.3 * r), np.sin(1.3 * c), np.cos(2 * r), np.cos(2 * c), edge]
    return np.column_stack(shapes) @ drift


def _table(
    plate: str, kinds: NDArray[np.int64], treatment: NDArray[np.int64], truth: pd.DataFrame
) -> pd.DataFrame:
    row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    given = truth.reindex(treatment)
    return pd.DataFrame(
        {
            "Metadata_Plate": plate,
            "Metadata_Well": [
                f"{chr(65 + r)}{c + 1:02d}" for r, c in zip(row, column, strict=True)
            ],
            "Metadata_Compound": given["compound"].fillna("").to_numpy(),
            "Metadata_Concentration": given["dose"].to_numpy(),
            "class_name": np.select([kinds == 0, kinds == 1], ["diseased", "healthy"], ""),
        }
    )
