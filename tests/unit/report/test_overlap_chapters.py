from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterstain.plates.scaling import PixelScaling
from counterstain.plates.store import CropWriter
from counterstain.report import build_report
from counterstain.report.data import RunData, read_run
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_network_words import structure_words
from counterstain.report.sections.overlap_pictures import ordinary_patches
from counterstain.report.sections.overlap_words import (
    chance_sentence,
    crowding_sentence,
    follows,
    patch_sentences,
    readout_sentence,
)
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
            "tried": [{"start": "autoencoder", "fine_tuned": False, "augmentation": "turns",
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


@pytest.fixture(scope="module")
def overlap_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, str]:
    """Return a run that only measured overlap and learnt from it, and its page."""
    folder = _fill(RunFolder(tmp_path_factory.mktemp("overlap") / "RUN"), learnt=True)
    return folder, build_report(folder).read_text(encoding="utf-8")


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))

    @property
    def chapters(self) -> list[str]:
        return [
            str(a["id"]) for tag, a in self.tags if tag == "section" and a.get("class") == "chapter"
        ]


def test_a_run_of_overlap_alone_answers_its_own_question(
    overlap_run: tuple[RunFolder, str],
) -> None:
    page = _Page(overlap_run[1])
    assert page.chapters == ["overlap", "overlap_learned", "run", "limits"]
    first = page.words[: page.words.index("Brackets are 95 % intervals")]
    assert "The overlap follows the stimulation: the IoU of the masks is higher by 0.100" in first
    assert "0.300 [0.290, 0.310] in ConA" in first
    assert "is not there" not in page.words
    assert "Plate CK01" in first
    assert "no readout of another software was given" in page.words
    assert "Otsu’s threshold" in page.words


def test_the_page_holds_every_picture_with_words_in_its_place(
    overlap_run: tuple[RunFolder, str],
) -> None:
    folder, html = overlap_run
    page = _Page(html)
    sources = [a for tag, a in page.tags if tag == "img"]
    assert all(str(a["src"]).startswith("data:") and len(a["alt"] or "") > 15 for a in sources)
    figures = {p.stem for p in folder.figures.glob("*.svg")}
    assert figures == {
        "overlap_examples", "overlap_groups", "overlap_crowding", "overlap_patches",
        "overlap_calls", "overlap_plate_1", "overlap_treatments", "overlap_faulty",
        "overlap_regression", "overlap_classifier", "overlap_confusion_plain",
        "overlap_confusion_masked", "overlap_latents_plain", "overlap_latents_masked",
        "overlap_reconstructions_plain", "overlap_reconstructions_masked",
    }  # fmt: skip
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    links = [str(a["href"]) for tag, a in page.tags if tag == "a"]
    assert all(link[1:] in ids for link in links if link.startswith("#"))
    assert str(folder.root) not in html


def test_networks_are_told_of_by_held_out_wells(overlap_run: tuple[RunFolder, str]) -> None:
    words = _Page(overlap_run[1]).words
    assert "92.0 % [90.0, 94.0] of the patches of held-out wells right, 95.0 %" in words
    assert "a gap of 3.0 points" in words
    assert "RMSE of 0.020 (R² 0.96, Spearman 0.97; 0.100 for a constant)" in words
    assert "4.0 % of the range apart" in words


def test_every_kept_patch_has_a_tile(overlap_run: tuple[RunFolder, str]) -> None:
    folder, _ = overlap_run
    index = pd.read_parquet(folder.root / "explorer" / "patches.parquet")
    assert index["patch"].tolist() == list(range(180))
    assert set(index["sheet"]) == {"patches_000.webp"}
    assert (folder.root / "explorer" / "patches_000.webp").stat().st_size > 1000
    assert {"row", "column", "group", "compound", "well", "state", "overlap", "umap1_plain",
            "pc2_masked", "iou_predicted_plain"} <= set(index.columns)  # fmt: skip
    assert index["group"].unique().tolist() == list(GROUPS)


def test_without_learning_there_is_no_chapter_of_networks(tmp_path: Path) -> None:
    folder = _fill(RunFolder(tmp_path / "RUN"), pixels=False)
    page = _Page(build_report(folder).read_text(encoding="utf-8"))
    assert page.chapters == ["overlap", "run", "limits"]
    assert not (folder.figures / "overlap_examples.png").exists()
    assert (folder.figures / "overlap_groups.png").is_file()


def test_a_run_with_both_shows_both(make_run: Callable[..., RunFolder]) -> None:
    folder = _fill(make_run(cells=3, doses=False, absent=("pictures", "scores")), pixels=False)
    page = _Page(build_report(folder).read_text(encoding="utf-8"))
    assert "overlap" in page.chapters
    assert "classes" in page.chapters
    assert "Do the cells touch" in page.words
    assert "are clearly separable" in page.words


