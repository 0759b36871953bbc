"""Hold a finished run of a planted plate against the truth."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import torch
from planted_plates import (
    FEATURES,
    SOURCE,
    TARGET,
    PlantedPlate,
    crops_of_cells,
    planted_columns,
    true_effects,
)

from counterstain.masks import measure_cells
from counterstain.networks.base import Classifier
from counterstain.networks.checkpoint import load_network
from counterstain.networks.generative import GenerativeClassifier
from counterstain.plates.screen import read_screen
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.editing import edit_as_configured
from counterstain.stages.explain import INVERSE_TOLERANCE

# Crops of a well whose edits are looked at pixel by pixel.
CROPS_A_WELL = 8


def judged(run: RunFolder, plate: PlantedPlate) -> dict[str, Any]:
    """Hold a finished run against the truth."""
    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    found: dict[str, Any] = {
        "accuracy": metrics["accuracy"]["crop"]["value"],
        "well_accuracy": metrics["accuracy"]["well"]["value"],
        "steps": metrics["training"]["steps"],
        "told_apart": not metrics["nothing_to_explain"],
    }
    if run.table("counterfactuals").exists():
        found |= flips(run) | edits(run, plate)
    return found | findings(run, plate, found.pop("true_effect", {}))


def flips(run: RunFolder) -> dict[str, Any]:
    """Count what crosses, in each direction, of the edits whose error bound is small enough."""
    recipe = json.loads((run.models / "fold_0.json").read_text(encoding="utf-8"))
    kind = recipe["metadata"]["error_kind"]
    table = pd.read_parquet(run.table("counterfactuals"))
    kept = table[(table["inverse_error"] <= INVERSE_TOLERANCE) | (kind != "inverse")]
    found: dict[str, Any] = {
        "error_kind": kind,
        "error_bound": float(kept["inverse_error"].max()),
        "refused": 1 - len(kept) / len(table),
        "stopped": float(table["stopped"].mean()),
    }
    keys = ("oracle_flip", "gap_closed", "model_flip")
    found |= {key: {} for key in keys}
    for source, key in ((SOURCE, "0->1"), (TARGET, "1->0")):
        rows = kept[kept["source_class"] == source]
        could = rows[rows["could_cross"]]
        found["oracle_flip"][key] = float(could["crossed"].mean())
        found["gap_closed"][key] = float(could["gap_closed"].median())
        found["model_flip"][key] = float((rows["logit_after"] > 0).mean())
    return found


def findings(run: RunFolder, plate: PlantedPlate, truth: dict[str, float]) -> dict[str, Any]:
    """Judge the table of effects: what ranks first, which verdicts, how large."""
    planted = planted_columns(plate.phenotype)
    if not run.table("effects").exists():
        # Nothing is claimed: right where nothing was planted.
        nothing = {"confirmed": 0, "first": None, "verdict_right": not planted}
        return nothing | {"first_right": False if planted else None}
    table = pd.read_parquet(run.table("effects")).sort_values("rank")
    table["column"] = column_names(table)
    confirmed = table[table["verdict"] == "confirmed"]
    first = confirmed["column"].head(max(1, len(planted))).tolist()
    found: dict[str, Any] = {"confirmed": len(confirmed), "first": first[0] if first else None}
    found["confirmed_rows"] = confirmed["column"].head(6).tolist()
    if not planted:
        return found | {"verdict_right": not len(confirmed), "first_right": None}
    rows = table.set_index("column").loc[list(planted)]
    signs = [planted[column] for column in rows.index]
    found["first_right"] = bool(first and first[0] in planted)
    found["all_first"] = set(planted) <= set(first)
    found["ranks"] = {c: int(r) for c, r in rows["rank"].items()}
    found["verdicts"] = {c: str(v) for c, v in rows["verdict"].items()}
    found["verdict_right"] = bool(
        (rows["verdict"] == "confirmed").all() and (rows["real"] * signs > 0).all()
    )
    found["recovered"] = {
        c: float(rows.loc[c, "counterfactual"] / truth[c]) for c in rows.index if truth.get(c)
    }
    return found | off_target(table, rows)


def column_names(table: Any) -> list[str]:
    """Return the columns of `measure_cells` of the rows of an effects table."""
    keys = zip(table["feature"], table["region"], table["channel"], strict=True)
    return [f"{FEATURES[feature]}:{region}:{channel}" for feature, region, channel in keys]


def off_target(table: Any, rows: Any) -> dict[str, Any]:
    """How much the edit changes where real wells do not differ, in units of the planted effect."""
    idle = table[(table["q"] > 0.05) & (table["real_effect"].abs() > 0)]
    # From the unit of the row to standard deviations between wells.
    size = (table["counterfactual"] * table["real_effect"] / table["real"]).abs()
    aim = float(rows["real_effect"].abs().max())
    return {
        "off_target": float(np.nanmedian(size.loc[idle.index]) / aim) if len(idle) else None,
        "off_target_rows": [
            int((idle["verdict"] == "not confirmed by real wells").sum()),
            len(idle),
        ],
    }


def edits(run: RunFolder, plate: PlantedPlate) -> dict[str, Any]:
    """Edit some held-out crops of each well and look at the pixels."""
    config = read_screen(plate.screen).config
    table = pd.read_parquet(run.table("crops"))
    table = table[table["usable"] & table["class_name"].isin((SOURCE, TARGET))]
    sample = table.groupby("Metadata_Well", sort=True).head(CROPS_A_WELL)
    names = config.class_names
    changed, inside, area, errors = 0.0, 0.0, [], []
    moved: list[tuple[str, Any, Any]] = []
    with CropStore.open(run.crops) as store:
        for fold, (source, target) in (
            (int(f), p) for f in sorted(sample["fold"].unique()) for p in permutations((0, 1))
        ):
            rows = sample[(sample["fold"] == fold) & (sample["class_name"] == names[source])]
            if not len(rows):
                continue
            network, _ = load_network(run.models / f"fold_{fold}", channels=store.channels)
            ids = rows["crop"].to_numpy(np.int64)
            images = torch.from_numpy(store.scaled(ids))
            seen = ~network.domain.outside(images)
            rows, ids, images = rows[seen.numpy()], ids[seen.numpy()], images[seen]
            edit = edit_as_configured(config, network, images, (source, target))
            errors.append(round_trip(network, images))
            change = (edit.images - images).abs().sum(dim=1).double().numpy()
            cells = crops_of_cells(plate, rows, store.shape[2])
            changed += float(change.sum())
            inside += float(change[cells].sum())
            area.append(cells.mean())
            after = measure_cells(
                edit.images.numpy(), store.nuclei(ids), store.channels, nucleus_channel="DNA"
            )
            moved.append((names[source], ids, after))
        truth = true_effects(plate, table[table["class_name"] == SOURCE], store)
        second = list(planted_columns(plate.phenotype))[1:]
        flips = {column: flip_of(column, table, moved, store) for column in second}
    return {
        "round_trip_error": max(error for error, _, _ in errors),
        "round_trip_bound": max(bound for _, bound, _ in errors),
        "bound_holds": all(held for _, _, held in errors),
        "inside": inside / changed,
        "inside_by_chance": float(np.mean(area)),
        "other_flips": flips,
        "true_effect": truth,
    }


def round_trip(network: Classifier, images: torch.Tensor) -> tuple[float, float, bool]:
    """Return the largest error of decoding what was encoded, its bound, and whether that holds."""
    if not isinstance(network, GenerativeClassifier):
        raise TypeError("only networks that run both ways have counterfactuals")
    with torch.no_grad():
        back = network.decode_with_bound(network.encode(images))
    errors = (back.images - images).abs().flatten(1).amax(dim=1)
    bound = back.error_bound
    return float(errors.max()), float(bound.max()), bool((errors <= bound).all())


def flip_of(column: str, table: Any, moved: list[Any], store: Any) -> dict[str, float]:
    """Return the oracle flip of another planted measurement on the sample."""

    def measured(ids: Any) -> Any:
        pixels, nuclei = store.scaled(ids), store.nuclei(ids)
        return measure_cells(pixels, nuclei, store.channels, nucleus_channel="DNA")[column]

    ids, classes = table["crop"].to_numpy(np.int64), table["class_name"].to_numpy()
    real = measured(ids).to_numpy()
    medians = {name: float(np.nanmedian(real[classes == name])) for name in set(classes)}
    middle = sum(medians.values()) / 2
    found = {}
    for name in medians:
        side = np.sign(medians[name] - middle)
        pairs = [(measured(i).to_numpy(), a[column].to_numpy()) for n, i, a in moved if n == name]
        before, after = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        could = side * (before - middle) > 0
        crossed = could & (side * (after - middle) < 0)
        found["0->1" if name == SOURCE else "1->0"] = float(crossed.sum() / max(could.sum(), 1))
    return found
