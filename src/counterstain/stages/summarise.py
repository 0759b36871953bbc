"""Stage: the numbers of the classifier, and the table of wells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import trim_mean

from counterstain.config import ScreenConfig
from counterstain.files import atomic_path, read_json, write_json
from counterstain.plates.screen import Screen
from counterstain.run_folder import RunFolder
from counterstain.stages.many_classes import calibration_of, hierarchy_of, pairs_of
from counterstain.stages.marks import BY_HAND
from counterstain.stages.record import RunRecord
from counterstain.stages.rows import class_index, group_wells, metadata_columns
from counterstain.stages.three_way import axes_of
from counterstain.statistics import (
    classification_summary,
    dose_trend,
    is_at_chance,
    measure_separation,
)
from counterstain.statistics.inputs import undefined_noted

__all__ = ["summarise_scores"]

_KEY = ["Metadata_Plate", "Metadata_Well"]
_TRIMMED = 0.1


def _wells_table(
    screen: Screen, fields: pd.DataFrame, crops: pd.DataFrame, scores: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for every well of the images or the map, with or without a score."""
    good = scores[scores["usable"]]
    values = [c for c in scores.columns if c.startswith("prob_")]
    means = good.groupby(_KEY)[values].mean()
    if "logit" in scores:
        # Dead, dividing and unstained cells lie at the ends, and would move a plain mean.
        means["logit"] = good.groupby(_KEY)["logit"].agg(trim_mean, _TRIMMED)
        means["logit_sd"] = good.groupby(_KEY)["logit"].std()
    means["n_crops"] = good.groupby(_KEY).size()
    faulty = fields.groupby(_KEY)["faulty"].sum().rename("n_faulty")
    fold = crops.groupby(_KEY)["fold"].first()
    wells = screen.wells.merge(faulty, on=_KEY, how="left").merge(fold, on=_KEY, how="left")
    wells = wells.merge(means, left_on=_KEY, right_index=True, how="left")
    counts = {"n_faulty": 0, "n_crops": 0, "fold": -1}
    wells = wells.fillna(counts).astype(dict.fromkeys(counts, "int64"))
    names = np.array(screen.class_names, object)
    probabilities = wells[[f"prob_{name}" for name in names]].to_numpy(float)
    scored = np.isfinite(probabilities).all(1)
    called = np.full(len(wells), "", object)
    called[scored] = names[probabilities[scored].argmax(1)]
    return wells.assign(predicted=called)


def _separation(wells: pd.DataFrame, config: ScreenConfig) -> dict[str, Any]:
    if len(config.classes) != 2:
        return {}
    first, second = (
        wells.loc[wells["class_name"] == name, "logit"].to_numpy(float)
        for name in config.class_names
    )
    found = measure_separation(first, second, seed=config.run.seed)
    return found.to_json()


def _chance(wells: pd.DataFrame, config: ScreenConfig) -> dict[str, Any]:
    two = len(config.classes) == 2
    columns = ["logit"] if two else [f"prob_{name}" for name in config.class_names]
    values = wells[columns].to_numpy(float)
    test = is_at_chance(
        values[:, 0] if two else values,
        wells["class_name"].to_numpy(str),
        config.class_names,
        seed=config.run.seed,
    )
    return test.to_json()


def _doses(wells: pd.DataFrame, config: ScreenConfig) -> list[dict[str, Any]]:
    needed = {"Metadata_Compound", "Metadata_Concentration", "logit"}
    if not needed <= set(wells.columns):
        return []
    treated = wells[(wells["class_name"] == "") & wells["logit"].notna()]
    dose = pd.to_numeric(treated["Metadata_Concentration"], errors="coerce")
    treated = treated.assign(dose=dose)[dose > 0]
    rows = []
    for compound, group in treated.groupby("Metadata_Compound"):
        units = group.get("Metadata_ConcentrationUnit", pd.Series([""])).astype(str).unique()
        trend = dose_trend(group["dose"].to_numpy(float), group["logit"].to_numpy(float))
        rows.append({"compound": str(compound), "unit": "/".join(units), **trend.to_json()})
    return rows


def _quality(fields: pd.DataFrame, crops: pd.DataFrame) -> dict[str, Any]:
    reasons = fields.loc[fields["faulty"], "reason"].str.split("; ").explode()
    by_hand = fields.loc[fields["reason"].str.split("; ").map(lambda r: BY_HAND in r), "field"]
    return {
        "n_fields": len(fields),
        "n_faulty": int(fields["faulty"].sum()),
        "reasons": {str(k): int(v) for k, v in reasons.value_counts().sort_index().items()},
        "by_hand": {
            "n_fields": len(by_hand),
            "n_crops_of_fields": int(crops["field"].isin(by_hand).sum()),
            "n_crops": int(crops["mislabelled"].sum()) if "mislabelled" in crops else 0,
        },
    }


