"""Stage: what the overlap of wells says: by group, against chance, by treatment, and yes or no."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from counterstain.config import ScreenConfig
from counterstain.plates.class_rules import is_negative_control
from counterstain.plates.wells import well_names
from counterstain.statistics.agreement import rank_correlation
from counterstain.statistics.effects import difference_by_well, mean_by_well
from counterstain.statistics.significance import benjamini_hochberg, difference_p_value
from counterstain.statistics.threshold_roc import (
    InteractionThreshold,
    calls_by_threshold,
    interaction_threshold,
)

__all__ = ["group_column", "interaction", "read_crowding", "read_groups", "treatments"]

_TREATMENT = ["Metadata_Compound", "Metadata_Concentration"]
_STEPS = 41
_CROWDED = ("iou", "iou_above_chance", "share_a", "share_a_above_chance")


def group_column(config: ScreenConfig, wells: pd.DataFrame) -> str:
    """Return the column by which wells are grouped: as set, the stimulation, or the class."""
    if config.overlap.group:
        return config.overlap.group
    return "Metadata_Stimulation" if "Metadata_Stimulation" in wells else "class_name"


def _ends(config: ScreenConfig) -> tuple[str, str]:
    """Return the classes of the controls without and with interaction."""
    names = config.class_names
    return config.overlap.negative or names[0], config.overlap.positive or names[-1]


def read_groups(config: ScreenConfig, wells: pd.DataFrame) -> list[dict[str, Any]]:
    """Compare the overlap of the classes, each with the one without interaction.

    Parameters
    ----------
    config : ScreenConfig
        Classes and the measure.
    wells : DataFrame
        ``tables/overlap_wells.parquet``.

    Returns
    -------
    list of dict
        One a class: its wells, means of the measure and of the overlap above chance, the
        difference to the class without interaction with interval, p and q.
    """
    measure, seed = config.overlap.measure, config.run.seed
    negative, _ = _ends(config)
    known = wells[wells[measure].notna()]
    base = known[known["class_name"] == negative]
    rows: list[dict[str, Any]] = []
    for name in config.class_names:
        own = known[known["class_name"] == name]
        row: dict[str, Any] = {
            "group": name,
            "n_wells": len(own),
            "n_wells_without": int((wells["class_name"] == name).sum()) - len(own),
        }
        for column in dict.fromkeys((measure, "iou", "iou_above_chance", "share_a_touching")):
            if column in own:
                good = own[own[column].notna()]
                row[column] = mean_by_well(good[column], well_names(good), seed=seed).to_json()
        if name != negative:
            row["difference"], row["p"] = _against(base, own, measure, seed)
        rows.append(row)
    return _with_q(rows)


def _against(
    base: pd.DataFrame, own: pd.DataFrame, measure: str, seed: int
) -> tuple[dict[str, Any], float | None]:
    pairs = (base[measure], well_names(base), own[measure], well_names(own))
    p = difference_p_value(*pairs)
    return difference_by_well(*pairs, seed=seed).to_json(), None if math.isnan(p) else p


def _with_q(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tested = [row for row in rows if row.get("p") is not None]
    if tested:
        for row, q in zip(tested, benjamini_hochberg([r["p"] for r in tested]), strict=True):
            row["q"] = float(q)
    return rows


def read_crowding(config: ScreenConfig, fields: pd.DataFrame) -> list[dict[str, Any]]:
    """Correlate overlap with the number of cells, where the contact is the same: within a class.

    Parameters
    ----------
    config : ScreenConfig
        Classes.
    fields : DataFrame
        ``tables/overlap.parquet``.

    Returns
    -------
    list of dict
        One a class: wells, and Spearman's correlations with the number of cells, over the means
        of wells: of plain IoU and share of the first kind, and of both above chance. IoU also
        depends on how many cells of one kind there are for each of the other; the share does not.
    """
    good = fields[(fields["fault"] == "") & fields["iou"].notna()]
    good = good.assign(cells=good["n_a"] + good["n_b"])
    rows = []
    for name in config.class_names:
        own = good[good["class_name"] == name]
        means = own.groupby(["Metadata_Plate", "Metadata_Well"])[["cells", *_CROWDED]].mean()
        means = means.dropna()
        rows.append(
            {"group": name, "n_wells": len(means)}
            | {
                column: rank_correlation(means["cells"], means[column]).to_json()
                for column in _CROWDED
            }
        )
    return rows


def treatments(config: ScreenConfig, wells: pd.DataFrame) -> pd.DataFrame:
    """Compare each treatment and dose with the classed wells of its group.

    Parameters
    ----------
    config : ScreenConfig
        The measure.
    wells : DataFrame
        ``tables/overlap_wells.parquet``.

    Returns
    -------
    DataFrame
        A row a group, compound and concentration: ``n_wells``, ``mean``, ``difference`` to the
        classed wells of the same group with ``low``, ``high``, ``p``, ``q`` and ``reason``. Empty
        where the plate map names no compound.
    """
    group, measure = group_column(config, wells), config.overlap.measure
    keys = [group, *(c for c in _TREATMENT if c in wells)]
    columns = [*keys, "n_wells", "mean", "difference", "low", "high", "p", "q", "reason"]
    if len(keys) < 2:
        return pd.DataFrame(columns=columns)
    known = wells[wells[measure].notna()]
    base = known[known["class_name"] != ""]
    rows: list[dict[str, Any]] = []
    for key, own in known[known["class_name"] == ""].groupby(keys, dropna=False, sort=True):
        found, p = _against(base[base[group] == key[0]], own, measure, config.run.seed)
        rows.append(
            dict(zip(keys, key, strict=True))
            | {"n_wells": len(own), "mean": float(own[measure].mean()), "p": p}
            | {"difference": found["value"], "low": found["low"], "high": found["high"]}
            | {"reason": found.get("reason") or ""}
        )
    _with_q(rows)
    return pd.DataFrame(rows, columns=columns)


def interaction(
    config: ScreenConfig, wells: pd.DataFrame
) -> tuple[InteractionThreshold, list[dict[str, Any]]]:
    """Find the overlap from which on a well interacts, and how calls change with it.

    Parameters
    ----------
    config : ScreenConfig
        The measure, the controls, or a given threshold.
    wells : DataFrame
        ``tables/overlap_wells.parquet``.

    Returns
    -------
    threshold : InteractionThreshold
        With its sensitivity and specificity by well.
    calls : list of dict
        For thresholds over the range of the wells, how many wells of each group are called.
    """
    overlap = config.overlap
    known = wells[wells[overlap.measure].notna()]
    negative, positive = _ends(config)
    low = known["class_name"] == negative
    if overlap.negative is None:
        low = is_negative_control(known, negative) & (known["class_name"] != positive)
    high = known["class_name"] == positive
    scores = known[overlap.measure].to_numpy(np.float64)
    given = None if overlap.interaction == "controls" else float(overlap.interaction)
    threshold = interaction_threshold(
        scores[low], scores[high], threshold=given, seed=config.run.seed
    )
    if not scores.size:
        return threshold, []
    tried = np.linspace(0.0, float(scores.max()), _STEPS)
    names = known[group_column(config, wells)].astype(str).to_numpy(object)
    controls = np.where(low, "control −", np.where(high, "control +", names))
    calls = calls_by_threshold(
        scores,
        controls.tolist(),
        tried,
        negative="control −",
        positive="control +",
        reference=threshold.threshold,
    )
    by_group = calls_by_threshold(scores, names.tolist(), tried, reference=threshold.threshold)
    return threshold, [
        one.to_json() | {"called": dict(two.called)}
        for one, two in zip(calls, by_group, strict=True)
    ]
