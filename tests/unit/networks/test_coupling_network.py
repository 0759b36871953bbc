"""The coupling network keeps the contract of a network that runs both ways."""

from __future__ import annotations

import math

import pytest
import torch

from counterstain.errors import InvalidInputError, NotInvertibleError
from counterstain.networks import InvertibleNetwork, build_network


def make(channels: int = 2, size: int = 16, n_classes: int = 2, seed: int = 0) -> InvertibleNetwork:
    """Build a small network whose couplings are not the identity, as after training."""
    torch.manual_seed(seed)
    network = build_network(
        "coupling", channels=channels, size=size, n_classes=n_classes, hidden=8, blocks=2
    )
    assert isinstance(network, InvertibleNetwork)
    network.train()
    network.transform(torch.rand(8, channels, size, size))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval()


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [16, 40])
def test_decode_inverts_encode(channels: int, size: int) -> None:
    network = make(channels, size)
    images = torch.rand(3, channels, size, size)
    latents = network.encode(images)
    assert latents.shape == (3, channels * size * size)
    assert (network.decode(latents) - images).abs().max() < 1e-4


def test_error_bound_covers_the_true_error() -> None:
    network = make()
    images = torch.rand(16, 2, 16, 16)
    exact = network.double().encode(images.double())
    decoded = network.float().decode_with_bound(exact.float())
    true_error = (decoded.images - images).abs().flatten(1).amax(1)
    # The rounding of the latents themselves is part of the true error here; it is of one ulp.
    rounding = 1e-5
    assert (decoded.error_bound + rounding >= true_error).all()
    assert decoded.error_bound.max() < 1e-4


def test_log_determinant_agrees_with_autograd() -> None:
    network = make(channels=1, size=8).double()
    image = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: network.transform(x.reshape(1, 1, 8, 8))[0].flatten(), image.flatten()
    )
    expected = torch.linalg.slogdet(jacobian)[1]
    # The rotations are stored in float32, so they are orthogonal to 1e-7 an entry only.
    got = network.transform(image)[1][0].detach()
    assert float(got) == pytest.approx(float(expected), abs=1e-5)


def test_log_prob_is_the_density_of_the_change_of_variables() -> None:
    network = make(channels=1, size=8).double()
    image = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    maps, log_determinant = network.transform(image)
    by_class = []
    for mean in network.class_means:
        normal = torch.distributions.Normal(mean[:, None, None].expand(maps.shape[1:]), 1.0)
        by_class.append(normal.log_prob(maps).flatten(1).sum(1) + log_determinant)
    expected = torch.logsumexp(torch.stack(by_class, 1), 1) - math.log(2)
    torch.testing.assert_close(network.log_prob(image), expected)


def test_logits_are_linear_in_the_averaged_latents_and_agree_with_class_logits() -> None:
    network = make(n_classes=3)
    images = torch.rand(4, 2, 16, 16)
    latents = network.encode(images)
    torch.testing.assert_close(
        network.logits(latents), network.class_logits(images), atol=1e-5, rtol=1e-4
    )
    middle = network.logits((latents[:1] + latents[1:2]) / 2)
    ends = network.logits(latents[:2])
    torch.testing.assert_close(middle[0], ends.mean(0), atol=1e-5, rtol=1e-4)
    maps = latents.reshape(4, *network.latent_shape)
    shuffled = maps.flatten(2)[:, :, torch.randperm(maps.shape[2] * maps.shape[3])]
    torch.testing.assert_close(
        network.logits(shuffled.flatten(1)), network.logits(latents), atol=1e-5, rtol=1e-4
    )


def test_decode_refuses_what_it_cannot_invert() -> None:
    network = make()
    with pytest.raises(NotInvertibleError, match="error bound"):
        network.decode(torch.full((1, 512), 1e30))


def test_refuses_images_of_another_shape() -> None:
    network = make()
    with pytest.raises(InvalidInputError, match=r"channels look last"):
        network.encode(torch.rand(1, 16, 16, 2))
    with pytest.raises(InvalidInputError, match=r"\(N, 2, 16, 16\); got \(1, 3, 16, 16\)"):
        network.encode(torch.rand(1, 3, 16, 16))
    with pytest.raises(InvalidInputError, match="floats"):
        network.encode(torch.zeros(1, 2, 16, 16, dtype=torch.uint8))
    with pytest.raises(InvalidInputError, match="`latents`"):
        network.decode(torch.zeros(1, 3))


def test_refuses_a_size_that_cannot_be_squeezed() -> None:
    with pytest.raises(InvalidInputError, match=r"multiple of 8.*set `crops.size` to 48"):
        build_network("coupling", channels=2, size=50, n_classes=2)
