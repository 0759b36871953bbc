"""Side effects that no network can tell, taken from the classical profile.

Where whole plates are held out and a treatment has one well a plate, no two of its wells lie in the
latent space of one network that saw neither, and what they agree on off the axis cannot be told.
Where wells are placed by log-odds there is nothing off the axis at all. Classical measurements have
one space for all wells.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from counterstain.ranking import CallRules, Ranking
from counterstain.statistics.calls import CALLS, OFF_AXIS, call_hits

__all__ = ["borrow_side_effects", "without_side_effects"]

_TREATMENT = ["Metadata_Compound", "Metadata_Concentration"]


def without_side_effects(ranking: Ranking) -> Ranking:
    """Return a ranking by one number a well, whose side effects are unknown rather than 0."""
    names = ["side_effect", "side_effect_share", "side_effect_p", "side_effect_q"]
    treatments = ranking.treatments.assign(**dict.fromkeys(names, np.nan))
    wells = ranking.wells.assign(side_effect=np.nan, off_axis_z=np.nan)
    return _replaced(ranking, treatments, wells)


def borrow_side_effects(ranking: Ranking, classical: Ranking | None, rules: CallRules) -> Ranking:
    """Fill side effects that are unknown in a ranking from that of the classical profile.

    Treatments concerned are called anew, by the network's rescue and the classical side effect in
    standard deviations of the classical profiles of control wells; then all are put in order.

    Parameters
    ----------
    ranking : Ranking
        By the networks.
    classical : Ranking or None
        By the classical profile; None where there is none.
    rules : CallRules
        Lines between the calls.

    Returns
    -------
    Ranking
        `ranking` with the column ``side_effect_from`` in its treatments: "network", "classical", or
        empty where nothing tells. Wells without a side effect get the classical one, too.
    """
    rows = ranking.treatments.copy()
    unknown = (rows["side_effect_q"].isna() & (rows["n_wells"] >= rules.min_wells)).to_numpy()
    rows["side_effect_from"] = np.where(rows["side_effect_q"].notna(), "network", "")
    if classical is None or not unknown.any():
        return _replaced(ranking, rows, ranking.wells)
    names = ["side_effect", "side_effect_share", "side_effect_p", "side_effect_q"]
    other = rows[_TREATMENT].merge(
        classical.treatments[[*_TREATMENT, *names]], on=_TREATMENT, how="left"
    )
    filled = unknown & other["side_effect_q"].notna().to_numpy()
    for name in names:
        rows[name] = np.where(filled, other[name].to_numpy(), rows[name])
    rows.loc[filled, "side_effect_from"] = "classical"
    called = call_hits(
        rows["rescue"], rows["rescue_low"], rows["q_value"], rows["side_effect"],
        rows["side_effect_q"], rows["n_wells"], axis_length=classical.axis_length,
        poisoned=rows["call"] == OFF_AXIS, rules=rules,
    )  # fmt: skip
    rows["call"] = np.where(filled, called, rows["call"])
    place = rows["call"].map({call: i for i, call in enumerate(CALLS)})
    rows = rows.iloc[np.lexsort([-rows["rescue_low"].fillna(-np.inf), place])]
    rows = rows.reset_index(drop=True).assign(rank=np.arange(1, len(rows) + 1))
    return _replaced(ranking, rows, _neither(_filled(ranking.wells, classical.wells), rows))


def _filled(wells: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Give scored wells whose side effect is unknown that of the classical profile."""
    lacking = ((wells["mark"] == "") & wells["side_effect"].isna()).to_numpy()
    names = ("side_effect", "off_axis_z")
    return wells.assign(
        **{name: np.where(lacking, other[name].to_numpy(), wells[name]) for name in names}
    )


def _neither(wells: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Mark the scored wells of what is off the axis as neither diseased nor healthy."""
    off = rows.loc[rows["call"] == OFF_AXIS, _TREATMENT].assign(off=True)
    found = wells[["compound", "concentration"]].set_axis(_TREATMENT, axis=1)
    chosen = found.merge(off, on=_TREATMENT, how="left")["off"].notna().to_numpy()
    chosen &= (wells["compound"] != "").to_numpy() & (wells["mark"] == "").to_numpy()
    return wells.assign(state=np.where(chosen, "neither", wells["state"]))


def _replaced(ranking: Ranking, treatments: pd.DataFrame, wells: pd.DataFrame) -> Ranking:
    return Ranking(treatments, wells, ranking.plates, ranking.axis_length, ranking.notes)
