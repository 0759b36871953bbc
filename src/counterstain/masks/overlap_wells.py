"""Overlap well by well: the fields of a well pooled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from counterstain.errors import InvalidInputError

__all__ = ["overlap_by_well"]

_WELL = ("Metadata_Plate", "Metadata_Well")
_SUMS = ("n_a", "n_b", "a_touching", "b_touching", "pairs", "mutual_pairs")
_MEANS = (
    *("expected_iou", "excess_iou", "iou_above_chance", "share_a_above_chance"),
    *("share_b_above_chance", "contact_share_a_above_chance", "contact_share_b_above_chance"),
    *("contact_contacts_per_a_above_chance", "patch_iou_sum", "patch_iou_mean"),
)


def overlap_by_well(
    fields: pd.DataFrame, by: Sequence[str] = _WELL, keep: Sequence[str] = ()
) -> pd.DataFrame:
    """Pool the fields of each well.

    Parameters
    ----------
    fields : pandas.DataFrame
        Rows of `measure_field`.
    by : sequence of str
        Columns that name a well.
    keep : sequence of str
        Columns that are the same in all fields of a well, to carry along.

    Returns
    -------
    pandas.DataFrame
        A row a well, wells without any good field too: `n_fields`, `n_faulty_fields`, areas summed
        over good fields and `iou`, `dice`, `share_a`, `share_b` from the sums, so that a field
        counts by its cells; `iou_above_chance` and the others against chance as means over good
        fields, weighted by the area of a; sums of contacts, and shares of them, where they were
        counted; `reason` where the overlap is NaN.

    Raises
    ------
    InvalidInputError
        If a column is missing.

    Examples
    --------
    >>> rows = pd.DataFrame({"Metadata_Plate": "P", "Metadata_Well": ["A01", "A01"], "fault": "",
    ...     "area_a": [10, 30], "area_b": [10, 10], "intersection": [5, 0]})
    >>> overlap_by_well(rows)["iou"].round(3).tolist()
    [0.091]
    """
    needed = [*by, *keep, "fault", "area_a", "area_b", "intersection"]
    missing = [name for name in needed if name not in fields]
    if missing:
        raise InvalidInputError(
            f"`fields` must be rows of `measure_field`; got no column "
            f"{', '.join(map(repr, missing))}: name the well in `metadata`."
        )
    rows = [
        dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
        | {name: group[name].iloc[0] for name in keep}
        | _pooled(group)
        for key, group in fields.groupby(list(by), sort=True)
    ]
    return pd.DataFrame(rows)


def _pooled(group: pd.DataFrame) -> dict[str, Any]:
    good = group[group["fault"] == ""]
    area_a, area_b, both = (
        int(good[name].fillna(0).sum()) for name in ("area_a", "area_b", "intersection")
    )
    union = area_a + area_b - both
    reason = "" if union else "no cell in any field" if len(good) else "all fields are faulty"
    row: dict[str, Any] = {
        "n_fields": len(group),
        "n_faulty_fields": len(group) - len(good),
        "area_a": area_a,
        "area_b": area_b,
        "intersection": both,
        "iou": both / union if union else math.nan,
        "dice": 2 * both / (area_a + area_b) if union else math.nan,
        "share_a": both / area_a if area_a else math.nan,
        "share_b": both / area_b if area_b else math.nan,
    }
    row |= {name: _weighted(good, name) for name in _MEANS if name in good}
    row |= {name: int(good[name].fillna(0).sum()) for name in _SUMS if name in good}
    if "n_a" in row:
        row |= _contact_shares(row)
    return row | {"reason": reason}


def _contact_shares(row: dict[str, Any]) -> dict[str, float]:
    n_a, n_b = row["n_a"], row["n_b"]
    return {
        "share_a_touching": row["a_touching"] / n_a if n_a else math.nan,
        "share_b_touching": row["b_touching"] / n_b if n_b else math.nan,
        "contacts_per_a": row["pairs"] / n_a if n_a else math.nan,
        "contacts_per_b": row["pairs"] / n_b if n_b else math.nan,
    }


def _weighted(rows: pd.DataFrame, name: str) -> float:
    """Average a column over fields by their area of a; fields where it is NaN do not count."""
    known = rows[name].notna() & (rows["area_a"] > 0)
    weight = rows.loc[known, "area_a"].to_numpy(np.float64)
    if not weight.size:
        return math.nan
    return float(np.average(rows.loc[known, name].to_numpy(np.float64), weights=weight))
