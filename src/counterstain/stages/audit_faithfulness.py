"""Faithfulness of a run's maps: does the call fall where the map says it should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.audit.faithfulness_curves import FaithfulnessCurves, faithfulness
from counterstain.audit.verdict import AuditCheck, AuditVerdict, Status
from counterstain.config import ScreenConfig
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.map_crops import EmptyPlaces, held_out
from counterstain.stages.mapped import MappedCrops
from counterstain.stages.rows import evenly_spaced
from counterstain.statistics import mean_by_well
from counterstain.types import Estimate

__all__ = ["audit_faithfulness"]

_TITLE = "Faithfulness of maps"
_REFERENCES = ("random", "edges")
_STEPS = 6
# For deletion less is better.
_MEASURES = {"insertion": 1.0, "deletion": -1.0, "road": 1.0}

_Numbers = dict[str, dict[str, NDArray[np.float64]]]


def audit_faithfulness(
    config: ScreenConfig,
    folder: RunFolder,
    crops: MappedCrops,
    store: CropStore,
    places: EmptyPlaces,
) -> tuple[AuditVerdict, dict[str, dict[str, Any]]]:
    """Put pixels in and take them out in the order of each map, against random and edge maps.

    Returns
    -------
    verdict : AuditVerdict
        Key ``faithfulness``; green where every method beats random maps in most measures.
    methods : dict
        By method what ``metrics.json`` says of it.
    """
    rows = evenly_spaced(np.arange(len(crops.table)), config.audit.crops)
    numbers = _measure(config, folder, crops, rows, store, places)
    wells, seed = crops.wells[rows], config.run.seed
    summary = {
        name: {measure: _mean(values, wells, seed).to_json() for measure, values in found.items()}
        for name, found in numbers.items()
    }
    checks = [_check(name, numbers, wells, seed) for name in crops.maps]
    methods = {
        name: summary[name] | {reference: summary[reference] for reference in _REFERENCES}
        for name in crops.maps
    }
    return _verdict(checks), methods


def _measure(
    config: ScreenConfig,
    folder: RunFolder,
    crops: MappedCrops,
    rows: NDArray[np.int64],
    store: CropStore,
    places: EmptyPlaces,
) -> _Numbers:
    import torch

    table = crops.table.iloc[rows].reset_index(drop=True)
    found: _Numbers = {
        name: {measure: np.full(len(rows), np.nan) for measure in _MEASURES}
        for name in (*crops.maps, *_REFERENCES)
    }
    for network, at in held_out(folder, table, store, config):
        chosen = rows[at]
        curves: Mapping[str, FaithfulnessCurves] = faithfulness(
            network,
            torch.from_numpy(crops.images[chosen]).to(network.device),
            crops.targets[chosen].tolist(),
            {name: maps[chosen] for name, maps in crops.maps.items()},
            seed=config.run.seed,
            steps=_STEPS,
            baseline=[float(level) for level in places.background],
        )
        for name, curve in curves.items():
            for measure in _MEASURES:
                found[name][measure][at] = getattr(curve, measure)
    return found


def _mean(values: NDArray[np.float64], wells: NDArray[np.int64], seed: int) -> Estimate:
    good = np.isfinite(values)
    if not good.any():
        return Estimate.undefined("every map is constant")
    return mean_by_well(values[good], wells[good], seed=seed)


def _check(name: str, numbers: _Numbers, wells: NDArray[np.int64], seed: int) -> AuditCheck:
    """Judge a method by how often it beats random maps, clear of zero."""
    better, worse, parts = 0, 0, []
    for measure, sign in _MEASURES.items():
        gain = _mean(sign * (numbers[name][measure] - numbers["random"][measure]), wells, seed)
        better += bool(gain.is_defined and gain.low > 0)
        worse += bool(gain.is_defined and gain.high < 0)
        parts.append(f"{measure} {gain.value:+.2f}")
    road = _mean(numbers[name]["road"] - numbers["random"]["road"], wells, seed)
    status: Status = "green" if better > worse and better > 0 else "amber"
    if not road.is_defined:
        status = "unknown"
    return AuditCheck(
        name, status, road.value, road.low, road.high, "ROAD gain over random", road.n_wells,
        f"{name}: against random maps, in probability of the call: {', '.join(parts)} (above 0 is "
        f"better); clear of zero in {better} of {len(_MEASURES)}.",
    )  # fmt: skip


def _verdict(checks: list[AuditCheck]) -> AuditVerdict:
    judged = [check for check in checks if check.status != "unknown"]
    passed = [check.check for check in judged if check.status == "green"]
    failed = [check.check for check in judged if check.status != "green"]
    status: Status = "amber" if failed else "green"
    if not passed:
        status = "red" if failed else "unknown"
    sentence = (
        f"No better than a random map: {', '.join(failed)}."
        if failed
        else "Every map names pixels that matter to the call more than random ones do."
    )
    if not judged:
        sentence = "No map could be judged: all are constant."
    return AuditVerdict(
        "faithfulness", _TITLE, status, f"{len(passed)} of {len(checks)} methods beat chance",
        sentence, value=float(len(passed)), withholds=False, checks=tuple(checks),
    )  # fmt: skip
