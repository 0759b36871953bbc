"""The leakage audit of a run: its fields once more, and classical measurements of its crops."""

from __future__ import annotations

import numpy as np
import pandas as pd

from counterstain.audit.leakage import leakage_audit
from counterstain.audit.verdict import AuditVerdict
from counterstain.errors import InvalidInputError
from counterstain.plates.screen import Screen
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.measuring import measure_real
from counterstain.stages.progress import Listener
from counterstain.stages.rows import thin_wells

__all__ = ["audit_leakage"]

_CROPS_A_WELL = 60
_FIELDS_A_WELL = 6


def audit_leakage(
    screen: Screen,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> AuditVerdict:
    """Look for what gives the classes away beside biology, without any network.

    Faulty fields are left out, as in training; at most six fields and 60 crops a well are used.
    """
    table = thin_wells(crops[crops["usable"] & (crops["class_name"] != "")], _CROPS_A_WELL)
    fields = pd.read_parquet(folder.table("fields"), columns=["field", "faulty"])
    faulty = fields.set_index("field")["faulty"].reindex(screen.fields["field"])
    try:
        return leakage_audit(
            screen,
            seed=screen.config.run.seed,
            crops=table,
            measures=measure_real(table["crop"].to_numpy(np.int64), store, screen.config),
            usable=~faulty.fillna(True).to_numpy(bool),
            most_fields=_FIELDS_A_WELL,
            progress=listener.track("leakage"),
        )
    except InvalidInputError as error:
        # The run goes on: what could not be audited is said, never silently green.
        sentence = f"Not judged: {error.problems[0]}"
        return AuditVerdict("leakage", "Leakage and shortcuts", "unknown", "not made", sentence)
