"""What is asked of many classes beyond a class table: calibration, likeness, distance in pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import trim_mean

from counterstain.config import ScreenConfig
from counterstain.stages.rows import class_index, group_wells
from counterstain.statistics import class_hierarchy, expected_calibration_error, z_prime_matrix

__all__ = ["calibration_of", "hierarchy_of", "pairs_of"]

_TRIMMED = 0.1


def calibration_of(scores: pd.DataFrame, config: ScreenConfig) -> dict[str, Any]:
    """Return how honest the probabilities of held-out crops are; see `Reliability`."""
    rows = _classed(scores)
    names = config.class_names
    found = expected_calibration_error(
        rows[[f"prob_{name}" for name in names]].to_numpy(float),
        class_index(rows, names),
        group_wells(rows)[0],
        names,
        seed=config.run.seed,
    )
    return found.to_json()


def hierarchy_of(confusion: list[list[int]], config: ScreenConfig) -> dict[str, Any] | None:
    """Return the tree of classes; None for two, which have none."""
    if len(config.classes) < 3:
        return None
    return class_hierarchy(confusion, config.class_names).to_json()


def pairs_of(scores: pd.DataFrame, config: ScreenConfig) -> list[list[dict[str, Any]]] | None:
    """Return Z' of every two classes by well; None for two, whose Z' stands elsewhere."""
    names = config.class_names
    if len(names) < 3:
        return None
    rows = _classed(scores)
    codes, wells = group_wells(rows)
    means = _well_means(_log_probabilities(rows, names), codes, len(wells))
    index = class_index(wells, names)
    return z_prime_matrix(means, index, names, seed=config.run.seed).to_json()


def _classed(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["usable"] & (scores["class_name"] != "")]


def _log_probabilities(rows: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return log-probabilities from log-odds against the rest, which do not round to 0 or 1."""
    odds = rows[[f"logit_{name}" for name in names]].to_numpy(float)
    return np.asarray(-np.logaddexp(0.0, -odds))


def _well_means(
    values: NDArray[np.float64], codes: NDArray[np.int64], n_wells: int
) -> NDArray[np.float64]:
    # As for the score of two classes: dead and dividing cells lie at the ends.
    return np.stack([trim_mean(values[codes == well], _TRIMMED) for well in range(n_wells)])
