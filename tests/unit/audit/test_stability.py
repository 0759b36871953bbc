"""A map follows its image; a map of noise does not; a constant map has no verdict."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from counterstain.attribution import integrated_gradients, saliency
from counterstain.audit.stability import compensated, stability_check
from counterstain.errors import InvalidInputError
from counterstain.networks import build_network

KINDS = {
    "coupling": {"hidden": 6, "blocks": 1},
    "iresnet50": {"hidden": 4},
    "autoencoder": {"hidden": 8, "latents": 6},
    "resnext50": {"pretrained": False},
}


class Symmetric(nn.Module):
    """Brightness through a bend: the same for every turn, mirror image and move around the edge."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.square().mean((1, 2, 3)), torch.full((len(x),), 0.1)], 1)


def images(count: int = 6, size: int = 12) -> Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(0))


def test_maps_of_a_symmetric_network_follow_the_image() -> None:
    drawn = torch.Generator().manual_seed(5)
    found = stability_check(
        Symmetric(),
        images(),
        0,
        {
            "saliency": saliency,
            "integrated": integrated_gradients,
            "noise": lambda m, x, t: torch.randn(x.shape, generator=drawn),
            "constant": lambda m, x, t: torch.ones_like(x),
            "raises": lambda m, x, t: saliency(m, x, 7),
        },
        seed=0,
    )
    assert found["saliency"].status == "pass"
    for change in ("mirror", "quarter turn", "move", "input shift"):
        assert found["saliency"].by_change[change] == pytest.approx(1.0, abs=1e-3)
    assert found["saliency"].by_change["noise"] > 0.9
    assert found["saliency"].chance < 0.3
    assert found["integrated"].status == "pass"
    assert found["noise"].status == "fail"
    assert "by chance for mirror" in found["noise"].reason
    assert found["constant"].status == found["raises"].status == "unknown"
    assert "says nothing" in found["constant"].reason
    assert np.isnan(found["constant"].stability)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_network_can_be_compensated(kind: str) -> None:
    torch.manual_seed(0)
    net = build_network(kind, channels=2, size=32, n_classes=2, **KINDS[kind]).eval()
    x = torch.rand(3, 2, 32, 32)
    other = compensated(net, x, 0.2)
    assert other is not None
    moved = saliency(other, x + 0.2, 1)
    torch.testing.assert_close(moved, saliency(net, x, 1), rtol=1e-2, atol=1e-5)


def test_a_function_of_tensors_alone_cannot_be_compensated() -> None:
    class Bare(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.relu(x).flatten(1)[:, :2]

    assert compensated(Bare(), images(), 0.1) is not None  # the root itself sees the images
    assert compensated(nn.Sequential(), images().flatten(1), 0.1) is not None


def test_images_whose_call_flips_are_left_out() -> None:
    class Corner(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x[:, 0, 0, :4].sum(1), x[:, 0, 0, -4:].sum(1)], 1)

    found = stability_check(Corner(), images(), 0, {"saliency": saliency}, seed=0)["saliency"]
    assert np.isnan(found.by_change["mirror"])


def test_bad_input_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="square images"):
        stability_check(Symmetric(), torch.rand(6, 1, 8, 9), 0, {}, seed=0)
    with pytest.raises(InvalidInputError, match="`move` must be from 0"):
        stability_check(Symmetric(), images(), 0, {}, seed=0, move=12)
