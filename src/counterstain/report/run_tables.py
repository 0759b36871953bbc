"""Tables and numbers of a run folder; what is absent or damaged becomes a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from counterstain.errors import InvalidInputError
from counterstain.files import read_json
from counterstain.run_folder import RunFolder

__all__ = ["NEEDED_COLUMNS", "read_part", "read_table"]

NEEDED_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "wells": ("Metadata_Plate", "Metadata_Well", "class_name", "n_fields", "n_crops"),
    "scores": ("Metadata_Well", "class_name"),
    "fields": ("Metadata_Plate", "Metadata_Well", "Metadata_Site", "faulty", "reason"),
    "effects": ("channel", "region", "feature", "unit", "real", "real_low", "real_high",
                "counterfactual", "counterfactual_low", "counterfactual_high", "verdict",
                "sentence"),
    "counterfactuals": ("source_class", "target_class"),
    "boundary": ("Metadata_Plate", "Metadata_Well", "class_name", "source_class", "target_class",
                 "log_odds", "component"),
    "likelihood": ("Metadata_Well", "class_name", "n_crops", "bits_per_dim"),
    "cell_occlusion": ("Metadata_Plate", "Metadata_Well", "called", "region", "channel", "drop",
                       "flips"),
    "audits": ("audit", "check", "status", "value", "low", "high", "unit", "sentence"),
    "treatments": ("rank", "Metadata_Compound", "Metadata_Concentration", "call", "rescue",
                   "rescue_low", "rescue_high", "q_value", "side_effect", "n_wells", "note"),
    "doses": ("Metadata_Compound", "ec50", "ec50_low", "ec50_high", "slope", "plateau", "reason"),
    "plates": ("Metadata_Plate", "n_wells", "z_prime", "failed", "note"),
    "ranking_wells": ("Metadata_Plate", "Metadata_Well", "class_name", "compound", "concentration",
                      "rescue", "side_effect", "n_cells", "mark", "call"),
    "remaining": ("Metadata_Compound", "Metadata_Concentration", "way", "verdict", "restored"),
    "overlap": ("Metadata_Plate", "Metadata_Well", "class_name", "fault", "iou",
                "iou_above_chance", "patch_iou_sum", "n_a", "n_b"),
    "overlap_wells": ("Metadata_Plate", "Metadata_Well", "class_name", "n_fields",
                      "n_faulty_fields", "iou", "iou_above_chance"),
    "overlap_patches": ("patch", "Metadata_Plate", "Metadata_Well", "class_name", "state", "iou"),
    "overlap_latents": ("patch", "Metadata_Plate", "Metadata_Well", "class_name", "iou", "part"),
    "overlap_treatments": ("n_wells", "mean", "difference", "low", "high", "p", "q"),
}  # fmt: skip
"""Tables that a report reads, and the columns that it cannot do without."""


def read_part(path: Path, name: str, what: str, missing: dict[str, str]) -> Mapping[str, Any]:
    """Read a JSON file of a run; empty, with a sentence in `missing`, where that fails."""
    if not path.is_file():
        missing[name] = f"{path.name} is not there: {what} cannot be shown."
        return {}
    try:
        content = read_json(path)
    except InvalidInputError:
        content = None
    if not isinstance(content, dict):
        missing[name] = f"{path.name} is damaged: {what} cannot be shown."
        return {}
    return content


def read_table(folder: RunFolder, name: str, missing: dict[str, str]) -> pd.DataFrame | None:
    """Read a table of a run; None, with a sentence in `missing`, where it is absent or damaged."""
    path = folder.table(name)
    if not path.is_file():
        missing[name] = f"tables/{path.name} is not there: the run has not come so far."
        return None
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        missing[name] = f"tables/{path.name} is damaged ({type(error).__name__}): make it anew."
        return None
    lacking = [column for column in NEEDED_COLUMNS[name] if column not in table.columns]
    if lacking:
        missing[name] = f"tables/{path.name} lacks the column(s) {', '.join(lacking)}."
        return None
    return _filled(table)


def _filled(table: pd.DataFrame) -> pd.DataFrame:
    """Write "in no class" and "none" one way, however the table holds them; drop unusable crops."""
    for column in ("class_name", "predicted", "reason", "sentence"):
        if column in table:
            table[column] = table[column].astype(object).where(table[column].notna(), "")
    if "usable" in table:
        table = table[table["usable"].astype(bool)].reset_index(drop=True)
    for column in ("n_fields", "n_faulty", "n_crops"):
        if column in table:
            table[column] = pd.to_numeric(table[column]).fillna(0).astype("int64")
    return table
