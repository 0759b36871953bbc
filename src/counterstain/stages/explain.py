"""Stage: counterfactuals of held-out wells, judged by a measurement that never saw the network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.counterfactual.edits import Counterfactual
from counterstain.counterfactual.effects import EditedCrops, population_effects
from counterstain.counterfactual.flip import crossed, gap_closed, measure_flip
from counterstain.counterfactual.oracle import Oracle, choose_oracle
from counterstain.errors import NotInvertibleError
from counterstain.files import atomic_path, read_json, write_json
from counterstain.networks.checkpoint import load_network
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.editing import edit_as_configured
from counterstain.stages.measuring import measure_pixels, measure_real
from counterstain.stages.progress import Listener
from counterstain.stages.reasons import why_no_pictures
from counterstain.stages.rows import class_index, group_wells, thin_wells
from counterstain.stages.strips import write_strips

__all__ = ["INVERSE_TOLERANCE", "explain_classes"]

INVERSE_TOLERANCE = 1e-4
_REAL_CROPS_A_WELL = 200
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Usable crops of wells in a class, and what was measured on them."""

    table: pd.DataFrame
    classes: NDArray[np.int64]
    wells: NDArray[np.int64]
    measured: pd.DataFrame


def _labelled(
    crops: pd.DataFrame, scores: pd.DataFrame, store: CropStore, config: ScreenConfig
) -> _Labelled:
    table = crops[crops["usable"] & (crops["class_name"] != "")]
    columns = [c for c in scores.columns if c.startswith(("logit", "prob_"))]
    table = thin_wells(table.merge(scores[["crop", *columns]], on="crop"), _REAL_CROPS_A_WELL)
    measured = measure_real(table["crop"].to_numpy(np.int64), store, config)
    classes = class_index(table, config.class_names)
    return _Labelled(table, classes, group_wells(table)[0], measured)


