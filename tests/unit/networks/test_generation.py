"""Samples and morphs: repeatable, within their bound, never cut off, or refused."""

from __future__ import annotations

import pytest
import torch

from counterstain.errors import InvalidInputError, NotInvertibleError
from counterstain.networks.base import Classifier
from counterstain.networks.build import build_network
from counterstain.networks.generation import morph_images, sample_images
from counterstain.networks.invertible import InvertibleNetwork


def make(network: str = "coupling", size: int = 16) -> Classifier:
    torch.manual_seed(0)
    options = {"hidden": 8, "blocks": 2} if network == "coupling" else {}
    built = build_network(network, channels=2, size=size, n_classes=2, **options)
    if network == "coupling":
        built.train()
        built.class_logits(torch.rand(8, 2, size, size))
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return built.eval()


def test_samples_repeat_and_keep_their_bound() -> None:
    network = make()
    first, again = (sample_images(network, 1, 4, temperature=0.7, seed=3) for _ in range(2))
    other = sample_images(network, 1, 4, temperature=0.7, seed=4)
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (4, 2, 16, 16)
    assert float(first.error_bound.max()) <= 1e-4


def test_samples_lie_around_their_class_mean() -> None:
    network = make()
    assert isinstance(network, InvertibleNetwork)
    drawn = sample_images(network, 1, 64, temperature=0.5, seed=0)
    latents = network.maps(network.encode(drawn.images))
    rest = (latents - network.class_means[1][None, :, None, None]).detach()
    assert float(rest.std()) == pytest.approx(0.5, rel=0.05)
    assert float(rest.mean()) == pytest.approx(0, abs=0.02)


def test_without_noise_all_samples_are_one() -> None:
    drawn = sample_images(make(), 0, 3, temperature=0, seed=0)
    assert torch.allclose(drawn.images[0], drawn.images[2])


def test_strange_intensities_are_counted_and_not_cut_off() -> None:
    network = make()
    plain = sample_images(network, 0, 4, temperature=1, seed=0)
    assert plain.n_outside == 0
    network.domain.set_intensities(torch.zeros(2), torch.full((2,), 1e-3))
    drawn = sample_images(network, 0, 4, temperature=1, seed=0)
    assert drawn.n_outside == 4
    assert torch.equal(drawn.images, plain.images)


def test_an_inverse_beyond_its_tolerance_is_refused() -> None:
    with pytest.raises(NotInvertibleError, match="no picture is made"):
        sample_images(make(), 0, 2, temperature=1, seed=0, tolerance=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_index": 2}, "`class_index` must be from 0 to 1"),
        ({"count": 0}, "`count` must be at least 1"),
        ({"temperature": -1.0}, "`temperature` must be 0 or more"),
        ({"temperature": float("nan")}, "`temperature` must be 0 or more"),
    ],
)
def test_bad_numbers_are_refused(change: dict[str, float], message: str) -> None:
    options = {"class_index": 0, "count": 1, "temperature": 0.7, "seed": 0} | change
    with pytest.raises(InvalidInputError, match=message):
        sample_images(make(), **options)  # type: ignore[arg-type]


def test_networks_without_a_likelihood_draw_no_samples() -> None:
    with pytest.raises(InvalidInputError, match="it makes morphs and reconstructions only"):
        sample_images(make("autoencoder", 32), 0, 1, temperature=0.7, seed=0)


@pytest.mark.parametrize("kind", ["coupling", "autoencoder"])
def test_ends_of_a_morph_are_the_originals(kind: str) -> None:
    network = make(kind, 32)
    first, second = torch.rand(2, 3, 2, 32, 32)
    morphs = morph_images(network, first, second, 5)
    assert morphs.images.shape == (3, 5, 2, 32, 32)
    assert torch.equal(morphs.images[:, 0], first)
    assert torch.equal(morphs.images[:, -1], second)
    assert morphs.error_bound.shape == (3, 5)


def test_a_morph_is_smooth_at_its_ends() -> None:
    network = make()
    first, second = torch.rand(2, 1, 2, 16, 16)
    morphs = morph_images(network, first, second, 201)
    step = (morphs.images[:, 1:] - morphs.images[:, :-1]).abs().amax((0, 2, 3, 4))
    assert float(step.max()) < 6 * float(step.median())


def test_a_morph_to_itself_stays() -> None:
    image = torch.rand(1, 2, 16, 16)
    morphs = morph_images(make(), image, image, 3)
    assert torch.allclose(morphs.images[:, 1], image, atol=1e-4)


def test_morphs_keep_the_length_of_latents() -> None:
    network = make()
    assert isinstance(network, InvertibleNetwork)
    first, second = torch.rand(2, 2, 2, 16, 16)
    middle = network.encode(morph_images(network, first, second, 3).images[:, 1]).norm(dim=1)
    ends = (network.encode(first).norm(dim=1) + network.encode(second).norm(dim=1)) / 2
    assert torch.allclose(middle, ends, rtol=1e-3)


def test_bad_morphs_are_refused() -> None:
    images = torch.rand(2, 2, 16, 16)
    with pytest.raises(InvalidInputError, match="one shape"):
        morph_images(make(), images, images[:1], 3)
    with pytest.raises(InvalidInputError, match="`steps` must be at least 2"):
        morph_images(make(), images, images, 1)
