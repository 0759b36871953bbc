"""The table of treatments: corrected for multiplicity, called, ranked, with notes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from counterstain.ranking.treatment_groups import TreatmentGroups
from counterstain.ranking.well_table import WellTable
from counterstain.statistics.calls import CALLS, CallRules, call_hits
from counterstain.statistics.significance import benjamini_hochberg

__all__ = ["treatment_table"]

_COLUMNS = (
    "rank", "Metadata_Compound", "Metadata_Concentration", "call", "rescue", "rescue_low",
    "rescue_high", "rescue_sd", "p_value", "q_value", "side_effect", "side_effect_share",
    "side_effect_p", "side_effect_q", "n_wells", "n_plates", "n_few_cells", "cell_share", "note",
)  # fmt: skip


def treatment_table(
    rows: pd.DataFrame,
    table: WellTable,
    groups: TreatmentGroups,
    plates: pd.DataFrame,
    rules: CallRules,
    axis_length: float,
) -> pd.DataFrame:
    """Return the table of treatments, best first.

    Parameters
    ----------
    rows : DataFrame
        What `rescue_rows` and `side_effect_rows` found, side by side.
    table : WellTable
        What each well is.
    groups : TreatmentGroups
        Usable wells of each treatment.
    plates : DataFrame
        From `plate_rows`.
    rules : CallRules
        Lines between the calls.
    axis_length : float
        Way from diseased to healthy, in SDs of the controls' wells.

    Returns
    -------
    DataFrame
        See :func:`counterstain.ranking.rank_treatments` for its columns; ``number`` besides, that
        of the treatment in `table`.
    """
    rows = pd.concat([table.treatments, rows, _counted(table, groups)], axis=1)
    sizes, few = groups.sizes, rows["n_few_cells"].to_numpy()
    enough = sizes >= rules.min_wells
    for p_value, q_value in (("p_value", "q_value"), ("side_effect_p", "side_effect_q")):
        rows[q_value] = benjamini_hochberg(rows[p_value].where(enough).to_numpy())
    rows["side_effect_share"] = rows["side_effect"] / axis_length
    rows["call"] = call_hits(
        rows["rescue"],
        rows["rescue_low"],
        rows["q_value"],
        rows["side_effect"],
        rows["side_effect_q"],
        sizes,
        axis_length=axis_length,
        poisoned=(few >= 2) & (few >= sizes),
        rules=rules,
    )
    rows["note"] = _treatment_notes(rows, table, groups, plates)
    place = rows["call"].map({call: i for i, call in enumerate(CALLS)})
    order = np.lexsort([-rows["rescue_low"].fillna(-np.inf), place])
    rows = rows.iloc[order].reset_index(drop=True)
    rows = rows.assign(rank=np.arange(1, len(rows) + 1), number=order)
    return rows[["number", *_COLUMNS]]


def _counted(table: WellTable, groups: TreatmentGroups) -> pd.DataFrame:
    """Count wells, plates and cells of each treatment."""
    n = len(groups.sizes)
    on_plate = np.unique(np.column_stack([groups.owner, table.plate[groups.rows]]), axis=0)
    named = table.treatment >= 0
    seen = named & np.isfinite(table.cell_share)
    cells = pd.Series(table.cell_share[seen]).groupby(table.treatment[seen]).mean()
    return pd.DataFrame(
        {
            "n_wells": groups.sizes,
            "n_plates": np.bincount(on_plate[:, 0], minlength=n),
            "n_few_cells": np.bincount(table.treatment[table.few_cells & named], minlength=n),
            "cell_share": cells.reindex(range(n)).to_numpy(np.float64),
        }
    )


def _treatment_notes(
    rows: pd.DataFrame, table: WellTable, groups: TreatmentGroups, plates: pd.DataFrame
) -> list[str]:
    failed = plates["failed"].to_numpy(bool)[table.plate[groups.rows]]
    on_failed = np.bincount(groups.owner, failed, len(rows)).astype(int)
    notes = []
    for size, few, bad in zip(rows["n_wells"], rows["n_few_cells"], on_failed, strict=True):
        parts = []
        if few:
            parts.append(f"too few cells in {few} of {few + size} wells")
        if size == 1:
            parts.append("one usable well: nothing confirms it")
        if bad:
            parts.append(f"{bad} of {size} wells on plates that fail")
        notes.append("; ".join(parts))
    return notes
