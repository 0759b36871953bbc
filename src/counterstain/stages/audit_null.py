"""The null screen of a run: negative controls against themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from counterstain.audit.null_training import MIN_WELLS, NullScreen, null_screen
from counterstain.audit.verdict import AuditCheck, AuditVerdict, Status
from counterstain.config import ScreenConfig
from counterstain.plates.class_rules import is_negative_control
from counterstain.plates.store import CropStore
from counterstain.stages.measuring import measure_real
from counterstain.stages.progress import Listener
from counterstain.stages.record import RunRecord
from counterstain.stages.rows import group_wells, thin_wells
from counterstain.stages.train import fit_settings, network_recipe
from counterstain.training.device import choose_machine

__all__ = ["judge_null", "screen_nothing"]

_CROPS_A_WELL = 150
# The two null networks together take a sixteenth of the steps of the real ones.
_SHARE_OF_STEPS = 1 / 32
_FEWEST_STEPS = 20
_KEY, _TITLE = "null_screen", "Null screen"
# p <= 0.02 comes in 3 to 6 % of screens without any effect; red needs much more than that.
_RED_P, _RED_AUC, _AMBER_P = 0.002, 0.9, 0.02
_AMBER_RATE, _RED_RATE = 0.15, 0.4


def _steps(config: ScreenConfig, record: RunRecord) -> int:
    if config.audit.null_steps is not None:
        return config.audit.null_steps
    resolved = record.content["resolved"]
    real = int(resolved["steps"]) * int(resolved["folds"])
    return max(_FEWEST_STEPS, round(real * _SHARE_OF_STEPS))


def screen_nothing(
    config: ScreenConfig,
    crops: pd.DataFrame,
    store: CropStore,
    record: RunRecord,
    listener: Listener,
) -> NullScreen | str:
    """Run the null screen of a run's negative controls, or say why there is none."""
    table = crops[crops["usable"] & is_negative_control(crops, config.class_names[0])]
    steps = _steps(config, record)
    if steps == 0:
        return "the null screen is switched off (`audit.null_steps` = 0)"
    thin = thin_wells(table, _CROPS_A_WELL)
    wells = group_wells(thin)[0] if len(thin) else np.empty(0, np.int64)
    n_wells = len(np.unique(wells))
    if n_wells < MIN_WELLS:
        return (
            f"it needs {MIN_WELLS} wells of negative controls or more to train half against half; "
            f"this screen has {n_wells}"
        )
    ids = thin["crop"].to_numpy(np.int64)
    return null_screen(
        store,
        ids,
        wells,
        measure_real(ids, store, config),
        network_recipe(config, store.shape[1], store.shape[2]),
        fit_settings(config, steps, 0),
        choose_machine(config.run.device),
        seed=config.run.seed,
        progress=listener.track("null screen"),
    )


def judge_null(found: NullScreen | str, n_real: int | None) -> AuditVerdict:
    """Turn the null screen into a verdict.

    Parameters
    ----------
    found : NullScreen or str
        What was found, or why there is none.
    n_real : int or None
        Confirmed claims of the real screen, to be printed beside those of the null screen.
    """
    if isinstance(found, str):
        sentence = f"There is no null screen: {found}."
        return AuditVerdict(_KEY, _TITLE, "unknown", "not made", sentence)
    checks = [_told_apart(found), _claims(found, n_real)]
    rate = found.claims.rate
    number = f"AUC {found.chance.score.value:.2f}"
    if rate.is_defined:
        number += f", {rate.value:.0%} false claims"
    details: dict[str, Any] = found.to_json() | {"n_real_claims": n_real}
    return AuditVerdict.of_checks(_KEY, _TITLE, checks, number=number, details=details)


def _told_apart(found: NullScreen) -> AuditCheck:
    chance, score = found.chance, found.chance.score
    status: Status = "green"
    if chance.p_value <= _AMBER_P:
        strong = chance.p_value <= _RED_P and score.value >= _RED_AUC
        status = "red" if strong else "amber"
    start = (
        f"Two halves of the negative controls, with networks of {found.steps} steps: AUC "
        f"{score.value:.2f} on wells never seen, p = {chance.p_value:.2g}"
    )
    end = {
        "green": "; chance, as it should be.",
        "amber": "; more than chance, where there is nothing to see: wells of the same kind differ "
        "in clusters, so distrust small p-values of this screen.",
        "red": "; the machinery tells apart what is the same: look for a gradient or for batches "
        "among the controls.",
    }.get(status, ".")
    return AuditCheck(
        "halves told apart", status, score.value, score.low, score.high, "AUC", score.n_wells,
        start + end,
    )  # fmt: skip


def _claims(found: NullScreen, n_real: int | None) -> AuditCheck:
    claims, rate = found.claims, found.claims.rate
    name = "false claims"
    if not rate.is_defined:
        return AuditCheck(name, "unknown", sentence=f"False claims not counted: {rate.reason}.")
    status: Status = "green"
    if rate.low > _AMBER_RATE:
        status = "red" if rate.low > _RED_RATE else "amber"
    beside = "" if n_real is None else f" The real screen confirms {n_real}."
    return AuditCheck(
        name, status, rate.value, rate.low, rate.high, "share of null screens", rate.n_wells,
        f"In {claims.n_halvings} random halvings of the negative controls, {rate.value:.0%} call "
        f"any of {claims.n_measurements} measurements different ({claims.per_screen:.2f} claims a "
        f"null screen).{beside}",
    )  # fmt: skip
