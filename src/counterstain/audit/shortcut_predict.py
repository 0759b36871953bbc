"""What images of negative controls tell about row, column, edge, plate and batch."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.audit.field_reading import FieldFeatures
from counterstain.audit.shortcut_focus import blur_by_channel
from counterstain.audit.shortcut_layout import guess_by_place
from counterstain.audit.shortcut_position import places_of
from counterstain.audit.verdict import AuditCheck

__all__ = ["check_predictable", "negative_controls"]

FloatArray = NDArray[np.float64]

_PERMUTATIONS = 499
_LEAST_WELLS = 6
_RIDGE = 1.0
_LEVEL = 0.01
_MUCH = 0.5
_TIED = 0.2


def negative_controls(wells: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which wells are negative controls: by the plate map, else those of the first class."""
    if "Metadata_control_type" in wells and (wells["Metadata_control_type"] == "negcon").any():
        return np.asarray(wells["Metadata_control_type"] == "negcon")
    names = wells["class_name"].to_numpy(str)
    first = next((name for name in names if name), "")
    return np.asarray((names == first) & (names != ""))


def _descriptors(features: FieldFeatures) -> FloatArray:
    """Standardised numbers of every well; a number that a well lacks is the mean."""
    columns = [*features.values.values(), blur_by_channel(features)[0]]
    table = np.concatenate(columns, axis=1)
    table = table[:, np.isfinite(table).any(axis=0)]
    table = np.where(np.isfinite(table), table, np.nanmean(table, axis=0))
    spread = table.std(axis=0)
    table = table[:, spread > 1e-9]
    return np.asarray((table - table.mean(axis=0)) / table.std(axis=0))


def _leaving_out(x: FloatArray) -> FloatArray:
    """Return the matrix that predicts each well from all others by ridge regression."""
    gram = x @ x.T / max(x.shape[1], 1)
    hat = gram @ np.linalg.inv(gram + _RIDGE * np.eye(len(x)))
    ones = np.full((len(x), len(x)), 1 / len(x))
    # The mean is fitted without a penalty.
    centring = np.eye(len(x)) - ones
    hat = centring @ hat @ centring + ones
    own = np.diag(hat)
    return np.asarray((hat - np.diag(own)) / (1 - own)[:, None])


def _r_squared(predicted: FloatArray, y: FloatArray) -> float:
    total = ((y - y.mean(axis=0)) ** 2).sum() * (len(y) / (len(y) - 1)) ** 2
    return float(1 - ((y - predicted) ** 2).sum() / total)


def _accuracy(predicted: FloatArray, y: FloatArray) -> float:
    """Balanced over the values, so that chance is one over their number."""
    right = predicted.argmax(axis=1) == y.argmax(axis=1)
    return float(np.mean([right[y[:, k] == 1].mean() for k in range(y.shape[1])]))


def check_predictable(features: FieldFeatures, seed: int = 0) -> list[AuditCheck]:
    """Predict the places of negative controls from their images.

    Ridge regression on some dozen numbers of a well (background, tilt, noise, brightness, blur),
    each well predicted from all others, against permutations of wells.

    Parameters
    ----------
    features : FieldFeatures
        Numbers by well.
    seed : int, default 0
        Seed of the permutations.

    Returns
    -------
    list of AuditCheck
        For row and column R² of the prediction, for edge, plate and batch its balanced accuracy.
        Amber where the place is predictable *and*, for plates and batches, tied to the class.
    """
    control = negative_controls(features.wells)
    wells = features.wells[control].reset_index(drop=True)
    x = _descriptors(features)[control]
    places = places_of(wells)
    rng = np.random.default_rng(seed)
    checks = []
    for name in ("row", "column"):
        values = places[name].to_numpy(np.float64)
        if np.isfinite(values).all() and len(np.unique(values)) > 1:
            checks.append(_predict(name, x, values[:, None], _r_squared, rng, "R²", 1.0))
    keys = {"edge": places["edge"].astype(str)}
    for column in ("Metadata_Plate", "Metadata_Batch"):
        if column in wells:
            keys[column.removeprefix("Metadata_").lower()] = wells[column].astype(str)
    for name, key in keys.items():
        labels, index = np.unique(key.to_numpy(str), return_inverse=True)
        if len(labels) < 2 or np.bincount(index).min() < 2:
            continue
        tied = 1.0 if name == "edge" else _tie(features.wells, f"Metadata_{name.title()}")
        y = np.eye(len(labels))[index]
        checks.append(_predict(name, x, y, _accuracy, rng, "balanced accuracy", tied))
    return checks


def _tie(wells: pd.DataFrame, column: str) -> float:
    """How far beyond chance a plate or batch tells the class, 0 to 1."""
    of_class = wells[wells["class_name"] != ""]
    names = of_class["class_name"].to_numpy(str)
    chance = float(pd.Series(names).value_counts(normalize=True).max())
    told = guess_by_place(names, of_class[column].to_numpy(str))
    return max(0.0, (told - chance) / (1 - chance)) if chance < 1 else 0.0


def _predict(
    name: str, x: FloatArray, y: FloatArray, score: object, rng: np.random.Generator, unit: str,
    tied: float,
) -> AuditCheck:  # fmt: skip
    check = f"predict {name}"
    if len(y) < _LEAST_WELLS or x.shape[1] == 0:
        return AuditCheck(
            check, "unknown", n_wells=len(y), unit=unit,
            sentence=f"Whether images tell the {name} takes {_LEAST_WELLS} negative controls; "
            f"there are {len(y)}.",
        )  # fmt: skip
    measure = _r_squared if score is _r_squared else _accuracy
    operator = _leaving_out(x)
    value = measure(operator @ y, y)
    higher = 0
    for _ in range(_PERMUTATIONS):
        shuffled = rng.permutation(y)
        higher += measure(operator @ shuffled, shuffled) >= value - 1e-12
    p = (1 + higher) / (1 + _PERMUTATIONS)
    chance = 0.0 if unit == "R²" else 1 / y.shape[1]
    much = (value - chance) / (1 - chance) >= _MUCH
    amber = p <= _LEVEL and much and tied > _TIED
    told = f"{value:.2f}" if unit == "R²" else f"{value:.0%} (chance {chance:.0%})"
    sentence = f"Images of negative controls tell their {name} with {unit} {told}, p = {p:.3f}"
    if amber:
        sentence += "; correct images by their neighbours, and keep classes off one side."
    elif p <= _LEVEL and not tied > _TIED:
        sentence += f"; the classes are balanced over it, so that the {name} tells no class."
    else:
        sentence += ": no more than plates usually do."
    return AuditCheck(check, "amber" if amber else "green", value, unit=unit, n_wells=len(y),
                      sentence=sentence)  # fmt: skip
