"""Stage: from measured fields to what is said of the plate's overlap."""

from __future__ import annotations

from typing import Any

import pandas as pd

from counterstain.files import atomic_path, read_json, write_json
from counterstain.plates.screen import Screen
from counterstain.run_folder import RunFolder
from counterstain.stages.marks import find_field_marks
from counterstain.stages.overlap_agreement import compare_readout
from counterstain.stages.overlap_plate import measure_plates
from counterstain.stages.overlap_reading import (
    group_column,
    interaction,
    read_crowding,
    read_groups,
    treatments,
)
from counterstain.stages.progress import Listener
from counterstain.stages.record import RunRecord
from counterstain.statistics.inputs import undefined_noted

__all__ = ["add_overlap_metrics", "measure_overlap", "read_overlap"]


def measure_overlap(
    screen: Screen, folder: RunFolder, record: RunRecord, listener: Listener
) -> None:
    """Make masks and measure overlap: see :func:`measure_plates`."""
    marks = find_field_marks(folder, screen.fields)
    for sentence in (marks.sentence, marks.complaint):
        if sentence:
            listener.say(f"note: {sentence}")
    track = listener.track("masks and overlap")
    notes = measure_plates(screen, folder, progress=track, marked=marks.fields)
    for note in notes:
        listener.say(f"note: {note}")
    record.note(notes)


def read_overlap(screen: Screen, folder: RunFolder, record: RunRecord, listener: Listener) -> None:
    """Compare groups, call interaction, match the readout; write them to tables and metrics.

    Adds ``readout``, ``calibrated_*`` and ``interacts`` to ``tables/overlap_wells.parquet`` and
    makes ``tables/overlap_treatments.parquet``.
    """
    config = screen.config
    fields = pd.read_parquet(folder.table("overlap"))
    path = folder.table("overlap_wells")
    wells = pd.read_parquet(path)
    old = [c for c in wells if c in _ADDED or str(c).startswith("calibrated_")]
    wells = wells.drop(columns=old)
    with undefined_noted():
        wells, readout, notes = compare_readout(config, wells)
        threshold, calls = interaction(config, wells)
        known = wells[config.overlap.measure].notna()
        wells["interacts"] = pd.array(threshold.calls(wells[config.overlap.measure]), "boolean")
        wells.loc[~known, "interacts"] = pd.NA
        table = treatments(config, wells)
        content = {
            "kinds": list(config.overlap.kinds(screen.channels)),
            "measure": config.overlap.measure,
            "group_column": group_column(config, wells),
            **_counts(fields, folder),
            "groups": read_groups(config, wells),
            "crowding": read_crowding(config, fields),
            "interaction": threshold.to_json() | {"n_called": int(wells["interacts"].sum())},
            "calls": calls,
            "readout": readout,
        }
    with (
        atomic_path(path) as wells_path,
        atomic_path(folder.table("overlap_treatments")) as table_path,
    ):
        wells.to_parquet(wells_path, index=False)
        table.to_parquet(table_path, index=False)
    add_overlap_metrics(folder, content)
    for note in notes:
        listener.say(f"note: {note}")
    record.note(notes)


_ADDED = ("readout", "interacts")


def add_overlap_metrics(folder: RunFolder, content: dict[str, Any]) -> None:
    """Add numbers to the part ``overlap`` of ``metrics.json``, which may not be there yet."""
    metrics = read_json(folder.metrics) if folder.metrics.is_file() else {}
    write_json(folder.metrics, metrics | {"overlap": metrics.get("overlap", {}) | content})


def _counts(fields: pd.DataFrame, folder: RunFolder) -> dict[str, Any]:
    states = pd.read_parquet(folder.table("overlap_patches"), columns=["state", "patch"])
    faults = fields.loc[fields["fault"] != "", "fault"]
    return {
        "n_fields": len(fields),
        "n_faulty_fields": len(faults),
        "faults": {str(k): int(n) for k, n in faults.value_counts().items()},
        "n_patches": len(states),
        "n_stored_patches": int((states["patch"] >= 0).sum()),
        "patch_states": {str(k): int(n) for k, n in states["state"].value_counts().items()},
    }
