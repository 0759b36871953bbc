"""Cell-wise occlusion by well: what removing a compartment does to calls, in numbers and words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from counterstain.report.numbers import count, interval, percent
from counterstain.statistics import mean_by_well, share_by_well
from counterstain.types import Estimate

__all__ = ["POOLED", "occlusion_sentences", "occlusion_summary"]

POOLED = "all classes"
_REGIONS = ("nucleus", "cytoplasm", "neighbours", "background")
_WHERE = {
    "nucleus": "in the nucleus",
    "cytoplasm": "in the cytoplasm",
    "neighbours": "in the cells beside it",
    "background": "in the background",
}
_MOST_SENTENCES = 3
_TELLING = 0.01


def occlusion_summary(
    table: pd.DataFrame, channels: tuple[str, ...], *, pooled: bool, seed: int
) -> pd.DataFrame:
    """Summarise occlusions by well, a row per class called, region and channel.

    Parameters
    ----------
    table : DataFrame
        ``cell_occlusion``: a row per crop, region and channel; rows without a finite drop (no such
        region in the crop) are left out.
    channels : tuple of str
        Order of channels; "all" comes last.
    pooled : bool
        Take all classes together, as "all classes".
    seed : int
        Seed of the intervals.

    Returns
    -------
    DataFrame
        `called`, `region`, `channel`, `drop` and `flips` (Estimate each) with `_low` and `_high`,
        `n_wells`, `n_crops`; regions from the nucleus outwards.

    Examples
    --------
    >>> table = pd.DataFrame({"Metadata_Plate": "P", "Metadata_Well": ["A01", "A02", "A03"],
    ...     "called": "sick", "region": "nucleus", "channel": "DNA", "drop": [1.0, 2.0, 3.0],
    ...     "flips": [False, True, True]})
    >>> row = occlusion_summary(table, ("DNA",), pooled=False, seed=0).iloc[0]
    >>> float(row["drop"]), round(float(row["flips"]), 3), int(row["n_wells"])
    (2.0, 0.667, 3)
    """
    drops = pd.to_numeric(table["drop"], errors="coerce").to_numpy(float)
    table = table[np.isfinite(drops) & table["flips"].notna().to_numpy()]
    called = POOLED if pooled else table["called"].astype(str)
    keyed = table.assign(called=called, region=table["region"].astype(str))
    rows = []
    for (name, region, channel), group in keyed.groupby(["called", "region", "channel"]):
        rows.append({"called": name, "region": region, "channel": channel} | _numbers(group, seed))
    if not rows:
        return pd.DataFrame({"called": [], "region": [], "channel": []})
    order = {name: place for place, name in enumerate((*channels, "all"))}
    summary = pd.DataFrame(rows)
    known = [*_REGIONS, *sorted(set(summary["region"]) - set(_REGIONS))]
    places = summary.assign(
        r=summary["region"].map(known.index), c=summary["channel"].map(order).fillna(len(order))
    )
    return places.sort_values(["r", "c", "called"]).drop(columns=["r", "c"]).reset_index(drop=True)


def _numbers(group: pd.DataFrame, seed: int) -> dict[str, float]:
    wells = (
        group["Metadata_Plate"].astype(str) + " " + group["Metadata_Well"].astype(str)
    ).tolist()
    drop = mean_by_well(group["drop"].to_numpy(float), wells, seed=seed)
    flips = share_by_well(group["flips"].to_numpy(bool), wells, seed=seed)
    return {
        "drop": drop.value, "drop_low": drop.low, "drop_high": drop.high,
        "flips": flips.value, "flips_low": flips.low, "flips_high": flips.high,
        "n_wells": drop.n_wells, "n_crops": len(group),
    }  # fmt: skip


def occlusion_sentences(summary: pd.DataFrame, noun: str) -> list[str]:
    """Say what the calls hang on, the strongest first, and what the background does.

    Parameters
    ----------
    summary : DataFrame
        Of :func:`occlusion_summary`.
    noun : str
        What a crop shows.

    Returns
    -------
    list of str
        Up to three sentences on compartments in single channels, and one on the background.
    """
    if not len(summary):
        return []
    cells = summary[(summary["region"] != "background") & (summary["channel"] != "all")]
    strong = cells.sort_values(["flips", "drop"], ascending=False, kind="stable")
    strong = strong[strong["flips"] >= _TELLING].head(_MOST_SENTENCES)
    sentences = [_sentence(row, noun) for _, row in strong.iterrows()]
    if not sentences and len(cells):
        sentences.append(
            "No single compartment in a single channel flips one call in a hundred: the calls "
            "rest on more than one of them."
        )
    empty = summary[(summary["region"] == "background") & (summary["channel"] == "all")]
    return sentences + [_sentence(row, noun) for _, row in empty.iterrows()]


def _sentence(row: pd.Series, noun: str) -> str:
    drop, flips = (
        Estimate(float(row[k]), float(row[f"{k}_low"]), float(row[f"{k}_high"]))
        for k in ("drop", "flips")
    )
    region, channel = str(row["region"]), str(row["channel"])
    what = "anything" if channel == "all" else channel
    start = f"Without {what} {_WHERE.get(region, 'in ' + region)}"
    of = "" if row["called"] == POOLED else f" of {row['called']}"
    return (
        f"{start}, {percent(flips, 0)} of the calls{of} flip; their log-odds drop by "
        f"{interval(drop, 1)} ({count(float(row['n_wells']))} wells, "
        f"{count(float(row['n_crops']))} {noun})."
    )