def _training(folder: RunFolder, record: RunRecord, config: ScreenConfig) -> dict[str, Any]:
    recipes = [read_json(path) for path in sorted(folder.models.glob("fold_*.json"))]
    facts = [recipe["metadata"] for recipe in recipes]
    last = [fact["history"][-1] for fact in facts]
    bits = [row["bits_per_dim"] for row in last]
    seconds = sum(row["seconds"] for row in last)
    crops = sum(fact["steps"] * fact["minibatch"] for fact in facts)
    return {
        "network": config.model.network,
        "folds": len(facts),
        "steps": facts[0]["steps"],
        "minibatch": facts[0]["minibatch"],
        "precision": record.content["resolved"]["precision"],
        "device": record.content["device"],
        "pretrained": facts[0]["origin"],
        "parameters": facts[0]["parameters"],
        "accuracy_train": float(np.mean([fact["train_accuracy"] for fact in facts])),
        "bits_per_dim": None if None in bits else float(np.mean(bits)),
        "crops_per_s": round(crops / seconds, 1) if seconds > 0 else None,
    }


def _temperatures(folder: RunFolder) -> list[float | None]:
    """Return the temperature of each fold's network; None where none was fitted."""
    facts = [read_json(path)["metadata"] for path in sorted(folder.models.glob("fold_*.json"))]
    return [fact["temperature"]["value"] if fact.get("temperature") else None for fact in facts]


def _classifier(scores: pd.DataFrame, wells: pd.DataFrame, config: ScreenConfig) -> dict[str, Any]:
    names = config.class_names
    rows = scores[scores["usable"] & (scores["class_name"] != "")]
    called = wells[wells["class_name"] != ""]
    summary = classification_summary(
        rows["class_name"].to_numpy(str),
        rows["predicted"].to_numpy(str),
        group_wells(rows)[0],
        names,
        well_true=called["class_name"].to_numpy(str),
        well_predicted=called["predicted"].to_numpy(str),
        seed=config.run.seed,
    )
    index = class_index(rows, names)
    return {
        "classes": list(names),
        "n_wells": {name: int((called["class_name"] == name).sum()) for name in names},
        "n_crops": {name: int((index == k).sum()) for k, name in enumerate(names)},
        **summary.to_json(),
    }


def summarise_scores(
    screen: Screen,
    folder: RunFolder,
    crops: pd.DataFrame,
    record: RunRecord,
    *,
    keep: bool = False,
) -> None:
    """Write ``tables/wells.parquet`` and the classifier's part of ``metrics.json``.

    With `keep`, what later stages wrote into ``metrics.json`` stays there.
    """
    config = screen.config
    fields = pd.read_parquet(folder.table("fields"))
    scores = pd.read_parquet(folder.table("scores"))
    wells = _wells_table(screen, fields, crops, scores)
    with undefined_noted():
        scored = wells[(wells["class_name"] != "") & (wells["n_crops"] > 0)]
        chance = _chance(scored, config)
        metrics = {
            **_classifier(scores, wells[wells["n_crops"] > 0], config),
            "separation": _separation(scored, config),
            "z_prime_pairs": pairs_of(scores, config),
            "calibration": calibration_of(scores, config),
            "chance": chance,
            "nothing_to_explain": bool(chance["at_chance"]),
            "nothing_reason": chance["reason"] if chance["at_chance"] else "",
            "dose": _doses(wells, config),
        }
        metrics["axes"] = axes_of(folder, config)
    metrics["hierarchy"] = hierarchy_of(metrics["confusion"], config)
    metrics["calibration"]["temperatures"] = _temperatures(folder)
    metrics["quality"] = _quality(fields, crops)
    metrics["training"] = _training(folder, record, config)
    later = {"inverse": None, "oracle": None}
    if keep:
        later |= {key: v for key, v in read_json(folder.metrics).items() if key not in metrics}
    metrics |= later
    with atomic_path(folder.table("wells")) as temporary:
        columns = [
            *metadata_columns(wells),
            *(c for c in wells if not str(c).startswith("Metadata_")),
        ]
        wells[columns].to_parquet(temporary, index=False)
    write_json(folder.metrics, metrics)
