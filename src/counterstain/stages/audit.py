"""Stage: whether the run's explanations, and its classifier, can be believed."""

from __future__ import annotations

import pandas as pd

from counterstain.audit.null_training import NullScreen
from counterstain.audit.verdict import AuditVerdict
from counterstain.files import atomic_path, read_json, write_json
from counterstain.plates.screen import Screen
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.audit_chance import judge_chance
from counterstain.stages.audit_empty import audit_empty_areas
from counterstain.stages.audit_leakage import audit_leakage
from counterstain.stages.audit_maps import MapAudit, audit_maps, no_maps
from counterstain.stages.audit_null import judge_null, screen_nothing
from counterstain.stages.map_crops import empty_places, scored_crops
from counterstain.stages.progress import Listener
from counterstain.stages.record import RunRecord

__all__ = ["audit_run"]


def audit_run(
    screen: Screen,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    record: RunRecord,
    listener: Listener,
) -> None:
    """Audit a run: chance, leakage, empty areas, sanity and faithfulness of maps, null screen.

    Writes ``tables/audits.parquet`` and the keys ``audits`` and ``attribution`` of
    ``metrics.json``. Where the classifier is at chance there are no maps to audit; all else is
    audited as ever.

    Parameters
    ----------
    screen : Screen
        What was imaged; the fields are read again, one at a time.
    folder, crops, store, record, listener
        As for the other stages.
    """
    config = screen.config
    folder.table("audits").unlink(missing_ok=True)
    metrics = read_json(folder.metrics)
    table = scored_crops(folder, crops)
    places = empty_places(table, store, config)
    leakage = audit_leakage(screen, folder, crops, store, listener)
    null = screen_nothing(config, crops, store, record, listener)
    maps = (
        no_maps(str(metrics["nothing_reason"]))
        if metrics["nothing_to_explain"]
        else audit_maps(config, folder, table, store, places, _meaningless(null), listener)
    )
    empty = audit_empty_areas(config, folder, table, store, places, maps.mapped, listener)
    verdicts = [
        judge_chance(metrics),
        leakage,
        empty,
        maps.sanity,
        maps.faithfulness,
        judge_null(null, _claims(folder, metrics)),
    ]
    _write(folder, verdicts, maps)


def _meaningless(null: NullScreen | str) -> NullScreen | None:
    return null if isinstance(null, NullScreen) else None


def _claims(folder: RunFolder, metrics: dict[str, object]) -> int | None:
    """Count the claims of the real screen that real wells confirm."""
    path = folder.table("effects")
    if metrics["nothing_to_explain"] or not path.is_file():
        return None
    return int((pd.read_parquet(path)["verdict"] == "confirmed").sum())


def _write(folder: RunFolder, verdicts: list[AuditVerdict], maps: MapAudit) -> None:
    rows = [row for verdict in verdicts for row in verdict.rows()]
    with atomic_path(folder.table("audits")) as temporary:
        pd.DataFrame(rows).to_parquet(temporary, index=False)
    metrics = read_json(folder.metrics)
    attribution = {**metrics.get("attribution", {}), "methods": maps.methods}
    audits = [verdict.to_json() for verdict in verdicts]
    write_json(folder.metrics, metrics | {"attribution": attribution, "audits": audits})
