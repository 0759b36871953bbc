"""A run that measured overlap, made up from nothing but its contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterstain.plates.scaling import PixelScaling
from counterstain.plates.store import CropWriter
from counterstain.run_folder import RunFolder

GROUPS = ("unstimulated", "OVA", "ConA")
KINDS = ("T cells", "dendritic cells")
SIDE = 24


def _estimate(value: float, half: float = 0.01, n: int = 8) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "n_wells": n, "reason": ""}


def _metrics() -> dict[str, Any]:
    groups: list[dict[str, Any]] = []
    for name, level in zip(GROUPS, (0.05, 0.15, 0.3), strict=True):
        groups.append({
            "group": name, "n_wells": 8, "n_wells_without": 0, "iou": _estimate(level),
            "iou_above_chance": _estimate(level - 0.05), "share_a_touching": _estimate(level * 2),
        })  # fmt: skip
        if name != GROUPS[0]:
            groups[-1] |= {"difference": _estimate(level - 0.05, 0.02), "p": 1e-6, "q": 2e-6}
    crowding = [
        {
            "group": g,
            "n_wells": 8,
            "iou": _estimate(0.8, 0.1),
            "iou_above_chance": _estimate(0, 0.3),
        }
        for g in GROUPS
    ]
    calls = [
        {"threshold": t, "called": dict.fromkeys(GROUPS, round(12 * (1 - t)))}
        for t in np.linspace(0, 0.4, 9).tolist()
    ]
    return {
        "kinds": list(KINDS), "measure": "iou", "group_column": "Metadata_Stimulation",
        "n_fields": 48, "n_faulty_fields": 2, "faults": {"out of focus": 2}, "n_patches": 180,
        "n_stored_patches": 180, "groups": groups, "crowding": crowding, "calls": calls,
        "patch_states": {"contact": 120, "no contact": 40, "empty": 16, "debris": 4},
        "interaction": {
            "threshold": 0.2, "source": "youden", "sensitivity": _estimate(1.0),
            "specificity": _estimate(1.0), "auc": _estimate(0.99), "reason": "",
            "false_positive_rate": [0, 0, 1], "true_positive_rate": [0, 1, 1],
            "thresholds": [None, 0.2, 0.0], "n_called": 9,
        },
        "readout": {"reason": "no readout of another software was given"},
    }  # fmt: skip


def _tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(1)
    rows = [
        {"Metadata_Plate": "CK01", "Metadata_Well": f"{'ABC'[k]}{i + 1:02d}",
         "Metadata_Stimulation": group, "Metadata_Compound": "DMSO" if i < 8 else "C1",
         "Metadata_Concentration": np.nan if i < 8 else float(i),
         "Metadata_ConcentrationUnit": "uM", "class_name": group if i < 8 else "",
         "n_fields": 1, "n_faulty_fields": int(i == 11), "iou": np.nan if i == 11 else
         0.05 + 0.1 * k + rng.normal(0, 0.01)}
        for k, group in enumerate(GROUPS) for i in range(12)
    ]  # fmt: skip
    wells = pd.DataFrame(rows)
    wells["iou_above_chance"] = wells["iou"] - 0.04
    wells["interacts"] = pd.array(wells["iou"] > 0.2, "boolean")
    fields = wells.drop(columns=["n_fields", "n_faulty_fields", "interacts"]).assign(
        field=range(len(wells)), Metadata_Site=1, n_patches=5, patch_iou_sum=5 * wells["iou"],
        fault=np.where(wells["n_faulty_fields"] == 1, "out of focus", ""),
        n_a=rng.integers(20, 90, len(wells)), n_b=20,
    )  # fmt: skip
    states = ["contact", "contact", "contact", "no contact", "empty"]
    patches = fields.loc[fields.index.repeat(5)].reset_index(drop=True)
    patches["state"] = states * len(fields)
    patches.loc[patches["fault"] != "", "state"] = "faulty field"
    patches["iou"] = np.where(patches["state"] == "contact", patches["iou"], 0.0)
    patches["faulty"] = patches["state"].isin(["empty", "faulty field"])
    patches.insert(0, "patch", range(len(patches)))
    treatments = pd.DataFrame([
        {"Metadata_Stimulation": g, "Metadata_Compound": "C1", "Metadata_Concentration": d,
         "n_wells": 1, "mean": 0.1, "difference": -0.1, "low": None, "high": None, "p": 0.3,
         "q": 0.4, "reason": "too few wells"}
        for g in GROUPS for d in (8.0, 9.0)
    ])  # fmt: skip
    return {"overlap": fields, "overlap_wells": wells, "overlap_treatments": treatments,
            "overlap_patches": patches.drop(columns=["patch_iou_sum", "fault"])}  # fmt: skip


def _learnt(folder: RunFolder, patches: pd.DataFrame) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    table = patches.assign(
        part=[("train", "validation", "test")[i % 3] for i in range(len(patches))]
    )
    separation = {"silhouette": 0.2, "silhouette_chance": 0.0, "silhouette_p": 0.005,
                  "purity": 0.7, "purity_chance": 0.33, "purity_p": 0.005, "neighbours": 15,
                  "n_rows": 180, "n_wells": 36, "n_labels": 3, "reason": ""}  # fmt: skip
    none = separation | {"silhouette_p": 0.6, "purity_p": 0.4}
    errors = {"n": 60, "mse": 4e-4, "rmse": 0.02, "mae": 0.01, "r2": 0.96, "spearman": 0.97,
              "wasserstein": 0.01, "wasserstein_of_range": 0.04}  # fmt: skip
    models = {"network": errors, "constant": errors | {"rmse": 0.1, "r2": 0.0, "spearman": None}}
    arrays: dict[str, Any] = {}
    found: dict[str, Any] = {"latent_space": {}, "classifier": {}, "regressor": {}}
    names = [*GROUPS, "faulty"]
    for kind in ("plain", "masked"):
        for name in ("umap1", "umap2", "pc1", "pc2"):
            table[f"{name}_{kind}"] = rng.normal(size=len(table))
        table[f"iou_predicted_{kind}"] = table["iou"] + rng.normal(0, 0.02, len(table))
        shown = rng.random((9, 2, SIDE, SIDE)).astype(np.float32)
        arrays |= {f"{kind}_original": shown, f"{kind}_reconstruction": shown + 0.05,
                   f"{kind}_row": np.arange(9), f"{kind}_rmse": np.full(9, 0.05)}  # fmt: skip
        part = {"rmse": 0.05, "mae": 0.03, "explained_variance": 0.9, "n_patches": 60}
        found["latent_space"][kind] = {
            "reconstruction": dict.fromkeys(("train", "validation", "test"), part),
            "pca": {"explained": [0.5, 0.2]},
            "separation": {"pooled": {"stimulation": separation, "drug": none},
                           "latents": {"stimulation": none}},
        }  # fmt: skip
        shares = {"train": 0.95, "validation": 0.93, "test": 0.92, "gap": 0.03}
        found["classifier"][kind] = {
            "class_names": names,
            "accuracy": {"patch": shares, "well": shares},
            "test": {"accuracy": {"crop": _estimate(0.92, 0.02), "chance": 0.3}, "n_patches": 60,
                     "n_wells": 12, "confusion": (np.eye(4) * 15).tolist(), "per_class": []},
            "curves": [{"step": s, "train_accuracy": 0.9, "validation_accuracy": 0.8}
                       for s in (1, 9)],
            "tried": [{"start": "autoencoder", "training": "frozen", "reads": "masks",
                       "augmentation": "turns",
                       "weight_decay": 1e-3, "step": 9, "train_accuracy": 0.95,
                       "validation_accuracy": 0.93, "chosen": True}],
            "chosen": {"step": 9},
        }  # fmt: skip
        found["regressor"][kind] = {"test": models, "test_good": models, "test_wells": errors}
    table.to_parquet(folder.table("overlap_latents"))
    np.savez(folder.root / "overlap_reconstructions.npz", **arrays)
    return found


def _fill(folder: RunFolder, learnt: bool = False, pixels: bool = True) -> RunFolder:
    tables = _tables()
    folder.table("overlap").parent.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(folder.table(name))
    patches = tables["overlap_patches"]
    if pixels:
        rng = np.random.default_rng(3)
        writer = CropWriter(folder.patches, (2, SIDE, SIDE), np.uint16)
        shape = (len(patches), SIDE, SIDE)
        regions = rng.integers(0, 4, shape).astype(np.uint8)
        grey = rng.integers(0, 900, (shape[0], 2, SIDE, SIDE)).astype(np.uint16)
        writer.append(grey, regions, plate=0)
        scaling = PixelScaling(("CK01",), np.zeros((1, 2)), np.full((1, 2), 1000.0))
        attrs = {"channels": list(KINDS), "plates": ["CK01"], "pixel_size_um": 0.65}
        writer.close(attrs, scaling)
    metrics = json.loads(folder.metrics.read_text()) if folder.metrics.is_file() else {}
    overlap = _metrics() | (_learnt(folder, patches) if learnt else {})
    folder.metrics.write_text(json.dumps(metrics | {"overlap": overlap}))
    if not folder.run_json.is_file():
        config = {
            "images": {"channels": list(KINDS), "colours": None, "pixel_size_um": 0.65},
            "classes": {g: {"Metadata_Stimulation": g} for g in GROUPS},
            "overlap": {"masks": "threshold", "threshold": "otsu", "null": "local", "patch": 96,
                        "distance": 1.0, "patches_per_field": 9},
        }  # fmt: skip
        run = {"version": "0.1.0", "screen": "screen.toml", "config": config, "seed": 7,
               "stages": {"overlap_masks": {"state": "done", "seconds": 3.0}}}  # fmt: skip
        folder.run_json.write_text(json.dumps(run))
    return folder


@pytest.fixture(scope="session")
def fill_overlap() -> Callable[..., RunFolder]:
    """Return a function that adds overlap to a run folder, which may be new."""
    return _fill


@pytest.fixture
def overlap_metrics() -> dict[str, Any]:
    """Return the part of the numbers that is about overlap."""
    return _metrics()


@pytest.fixture
def overlap_patches() -> pd.DataFrame:
    """Return the table of patches."""
    return _tables()["overlap_patches"]
