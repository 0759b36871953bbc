"""The boundary plane: its axes are what they are called."""

from __future__ import annotations

import pytest
import torch

from counterstain.counterfactual.plane import boundary_plane
from counterstain.errors import InvalidInputError
from counterstain.networks.build import build_network
from counterstain.networks.generative import GenerativeClassifier


def make(n_classes: int = 3) -> GenerativeClassifier:
    torch.manual_seed(0)
    network = build_network(
        "coupling", channels=1, size=8, n_classes=n_classes, hidden=4, blocks=1
    ).eval()
    assert isinstance(network, GenerativeClassifier)
    width = network.latent_shape[0]
    spread = torch.randn(width, width)
    network.domain.latent_covariance.copy_(spread @ spread.T)
    network.domain.latent_means.copy_(torch.randn(n_classes, width))
    return network


def test_log_odds_are_those_of_the_network() -> None:
    network = make()
    images = torch.rand(5, 1, 8, 8)
    logits, means = network.logits_and_profile(images)
    plane = boundary_plane(network, 0, 2)
    assert torch.allclose(plane.log_odds(means), logits[:, 2] - logits[:, 0], atol=1e-5)
    length = plane.normal.norm()
    on_plane = means - (plane.distance(means) / length)[:, None] * plane.normal
    assert torch.allclose(plane.log_odds(on_plane), torch.zeros(5), atol=1e-5)


def test_components_are_orthonormal_and_leave_the_log_odds() -> None:
    network = make()
    plane = boundary_plane(network, 0, 1, n_components=4)
    gram = plane.components @ plane.components.T
    assert torch.allclose(gram, torch.eye(4), atol=1e-5)
    assert (plane.components @ plane.normal).abs().max() < 1e-5
    means = torch.randn(3, len(plane.normal))
    moved = means + plane.step(1, 2.0)
    assert torch.allclose(plane.log_odds(moved), plane.log_odds(means), atol=1e-4)
    assert torch.allclose((plane.along(moved) - plane.along(means))[:, 1], torch.full((3,), 2.0))


def test_deviations_are_those_of_the_training_crops() -> None:
    network = make()
    plane = boundary_plane(network, 0, 1)
    covariance = network.domain.latent_covariance
    for direction, deviation in zip(plane.components, plane.deviations, strict=True):
        assert float(direction @ covariance @ direction) == pytest.approx(float(deviation**2), 1e-4)
    assert bool((plane.deviations.diff() <= 0).all())
    assert 0 < float(plane.shares.sum()) < 1


def test_the_first_component_is_the_widest_beside_the_normal() -> None:
    network = make(2)
    width = network.latent_shape[0]
    with torch.no_grad():
        network.get_parameter("class_means").zero_()
        network.get_parameter("class_means")[1, 0] = 1.0
    variances = torch.full((width,), 1.0)
    variances[0], variances[2] = 100.0, 9.0  # the widest is the normal itself: not a component
    network.domain.latent_covariance.copy_(torch.diag(variances))
    plane = boundary_plane(network, 0, 1)
    assert int(plane.components[0].argmax()) == 2
    assert float(plane.deviations[0]) == pytest.approx(3.0)


@pytest.mark.parametrize("pair", [(0, 0), (0, 3), (-1, 1)])
def test_unknown_pairs_are_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(InvalidInputError, match="two class indices from 0 to 2"):
        boundary_plane(make(), *pair)


def test_classes_without_a_boundary_are_refused() -> None:
    network = make()
    with torch.no_grad():
        network.get_parameter("class_means").zero_()
    with pytest.raises(InvalidInputError, match="no boundary between them"):
        boundary_plane(network, 0, 1)