def _edit_fold(
    folder: RunFolder,
    fold: int,
    labelled: _Labelled,
    store: CropStore,
    config: ScreenConfig,
    oracle: Oracle,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Edit the held-out crops of one fold; return a row an edit, and what is measured after."""
    network, _ = load_network(folder.models / f"fold_{fold}", channels=store.channels)
    names = config.class_names
    rows, measured = [], []
    held_out = labelled.table.index[labelled.table["fold"] == fold]
    most = config.counterfactual.crops_per_well
    thin = thin_wells(labelled.table.loc[held_out].reset_index(), most)["index"].to_numpy(np.int64)
    for pair in permutations(range(len(names)), 2):
        chosen = thin[labelled.classes[thin] == pair[0]]
        for start in range(0, len(chosen), _BLOCK):
            at = chosen[start : start + _BLOCK]
            ids = labelled.table["crop"].to_numpy(np.int64)[at]
            images = torch.from_numpy(store.scaled(ids))
            seen = ~network.domain.outside(images).numpy()
            at, ids, images = at[seen], ids[seen], images[torch.from_numpy(seen)]
            edit = edit_as_configured(config, network, images, pair)
            after = measure_pixels(edit.images.numpy(), ids, store, config)
            before = labelled.measured.iloc[at].reset_index(drop=True)
            rows.append(_edit_rows(labelled, at, pair, names, edit, oracle, before, after))
            measured.append(after)
    return pd.concat(rows, ignore_index=True), pd.concat(measured, ignore_index=True)


def _edit_rows(
    labelled: _Labelled,
    at: NDArray[np.int64],
    pair: tuple[int, int],
    names: tuple[str, ...],
    edit: Counterfactual,
    oracle: Oracle,
    before: pd.DataFrame,
    after: pd.DataFrame,
) -> pd.DataFrame:
    columns = ["crop", "Metadata_Plate", "Metadata_Well", "fold"]
    old, new = before[oracle.column].to_numpy(float), after[oracle.column].to_numpy(float)
    could, did = crossed(oracle, old, new, *pair)
    return labelled.table.iloc[at][columns].assign(
        source_class=names[pair[0]],
        target_class=names[pair[1]],
        logit_before=edit.logit_before.double().numpy(),
        logit_after=edit.logit_after.double().numpy(),
        oracle_before=old,
        oracle_after=new,
        could_cross=could,
        crossed=did,
        gap_closed=gap_closed(oracle, old, new, *pair),
        inverse_error=edit.error_bound.double().numpy(),
        stopped=edit.stopped.numpy(),
        row=at,
    )


def _flips(
    edits: pd.DataFrame, labelled: _Labelled, oracle: Oracle, config: ScreenConfig
) -> dict[str, Any]:
    names = config.class_names
    found: dict[str, dict[str, Any]] = {"flip": {}, "gap_closed": {}, "model_flip": {}, "n": {}}
    for source, target in permutations(range(len(names)), 2):
        rows = edits[(edits["source_class"] == names[source])
                     & (edits["target_class"] == names[target])]  # fmt: skip
        wells = labelled.wells[rows["row"].to_numpy()]
        before, after = rows["oracle_before"].to_numpy(float), rows["oracle_after"].to_numpy(float)
        flip = measure_flip(oracle, before, after, wells, source, target, seed=config.run.seed)
        key = f"{source}->{target}"
        found["flip"][key] = flip.flip.to_json()
        found["gap_closed"][key] = flip.gap_closed.to_json()
        found["model_flip"][key] = float((rows["logit_after"] > 0).mean())
        found["n"][key] = {"crops": flip.n_crops, "left_out": flip.n_left_out}
    return found


def _effects(
    edits: pd.DataFrame, after: pd.DataFrame, labelled: _Labelled, config: ScreenConfig
) -> pd.DataFrame:
    names, tables = config.class_names, []
    for target in range(1, len(names)):
        chosen = ((edits["source_class"] == names[0])
                  & (edits["target_class"] == names[target])).to_numpy()  # fmt: skip
        rows = edits["row"].to_numpy()[chosen]
        edited = EditedCrops(
            labelled.measured.iloc[rows].reset_index(drop=True),
            after[chosen].reset_index(drop=True),
            labelled.wells[rows],
        )
        tables.append(
            population_effects(
                labelled.measured,
                labelled.classes,
                labelled.wells,
                edited,
                pair=(0, target),
                class_names=names,
                seed=config.run.seed,
            )
        )
    return pd.concat(tables, ignore_index=True)


def _write_metrics(folder: RunFolder, **parts: Any) -> None:
    write_json(folder.metrics, read_json(folder.metrics) | parts)


def explain_classes(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> None:
    """Make counterfactuals of held-out wells and judge them.

    Writes ``tables/counterfactuals.parquet``, ``tables/effects.parquet``, the pictures
    ``counterfactuals.npz``, and the oracle's part of ``metrics.json``. Where the classifier is at
    chance, or cannot be run backwards, nothing is made and the metrics say why.
    """
    metrics = read_json(folder.metrics)
    for leftover in (folder.table("effects"), folder.table("counterfactuals")):
        leftover.unlink(missing_ok=True)
    folder.counterfactuals.unlink(missing_ok=True)
    reason = why_no_pictures(config, folder, metrics, "there are no counterfactuals")
    if reason:
        _write_metrics(folder, oracle=None, inverse=None, no_counterfactuals=reason)
        return
    scores = pd.read_parquet(folder.table("scores"))
    labelled = _labelled(crops, scores, store, config)
    oracle = choose_oracle(
        labelled.measured,
        labelled.classes,
        labelled.wells,
        len(config.classes),
        channel=config.oracle.channel,
        feature=config.oracle.feature,
    )
    folds = sorted(int(fold) for fold in labelled.table["fold"].unique())
    track = listener.track("counterfactuals")
    parts = []
    for number, fold in enumerate(folds):
        parts.append(_edit_fold(folder, fold, labelled, store, config, oracle))
        track(number + 1, len(folds))
    edits = pd.concat([part[0] for part in parts], ignore_index=True)
    after = pd.concat([part[1] for part in parts], ignore_index=True)
    kind = read_json(folder.models / "fold_0.json")["metadata"]["error_kind"]
    kept = (edits["inverse_error"] <= INVERSE_TOLERANCE).to_numpy() | (kind != "inverse")
    if not kept.any():
        raise NotInvertibleError(
            f"No counterfactual is within {INVERSE_TOLERANCE:g} of the image range: train with a "
            "lower `model.learning_rate`."
        )
    effects = _effects(edits[kept], after[kept], labelled, config)
    with (
        atomic_path(folder.table("counterfactuals")) as edits_path,
        atomic_path(folder.table("effects")) as effects_path,
    ):
        edits.drop(columns="row").to_parquet(edits_path, index=False)
        effects.to_parquet(effects_path, index=False)
    write_strips(
        config, folder, labelled.table, store, INVERSE_TOLERANCE if kind == "inverse" else math.inf
    )
    inverse = {
        "kind": kind,
        "max_error": float(edits["inverse_error"][kept].max()),
        "tolerance": INVERSE_TOLERANCE,
        "n_refused": int((~kept).sum()),
        "n_stopped": int(edits["stopped"].sum()),
    }
    judged = oracle.to_json(config.class_names) | _flips(edits[kept], labelled, oracle, config)
    _write_metrics(folder, oracle=judged, inverse=inverse, no_counterfactuals="")
