from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

Screen = tuple[np.ndarray, pd.DataFrame]
ROWS, COLUMNS = 8, 12


def _screen(
    treatments: dict[tuple[str, float], tuple[float, float]],
    *,
    n_plates: int = 3,
    latents: int = 12,
    controls: int = 12,
    copies: int = 1,
    length: float = 15.0,
    seed: int = 0,
) -> Screen:
    """Draw plates of 96 wells; a treatment is (rescue, SDs off the axis), `copies` wells a plate.

    Latent 0 is the axis, latent 1 the way off it; plates are shifted.
    """
    rng = np.random.default_rng(seed)
    names = [f"{chr(65 + r)}{c + 1:02d}" for r in range(ROWS) for c in range(COLUMNS)]
    profiles, rows = [], []
    for plate in range(n_plates):
        wells = list(rng.permutation(names))
        plan = [("diseased", "", np.nan, 0.0, 0.0)] * controls
        plan += [("healthy", "", np.nan, 1.0, 0.0)] * controls
        for (compound, dose), (rescue, aside) in treatments.items():
            plan += [("", compound, dose, rescue, aside)] * copies
        shift = 5 * rng.normal(size=latents)
        for name, compound, dose, rescue, aside in plan:
            profile = shift + rng.normal(size=latents)
            profile[0] += length * rescue
            profile[1] += aside
            profiles.append(profile)
            rows.append((f"P{plate}", wells.pop(), name, compound, dose))
    columns = ["Plate", "Well", "class_name", "Compound", "Concentration"]
    table = pd.DataFrame(rows, columns=columns)
    keys = {name: f"Metadata_{name}" for name in columns if name != "class_name"}
    return np.array(profiles), table.rename(columns=keys)


@pytest.fixture
def draw_screen() -> Callable[..., Screen]:
    """Return the function that draws a screen."""
    return _screen


USUAL = {
    ("full", 1.0): (1.0, 0.0),
    ("half", 1.0): (0.6, 0.0),
    ("weak", 1.0): (0.3, 0.0),
    ("none", 1.0): (0.0, 0.0),
    ("toxic", 1.0): (1.0, 14.0),
    ("other", 1.0): (0.0, 10.0),
    ("worse", 1.0): (-0.5, 0.0),
} | {(f"C{i}", 1.0): (0.0, 0.0) for i in range(10)}


@pytest.fixture
def usual(draw_screen) -> Screen:
    """Return a screen of 17 compounds on three plates."""
    return draw_screen(USUAL)
