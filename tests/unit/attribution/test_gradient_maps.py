"""Gradient maps of the package's networks: shapes, signs, settings, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam, Saliency
from torch import Tensor, nn

from counterstain.attribution import (
    explained_score,
    grad_cam,
    grad_cam_plus_plus,
    integrated_gradients,
    saliency,
    share_inside,
    smooth_grad,
)
from counterstain.attribution.slices import baseline_like
from counterstain.errors import InvalidInputError
from counterstain.networks import build_network
from counterstain.networks.base import Classifier
from counterstain.networks.generative import GenerativeClassifier

KINDS = {
    "coupling": {"hidden": 6, "blocks": 1, "places": "rings"},
    "iresnet50": {"hidden": 4, "places": "rings"},
    "autoencoder": {"hidden": 8, "latents": 6},
    "resnext50": {"pretrained": False},
}
METHODS: dict[str, Callable[..., Tensor]] = {
    "saliency": saliency,
    "smooth_grad": lambda *a, **k: smooth_grad(*a, seed=0, samples=2, **k),
    "integrated_gradients": lambda *a, **k: integrated_gradients(*a, steps=2, **k),
    "grad_cam": grad_cam,
    "grad_cam_plus_plus": grad_cam_plus_plus,
}


@pytest.fixture(scope="module", params=list(KINDS))
def network(request: pytest.FixtureRequest) -> Classifier:
    torch.manual_seed(0)
    size = 32 if request.param in ("resnext50", "autoencoder") else 16
    built = build_network(
        request.param,
        channels=2,
        size=size,
        n_classes=2,
        class_names=["diseased", "healthy"],
        **KINDS[request.param],
    )
    with torch.no_grad():
        built.train().class_logits(torch.rand(4, 2, size, size))
        for weight in built.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return built.eval()


def images_of(network: Classifier, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, network.channels, network.size, network.size, generator=generator)


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_explains_every_network_and_leaves_it(network: Classifier, name: str) -> None:
    images = images_of(network)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.train()
    network.get_parameter(next(iter(dict(network.named_parameters())))).requires_grad_(False)
    maps = METHODS[name](network, images, "healthy", score="log_odds")
    assert maps.shape == images.shape
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert float(maps.abs().max()) > 0
    flags = [weight.requires_grad for weight in network.parameters()]
    assert network.training
    assert flags == [False] + [True] * (len(flags) - 1)
    assert all(weight.grad is None for weight in network.parameters())
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    network.requires_grad_(True).eval()
    few = METHODS[name](network, images, 1, score="log_odds", minibatch_size=1)
    if name != "smooth_grad":
        torch.testing.assert_close(few, maps, rtol=1e-3, atol=1e-4 * float(maps.abs().max()))


def test_two_classes_are_opposite_in_log_odds(network: Classifier) -> None:
    images = images_of(network)
    one, other = (saliency(network, images, c, score="log_odds") for c in (0, 1))
    torch.testing.assert_close(one, -other, rtol=1e-3, atol=1e-6)
    against = saliency(network, images, "diseased", score="log_odds", against="healthy")
    torch.testing.assert_close(one, against, rtol=1e-3, atol=1e-6)


def test_grad_cam_of_a_linear_head_sums_to_the_score(network: Classifier) -> None:
    if not isinstance(network, GenerativeClassifier):
        pytest.skip("only heads that are linear in averaged maps")
    images = images_of(network)
    maps = grad_cam(network, images, 1, upsample=False)
    assert maps.shape == (3, 1, *network.latent_shape[1:])
    with torch.no_grad():
        score = network.class_logits(images)[:, 1] - network.head()[1][1]
    torch.testing.assert_close(maps.sum((1, 2, 3)), score, rtol=1e-3, atol=1e-4)


def test_saliency_and_integrated_gradients_agree_with_captum() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.SiLU(), nn.Flatten(), nn.Linear(108, 3)).eval()
    images, base = torch.rand(4, 2, 8, 8), torch.rand(2, 8, 8)
    captum = Saliency(model).attribute(images.clone().requires_grad_(), target=2, abs=False)
    torch.testing.assert_close(saliency(model, images, 2), captum)
    torch.testing.assert_close(saliency(model, images, 2, absolute=True), captum.abs())
    captum = IntegratedGradients(model).attribute(images, base[None], target=2, n_steps=20)
    ours = integrated_gradients(model, images, 2, baseline=base, steps=20, minibatch_size=7)
    torch.testing.assert_close(ours, captum.float(), rtol=1e-4, atol=1e-6)
    captum = LayerGradCam(model, model[1]).attribute(images, target=2)
    ours = grad_cam(model, images, 2, layer="1", upsample=False)
    torch.testing.assert_close(ours, captum)


def test_grad_cam_plus_plus_is_the_papers_formula_behind_a_rectifier() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 3, 3)
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    images = torch.rand(2, 1, 6, 6)
    maps = model[:2](images).detach().requires_grad_()
    gradient = torch.autograd.grad(model[2:](maps)[:, 0].sum(), maps)[0]
    square, cube = gradient**2, gradient**3
    denominator = 2 * square + maps.sum((2, 3), keepdim=True) * cube
    # Equation 19, where its denominator is not zero; equation 21, with both rectifiers.
    alpha = torch.where(gradient > 0, square / denominator, torch.zeros(()))
    weights = (alpha * gradient.clamp_min(0)).sum((2, 3), keepdim=True)
    expected = (weights * maps).sum(1, keepdim=True).clamp_min(0)
    ours = grad_cam_plus_plus(model, images, 0, layer="1", relu=True, upsample=False)
    torch.testing.assert_close(ours, expected.detach(), rtol=1e-4, atol=1e-6)
    signed = grad_cam_plus_plus(model, images, 0, layer="1", upsample=False)
    opposite = grad_cam_plus_plus(lambda x: -model(x), images, 0, layer=model[1], upsample=False)
    torch.testing.assert_close(signed, -opposite)


def test_smooth_grad_repeats_and_leaves_the_global_generator() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Tanh(), nn.Linear(4, 2))
    images = torch.rand(2, 1, 4, 4)
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    one = smooth_grad(model, images, 0, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one, smooth_grad(model, images, 0, seed=3))
    assert not torch.equal(one, smooth_grad(model, images, 0, seed=4))


LINEAR = nn.Sequential(nn.Flatten(), nn.Linear(32, 2))
IMAGES = torch.rand(2, 2, 4, 4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: saliency(LINEAR, IMAGES, 2), "from 0 to 1; got 2"),
        (lambda: saliency(LINEAR, IMAGES, "healthy"), "only networks of the package know names"),
        (lambda: saliency(LINEAR, IMAGES, None), "may be None only for a model with one number"),
        (lambda: saliency(LINEAR, IMAGES[:0], 0), "non-empty tensor"),
        (lambda: saliency(LINEAR, IMAGES * np.nan, 0), "must be finite; got NaN"),
        (lambda: saliency(lambda x: x.sum((1, 2, 3)) * np.nan, IMAGES, None), "no|finite scores"),
        (lambda: saliency(LINEAR, IMAGES, 0, against=1), "only for log-odds"),
        (lambda: saliency(LINEAR, IMAGES, 0, score="odds"), "'logit' or 'log_odds'"),
        (lambda: explained_score(LINEAR, 1, score="log_odds", against=1), "another class"),
        (lambda: smooth_grad(LINEAR, IMAGES, 0, seed=0, samples=0), "`samples` must be at least 1"),
        (lambda: integrated_gradients(LINEAR, IMAGES, 0, baseline=torch.zeros(2, 3, 3)), "shape"),
        (lambda: integrated_gradients(LINEAR, IMAGES, 0, baseline=np.nan), "must be finite"),
        (lambda: integrated_gradients(LINEAR, IMAGES, 0, steps=1), "at least 2; got 1"),
        (lambda: integrated_gradients(LINEAR, IMAGES, 0, method="simpson"), "one of"),
        (lambda: grad_cam(LINEAR, IMAGES, 0), "`layer` must be given"),
        (lambda: grad_cam(LINEAR, IMAGES, 0, layer="body"), "must be a module of the model"),
        (lambda: grad_cam(LINEAR, IMAGES, 0, layer="1"), "as many axes as the images"),
        (lambda: grad_cam(LINEAR, IMAGES, 0, layer="0", output_index=1), "must be 0 to 0"),
    ],
)
def test_bad_input_is_refused_in_words(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        call()


def test_names_that_a_network_does_not_know_are_refused(network: Classifier) -> None:
    for method in METHODS.values():
        with pytest.raises(InvalidInputError, match=r"diseased.*healthy.*got 'dead'"):
            method(network, images_of(network), "dead")
        with pytest.raises(InvalidInputError, match="from 0 to 1; got 2"):
            method(network, images_of(network), 2)
        with pytest.raises(InvalidInputError, match="`images` must be"):
            method(network, images_of(network)[:, :1], 0)


def test_baselines_of_every_shape() -> None:
    for given in (0.5, [0.5, 0.5], torch.full((2, 4, 4), 0.5), torch.full((2, 2, 4, 4), 0.5)):
        assert torch.equal(baseline_like(IMAGES, given), torch.full((2, 2, 4, 4), 0.5))


def test_share_inside_says_why_it_is_undefined() -> None:
    maps = np.zeros((2, 1, 2, 2))
    maps[0, 0, 0] = [-3, 1]
    inside = np.zeros((2, 2, 2), bool)
    inside[:, 0, 0] = True
    found = share_inside(torch.from_numpy(maps), inside)
    np.testing.assert_allclose(found.shares, [0.75, np.nan])
    assert found.reasons == ("", "the map is zero everywhere")
    with pytest.raises(InvalidInputError, match="NaN"):
        share_inside(maps * np.nan, inside)
    with pytest.raises(InvalidInputError, match="masks of the same crops"):
        share_inside(maps, inside[:1])
