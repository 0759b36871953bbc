"""The edit is trained: it moves what differs, and the critic and the network stay apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from counterstain.networks import build_network
from counterstain.networks.autoencoder import AutoencoderNetwork
from counterstain.training import edit_objective
from counterstain.training.device import choose_machine
from counterstain.training.edit_objective import Critic, EditObjective
from counterstain.training.folds import train_fold
from counterstain.training.loop import FitSettings, TrainingCrops
from counterstain.training.objective import Objective

RECIPE: dict[str, Any] = {
    "network": "autoencoder",
    "channels": 2,
    "size": 16,
    "n_classes": 2,
    "hidden": 16,
    "blocks": 1,
    "latents": 8,
}


class Discs:
    """A disc somewhere in channel 0; in channel 1 it is bright in class 1, hidden in class 0."""

    def __init__(self, count: int = 256) -> None:
        generator = np.random.default_rng(0)
        self.classes = np.arange(count) % 2
        rows, columns = np.mgrid[:16, :16]
        centres = generator.integers(6, 10, (count, 2, 1, 1))
        self.inside = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 <= 16
        bright = np.where(self.inside & (self.classes == 1)[:, None, None], 0.8, 0.2)
        level = generator.uniform(0.9, 1.1, (count, 1, 1))
        self.pixels = np.stack([self.inside * 0.8 + 0.05, bright * level], 1).astype(np.float32)
        self.pixels += generator.random(self.pixels.shape, dtype=np.float32) * 0.02

    def scaled(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.pixels[ids]

    def count_step(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.full((len(ids), 2), 1 / 255, np.float32)

    def crops(self) -> TrainingCrops:
        ids = np.arange(len(self.classes))
        return TrainingCrops(self, ids, self.classes.astype(np.int64), ids % 8)

    def log_ratio(self, images: NDArray[np.float32], ids: NDArray[np.int64]) -> NDArray[np.float64]:
        inside, channel = self.inside[ids], np.clip(images[:, 1], 1e-3, None).astype(float)
        mean = [(channel * where).sum((1, 2)) / where.sum((1, 2)) for where in (inside, ~inside)]
        return np.asarray(np.log2(mean[0] / mean[1]))


def objective(n_classes: int = 2) -> EditObjective:
    torch.manual_seed(0)
    network = build_network(**{**RECIPE, "n_classes": n_classes})
    assert isinstance(network, AutoencoderNetwork)
    return EditObjective(network, 0.05)


def after_warm_up(n_classes: int = 2) -> EditObjective:
    made = objective(n_classes)
    made.step.fill_(1000)
    made.means.normal_()
    return made


def test_a_trained_edit_moves_the_measurement_and_leaves_the_other_channel() -> None:
    discs = Discs()
    settings = FitSettings(steps=200, minibatch=16, learning_rate=4e-3, seed=1)
    trained = train_fold(discs.crops(), RECIPE, settings, choose_machine("cpu"))
    assert trained.train_accuracy == 1.0
    network = trained.network
    assert isinstance(network, AutoencoderNetwork)
    weights, _ = network.head()
    for source in (0, 1):
        target = 1 - source
        ids = np.flatnonzero(discs.classes == source)
        images = torch.from_numpy(discs.scaled(ids))
        with torch.no_grad():
            latents = network.encode(images)
            logits = network.logits(latents)
            normal = weights[target] - weights[source]
            goal = float(network.domain.median_log_odds[target, source])
            rise = goal - (logits[:, target] - logits[:, source])
            step = rise[:, None] * normal / normal.square().sum()
            edited = network.edited(images, latents, latents + network.spread(step)).images
        found = discs.log_ratio(edited.numpy(), ids)
        assert ((found > 1) == bool(target)).mean() > 0.9
        change = (edited - images).abs().mean((0, 2, 3))
        assert float(change[1]) > 3 * float(change[0])


def test_training_repeats_exactly() -> None:
    settings = FitSettings(steps=64, minibatch=8, seed=3)
    first, again = (
        train_fold(Discs(32).crops(), RECIPE, settings, choose_machine("cpu")) for _ in range(2)
    )
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name
    assert not any("critic" in name for name in first.network.state_dict())


def test_the_edit_is_not_asked_for_before_the_classes_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("edited in the warm-up")

    monkeypatch.setattr(EditObjective, "_edit", refuse)
    images, classes = torch.rand(4, 2, 16, 16), torch.tensor([0, 1, 0, 1])
    assert bool(torch.isfinite(objective()(images, classes).total))
    with pytest.raises(AssertionError, match="warm-up"):
        after_warm_up()(images, classes)
    made = objective()
    made.step.fill_(100)
    assert bool(torch.isfinite(made(images, classes).total))
    made.accuracy.fill_(0.95)
    with pytest.raises(AssertionError, match="warm-up"):
        made(images, classes)


def test_a_minibatch_of_one_class_has_no_partner_and_no_edit() -> None:
    made = after_warm_up()
    losses = made(torch.rand(3, 2, 16, 16), torch.zeros(3, dtype=torch.long))
    losses.total.backward()
    assert all(parameter.grad is None for parameter in made.critic.parameters())


def test_the_critic_learns_from_its_own_loss_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = after_warm_up()
    images, classes = torch.rand(4, 2, 16, 16), torch.tensor([0, 1, 0, 1])
    monkeypatch.setattr(EditObjective, "_criticism", lambda *_: torch.zeros(()))
    made(images, classes).total.backward()
    assert all(parameter.grad is None for parameter in made.critic.parameters())
    monkeypatch.undo()
    made.network.zero_grad(set_to_none=True)
    target = 1 - classes
    criticism = made._criticism(images, images + 0.1, classes, target)
    torch.autograd.backward(criticism)
    assert all(parameter.grad is not None for parameter in made.critic.parameters())
    assert all(parameter.grad is None for parameter in made.network.parameters())


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_every_direction_raises_the_log_odds_by_one(turn: int) -> None:
    made = after_warm_up(3)
    made.step.fill_(999 + turn)
    source, target = torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0])
    with torch.no_grad():
        weights, _ = made.network.head()
        made.means.copy_(weights)
        made.covariance.copy_(torch.diag(torch.linspace(0.5, 2, 8)))
        normal = weights[target] - weights[source]
        steps = made._direction(normal, weights[source] + 0.05 * torch.randn(3, 8), target)
    plain = normal / normal.square().sum(1, keepdim=True)
    assert torch.allclose(steps, plain) == (turn == 0)
    torch.testing.assert_close((steps * normal).sum(1), torch.ones(3))


def test_a_direction_along_the_boundary_gives_way_to_the_normal() -> None:
    made = after_warm_up()
    made.step.fill_(1001)
    normal = torch.eye(8)[:1]
    made.means.copy_(torch.eye(8)[1].expand(2, -1))
    steps = made._direction(normal, torch.zeros(1, 8), torch.tensor([1]))
    torch.testing.assert_close(steps, normal)


def test_normals_are_drawn_to_patterns_and_differences_of_means() -> None:
    made = after_warm_up()
    with torch.no_grad():
        weights, _ = made.network.head()
        made.means.copy_(weights)
    averages, classes = torch.randn(64, 8, requires_grad=True), torch.arange(64) % 2
    parallel = made._misalignment(averages, classes)
    assert float(parallel.detach()) == pytest.approx(0, abs=1e-6)
    made.covariance.copy_(torch.diag(torch.linspace(0.1, 3, 8)))
    apart = made._misalignment(averages, classes)
    assert float(apart.detach()) > 0.02
    torch.autograd.backward(apart)
    assert averages.grad is not None
    assert made.network.linear.weight.grad is not None


def test_three_classes_train() -> None:
    made = after_warm_up(3)
    losses = made(torch.rand(6, 2, 16, 16), torch.arange(6) % 3)
    losses.total.backward()
    assert bool(torch.isfinite(losses.total))
    assert losses.logits.shape == (6, 3)


def test_other_networks_have_no_critic() -> None:
    network = build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1)
    made = Objective(network, 0.1, 0.05)
    assert made.edit is None
    (group,) = made.parameter_groups(1e-3)
    assert group["params"] == list(made.parameters())
    assert "betas" not in group


def test_a_larger_image_has_a_deeper_critic() -> None:
    torch.manual_seed(0)
    assert Critic(1, 2, 4, 5)(torch.rand(1, 1, 64, 64), torch.tensor([1])).shape == (1,)
    assert edit_objective.__all__ == ["Critic", "EditLosses", "EditObjective"]
