"""Training repeats under a seed, learns what is there, and feeds the network fast enough."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from counterstain.errors import CounterstainError, InvalidInputError
from counterstain.networks import build_network
from counterstain.training.budget import steps_for_budget
from counterstain.training.device import choose_machine
from counterstain.training.folds import fold_seed, score_crops, train_fold
from counterstain.training.loop import FitSettings, TrainingCrops
from counterstain.training.minibatches import BalancedSampler, dihedral, minibatches
from counterstain.training.objective import Objective

RECIPE = {
    "network": "coupling",
    "channels": 1,
    "size": 8,
    "n_classes": 2,
    "hidden": 8,
    "blocks": 2,
    "squeeze": [4, 2],
}


class Blobs:
    """Crops of one grey and a little noise; those of class 1 are brighter in the middle."""

    def __init__(self, count: int = 64, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.classes = np.arange(count) % 2
        self.wells = np.arange(count) % 8
        grey = generator.random((count, 1, 1, 1), dtype=np.float32) * 0.3
        self.pixels = grey + generator.random((count, 1, 8, 8), dtype=np.float32) * 0.02
        self.pixels[self.classes == 1, :, 2:6, 2:6] += 0.5

    def scaled(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.pixels[ids]

    def count_step(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.full((len(ids), 1), 1 / 255, np.float32)

    def crops(self) -> TrainingCrops:
        ids = np.arange(len(self.classes))
        return TrainingCrops(self, ids, self.classes.astype(np.int64), self.wells)


def test_training_learns_and_repeats_exactly() -> None:
    blobs, machine = Blobs(), choose_machine("cpu")
    settings = FitSettings(steps=150, minibatch=16, seed=fold_seed(0, 1))
    first = train_fold(blobs.crops(), RECIPE, settings, machine)
    again = train_fold(blobs.crops(), RECIPE, settings, machine)
    assert first.train_accuracy == 1.0
    assert first.medians[1, 0] > 0
    assert first.medians[1, 1] == 0
    assert first.history[-1]["bits_per_dim"] < first.history[0]["bits_per_dim"]
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    train_fold(Blobs().crops(), RECIPE, FitSettings(steps=2, minibatch=4), choose_machine("cpu"))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_loss_that_explodes_stops_with_a_remedy() -> None:
    blobs = Blobs()
    blobs.pixels[:] = np.inf
    with pytest.raises(CounterstainError, match=r"learning_rate"):
        train_fold(blobs.crops(), RECIPE, FitSettings(steps=2, minibatch=4), choose_machine("cpu"))


def test_scores_do_not_depend_on_the_block_and_profiles_are_means() -> None:
    blobs, machine = Blobs(), choose_machine("cpu")
    torch.manual_seed(0)
    network = build_network(**RECIPE)
    ids, groups = np.arange(20), np.arange(20) % 3
    whole = score_crops(network, blobs, ids, groups, 4, machine)
    parts = score_crops(network, blobs, ids, groups, 4, machine, batch=7)
    np.testing.assert_allclose(whole.logits, parts.logits, atol=1e-6)
    with torch.no_grad():
        expected = network.profile(torch.from_numpy(blobs.scaled(ids[groups == 1]))).mean(0)
    np.testing.assert_allclose(whole.profiles[1], expected, atol=1e-5)
    assert np.isnan(whole.profiles[3]).all()


def test_averaging_over_symmetries_makes_scores_invariant() -> None:
    blobs, machine = Blobs(), choose_machine("cpu")
    network = train_fold(blobs.crops(), RECIPE, FitSettings(steps=5, minibatch=8), machine).network
    ids, groups = np.arange(10), np.zeros(10, np.int64)
    straight = score_crops(network, blobs, ids, groups, 1, machine, symmetries=8).logits
    blobs.pixels = dihedral(blobs.pixels, np.full(len(blobs.pixels), 5))
    turned = score_crops(network, blobs, ids, groups, 1, machine, symmetries=8).logits
    np.testing.assert_allclose(straight, turned, atol=1e-5)


def test_sampler_balances_classes_and_wells() -> None:
    classes = np.array([0] * 90 + [1] * 10)
    wells = np.array([0] * 80 + [1] * 10 + [2] * 10)
    sampler = BalancedSampler(np.arange(100), classes, wells, np.random.default_rng(0))
    ids, drawn = sampler.draw(4000)
    assert (drawn == 0).sum() == 2000
    assert (classes[ids] == drawn).all()
    assert 850 < (wells[ids] == 1).sum() < 1150


def test_minibatches_are_dequantised_within_one_count() -> None:
    blobs = Blobs()
    generator = np.random.default_rng(0)
    sampler = BalancedSampler(np.arange(64), blobs.classes.astype(np.int64), blobs.wells, generator)
    batches = list(minibatches(blobs, sampler, size=8, steps=5, generator=generator))
    assert len(batches) == 5
    for batch in batches:
        assert batch.images.shape == (8, 1, 8, 8)
        assert float(batch.log_bin[0]) == pytest.approx(64 * np.log(1 / 255), rel=1e-5)
        low, high = float(batch.images.min()), float(batch.images.max())
        assert low >= 0
        assert high <= blobs.pixels.max() + 1 / 255


def test_dihedral_makes_eight_different_images() -> None:
    image = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    turned = {dihedral(image, np.array([code])).tobytes() for code in range(8)}
    assert len(turned) == 8


def test_objective_of_a_plain_classifier_is_its_cross_entropy() -> None:
    torch.manual_seed(0)
    network = build_network("resnext50", channels=1, size=32, n_classes=2, pretrained=False)
    losses = Objective(network, 0.1, 0.0)(
        torch.rand(4, 1, 32, 32), torch.tensor([0, 1, 0, 1]), torch.zeros(4)
    )
    assert torch.equal(losses.total, losses.cross_entropy)
    assert losses.bits_per_dim.isnan()


def test_budget_becomes_steps_without_a_stopwatch() -> None:
    network = build_network("coupling", channels=2, size=32, n_classes=2)
    arguments = {"folds": 4, "minibatch": 48, "device": "cpu"}
    ten = steps_for_budget(network, budget_s=600, **arguments)
    assert steps_for_budget(network, budget_s=600, **arguments) == ten
    assert steps_for_budget(network, budget_s=1200, **arguments) == pytest.approx(2 * ten, abs=2)


def test_a_device_that_is_not_there_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(InvalidInputError, match="'cuda', which is not there"):
        choose_machine("cuda")
