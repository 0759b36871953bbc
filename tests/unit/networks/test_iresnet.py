"""The invertible residual network keeps the contract of a network that runs both ways."""

from __future__ import annotations

import math
from typing import cast

import pytest
import torch

from counterstain.errors import InvalidInputError, NotInvertibleError
from counterstain.networks import build_network
from counterstain.networks.iresnet import InvertibleResNet
from counterstain.networks.residual import ContractionBlock, Whitening


def make(
    channels: int = 2, size: int = 16, n_classes: int = 2, seed: int = 0, noise: float = 0.05
) -> InvertibleResNet:
    """Build a small network whose blocks are at the limit of their contraction."""
    torch.manual_seed(seed)
    network = build_network(
        "iresnet50", channels=channels, size=size, n_classes=n_classes, hidden=8
    )
    assert isinstance(network, InvertibleResNet)
    network.train()
    with torch.no_grad():
        network.transform(images(128, channels, size))
        for parameter in network.parameters():
            parameter.add_(noise * torch.randn_like(parameter))
    return network.eval()


def images(count: int, channels: int, size: int) -> torch.Tensor:
    return torch.rand(count, channels, size, size).pow(3)


def blocks(network: InvertibleResNet) -> list[ContractionBlock]:
    found = [module for module in network.modules() if isinstance(module, ContractionBlock)]
    return [cast("ContractionBlock", module) for module in found]


def true_error(network: InvertibleResNet, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Error and bound of a decoded image whose latents are known in float64."""
    with torch.no_grad():
        latents = network.double().encode(x.double())
        network.float()
        decoded = network.decode_with_bound(latents.float())
    return (decoded.images - x).abs().flatten(1).amax(1), decoded.error_bound


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [8, 24])
def test_decode_inverts_encode(channels: int, size: int) -> None:
    network = make(channels, size)
    x = images(3, channels, size)
    with torch.no_grad():
        latents = network.encode(x)
    assert latents.shape == (3, channels * size * size)
    assert (network.decode(latents) - x).abs().max() < 1e-4


def test_depth_and_stages_are_those_of_resnet50() -> None:
    network = make()
    assert [len(stage) // 2 for stage in network.stages] == [3, 4, 6, 3]
    assert len(blocks(network)) == 16


@pytest.mark.parametrize("seed", range(4))
def test_bound_covers_the_true_error_and_is_small(seed: int) -> None:
    network = make(seed=seed)
    error, bound = true_error(network, images(16, 2, 16))
    assert (bound >= error).all()
    assert bound.max() < 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_weights_scaled_eightfold_are_normed_again_or_refused(seed: int) -> None:
    network = make(seed=seed)
    x = images(4, 2, 16)
    network.encode(x)
    for block in blocks(network):
        for layer in block.convolutions:
            cast("torch.Tensor", layer.weight).data.mul_(8)
    error, bound = true_error(network, x)
    assert (bound >= error).all()
    assert all(block.lipschitz() <= 0.7 + 1e-9 for block in blocks(network))
    for parameter in network.parameters():
        parameter.data.mul_(8)
    error, bound = true_error(network, x)
    assert (bound >= error).all() or not (bound <= 1e-4).any()


def test_the_bound_holds_for_latents_far_from_any_image() -> None:
    network = make()
    latents = 3 * torch.randn(4, network.n_latents)
    decoded = network.decode_with_bound(latents)
    with torch.no_grad():
        again = network.double().encode(decoded.images.double())
        network.float()
    inside = decoded.error_bound < 1e-4
    assert (again.float() - latents)[inside].abs().max() < 1e-2 if inside.any() else True
    with pytest.raises(NotInvertibleError, match="no picture"):
        network.decode(torch.full((1, network.n_latents), 1e4))


def test_weights_that_are_not_finite_are_refused() -> None:
    network = make()
    with torch.no_grad():
        blocks(network)[3].convolutions[0].weight[0, 0] = math.nan
    with pytest.raises(NotInvertibleError, match="finite"):
        network.decode(torch.zeros(1, network.n_latents))


def test_log_determinant_agrees_with_autograd() -> None:
    network = make(channels=1, size=8, noise=0.03).double()
    image = images(1, 1, 8).double()
    jacobian = torch.autograd.functional.jacobian(
        lambda v: network.latent_maps(v.reshape(1, 1, 8, 8)).flatten(), image.flatten()
    )
    expected = float(torch.linalg.slogdet(jacobian)[1])
    with torch.no_grad():
        # Every sample has a probe of its own, so copies of one image average over probes.
        values = network.transform(image.expand(400, 1, 8, 8))[1]
    error = float(values.std()) / 20
    assert float(values.mean()) == pytest.approx(expected, abs=4 * error + 0.02)
    assert error < 0.1


def test_gradient_of_the_likelihood_agrees_with_differences() -> None:
    network = make(channels=1, size=8, noise=0.03).double().train()
    network.options["terms"], network.options["continuation"] = 30, 0.0
    network.options["share"] = 1.0
    x = images(300, 1, 8).double()
    weight = blocks(network)[8].convolutions[1].weight
    for block in blocks(network):
        for layer in block.convolutions:
            layer.limit = 1e6

    def log_det() -> torch.Tensor:
        torch.manual_seed(0)
        return network.transform(x)[1].mean()

    with torch.no_grad():
        for block in blocks(network):
            for layer in block.convolutions:
                layer.weight.mul_(0.5)
    gradient = torch.autograd.grad(log_det(), weight)[0]
    direction = torch.randn_like(weight)
    with torch.no_grad():
        weight.add_(1e-4 * direction)
        above = log_det()
        weight.sub_(2e-4 * direction)
        below = log_det()
    expected = float(above - below) / 2e-4
    # The value and its gradient use the same probes in different products: equal in the mean.
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=0.1, abs=0.02)


def test_logits_are_linear_in_the_averaged_latents_and_agree_with_class_logits() -> None:
    network = make(n_classes=3)
    x = images(4, 2, 16)
    with torch.no_grad():
        expected = network.class_logits(x)
        torch.testing.assert_close(
            network.logits(network.encode(x)), expected, atol=1e-5, rtol=1e-4
        )
        torch.testing.assert_close(network.transform(x)[0], network.latent_maps(x))


def test_likelihood_in_evaluation_repeats() -> None:
    network = make()
    x = images(4, 2, 16)
    with torch.no_grad():
        assert torch.equal(network.log_prob(x), network.log_prob(x))


def test_whitening_takes_out_differences_of_scale() -> None:
    torch.manual_seed(0)
    layer = Whitening(4, rotate=True)
    mixing = torch.diag(torch.tensor([1.0, 0.1, 0.05, 3.0])) @ torch.linalg.qr(torch.randn(4, 4))[0]
    x = torch.einsum("ij,njhw->nihw", mixing, torch.randn(64, 4, 8, 8))
    z, _ = layer(x)
    covariance = torch.cov(z.detach().transpose(0, 1).flatten(1))
    assert (covariance - torch.eye(4)).abs().max() < 0.1
    torch.testing.assert_close(layer.inverse(z).detach(), x, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [12, 4, 33])
def test_sizes_that_cannot_be_squeezed_are_refused(size: int) -> None:
    with pytest.raises(InvalidInputError, match="multiple of 8"):
        build_network("iresnet50", channels=1, size=size, n_classes=2)


@pytest.mark.parametrize("limit", [1.0, -0.5, 0.99])
def test_limits_without_a_certificate_are_refused(limit: float) -> None:
    with pytest.raises(InvalidInputError, match="lipschitz"):
        build_network("iresnet50", channels=1, size=8, n_classes=2, lipschitz=limit)
