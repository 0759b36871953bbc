"""The small residual network: two views, any size, and the attributions of a backbone."""

from __future__ import annotations

import pytest
import torch

from counterstain.attribution import grad_cam, occlusion
from counterstain.errors import InvalidInputError
from counterstain.networks import build_network, load_network, save_network
from counterstain.networks.checkpoint import note_in_recipe
from counterstain.networks.compact import TwoViews


def small(**options):
    torch.manual_seed(0)
    return build_network("compact", channels=2, size=32, n_classes=5, hidden=8, **options).eval()


def test_second_view_does_not_see_brightness_or_a_bright_neighbour() -> None:
    torch.manual_seed(1)
    image = 0.1 + 0.2 * torch.rand(1, 1, 32, 32)
    views, brighter = TwoViews()(image), TwoViews()(2 * image)
    assert torch.allclose(views[:, 1], brighter[:, 1], atol=1e-5)
    assert not torch.allclose(views[:, 0], brighter[:, 0], atol=0.1)
    image[..., :4, :4] = 1.0
    assert torch.allclose(TwoViews()(image)[..., 1, 16, 16], views[..., 1, 16, 16])


def test_black_and_negative_pixels_have_finite_gradients() -> None:
    image = torch.tensor([[[[0.0, -0.2], [0.5, 0.0]]]]).repeat(1, 1, 4, 4).requires_grad_()
    TwoViews()(image).sum().backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()


def test_saved_network_answers_the_same_and_keeps_notes(tmp_path) -> None:
    network, images = small(), torch.rand(3, 2, 32, 32)
    save_network(network, tmp_path / "net", {"fold": 1})
    note_in_recipe(tmp_path / "net", {"temperature": {"value": 1.5}})
    again, metadata = load_network(tmp_path / "net")
    assert torch.equal(network.class_logits(images), again.class_logits(images))
    assert metadata == {"fold": 1, "temperature": {"value": 1.5}}
    assert network.profile(images).shape == (3, 64)


def test_a_recipe_that_was_edited_by_hand_is_still_refused(tmp_path) -> None:
    save_network(small(), tmp_path / "net", {"fold": 1})
    file = tmp_path / "net.json"
    file.write_text(file.read_text().replace('"fold": 1', '"fold": 2'))
    with pytest.raises(InvalidInputError, match="edited or damaged"):
        note_in_recipe(tmp_path / "net", {"temperature": None})


def test_attributions_work_as_for_a_backbone() -> None:
    network, images = small(), torch.rand(2, 2, 32, 32)
    assert grad_cam(network, images, 3).shape[-2:] == (32, 32)
    assert occlusion(network, images, 3, window=8).shape[-2:] == (32, 32)
