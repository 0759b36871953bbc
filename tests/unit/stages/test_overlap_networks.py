"""The three learning stages of co-cultures on a made-up plate: columns, files, numbers."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, r2_score

from counterstain.errors import InvalidInputError
from counterstain.networks.patch_file import load_patch_network
from counterstain.plates.scaling import PixelScaling
from counterstain.plates.store import CropStore, CropWriter
from counterstain.run_folder import RunFolder
from counterstain.stages import overlap_latent
from counterstain.stages.overlap_calls import call_wells, summarise_calls, with_field
from counterstain.stages.overlap_classifier import learn_classes
from counterstain.stages.overlap_embedding import umap_of
from counterstain.stages.overlap_errors import prediction_errors
from counterstain.stages.overlap_regressor import learn_overlap
from counterstain.training.patch_settings import PatchLearning

SETTINGS = PatchLearning(
    autoencoder_steps=40,
    regressor_steps=100,
    classifier_steps=24,
    widths=(8, 12, 16),
    latents=4,
    minibatch=24,
    shuffles=19,
    pictures=3,
)
WELLS, PATCHES = 24, 10


def plate() -> tuple[pd.DataFrame, dict[str, NDArray[np.uint16]]]:
    """Squares in two channels, close to each other under one of two stimulations."""
    rng = np.random.default_rng(0)
    n = WELLS * PATCHES
    well = np.repeat(np.arange(WELLS), PATCHES)
    near = np.array(["a", "b", "a"])[well % 3] == "a"
    plain = rng.integers(96, 105, (n, 2, 16, 16)).astype(np.uint16)
    masked, iou = np.full_like(plain, 100), np.zeros(n)
    for i in range(n):
        row, aside = rng.integers(1, 8), rng.integers(0, 4) if near[i] else rng.integers(3, 7)
        for channel, left in ((0, 2), (1, 2 + aside)):
            place = np.s_[i, channel, row : row + 6, left : left + 6]
            plain[place] += 80
            masked[place] = plain[place]
        iou[i] = (masked[i] > 100).all(0).sum() / (masked[i] > 100).any(0).sum()
    faulty = rng.random(n) < 0.1
    plain[faulty] += 500
    patches = pd.DataFrame(
        {
            "Metadata_Plate": "P1",
            "Metadata_Well": [f"A{w + 1:02d}" for w in well],
            "Metadata_Site": np.tile(np.repeat([1, 2], PATCHES // 2), WELLS),
            "Metadata_Stimulation": np.where(near, "a", "b"),
            "Metadata_Compound": np.array(["DMSO", "DMSO", "X"])[well % 3],
            "class_name": np.array(["a", "b", ""])[well % 3],
            "faulty": faulty,
            "iou": np.where(faulty, 0, iou),
        }
    )
    return patches, {"plain": plain, "masked": masked}


def write(folder: Path, images: dict[str, NDArray[np.uint16]]) -> dict[str, CropStore]:
    stores = {}
    for kind, pixels in images.items():
        writer = CropWriter(folder / f"{kind}.zarr", pixels.shape[1:], np.uint16)
        writer.append(pixels, np.zeros((len(pixels), 16, 16), np.uint8), plate=0)
        scaling = PixelScaling(("P1",), np.full((1, 2), 100.0), np.full((1, 2), 200.0))
        writer.close({"channels": ["T", "D"], "plates": ["P1"]}, scaling)
        stores[kind] = CropStore.open(folder / f"{kind}.zarr")
    return stores


def fake_umap(points: NDArray[np.float32], **_: object) -> NDArray[np.float32]:
    # The real one compiles for half a minute; it has a test of its own.
    return points[:, :2]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    patches, images = plate()
    stores = write(folder.root, images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap_latent, "umap_of", fake_umap)
        latents = overlap_latent.learn_latents(SETTINGS, folder, patches, stores)
    overlap = learn_overlap(SETTINGS, folder, patches, stores)
    classes = learn_classes(SETTINGS, folder, patches, stores)
    return SimpleNamespace(
        folder=folder,
        patches=patches,
        stores=stores,
        latents=latents,
        overlap=overlap,
        classes=classes,
    )


def test_all_metrics_are_json_and_columns_have_a_row_a_patch(learnt: SimpleNamespace) -> None:
    for columns, metrics in (learnt.latents, learnt.overlap, learnt.classes):
        json.dumps(metrics, allow_nan=False)
        assert set(metrics) == {"plain", "masked"}
        assert columns.index.equals(learnt.patches.index)
        assert not columns.isna().any().any()
    parts = [columns["part"] for columns, _ in (learnt.latents, learnt.overlap, learnt.classes)]
    assert parts[0].equals(parts[1])
    assert parts[0].equals(parts[2])
    assert parts[0].groupby(learnt.patches["Metadata_Well"]).nunique().max() == 1


def test_pictures_stand_beside_their_errors(learnt: SimpleNamespace) -> None:
    columns, metrics = learnt.latents
    with np.load(learnt.folder.root / "overlap_reconstructions.npz") as pictures:
        for kind in ("plain", "masked"):
            original, again = pictures[f"{kind}_original"], pictures[f"{kind}_reconstruction"]
            assert original.shape == again.shape == (3, 2, 16, 16)
            assert np.allclose(pictures[f"{kind}_error"], again - original)
            rows = pictures[f"{kind}_row"]
            assert np.array_equal(original, learnt.stores[kind].scaled(rows))
            held_out = columns["part"] == "test"
            errors = columns[f"reconstruction_rmse_{kind}"]
            assert errors[rows].is_monotonic_increasing
            assert errors[rows[0]] == errors[held_out].min()
            assert errors[rows[-1]] == errors[held_out].max()
            test = metrics[kind]["reconstruction"]["test"]
            assert test["rmse"] == pytest.approx(np.sqrt((errors[held_out] ** 2).mean()))
            assert test["explained_variance"] > 0.2
    separation = metrics["plain"]["separation"]["pooled"]
    assert set(separation) == {"stimulation", "drug", "faulty"}
    assert separation["faulty"]["purity_p"] == 0.05


def test_overlap_is_predicted_and_compared(learnt: SimpleNamespace) -> None:
    columns, metrics = learnt.overlap
    test = (columns["part"] == "test").to_numpy()
    true = learnt.patches["iou"].to_numpy()
    for kind, found in metrics.items():
        predicted = columns[f"iou_predicted_{kind}"].to_numpy()
        network = found["test"]["network"]
        assert network["rmse"] == pytest.approx(
            np.sqrt(np.mean((predicted - true)[test] ** 2)), rel=1e-5
        )
        assert network["n"] == test.sum()
        assert set(found["test"]) == {"network", "constant", "ridge", "boosted trees"}
        constant = true[(columns["part"] == "train").to_numpy()].mean()
        expected = np.sqrt(np.mean((true[test] - constant) ** 2))
        assert found["test"]["constant"]["rmse"] == pytest.approx(expected, rel=1e-5)
        assert found["rmse_of_constant"] < 0.6
        assert [row["head"] for row in found["tried"]] == ["areas", "dense"]
        best = min(found["tried"], key=lambda row: row["validation_rmse"])
        assert found["chosen"] == best["head"]
        assert found["test_good"]["network"]["n"] == (test & ~learnt.patches["faulty"]).sum()
        network_on_disk, _ = load_patch_network(learnt.folder.models / f"overlap_regressor_{kind}")
        kinds = {"areas": "patch_area_regressor", "dense": "patch_dense_regressor"}
        assert network_on_disk.kind == kinds[found["chosen"]]


def test_classes_are_called_and_choices_tabled(learnt: SimpleNamespace) -> None:
    columns, metrics = learnt.classes
    classed = (learnt.patches["class_name"] != "").to_numpy()
    truth = learnt.patches["class_name"].where(~learnt.patches["faulty"], "faulty")
    for kind, found in metrics.items():
        assert found["class_names"] == ["a", "b", "faulty"]
        rows = classed & (columns["part"] == "test").to_numpy()
        right = (columns[f"class_predicted_{kind}"] == truth)[rows].mean()
        assert found["accuracy"]["patch"]["test"] == pytest.approx(right)
        patch = found["accuracy"]["patch"]
        assert patch["gap"] == pytest.approx(patch["train"] - patch["test"])
        assert np.sum(found["test"]["confusion"]) == rows.sum() == found["test"]["n_patches"]
        assert found["accuracy"]["well"]["test"] >= 0.75
        assert sum(row["chosen"] for row in found["tried"]) == 1
        losses = [row["validation_loss"] for row in found["tried"]]
        assert found["chosen"]["validation_loss"] == min(losses)
        assert {row["training"] for row in found["tried"]} == {"frozen", "fine-tuned"}
        names = [f"probability_{name}_{kind}" for name in found["class_names"]]
        assert np.allclose(columns[names].sum(axis=1), 1, atol=1e-5)


def test_without_an_encoder_or_classes_it_is_said(learnt: SimpleNamespace, tmp_path: Path) -> None:
    empty = RunFolder(tmp_path)
    with pytest.raises(InvalidInputError, match="learn the latents first"):
        learn_classes(SETTINGS, empty, learnt.patches, learnt.stores)
    unnamed = learnt.patches.assign(class_name="")
    with pytest.raises(InvalidInputError, match="two classes or more"):
        learn_classes(SETTINGS, empty, unnamed, learnt.stores)


def test_a_field_outvotes_its_patches_but_not_on_faults() -> None:
    some = np.array([[0.6, 0.3, 0.1], [0.1, 0.9, 0.0], [0.05, 0.05, 0.9], [0.9, 0.1, 0.0]])
    found = with_field(some, np.array(["x", "x", "x", "y"]))
    assert found.argmax(1).tolist() == [1, 1, 2, 0]
    assert np.allclose(found.sum(1), 1)
    assert found[3] == pytest.approx(some[3])
    fault = with_field(np.array([[0.1, 0.1, 0.8], [0.1, 0.0, 0.9], [0.6, 0.4, 0.0]]), np.zeros(3))
    assert fault.argmax(1).tolist() == [2, 2, 2]


def test_wells_are_called_by_their_good_patches() -> None:
    some = np.array([[0.9, 0.1, 0.0], [0.0, 0.0, 1.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0]])
    wells = np.array(["A", "A", "B", "C"])
    names, called = call_wells(some, wells, np.array([True, False, True, True]))
    assert dict(zip(names, called, strict=True)) == {"A": 0, "B": 1, "C": 0}
    summary = summarise_calls(some, np.array([0, 2, 1, 1]), wells, ("a", "b", "f"), seed=0)
    assert summary["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert summary["accuracy"]["crop"]["value"] == 0.75
    assert summary["accuracy"]["well"]["value"] == pytest.approx(2 / 3)


def test_errors_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.random((2, 50))
    found = prediction_errors(true, predicted)
    assert found["r2"] == pytest.approx(r2_score(true, predicted))
    assert found["mae"] == pytest.approx(mean_absolute_error(true, predicted))
    assert found["rmse"] ** 2 == pytest.approx(found["mse"])
    constant = prediction_errors(true, np.full(50, true.mean()))
    assert constant["spearman"] is None
    assert constant["r2"] == pytest.approx(0)
    assert prediction_errors([], [])["rmse"] is None


@pytest.mark.slow
def test_umap_repeats_and_leaves_torch_as_it_was() -> None:
    import torch

    points = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    points[30:] += 12
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, again = (umap_of(points, most=40, neighbours=5, seed=1) for _ in range(2))
    assert torch.get_num_threads() == threads
    assert np.array_equal(first, again, equal_nan=True)
    assert np.isfinite(first).all(1).sum() == 40
    centres = [np.nanmean(first[rows], axis=0) for rows in (slice(30), slice(30, None))]
    assert np.hypot(*(centres[0] - centres[1])) > 2 * np.nanstd(first[:30])
    assert np.isnan(umap_of(points[:4])).all()
