"""Phenotypic activity and consistency of the treatments, where copairs is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from counterstain.config import ScreenConfig
from counterstain.errors import OptionalDependencyError
from counterstain.ranking import Ranking
from counterstain.ranking.activity import phenotypic_activity, phenotypic_consistency
from counterstain.stages.rank_wells import RankedWells

__all__ = ["ACTIVITY_COLUMNS", "measure_activity"]

ACTIVITY_COLUMNS = ("activity", "activity_p", "activity_q")
_TREATMENT = ["Metadata_Compound", "Metadata_Concentration"]


def measure_activity(
    config: ScreenConfig, wells: RankedWells, ranking: Ranking, treatments: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Add phenotypic activity to the table of treatments, and sum it up.

    Parameters
    ----------
    config : ScreenConfig
        ``ranking.level`` is where activity counts as shown.
    wells : RankedWells
        Latent spaces.
    ranking : Ranking
        Which well holds what.
    treatments : DataFrame
        The table to add ``activity``, ``activity_p`` and ``activity_q`` to.

    Returns
    -------
    treatments : DataFrame
        NaN where copairs is not installed, or a treatment has one well in each space.
    summary : dict
        Counts; or only a ``reason`` why there are none.
    """
    bare = treatments.assign(**dict.fromkeys(ACTIVITY_COLUMNS, np.nan))
    diseased = (config.ranking.pair(config.class_names) or ("",))[0]
    table = ranking.wells
    scored = (table["mark"] == "").to_numpy()
    held = table[["compound", "concentration"]].set_axis(_TREATMENT, axis=1)
    rows = treatments[_TREATMENT].assign(number=np.arange(len(treatments)))
    numbers = held.merge(rows, on=_TREATMENT, how="left")["number"].fillna(-1).to_numpy(np.int64)
    number = np.where(scored & (table["compound"] != "").to_numpy(), numbers, -1)
    reference = scored & (table["class_name"] == diseased).to_numpy()
    shared = (reference, table["Metadata_Plate"].astype(str).to_numpy())
    level, seed = config.ranking.level, config.run.seed
    try:
        found = phenotypic_activity(wells.views, number, *shared, seed=seed)
        active = found.index[found["activity_q"] <= level].to_numpy()
        compound = pd.factorize(table["compound"])[0].astype(np.int64)
        only_active = np.where(np.isin(number, active), number, -1)
        consistent = phenotypic_consistency(wells.views, only_active, compound, *shared, seed=seed)
    except OptionalDependencyError as error:
        return bare, {"reason": str(error)}
    summary = {
        "reason": "",
        "reference": diseased,
        "level": level,
        "n_treatments": len(found),
        "n_active": len(active),
        "n_compounds": len(consistent),
        "n_consistent": int((consistent["consistency_q"] <= level).sum()),
    }
    joined = found.reindex(np.arange(len(treatments)))
    return bare.assign(**{name: joined[name].to_numpy() for name in ACTIVITY_COLUMNS}), summary