def test_a_run_without_overlap_shows_none(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(cells=3, doses=False, absent=("pictures", "scores", "effects"))
    page = _Page(build_report(folder).read_text(encoding="utf-8"))
    assert "overlap" not in page.chapters
    assert "Do the cells touch" not in page.words
    assert not (folder.root / "explorer").exists()


def test_a_damaged_table_of_wells_is_said_in_words(tmp_path: Path) -> None:
    folder = _fill(RunFolder(tmp_path / "RUN"), pixels=False)
    folder.table("overlap_wells").write_bytes(b"PAR1")
    page = _Page(build_report(folder).read_text(encoding="utf-8"))
    assert "overlap_wells.parquet is damaged" in page.words


def _data(folder: RunFolder, **changes: Any) -> OverlapData:
    folder.root.mkdir(parents=True, exist_ok=True)
    data = read_run(_fill(folder, pixels=False))
    metrics = {"overlap": {**_metrics(), **changes}}
    return OverlapData(RunData(data.folder, data.run, metrics, {}, data.tables, None))


def _groups(q: tuple[float, float], sign: int = 1) -> list[dict[str, Any]]:
    groups = _metrics()["groups"]
    for row, value in zip(groups[1:], q, strict=True):
        row |= {"q": value, "difference": _estimate(sign * row["difference"]["value"], 0.02)}
    return groups  # type: ignore[no-any-return]


def test_no_difference_is_no_finding(tmp_path: Path) -> None:
    found = follows(_data(RunFolder(tmp_path / "R"), groups=_groups((0.3, 0.06))))
    assert found.status == "none"
    assert "No difference in overlap was found" in found.text
    assert "(q = 0.06)" in found.text


def test_a_part_is_called_a_part(tmp_path: Path) -> None:
    found = follows(_data(RunFolder(tmp_path / "R"), groups=_groups((0.3, 1e-5))))
    assert found.status == "fair"
    assert found.text.startswith("In part, the overlap follows the stimulation")
    assert found.text.endswith("No difference was found for OVA.")


def test_less_overlap_is_called_lower(tmp_path: Path) -> None:
    found = follows(_data(RunFolder(tmp_path / "R"), groups=_groups((1e-5, 1e-5), sign=-1)))
    assert "lower by 0.100 [0.080, 0.120] in OVA" in found.text
    assert "higher" not in found.text


def test_undefined_tests_are_no_answer(tmp_path: Path) -> None:
    groups = _groups((1e-5, 1e-5))
    for row in groups[1:]:
        row["q"] = None
    assert follows(_data(RunFolder(tmp_path / "R"), groups=groups)).status == "unknown"


def test_an_interval_that_holds_zero_is_not_above_chance(tmp_path: Path) -> None:
    groups = _metrics()["groups"]
    groups[0]["iou_above_chance"] = _estimate(0.001, 0.01)
    text = chance_sentence(_data(RunFolder(tmp_path / "R"), groups=groups))
    assert "not told from 0 in unstimulated (0.001" in text
    assert "above 0 in OVA (0.100 [0.090, 0.110]) and ConA" in text


def test_a_measure_that_falls_with_crowding_is_said_to_fall(tmp_path: Path) -> None:
    crowding = _metrics()["crowding"]
    crowding[2]["iou_above_chance"] = _estimate(-0.5, 0.2)
    text = crowding_sentence(_data(RunFolder(tmp_path / "R"), crowding=crowding))
    assert "IoU rises in unstimulated (ρ = 0.80 [0.70, 0.90]), OVA" in text
    assert "IoU above chance falls in ConA (ρ = −0.50 [−0.70, −0.30])" in text
    assert "is not shown to change in unstimulated" in text


def test_faulty_patches_are_counted_apart(tmp_path: Path) -> None:
    first, second = patch_sentences(_data(RunFolder(tmp_path / "R")))
    assert "11.1\N{NARROW NO-BREAK SPACE}% are faulty (16 empty and 4 debris)" in first
    assert second == "2 of 48 fields are faulty: out of focus (2)."


def test_a_readout_is_told_with_its_agreement(tmp_path: Path) -> None:
    curve = {"spearman": _estimate(0.9), "concordance_before": _estimate(0.1),
             "concordance_after": _estimate(0.95)}  # fmt: skip
    readout = {
        "n_wells": 30,
        "column": "overlap",
        "curves": {"linear": curve},
        "reason": "",
        "not_on_plate": ["P24"],
        "without_readout": [f"A{i:02d}" for i in range(1, 15)],
    }
    text = readout_sentence(_data(RunFolder(tmp_path / "R"), readout=readout))
    assert "rank correlation of 0.90 [0.89, 0.91]" in text
    assert "0.95 [0.94, 0.96] after the linear curve" in text
    assert "1 of the readout are not on the plate (P24)" in text
    assert "14 of the plate have no readout (A01, A02," in text
    assert "A13" not in text


def test_noise_is_no_structure() -> None:
    found = {"silhouette": 0.1, "silhouette_chance": 0.0, "silhouette_p": 0.051, "purity": 0.9,
             "purity_chance": 0.3, "purity_p": 0.2, "neighbours": 15}  # fmt: skip
    assert structure_words(found, "drug").startswith("no structure beyond chance")
    assert structure_words(found | {"purity_p": 0.01}, "drug").startswith("lies together by drug")
    empty = dict.fromkeys(found) | {"reason": "one label"}
    assert structure_words(empty, "plate") == "not judged (one label)"


def test_examples_lie_around_the_median_and_in_different_wells() -> None:
    patches = _tables()["overlap_patches"].assign(group=lambda t: t["Metadata_Stimulation"])
    rows, median = ordinary_patches(patches, "OVA", 3)
    own = patches[(patches["group"] == "OVA") & (patches["state"] == "contact")]
    assert median == pytest.approx(own["iou"].median())
    assert rows["Metadata_Well"].nunique() == 3
    nearest = (own.groupby("Metadata_Well")["iou"].first() - median).abs().nsmallest(3)
    assert set(rows["Metadata_Well"]) == set(nearest.index)
