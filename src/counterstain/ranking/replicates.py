"""Whether wells of one treatment say the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

__all__ = ["intraclass_correlation", "pair_replicates"]

_TREATMENT = ["compound", "concentration"]


def pair_replicates(wells: pd.DataFrame) -> pd.DataFrame:
    """Set each treated well beside the mean of the other wells of its treatment.

    Parameters
    ----------
    wells : DataFrame
        ``wells`` of a :class:`counterstain.ranking.Ranking`.

    Returns
    -------
    DataFrame
        The scored wells of treatments with two or more, with ``others``: mean rescue of the
        treatment's other wells; and ``treatment``, its number.

    Examples
    --------
    >>> wells = pd.DataFrame({"compound": ["C1", "C1", "C1", "C2", ""], "concentration": 1.0,
    ...                       "rescue": [0.8, 1.0, 0.6, 0.1, 0.0], "mark": ""})
    >>> pair_replicates(wells)["others"].round(2).tolist()
    [0.8, 0.7, 0.9]
    """
    scored = wells[(wells["mark"] == "") & (wells["compound"] != "") & wells["rescue"].notna()]
    groups = scored.groupby(_TREATMENT, dropna=False, sort=True)["rescue"]
    size, total = groups.transform("size"), groups.transform("sum")
    several = (size > 1).to_numpy()
    others = (total - scored["rescue"])[several] / (size[several] - 1)
    number = scored.groupby(_TREATMENT, dropna=False, sort=True).ngroup()
    return scored[several].assign(others=others, treatment=number[several])


def intraclass_correlation(values: ArrayLike, groups: ArrayLike) -> float:
    """Return the share of the spread between single wells that their treatments explain, ICC(1).

    Parameters
    ----------
    values : array-like of float, shape (n,)
        Finite values, one a well.
    groups : array-like, shape (n,)
        Treatment of each well.

    Returns
    -------
    float
        1 where replicates are alike and treatments differ, about 0 where treatments explain
        nothing, below 0 where replicates differ more than treatments; NaN where there are fewer
        than two groups, no replicate, or no spread.

    References
    ----------
    Shrout & Fleiss 1979, doi:10.1037/0033-2909.86.2.420, case 1; groups of unequal size as in
    Searle, Casella & McCulloch 1992, doi:10.1002/9780470316856.

    Examples
    --------
    >>> intraclass_correlation([1.0, 1.0, 3.0, 3.0], ["a", "a", "b", "b"])
    1.0
    >>> intraclass_correlation([1.0, 2.0], ["a", "b"])
    nan
    """
    table = pd.DataFrame({"value": np.asarray(values, np.float64), "group": np.asarray(groups)})
    by_group = table.groupby("group")["value"]
    sizes = by_group.size().to_numpy(np.float64)
    n, k = float(sizes.sum()), len(sizes)
    if k < 2 or n <= k:
        return float("nan")
    within = float(((table["value"] - by_group.transform("mean")) ** 2).sum()) / (n - k)
    means = by_group.mean().to_numpy()
    between = float((sizes * (means - table["value"].mean()) ** 2).sum()) / (k - 1)
    usual_size = (n - float((sizes**2).sum()) / n) / (k - 1)
    spread = between + (usual_size - 1) * within
    return (between - within) / spread if spread > 0 else float("nan")
