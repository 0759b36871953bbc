"""Sanity of a run's maps: do they follow the network, the labels and the image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.audit.null_training import NullScreen
from counterstain.audit.randomisation import (
    RandomisationResult,
    label_randomisation_check,
    randomisation_check,
)
from counterstain.audit.stability import StabilityResult, stability_check
from counterstain.audit.verdict import AuditCheck, AuditVerdict, Status
from counterstain.config import ScreenConfig
from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier
from counterstain.networks.checkpoint import load_network
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.map_crops import EmptyPlaces, called_index
from counterstain.stages.map_methods import MapMethod, map_methods
from counterstain.stages.progress import Listener
from counterstain.stages.rows import evenly_spaced, group_wells

__all__ = ["audit_sanity"]

_TITLE = "Sanity of maps"
_MOVED = 6


def audit_sanity(
    config: ScreenConfig,
    folder: RunFolder,
    table: pd.DataFrame,
    store: CropStore,
    places: EmptyPlaces,
    null: NullScreen | None,
    listener: Listener,
) -> tuple[AuditVerdict, dict[str, dict[str, Any]]]:
    """Test each method on one network and crops that it never saw, all of one class by its call.

    Returns
    -------
    verdict : AuditVerdict
        Key ``sanity``; green where every method passes.
    methods : dict
        By method what ``metrics.json`` says of it.
    """
    fold = int(table["fold"].mode().iloc[0])
    own = table[table["fold"] == fold]
    called = called_index(own, config.class_names)
    target = int(np.bincount(called).argmax())
    ids = own["crop"].to_numpy(np.int64)
    ids = evenly_spaced(ids[called == target], config.audit.crops)
    network, _ = load_network(folder.models / f"fold_{fold}", channels=store.channels)
    images = torch.from_numpy(store.scaled(ids))
    # Compared are maps of one view, of the network itself; that maps follow the image is asked of
    # those that are shown, averaged over views.
    methods = map_methods(config, store.shape[2], places.background, quick=True, views=1)
    shown = map_methods(config, store.shape[2], places.background, quick=True)
    listener.say("Testing the sanity of maps.")
    seed = config.run.seed
    try:
        shuffled = randomisation_check(network, images, target, methods, seed=seed, draws=1)
        stable = stability_check(network, images[:_MOVED], target, shown, seed=seed)
    except InvalidInputError as error:
        # Too few crops to test on; the run goes on, and the maps are marked as untested.
        return _untested(methods, error.problems[0])
    labels = _labels(network, images, target, methods, null)
    seen = _counted(own, ids)
    found = {
        name: _facts(shuffled[name], stable[name], labels.get(name)) | seen for name in methods
    }
    checks = [_check(name, facts) for name, facts in found.items()]
    passed = sum(check.status == "green" for check in checks)
    return _verdict(checks, passed), found


def _untested(
    methods: Mapping[str, MapMethod], reason: str
) -> tuple[AuditVerdict, dict[str, dict[str, Any]]]:
    numbers = dict.fromkeys(("cascading", "independent", "label_randomised", "stability"))
    found = {name: {"status": "unknown", "reason": reason} | numbers for name in methods}
    verdict = AuditVerdict(
        "sanity", _TITLE, "unknown", "not made", f"Not tested: {reason}", withholds=False
    )
    return verdict, found


def _verdict(checks: list[AuditCheck], passed: int) -> AuditVerdict:
    failed = [check.check for check in checks if check.status == "amber"]
    status: Status = "amber" if failed else "green"
    if not passed:
        status = "red" if failed else "unknown"
    sentence = (
        f"Fails: {', '.join(failed)}. Do not read these maps."
        if failed
        else "Every method's maps follow the network's weights and labels, and the image."
    )
    return AuditVerdict(
        "sanity", _TITLE, status, f"{passed} of {len(checks)} methods pass", sentence,
        value=float(passed), withholds=False, checks=tuple(checks),
    )  # fmt: skip


def _labels(
    network: Classifier,
    images: torch.Tensor,
    target: int,
    methods: Mapping[str, MapMethod],
    null: NullScreen | None,
) -> dict[str, RandomisationResult]:
    """Compare with maps of a network whose two classes were halves of the same controls."""
    if null is None:
        return {}
    other = null.networks[0]
    return {
        name: label_randomisation_check(
            method(network, images, target), method(other, images, min(target, 1)), method=name
        )
        for name, method in methods.items()
    }


def _counted(own: pd.DataFrame, ids: NDArray[np.int64]) -> dict[str, int]:
    seen = own[own["crop"].isin(ids)]
    return {"n_crops": len(seen), "n_wells": len(group_wells(seen)[1])}


def _facts(
    shuffled: RandomisationResult, stable: StabilityResult, labels: RandomisationResult | None
) -> dict[str, Any]:
    results: list[RandomisationResult | StabilityResult] = [shuffled, stable]
    if labels is not None:
        results.append(labels)
    failed = [result for result in results if result.status == "fail"]
    unknown = all(result.status == "unknown" for result in results)
    return {
        "status": "fail" if failed else "unknown" if unknown else "pass",
        "reason": " ".join(result.reason for result in failed or results[:1]),
        "cascading": _number(shuffled.cascading),
        "independent": _number(shuffled.independent),
        "label_randomised": None if labels is None else _number(labels.cascading),
        "stability": _number(stable.stability),
        "by_test": {
            "cascading": shuffled.status,
            "label_randomised": "" if labels is None else labels.status,
            "stability": stable.status,
        },
        "stages": [
            {"mode": s.mode, "stage": s.stage, "similarity": _number(s.similarity)}
            for s in shuffled.stages
        ],
        "by_change": {name: _number(value) for name, value in stable.by_change.items()},
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _check(name: str, facts: Mapping[str, Any]) -> AuditCheck:
    statuses: dict[str, Status] = {"pass": "green", "fail": "amber", "unknown": "unknown"}
    value = facts["cascading"]
    return AuditCheck(
        name, statuses[facts["status"]], math.nan if value is None else value,
        unit="similarity to maps of shuffled weights", sentence=f"{name}: {facts['reason']}",
    )  # fmt: skip
