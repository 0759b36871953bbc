"""What a treatment leaves to be done, and what else it does, in words and as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from counterstain.figures.call_marks import treatment_names
from counterstain.report.chapter import Table
from counterstain.report.data import RunData
from counterstain.report.numbers import decimal
from counterstain.report.ranking_data import RankingData

__all__ = ["remaining_sentences", "remaining_table"]

_TO_HEALTHY = "to healthy"
_MOST_NAMED = 3
_WIDEST = 0.5  # of an interval, for a share to be named
_MOST_ROWS = 120


def remaining_sentences(data: RunData, ranking: RankingData) -> list[str]:
    """Say of each partial hit what it restores and lacks, of each toxic one what else changed."""
    table = data.table("remaining")
    if table is None or table.empty:
        return []
    found = []
    for (_, way), own in table.groupby([_named(table, ranking), "way"], sort=False, dropna=False):
        name = _named(own, ranking).iloc[0]
        words = _missing(own, name, ranking) if way == _TO_HEALTHY else _else(own, name, ranking)
        found.append(words)
    return found


def remaining_table(data: RunData, ranking: RankingData) -> Table | None:
    """Return a row per treatment and measurement that is restored, missing or new."""
    table = data.table("remaining")
    if table is None or table.empty:
        return None
    rows = table[(table["verdict"] != "none") | table["restored"].notna()]
    names = _named(rows, ranking).tolist()
    header = (
        "treatment", "from", "to", "measurement", "share restored", "95 % interval",
        "difference between real wells", "change in the counterfactuals", "verdict",
    )  # fmt: skip
    cells = [
        (
            name, str(row["source_class"]), str(row["target_class"]), _measurement(row),
            _percent(row["restored"]), _interval(row, "restored", 100),
            f"{decimal(row['real'])} {row['unit']} {_interval(row, 'real', 1)}",
            f"{decimal(row['counterfactual'])} {row['unit']} {_interval(row, 'counterfactual', 1)}",
            str(row["verdict"]),
        )
        for name, row in zip(names, rows.head(_MOST_ROWS).to_dict("records"), strict=False)
    ]  # fmt: skip
    caption = "What treatments restore, lack, and change besides"
    if len(rows) > len(cells):
        caption += f"; {len(rows) - len(cells)} more rows are in tables/remaining.parquet"
    return Table(caption, header, cells, frozenset({4, 5, 6, 7}))


def _missing(own: pd.DataFrame, name: str, ranking: RankingData) -> str:
    known = own[(own["restored_high"] - own["restored_low"]) <= _WIDEST]
    shares = known.drop_duplicates(["channel", "feature"])
    ordered = shares.sort_values("restored", ascending=False, kind="stable").to_dict("records")
    words = f"{name} ({own['call'].iloc[0]}): "
    if ordered:
        ends = [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered
        told = [
            f"{_measurement(row)} is {_percent(row['restored'])} {_interval(row, 'restored', 100)}"
            for row in ends
        ]
        words += f"of what the disease changed, {', '.join(told)} restored. "
    lacks = own[own["verdict"] == "confirmed"].head(_MOST_NAMED).to_dict("records")
    healthy = ranking.ends[1]
    if lacks:
        named = "; ".join(f"{_measurement(row)} {_signed(row, 'real')}" for row in lacks)
        where = "in counterfactuals of its cells and in real wells"
        return words + f"Still missing to {healthy}, {where}: {named}."
    return words + f"Nothing that still separates it from {healthy} is confirmed by real wells."


def _else(own: pd.DataFrame, name: str, ranking: RankingData) -> str:
    changed = own[own["verdict"] == "confirmed"].head(_MOST_NAMED).to_dict("records")
    words = f"{name} ({own['call'].iloc[0]}): "
    if not changed:
        return words + (
            "nothing that its way off the axis changes in pictures is confirmed by real wells."
        )
    named = "; ".join(f"{_measurement(row)} {_signed(row, 'real')}" for row in changed)
    return words + (
        f"what else changed against {ranking.ends[0]}, in pictures of its way off the axis and in "
        f"real wells: {named}."
    )


def _named(table: pd.DataFrame, ranking: RankingData) -> pd.Series:
    return pd.Series(treatment_names(table, ranking.unit, 40), index=table.index)


def _measurement(row: dict[Any, Any]) -> str:
    return f"{row['channel']} {row['feature']} ({row['region']})"


def _percent(share: float) -> str:
    return f"{decimal(100 * share, 0)} %" if np.isfinite(share) else "–"


def _interval(row: dict[Any, Any], name: str, factor: float) -> str:
    low, high = (factor * row[f"{name}_{end}"] for end in ("low", "high"))
    places = 0 if factor > 1 else 2
    return f"[{decimal(low, places)}, {decimal(high, places)}]" if np.isfinite(low + high) else "–"


def _signed(row: dict[Any, Any], name: str) -> str:
    unit = f" {row['unit']}" if row["unit"] else ""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return (
        f"{row[name]:+.0f}{unit} [{low:+.0f}, {high:+.0f}]"
        if row["unit"] == "%"
        else (f"{row[name]:+.2f}{unit} [{low:+.2f}, {high:+.2f}]")
    )
