"""Learning from patches: whole wells apart, targets by hand, training that stops and repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from counterstain.errors import CounterstainError, InvalidInputError
from counterstain.plates.scaling import PixelScaling
from counterstain.plates.store import CropStore, CropWriter
from counterstain.plates.wells import well_names
from counterstain.training.patch_choices import Choice
from counterstain.training.patch_classification import (
    ClassifierTrainer,
    ClassTargets,
    class_probabilities,
)
from counterstain.training.patch_intensities import intensity_features, predict_from_intensities
from counterstain.training.patch_loop import PatchFit, fit_patches
from counterstain.training.patch_parts import PARTS, assign_parts
from counterstain.training.patch_reconstruction import fit_autoencoder, reconstruct
from counterstain.training.patch_regression import OverlapTargets, fit_regressor, predict_overlap
from counterstain.training.patch_settings import PatchLearning
from counterstain.training.patch_source import Augmentation, PatchSource

SMALL = PatchLearning(
    autoencoder_steps=60,
    regressor_steps=120,
    classifier_steps=40,
    widths=(8, 12, 16),
    latents=4,
    minibatch=24,
)


def table(n_plates: int = 2, n_wells: int = 20) -> pd.DataFrame:
    """Two patches a well; classes a and b, and every other well in none."""
    rows = [
        (f"P{plate}", f"W{well:02d}", ("a", "", "b", "")[well % 4])
        for plate in range(n_plates)
        for well in range(n_wells)
        for _ in range(2)
    ]
    return pd.DataFrame(rows, columns=["Metadata_Plate", "Metadata_Well", "class_name"])


def stores_of(folder: Path, plain: NDArray[np.uint16], masked: NDArray[np.uint16]) -> dict:
    found = {}
    for kind, pixels in (("plain", plain), ("masked", masked)):
        writer = CropWriter(folder / f"{kind}.zarr", pixels.shape[1:], np.uint16)
        writer.append(pixels, np.zeros((len(pixels), *pixels.shape[2:]), np.uint8), plate=0)
        # The low level is not a whole grey value, as percentiles of a plate may be.
        scaling = PixelScaling(("P",), np.full((1, 2), 99.6), np.full((1, 2), 200.0))
        writer.close({"channels": ["T", "D"], "plates": ["P"]}, scaling)
        found[kind] = CropStore.open(folder / f"{kind}.zarr")
    return found


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, NDArray[np.float32]]:
    """A square in each channel, the second moved aside by up to its width: stores and overlap."""
    rng = np.random.default_rng(0)
    n = 160
    plain = rng.integers(96, 105, (n, 2, 16, 16)).astype(np.uint16)
    masked, iou = np.full_like(plain, 100), np.zeros(n, np.float32)
    for i in range(n):
        row, column, aside = rng.integers(1, 8), rng.integers(1, 4), rng.integers(0, 7)
        for channel, left in ((0, column), (1, column + aside)):
            place = np.s_[i, channel, row : row + 6, left : left + 6]
            plain[place] += 80
            masked[place] = plain[place]
        covered = masked[i] > 100
        iou[i] = covered.all(0).sum() / covered.any(0).sum()
    return stores_of(tmp_path_factory.mktemp("squares"), plain, masked), iou


def test_parts_share_no_well_and_hold_every_class() -> None:
    patches = table()
    parts = assign_parts(patches, folds=5, seed=3)
    names = well_names(patches)
    assert all(len(set(parts[names == name])) == 1 for name in set(names))
    for part in PARTS:
        assert set(patches["class_name"][parts == part]) == {"a", "b", ""}
    assert [(parts == part).mean() for part in PARTS] == pytest.approx([0.6, 0.2, 0.2])
    again = assign_parts(patches.iloc[::-1], folds=5, seed=3)
    assert (again[::-1] == parts).all()
    assert (assign_parts(patches, folds=5, seed=4) != parts).any()


def test_parts_keep_groups_whole_and_refuse_what_cannot_be_split() -> None:
    patches = table(n_plates=3)
    parts = assign_parts(patches, group="Metadata_Plate", folds=5)
    assert {tuple(set(parts[patches["Metadata_Plate"] == p])) for p in ("P0", "P1", "P2")} == {
        ("train",),
        ("validation",),
        ("test",),
    }
    with pytest.raises(InvalidInputError, match="three wells"):
        assign_parts(table(n_plates=2), group="Metadata_Plate")
    with pytest.raises(InvalidInputError, match="lacks"):
        assign_parts(patches, group="Metadata_Donor")


def test_areas_are_what_masks_cover(tmp_path: Path) -> None:
    masked = np.full((1, 2, 8, 8), 100, np.uint16)
    masked[0, 0, :4, :2] = masked[0, 1, 2:4, :4] = 150
    stores = stores_of(tmp_path, masked, masked)
    areas = PatchSource(stores, "plain").areas(np.array([0]))
    assert areas[0, :, 0, 0].tolist() == [0.5, 0.5, 0.25]
    assert areas.sum() == pytest.approx(1.25)
    with pytest.raises(InvalidInputError, match="of kind 'masked'"):
        PatchSource({"plain": stores["plain"]}, "masked")
    with pytest.raises(InvalidInputError, match="needs the masked patches"):
        PatchSource({"plain": stores["plain"]}, "plain").areas(np.array([0]))


def test_images_and_areas_are_turned_alike() -> None:
    maps = np.random.default_rng(0).random((16, 3, 4, 4)).astype(np.float32)
    turned, again = Augmentation().apply(maps, np.random.default_rng(1), maps)
    assert np.array_equal(turned, again)
    assert not np.array_equal(turned, maps)


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(1))


def test_training_keeps_the_best_state_and_stops() -> None:
    def loss(network: Line, generator: np.random.Generator) -> Tensor:
        return (network.slope - 1).square().sum()

    def evaluate(network: Line) -> dict[str, float]:
        return {"validation_loss": abs(float(network.slope.detach()) - 0.3)}

    fit = PatchFit(400, learning_rate=0.02, weight_decay=0, evaluate_every=10, patience=3)
    network, seen = Line(), []
    history = fit_patches(
        network, loss, fit, evaluate=evaluate, progress=lambda done, total: seen.append(done)
    )
    best = min(history, key=lambda row: row["validation_loss"])
    assert evaluate(network)["validation_loss"] == best["validation_loss"] < 0.1
    assert history[-1]["step"] == best["step"] + 30 < 400
    assert seen[-1] == 400


def test_a_loss_that_is_no_number_is_said() -> None:
    with pytest.raises(CounterstainError, match="no longer a number"):
        fit_patches(Line(), lambda network, _: network.slope.sum() * np.nan, PatchFit(3))


def test_regressors_learn_overlap_and_repeat(squares: tuple[dict, NDArray[np.float32]]) -> None:
    stores, iou = squares
    parts = np.split(np.arange(160), [110, 130])
    faulty = np.zeros(160, bool)
    targets = OverlapTargets(iou, faulty, parts[0], parts[1])
    source = PatchSource(stores, "plain")
    trained = [fit_regressor("areas", source, targets, SMALL) for _ in range(2)]
    found = [predict_overlap(one.network, source, parts[2]) for one in trained]
    assert np.array_equal(*found)
    error = np.sqrt(np.mean((found[0] - iou[parts[2]]) ** 2))
    assert error < 0.35 * iou[parts[2]].std()
    assert trained[0].validation_rmse == min(r["validation_loss"] for r in trained[0].history)


def test_the_autoencoder_beats_a_constant(squares: tuple[dict, NDArray[np.float32]]) -> None:
    source = PatchSource(squares[0], "masked")
    training, rest = np.split(np.arange(160), [120])
    network, history = fit_autoencoder(source, training, rest, SMALL)
    found = reconstruct(network, source, training)
    assert found.latents.shape == (160, 4 * 2 * 2)
    assert found.explained(rest) > 0.3
    with torch.inference_mode():
        images = torch.from_numpy(source.images(np.array([150])))
        difference = network.encoder.compress(network(images)) - network.encoder.compress(images)
    assert found.squared[150] == pytest.approx(float(difference.square().mean()), rel=1e-3)
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]


@pytest.mark.parametrize("training", ["frozen", "fine-tuned"])
def test_classifiers_learn_contact(
    squares: tuple[dict, NDArray[np.float32]], training: str
) -> None:
    stores, iou = squares
    index = (iou > np.median(iou)).astype(np.int64)
    parts = np.split(np.arange(160), [110, 130])
    source = PatchSource(stores, "masked")
    masks = OverlapTargets(iou, np.zeros(160, bool), parts[0], parts[1])
    start = fit_regressor("areas", source, masks, SMALL).network.encoder.state_dict()
    targets = ClassTargets(("apart", "close"), index, parts[0], parts[1])
    trainer = ClassifierTrainer(source, targets, {"regressor": start}, SMALL)
    tried = trainer.try_choice(Choice("regressor", training))
    found = class_probabilities(tried.network, source, parts[2], views=2)
    assert found.shape == (30, 2)
    assert np.allclose(found.sum(1), 1, atol=1e-5)
    assert (found.argmax(1) == index[parts[2]]).mean() >= 0.85
    kept = {k: v for k, v in tried.network.encoder.state_dict().items() if "num_batches" not in k}
    same = all(torch.equal(v, start[k]) for k, v in kept.items())
    assert same == (training == "frozen")


def test_intensity_features_by_hand() -> None:
    image = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    both = np.concatenate([image, -image], 1)
    found = intensity_features(both)[0]
    assert found.shape == (19,)
    assert found[:2] == pytest.approx([7.5, np.arange(16).std()])
    assert found[5] == 7.5
    assert found[-1] == pytest.approx(-1)
    assert np.isfinite(intensity_features(np.ones((1, 2, 4, 4), np.float32))).all()


def test_intensities_predict_what_is_in_them() -> None:
    images = np.random.default_rng(0).random((80, 1, 4, 4)).astype(np.float32)
    aim = images.mean((1, 2, 3))
    found = predict_from_intensities(lambda ids: images[ids], aim, np.arange(60))
    assert np.abs(found["ridge"] - aim)[60:].max() < 0.3 * np.ptp(aim)
    assert set(found) == {"ridge", "boosted trees"}


def test_bad_settings_are_told_together() -> None:
    with pytest.raises(InvalidInputError) as error:
        PatchLearning(images=("plain", "other"), folds=2, widths=(1, 2))  # type: ignore[arg-type]
    assert len(error.value.problems) == 3
