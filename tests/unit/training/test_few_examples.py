"""Classes of ten crops beside a thousand, resampled crops, averaged weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from counterstain.networks import build_network
from counterstain.training.affine import AffineJitter
from counterstain.training.device import choose_machine
from counterstain.training.folds import train_fold
from counterstain.training.loop import FitSettings, TrainingCrops, fit
from counterstain.training.minibatches import BalancedSampler

RECIPE = {"network": "compact", "channels": 1, "size": 32, "n_classes": 2, "hidden": 8}


class Discs:
    """Discs and squares of any brightness on a dark ground, of many wells."""

    def __init__(self, count: int = 96, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.classes = (np.arange(count) % 2).astype(np.int64)
        self.wells = np.arange(count) % 8
        y, x = np.mgrid[:32, :32] - 15.5
        disc, bar = np.hypot(y, x) < 8, (abs(y) < 3) & (abs(x) < 14)
        shapes = np.where(self.classes[:, None, None] == 0, disc, bar)
        grey = rng.uniform(0.2, 0.9, (count, 1, 1))
        noise = rng.random((count, 32, 32)) * 0.05
        self.pixels = (shapes * grey + noise)[:, None].astype(np.float32)

    def scaled(self, ids):
        return self.pixels[ids]

    def count_step(self, ids):
        return np.full((len(ids), 1), 1 / 255, np.float32)

    def crops(self) -> TrainingCrops:
        return TrainingCrops(self, np.arange(len(self.classes)), self.classes, self.wells)


@pytest.mark.parametrize(("balance", "share"), [(1.0, 0.5), (0.5, 1 / 11), (0.0, 1 / 101)])
def test_the_share_of_a_class_of_ten_beside_a_thousand(balance, share) -> None:
    classes = np.repeat([0, 1], [1000, 10])
    wells = np.repeat(np.arange(11), [100] * 10 + [10])
    sampler = BalancedSampler(
        np.arange(1010), classes, wells, np.random.default_rng(0), balance=balance
    )
    drawn = np.concatenate([sampler.draw(500)[1] for _ in range(40)])
    assert drawn.mean() == pytest.approx(share, abs=0.01)


def test_without_balance_crops_count_the_same_whatever_their_well() -> None:
    wells = np.repeat([0, 1], [90, 10])
    sampler = BalancedSampler(
        np.arange(100), np.zeros(100, int), wells, np.random.default_rng(0), balance=0.0
    )
    ids = np.concatenate([sampler.draw(500)[0] for _ in range(20)])
    assert (ids >= 90).mean() == pytest.approx(0.1, abs=0.02)


def test_affine_jitter_keeps_what_is_in_the_middle_and_repeats() -> None:
    images = Discs().pixels[:1].repeat(200, 0)
    moved = AffineJitter(0.15).apply(images, np.random.default_rng(1))
    again = AffineJitter(0.15).apply(images, np.random.default_rng(1))
    assert np.array_equal(moved, again)
    assert moved.dtype == np.float32
    area = (moved > 0.5 * images.max()).sum((1, 2, 3))
    expected = (images[0] > 0.5 * images.max()).sum()
    # Areas vary with the square of the size, exp(+-0.3), and hardly more.
    assert expected * np.exp(-0.45) < area.min() < area.max() < expected * np.exp(0.45)
    assert np.mean(area) == pytest.approx(expected, rel=0.1)
    assert moved[:, 0, 15, 15].min() > 0.5 * images.max()


def test_the_compact_network_learns_shapes_and_repeats_exactly() -> None:
    settings = FitSettings(
        steps=60, minibatch=16, learning_rate=3e-3, balance=0.5, affine_jitter=0.15,
        averaging=0.9, weight_decay=0.05, seed=3,
    )  # fmt: skip
    machine, crops = choose_machine("cpu"), Discs().crops()
    first, again = (train_fold(crops, RECIPE, settings, machine) for _ in range(2))
    assert first.train_accuracy > 0.95
    for name, value in first.network.state_dict().items():
        assert torch.equal(value.nan_to_num(), again.network.state_dict()[name].nan_to_num()), name


def test_averaged_weights_lie_between_those_of_the_steps() -> None:
    def weights(averaging: float) -> torch.Tensor:
        torch.manual_seed(0)
        network = build_network(**RECIPE)
        before = network.model.fc.weight.detach().clone()
        settings = FitSettings(steps=6, minibatch=8, averaging=averaging, seed=1)
        fit(network, Discs().crops(), settings, choose_machine("cpu"))
        return (network.model.fc.weight.detach() - before).norm()

    assert 0 < float(weights(0.9999)) < float(weights(0.0))
