"""A run folder made up from nothing but its contract, so that the report is tested on its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

from counterstain.run_folder import RunFolder

CHANNELS = ("DNA", "cytoplasm", "mitochondria")
COMPOUNDS = (
    "rapamycin", "metformin", "nilotinib", "ambroxol", "bezafibrate", "torin 1",
    "staurosporine", "vehicle twin",
)  # fmt: skip
RESCUE = (6.0, 3.2, 0.2, 2.0, 0.0, 5.2, -1.5, 0.1)


@dataclass
class Fabricated:
    """What to make up."""

    classes: tuple[str, ...] = ("diseased", "healthy")
    shape: tuple[int, int] = (8, 12)
    plates: tuple[str, ...] = ("P1",)
    channels: tuple[str, ...] = CHANNELS
    null: bool = False
    pixel_size_um: float | None = 0.65
    doses: bool = True
    compounds: tuple[str, ...] = COMPOUNDS
    cells: int = 30
    absent: tuple[str, ...] = ()
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))


def estimate(
    value: float | None, half: float = 0.0, n: int = 32, reason: str = ""
) -> dict[str, Any]:
    ends = (None, None) if value is None else (value - half, value + half)
    return {"value": value, "low": ends[0], "high": ends[1], "n_wells": n, "reason": reason}


def blobs(rng: np.random.Generator, size: int, n_channels: int, mito: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    turn, squeeze = rng.uniform(0, np.pi), rng.uniform(0.75, 1.0)
    u = (x * np.cos(turn) + y * np.sin(turn)) * squeeze
    r = np.hypot(u, -x * np.sin(turn) + y * np.cos(turn)) / (size / 48)
    nucleus = 0.75 / (1 + np.exp((r - 7) / 0.8))
    cell = 1 / (1 + np.exp((r - 17) / 1.2))
    waves = np.sin(x * rng.uniform(0.5, 0.9) + 3 * np.sin(y * 0.3 + rng.uniform(0, 6)))
    layers = [nucleus, 0.45 * cell, mito * (cell - nucleus / 0.75).clip(0) * (waves > 0.35)]
    layers += [0.3 * cell * rng.uniform(0.5, 1) for _ in range(n_channels - 3)]
    noise = rng.normal(0, 0.015, (n_channels, size, size))
    return (np.stack(layers[:n_channels]) + noise).astype(np.float32)


def _wells(spec: Fabricated) -> pd.DataFrame:
    from counterstain.plates.wells import row_name

    rows, columns = spec.shape
    each = max(2, columns // 6) // 2 * 2
    k, records = len(spec.classes), []
    for plate in spec.plates:
        for row in range(rows):
            for column in range(columns):
                first, last = column < each, column >= columns - each
                name = (
                    spec.classes[0] if first else spec.classes[1 + (row % (k - 1))] if last else ""
                )
                compound = "DMSO" if name else spec.compounds[row % len(spec.compounds)]
                dose = 0.0 if name else float(f"{0.01 * 3 ** (column - each):.3g}")
                records.append({
                    "Metadata_Plate": plate, "Metadata_Well": f"{row_name(row)}{column + 1:02d}",
                    "class_name": name, "Metadata_Compound": compound,
                    "Metadata_Concentration": dose, "Metadata_ConcentrationUnit": "µM",
                    "row": row, "strength": (column - each + 1) / (columns - 2 * each),
                })  # fmt: skip
    wells = pd.DataFrame(records)
    wells["n_fields"], wells["n_faulty"], wells["n_crops"] = 2, 0, 2 * spec.cells
    wells.loc[[37, 61], ["n_fields", "n_crops"]] = 0
    wells.loc[44, ["n_faulty", "n_crops"]] = [2, 0]
    wells["fold"] = np.where(wells["class_name"] != "", np.arange(len(wells)) % 4, -1)
    if not spec.doses:
        wells = wells.drop(columns=[c for c in wells if str(c).startswith("Metadata_Co")])
    return wells


def _truth(spec: Fabricated, wells: pd.DataFrame) -> np.ndarray:
    """Return the true mean logits of wells, shape (n, K - 1): against class 0."""
    truth = np.full((len(wells), len(spec.classes) - 1), -3.2)
    rescue = np.array(RESCUE)[wells["row"] % len(RESCUE)]
    for k, name in enumerate(spec.classes[1:]):
        truth[:, k] += np.where(wells["class_name"] == name, 6.6, 0)
    truth[:, 0] += np.where(wells["class_name"] == "", rescue * wells["strength"], 0)
    return truth * (0.0 if spec.null else 1.0) + spec.rng.normal(0, 0.35, truth.shape)


def _scores(spec: Fabricated, wells: pd.DataFrame) -> pd.DataFrame:
    rows = wells.loc[wells.index.repeat(wells["n_crops"])]
    against = _truth(spec, wells)[rows.index] + spec.rng.normal(0, 1.5, (len(rows), 1))
    logits = np.column_stack([np.zeros(len(rows)), against])
    probability = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    columns = ["Metadata_Plate", "Metadata_Well", "class_name", "fold"]
    scores = rows[columns].reset_index(drop=True)
    scores.insert(0, "crop", np.arange(len(scores)))
    for k, name in enumerate(spec.classes):
        scores[f"prob_{name}"] = probability[:, k]
        if len(spec.classes) > 2:
            scores[f"logit_{name}"] = logits[:, k]
    if len(spec.classes) == 2:
        scores["logit"] = logits[:, 1]
    scores["predicted"] = np.array(spec.classes)[probability.argmax(axis=1)]
    return scores


def _fields(spec: Fabricated, wells: pd.DataFrame, images: Path) -> pd.DataFrame:
    fields = wells.loc[wells.index.repeat(wells["n_fields"])].reset_index(drop=True)
    fields = fields.drop(columns=["n_fields", "n_faulty", "fold", "row", "strength"])
    fields.insert(0, "field", np.arange(len(fields)))
    fields["Metadata_Site"] = fields.groupby(["Metadata_Plate", "Metadata_Well"]).cumcount() + 1
    fields["height"] = fields["width"] = 160
    fields["dtype"], fields["n_cells"], fields["readable"] = "uint16", spec.cells, True
    fields["problem"] = ""
    fields["faulty"], fields["reason"] = False, ""
    gone = fields.index[fields["Metadata_Well"] == wells.loc[44, "Metadata_Well"]]
    reasons = ["out of focus", "no cells: 0 found, at least 5 expected",
               "saturated: 14 % of mitochondria",
               "debris: mean of DNA 9.1 robust SD above the plate",
               f"unreadable: {images}/P1_A03_s1_DNA.tif is truncated"]  # fmt: skip
    places = [*gone, 20, 90, 7][: len(reasons)]
    images.mkdir(parents=True, exist_ok=True)
    for i in range(len(spec.channels)):
        fields[f"path_{i}"], fields[f"page_{i}"] = str(images / "absent.tif"), 0
    for place, reason in zip(places, reasons, strict=True):
        fields.loc[place, "faulty"], fields.loc[place, "reason"] = True, reason
        field = np.zeros((len(spec.channels), 160, 160))
        for _ in range(9 if "cells" not in reason else 0):
            y, x = spec.rng.integers(0, 160 - 48, 2)
            gain = 3.0 if "saturated" in reason else 1.0
            field[:, y : y + 48, x : x + 48] += gain * blobs(spec.rng, 48, len(field), 0.6)
        for i, channel in enumerate(spec.channels):
            path = images / f"P1_{fields.loc[place, 'Metadata_Well']}_{place}_{channel}.tif"
            tifffile.imwrite(path, (200 + 3000 * field[i].clip(0)).clip(0, 65535).astype(np.uint16))
            fields.loc[place, f"path_{i}"] = str(path)
            if "unreadable" in reason:
                path.write_bytes(path.read_bytes()[:600])
    return fields


def _counterfactuals(spec: Fabricated, wells: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    controls = wells[(wells["class_name"] != "") & (wells["n_crops"] > 0)]
    pairs = [(0, k) for k in range(1, len(spec.classes))] + [
        (k, 0) for k in range(1, len(spec.classes))
    ]
    pictures: dict[str, list[Any]] = {}
    for source, target in pairs:
        rows = controls[controls["class_name"] == spec.classes[source]].iloc[::3][:5]
        for well in rows["Metadata_Well"]:
            seed = int(spec.rng.integers(1 << 30))
            mitos = [(0.28, 0.6)[source > 0], 0.42, (0.28, 0.6)[target > 0]]
            images = [blobs(np.random.default_rng(seed), 48, len(spec.channels), m) for m in mitos]
            for key, value in {
                "original": images[0], "boundary": images[1], "counterfactual": images[2],
                "crop": len(pictures.get("crop", [])), "source": source, "target": target,
                "well": well, "logit_original": -spec.rng.normal(3.3, 0.8),
                "logit_boundary": spec.rng.normal(0, 0.01), "logit_counterfactual": 3.4,
                "inverse_error": spec.rng.uniform(1, 9) * 1e-6,
            }.items():  # fmt: skip
                pictures.setdefault(key, []).append(value)
    table = pd.DataFrame({
        "crop": pictures["crop"], "Metadata_Plate": "P1", "Metadata_Well": pictures["well"],
        "source_class": [spec.classes[i] for i in pictures["source"]],
        "target_class": [spec.classes[i] for i in pictures["target"]],
        "fold": 0, "logit_before": pictures["logit_original"],
        "logit_after": pictures["logit_counterfactual"], "oracle_before": 0.3, "oracle_after": 0.6,
        "crossed": True, "gap_closed": 0.9, "inverse_error": pictures["inverse_error"],
    })  # fmt: skip
    return {key: np.array(value) for key, value in pictures.items()}, table


def _effects(spec: Fabricated) -> pd.DataFrame:
    real = [("mitochondria", "cell", "mean intensity", "%", 38, 3.5, 35, "confirmed"),
            ("mitochondria", "ring", "mean intensity", "%", 31, 4.0, 29, "confirmed"),
            ("mitochondria", "ring", "texture (SD over mean)", "%", 6, 3.0, 17,
             "not confirmed by real wells"),
            ("mitochondria", "cell", "log2 nucleus/ring", "log2", -0.42, 0.06, -0.38, "confirmed"),
            ("DNA", "nucleus", "mean intensity", "%", 1.2, 2.5, 0.4, "none"),
            ("DNA", "nucleus", "area", "%", -4.6, 1.8, -0.3, "missed by the counterfactual"),
            ("cytoplasm", "cell", "mean intensity", "%", -0.8, 2.2, 0.9, "none"),
            ("cytoplasm", "cell", "log2 nucleus/ring", "log2", 0.02, 0.05, 0.01, "none"),
            ("DNA", "background", "mean intensity", "%", 0.1, 0.9, 0.0, "none")]  # fmt: skip
    records = []
    a, b = spec.classes[:2]
    for rank, (channel, region, feature, unit, value, half, counter, verdict) in enumerate(real, 1):
        sentence = ""
        if verdict == "confirmed":
            sentence = (f"{channel}: {feature} in the {region} {value:+g} {unit} "
                        f"[{value - half:g}, {value + half:g}] from {a} to {b}; "
                        f"counterfactuals {counter:+g} {unit} "
                        f"[{counter - half:g}, {counter + half:g}].")  # fmt: skip
        records.append({
            "channel": channel, "region": region, "feature": feature, "unit": unit,
            "real": value, "real_low": value - half, "real_high": value + half,
            "real_effect": value / half, "counterfactual": counter,
            "counterfactual_low": counter - half, "counterfactual_high": counter + half,
            "verdict": verdict, "q": 0.0004 if verdict == "confirmed" else 0.3, "rank": rank,
            "sentence": sentence,
        })  # fmt: skip
    return pd.DataFrame(records)


def _metrics(
    spec: Fabricated, wells: pd.DataFrame, scores: pd.DataFrame, fields: pd.DataFrame
) -> Any:
    names, labelled = list(spec.classes), scores[scores["class_name"] != ""]
    table = pd.crosstab(labelled["class_name"], labelled["predicted"])
    table = table.reindex(index=names, columns=names, fill_value=0)
    right = float(np.trace(table) / table.to_numpy().sum())
    two = len(names) == 2
    undefined = estimate(None, reason="Z' compares two classes; this screen has more")
    z = estimate(-4.1, 2.0) if spec.null else estimate(0.71, 0.06)
    pairs = [p for k in range(1, len(names)) for p in (f"0->{k}", f"{k}->0")]
    reasons = fields.loc[fields["faulty"], "reason"].str.split(":").str[0].value_counts()
    return {
        "classes": names,
        "n_wells": {c: int((wells["class_name"] == c).sum()) for c in names},
        "n_crops": {c: int((labelled["class_name"] == c).sum()) for c in names},
        "accuracy": {"crop": estimate(right, 0.01), "chance": 1 / len(names),
                     "well": estimate(0.52 if spec.null else 1.0, 0.2 if spec.null else 0)},
        "per_class": [
            {"class": c, "precision": estimate(0.97, 0.01), "recall": estimate(0.965, 0.012),
             "f1": estimate(0.968, 0.01),
             "support": estimate(float((labelled["class_name"] == c).sum()))}
            for c in names],
        "confusion": table.to_numpy().tolist(),
        "separation": {"z_prime": z if two else undefined,
                       "robust_z_prime": estimate(0.74, 0.07) if two else undefined,
                       "ssmd": estimate(11.3, 1.9) if two else undefined},
        "training": {"network": "coupling", "folds": 4, "steps": 1250, "minibatch": 48,
                     "precision": "bf16", "device": "cpu", "pretrained": "from scratch",
                     "parameters": 1_204_312, "accuracy_train": 0.993, "bits_per_dim": 2.31,
                     "crops_per_s": 212.0},
        "inverse": {"max_error": 8.7e-6, "tolerance": 1e-4},
        "oracle": {"channel": "mitochondria", "region": "cell", "feature": "mean intensity",
                   "definition": "the mean intensity of mitochondria inside the cell, in shares of "
                                 "the negative controls' range",
                   "midpoint": 0.44, "median": {c: 0.3 + 0.28 * i for i, c in enumerate(names)},
                   "separation": 0.93, "flip": {p: estimate(0.86, 0.05) for p in pairs},
                   "gap_closed": {p: estimate(0.91, 0.06) for p in pairs},
                   "model_flip": {p: estimate(1.0) for p in pairs}},
        "nothing_to_explain": spec.null,
        "nothing_reason": "the interval of the accuracy on held-out wells includes chance"
                          if spec.null else "",
        "dose": [{"compound": c, "spearman": 0.98 - 0.12 * i, "n_doses": 8, "unit": "µM"}
                 for i, c in enumerate(spec.compounds)] if spec.doses else [],
        "quality": {"n_fields": len(fields), "n_faulty": int(fields["faulty"].sum()),
                    "reasons": {str(k): int(v) for k, v in reasons.items()}},
    }  # fmt: skip


def _run_json(spec: Fabricated, root: Path) -> dict[str, Any]:
    return {
        "version": "0.1.0", "format": 1, "screen": str(root / "demo plate" / "screen.toml"),
        "config": {"images": {"root": str(root / "images"),
                              "pattern": "{plate}_{well}_s{site}_{channel}.tif",
                              "channels": list(spec.channels), "colours": None,
                              "pixel_size_um": spec.pixel_size_um},
                   "classes": {c: {"Metadata_control_type": c} for c in spec.classes},
                   "crops": {"kind": "cells", "size": 48, "nucleus_channel": None,
                             "percentiles": [0.1, 99.9], "ring_width": 6},
                   "split": {"group": "Metadata_Well", "folds": 4},
                   "model": {"network": "coupling", "class_weight": 0.1, "learning_rate": 0.002,
                             "label_smoothing": 0.05},
                   "run": {"seed": 0, "device": "auto"}},
        "config_digest": "3f9a0c5be1d2447a9c11", "device": "cpu", "seed": 0,
        "versions": {"python": "3.11.7", "counterstain": "0.1.0", "numpy": "2.4.6",
                     "torch": "2.9.0"},
        "inputs": {"n_files": 564, "digest": "b7c1e0aa42"},
        "stages": {"read": {"state": "done", "seconds": 1.8},
                   "crops": {"state": "done", "seconds": 14.2},
                   "train": {"state": "done", "seconds": 391.0},
                   "explain": {"state": "done", "seconds": 44.9}},
        "resolved": {"steps": 1250},
    }  # fmt: skip


def fabricate(root: Path, spec: Fabricated) -> RunFolder:
    """Write a run folder; parts named in `spec.absent` are left out."""
    folder = RunFolder(root / "RUN")
    folder.table("wells").parent.mkdir(parents=True)
    wells = _wells(spec)
    scores = _scores(spec, wells)
    fields = _fields(spec, wells, root / "images")
    columns = [c for c in scores if str(c).startswith(("prob_", "logit"))]
    means = scores.groupby(["Metadata_Plate", "Metadata_Well"])[columns].mean()
    wells = wells.drop(columns=["row", "strength"]).merge(
        means, how="left", left_on=["Metadata_Plate", "Metadata_Well"], right_index=True
    )
    probabilities = wells[[f"prob_{c}" for c in spec.classes]].fillna(-1).to_numpy()
    wells["predicted"] = np.where(
        wells["n_crops"] > 0, np.array(spec.classes)[probabilities.argmax(axis=1)], ""
    )
    pictures, evaluated = _counterfactuals(spec, wells)
    tables = {"fields": fields, "wells": wells, "scores": scores, "effects": _effects(spec),
              "counterfactuals": evaluated}  # fmt: skip
    for name, table in tables.items():
        if name not in spec.absent:
            table.to_parquet(folder.table(name))
    if "pictures" not in spec.absent:
        np.savez(folder.counterfactuals, **pictures)
    if "metrics" not in spec.absent:
        folder.metrics.write_text(json.dumps(_metrics(spec, wells, scores, fields)))
    if "crops" not in spec.absent:
        n, p = len(spec.channels), len(spec.plates)
        scaling = {"plates": list(spec.plates), "low": np.full((p, n), 200.0).tolist(),
                   "high": np.full((p, n), 3200.0).tolist()}  # fmt: skip
        attributes: dict[str, Any] = {
            "format": 1, "channels": list(spec.channels), "plates": list(spec.plates),
            "scaling": scaling, "pixel_size_um": spec.pixel_size_um, "kind": "cells", "size": 48,
        }  # fmt: skip
        zarr.open_group(folder.crops, mode="w").attrs.update(attributes)
    folder.run_json.write_text(json.dumps(_run_json(spec, root)))
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFolder]:
    """Return a function that makes up a run folder; keywords as in :class:`Fabricated`."""

    def make(**changes: Any) -> RunFolder:
        return fabricate(tmp_path, Fabricated(**changes))

    return make


@pytest.fixture(scope="session")
def small_report(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A small run with its report, also as one file; not to be written to."""
    from counterstain.report import build_report

    spec = Fabricated(cells=3, doses=False, absent=("fields",))
    folder = fabricate(tmp_path_factory.mktemp("reported"), spec)
    build_report(folder, single_file=True)
    return folder
