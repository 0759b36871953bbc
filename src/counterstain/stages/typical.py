"""Which crops are shown: chosen by rule, so that nobody can say the prettiest were picked."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.stages.rows import class_index

__all__ = ["evenly_scored", "nearest_to_median"]


def evenly_scored(
    table: pd.DataFrame, class_names: tuple[str, ...], count: int
) -> NDArray[np.int64]:
    """Return rows of each class at even steps of its scores, from weak members to strong ones.

    Parameters
    ----------
    table : DataFrame
        Crops with their scores (``logit``, or ``prob_CLASS`` with three classes or more).
    class_names : tuple of str
        The classes in their order.
    count : int
        Crops to take of each class, at most; one alone is the median.

    Examples
    --------
    >>> table = pd.DataFrame({"class_name": list("xxxy"), "logit": [0.0, 2.0, 1.0, 5.0]})
    >>> evenly_scored(table, ("x", "y"), 1).tolist()
    [2, 3]
    """
    classes, chosen = class_index(table, class_names), []
    for index, name in enumerate(class_names):
        column = f"prob_{name}" if len(class_names) > 2 else "logit"
        rows = np.flatnonzero(classes == index)
        order = rows[np.argsort(table[column].to_numpy(float)[rows], kind="stable")]
        taken = min(count, len(order))
        chosen.append(order[((np.arange(taken) + 0.5) * len(order) / max(taken, 1)).astype(int)])
    return np.concatenate(chosen).astype(np.int64)


def nearest_to_median(points: NDArray[np.float64]) -> int:
    """Return the row nearest to the median of all rows, each column in units of its spread.

    Examples
    --------
    >>> nearest_to_median(np.array([[0.0, 0.0], [1.0, 9.0], [1.1, 0.1], [9.0, 0.2]]))
    2
    """
    spread = np.ptp(np.percentile(points, [25, 75], axis=0), axis=0)
    scaled = (points - np.median(points, axis=0)) / np.where(spread > 0, spread, 1.0)
    return int(np.argmin(np.square(scaled).sum(1)))
