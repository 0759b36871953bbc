"""Likelihood, boundary and gallery: what they write, and when they write nothing but a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from counterstain.config import ScreenConfig
from counterstain.figures.picture_record import BoundaryPictures, GeneratedPictures
from counterstain.files import read_json, write_json
from counterstain.networks.build import build_network
from counterstain.networks.checkpoint import save_network
from counterstain.networks.generative import GenerativeClassifier
from counterstain.plates.scaling import PixelScaling
from counterstain.plates.store import CropStore, CropWriter
from counterstain.run_folder import RunFolder
from counterstain.stages.boundary import map_boundary
from counterstain.stages.gallery import generate_gallery
from counterstain.stages.likelihood import measure_likelihood
from counterstain.stages.progress import Silent

CLASSES = ("sick", "well")
SIZE, A_WELL = 16, 6


@dataclass
class Run:
    """A run up to its scores, made up."""

    config: ScreenConfig
    folder: RunFolder
    crops: pd.DataFrame
    store: CropStore

    def do(self, stage: Any) -> dict[str, Any]:
        stage(self.config, self.folder, self.crops, self.store, Silent())
        metrics: dict[str, Any] = read_json(self.folder.metrics)
        return metrics


def _crops() -> pd.DataFrame:
    wells = [(f"{row}{column:02d}", name, fold)
             for row, fold in (("A", 0), ("B", 1))
             for column, name in ((1, "sick"), (2, "sick"), (3, "well"), (4, ""))]  # fmt: skip
    rows = [well for well in wells for _ in range(A_WELL)]
    table = pd.DataFrame(rows, columns=["Metadata_Well", "class_name", "fold"])
    table["fold"] = table["fold"].where(table["class_name"] != "", -1)
    return table.assign(crop=np.arange(len(table)), field=0, usable=True, Metadata_Plate="P")


def _store(path: Path, n: int) -> CropStore:
    rng = np.random.default_rng(0)
    writer = CropWriter(path, (2, SIZE, SIZE), np.uint8)
    pixels = rng.integers(20, 200, (n, 2, SIZE, SIZE)).astype(np.uint8)
    writer.append(pixels, np.zeros((n, SIZE, SIZE), np.uint8), plate=0)
    scaling = PixelScaling(("P",), np.array([[0.0, 0.0]]), np.array([[250.0, 250.0]]))
    writer.close({"channels": ["DNA", "GFP"], "plates": ["P"]}, scaling)
    return CropStore.open(path)


def _save_networks(folder: RunFolder, kind: str, images: torch.Tensor) -> None:
    options = {"hidden": 8, "blocks": 1} if kind == "coupling" else {}
    for fold in (0, 1):
        torch.manual_seed(fold)
        network = build_network(kind, channels=2, size=SIZE, n_classes=2, **options)
        network.train()
        network.class_logits(images)
        network.eval()
        assert isinstance(network, GenerativeClassifier)
        with torch.no_grad():
            weights = dict(network.named_parameters())
            for name in ("class_means", "linear.weight"):
                if name in weights:
                    weights[name].copy_(torch.randn_like(weights[name]))
            means = network.profile(images)
            network.domain.latent_means.copy_(means.mean(0).expand(2, -1))
            network.domain.latent_covariance.copy_(torch.cov(means.T))
            network.domain.set_intensities(torch.zeros(2), torch.ones(2))
        generative = isinstance(network, GenerativeClassifier)
        save_network(network, folder.models / f"fold_{fold}", {"generative": generative})


@pytest.fixture(params=["coupling"])
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    kind: str = request.param
    config = ScreenConfig.model_validate({
        "images": {"pattern": "{well}.tif", "channels": ["DNA", "GFP"]},
        "classes": {name: {"Metadata_x": name} for name in CLASSES},
        "model": {"network": kind}, "run": {"device": "cpu"},
    })  # fmt: skip
    folder, crops = RunFolder(tmp_path / "RUN"), _crops()
    for path in (folder.models, folder.table("crops").parent):
        path.mkdir(parents=True)
    write_json(folder.metrics, {"nothing_to_explain": False, "nothing_reason": ""})
    scores = crops.assign(logit=np.linspace(-1, 1, len(crops)))
    scores.to_parquet(folder.table("scores"))
    with _store(folder.crops, len(crops)) as store:
        _save_networks(folder, kind, torch.from_numpy(store.scaled(np.arange(24))))
        yield Run(config, folder, crops, store)


def test_likelihood_by_well(run: Run) -> None:
    facts = run.do(measure_likelihood)["likelihood"]
    table = pd.read_parquet(run.folder.table("likelihood"))
    assert len(table) == 8
    assert table["n_crops"].tolist() == [A_WELL] * 8
    unlabelled = table["class_name"] == ""
    assert table["gap"].isna().tolist() == unlabelled.tolist()
    labelled = table[~unlabelled]
    assert facts["held_out"]["value"] == pytest.approx(labelled["bits_per_dim"].mean())
    assert facts["held_out"]["n_wells"] == 6
    assert facts["gap"]["value"] == pytest.approx(labelled["gap"].mean())
    sick = labelled.loc[labelled["class_name"] == "sick", "bits_per_dim"].mean()
    assert facts["by_class"]["sick"]["value"] == pytest.approx(sick)
    assert facts["n_crops"] == {"sick": 4 * A_WELL, "well": 2 * A_WELL}
    assert 0 < facts["held_out"]["value"] < 16


def test_likelihood_repeats(run: Run) -> None:
    run.do(measure_likelihood)
    first = run.folder.table("likelihood").read_bytes()
    run.do(measure_likelihood)
    assert run.folder.table("likelihood").read_bytes() == first


def test_every_crop_has_its_place(run: Run) -> None:
    facts = run.do(map_boundary)["boundary"]
    table = pd.read_parquet(run.folder.table("boundary"))
    assert sorted(table["crop"]) == list(range(len(run.crops)))
    held_out = table["fold"].where(table["fold"] >= 0, 0)
    assert (table["network"] == held_out).all()
    assert (np.sign(table["distance"]) == np.sign(table["log_odds"])).all()
    pair = facts["pairs"][0]
    assert min(pair["correlation"]) >= 0
    assert pair["channel"] in ("DNA", "GFP")


def test_pictures_lie_where_they_should(run: Run) -> None:
    run.do(map_boundary)
    with np.load(run.folder.boundary) as content:
        pictures = BoundaryPictures.from_arrays(content)
    assert pictures.path_images.shape == (2, 7, 2, SIZE, SIZE)
    shown = np.isfinite(pictures.path_log_odds)
    assert (np.diff(pictures.path_log_odds, axis=1)[shown[:, 1:] & shown[:, :-1]] > -1e-3).all()
    assert np.nanmin(np.abs(pictures.path_log_odds), axis=1) == pytest.approx(0, abs=1e-3)
    table = pd.read_parquet(run.folder.table("boundary"))
    for row, own in enumerate(pictures.path_original):
        start = CLASSES[pictures.path_start[row]]
        odds = table.loc[(table["class_name"] == start) & (table["network"] == 0), "log_odds"]
        nearest = np.abs(odds - pictures.path_log_odds[row, own]).min()
        assert nearest == pytest.approx(0, abs=1e-4)
    assert pictures.surface_images.shape == (6, 5, 2, SIZE, SIZE)
    drift = np.nanmax(pictures.surface_log_odds, 1) - np.nanmin(pictures.surface_log_odds, 1)
    assert drift.max() < 1e-3
    assert np.nanstd(pictures.surface_images, axis=1).max() > 1e-3


def test_the_gallery(run: Run) -> None:
    facts = run.do(generate_gallery)["generated"]
    with np.load(run.folder.generated) as content:
        pictures = GeneratedPictures.from_arrays(content)
    assert np.bincount(pictures.sample_class).tolist() == [8, 8]
    assert facts["samples"]["sick"]["n"] == 64
    assert pictures.morph_images.shape == (4, 7, 2, SIZE, SIZE)
    assert len(pictures.rebuilt_images) == 0
    held_out = run.crops.loc[run.crops["fold"] == facts["fold"], "Metadata_Well"]
    assert set(pictures.real_well) | set(pictures.morph_first) <= set(held_out)


@pytest.mark.parametrize("run", ["autoencoder"], indirect=True)
def test_an_autoencoder_has_morphs_and_reconstructions_but_no_samples(run: Run) -> None:
    assert "autoencoder has no likelihood" in run.do(measure_likelihood)["likelihood"]["reason"]
    assert not run.folder.table("likelihood").is_file()
    facts = run.do(generate_gallery)["generated"]
    assert "no likelihood" in facts["no_samples"]
    with np.load(run.folder.generated) as content:
        pictures = GeneratedPictures.from_arrays(content)
    assert len(pictures.sample_images) == 0
    assert len(pictures.morph_images) == 4
    assert np.bincount(pictures.rebuilt_class).tolist() == [6, 6]
    error = np.abs(pictures.rebuilt_images - pictures.rebuilt_original).max((1, 2, 3))
    assert error == pytest.approx(pictures.rebuilt_error)
    run.do(map_boundary)
    with np.load(run.folder.boundary) as content:
        assert np.isfinite(BoundaryPictures.from_arrays(content).path_images).all()


def test_nothing_to_explain_leaves_the_likelihood_only(run: Run) -> None:
    for path in (run.folder.boundary, run.folder.generated, run.folder.table("boundary")):
        path.write_bytes(b"left over")
    write_json(run.folder.metrics, {"nothing_to_explain": True, "nothing_reason": "at chance"})
    for stage in (measure_likelihood, map_boundary, generate_gallery):
        metrics = run.do(stage)
    assert metrics["boundary"] == metrics["generated"] == {"reason": "at chance"}
    assert metrics["likelihood"]["reason"] == ""
    for path in (run.folder.boundary, run.folder.generated, run.folder.table("boundary")):
        assert not path.exists()


def test_backbones_have_neither(run: Run) -> None:
    for fold in (0, 1):
        network = build_network("resnext50", channels=2, size=32, n_classes=2, pretrained=False)
        save_network(network, run.folder.models / f"fold_{fold}", {"generative": False})
    for stage in (measure_likelihood, map_boundary, generate_gallery):
        metrics = run.do(stage)
    assert "resnext50 has no likelihood" in metrics["likelihood"]["reason"]
    assert "cannot be run backwards" in metrics["boundary"]["reason"]
    assert metrics["boundary"] == metrics["generated"]
