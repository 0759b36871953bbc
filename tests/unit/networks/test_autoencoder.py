"""The autoencoder: shapes, residual edits, and an error that says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from counterstain.errors import InvalidInputError
from counterstain.networks import GenerativeClassifier, build_network, load_network, save_network
from counterstain.networks.autoencoder import AutoencoderNetwork


def make(
    channels: int = 2, size: int = 16, n_classes: int = 2, **options: int
) -> AutoencoderNetwork:
    torch.manual_seed(0)
    network = build_network(
        "autoencoder",
        channels=channels,
        size=size,
        n_classes=n_classes,
        **{"hidden": 8, "blocks": 1, "latents": 8, **options},
    )
    assert isinstance(network, AutoencoderNetwork)
    return network.eval()


@pytest.mark.parametrize(
    ("channels", "size", "places"),
    [(1, 32, 8), (2, 40, 10), (3, 64, 16), (5, 96, 12), (8, 128, 16), (1, 256, 16)],
)
def test_sizes_and_channels(channels: int, size: int, places: int) -> None:
    network, images = make(channels, size), torch.rand(2, channels, size, size)
    with torch.no_grad():
        latents = network.encode(images)
        assert network.latent_shape == (8, places, places)
        assert latents.shape == (2, network.n_latents)
        assert network.decode(latents).shape == images.shape
        assert network.reconstructed(images).shape == images.shape
        assert network.profile(images).shape == (2, 8)


@pytest.mark.parametrize(("size", "good"), [(30, "32"), (100, "96"), (200, "208|192")])
def test_a_size_that_cannot_be_halved_names_one_that_can(size: int, good: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"crops.size` to ({good})"):
        make(size=size)


def test_images_of_another_shape_and_latents_of_another_length_are_refused() -> None:
    network = make()
    for ask in (network.encode, network.reconstructed, network.typicality):
        with pytest.raises(InvalidInputError, match="must be"):
            ask(torch.rand(1, 3, 16, 16))
    with pytest.raises(InvalidInputError, match="latents"):
        network.decode(torch.zeros(1, 7))


def test_logits_are_linear_in_the_averaged_latents_of_every_class() -> None:
    network, images = make(n_classes=3), torch.rand(4, 2, 16, 16)
    step = torch.randn(1, 8)
    with torch.no_grad():
        latents = network.encode(images)
        weights, offsets = network.head()
        assert weights.shape == (3, 8)
        assert offsets.shape == (3,)
        torch.testing.assert_close(network.logits(latents), network.class_logits(images))
        moved = network.logits(latents + network.spread(step))
        torch.testing.assert_close(moved, network.logits(latents) + step @ weights.T)


def test_no_step_leaves_the_image_and_the_error_is_that_of_its_reconstruction() -> None:
    network, images = make(), torch.rand(3, 2, 16, 16)
    with torch.no_grad():
        latents = network.encode(images)
    same = network.edited(images, latents, latents)
    torch.testing.assert_close(same.images, images, atol=1e-5, rtol=1e-5)
    expected = (network.reconstructed(images) - images).abs().flatten(1).amax(1)
    torch.testing.assert_close(same.error_bound, expected.detach())
    assert network.error_kind == "reconstruction"


def test_decoding_states_an_error_and_is_not_refused_for_it() -> None:
    network = make()
    decoded = network.decode_with_bound(network.encode(torch.rand(3, 2, 16, 16)).detach())
    assert bool((decoded.error_bound > 1e-4).all())  # fresh weights reconstruct nothing
    assert decoded.error_bound.shape == (3,)


def test_an_edit_is_a_ratio_where_it_is_bright() -> None:
    class Plus(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return maps.mean((1, 2, 3), keepdim=True).expand(-1, 1, 16, 16)

    network = make(channels=1)
    network.decoder = Plus()  # type: ignore[assignment]
    images = torch.tensor([2.0, 4.0])[:, None, None, None].expand(-1, 1, 16, 16).contiguous()
    before = torch.zeros(2, network.n_latents)
    ratio = network.edited(images, before, before + 0.2).images / images
    assert float(ratio[0].mean()) > 1.3
    assert float(ratio[0].mean()) == pytest.approx(float(ratio[1].mean()), rel=0.01)


def test_typicality_is_higher_for_what_is_reconstructed_better() -> None:
    network = make()
    with torch.no_grad():
        decoded = network.decode(network.encode(torch.rand(2, 2, 16, 16)))
    strange = decoded + 5 * torch.rand_like(decoded)
    assert bool((network.typicality(decoded) > network.typicality(strange)).all())


def test_a_checkpoint_gives_the_same_network_again(tmp_path: Path) -> None:
    network, images = make(n_classes=3), torch.rand(2, 2, 16, 16)
    save_network(network, tmp_path / "fold_0", {})
    again, _ = load_network(tmp_path / "fold_0")
    assert isinstance(again, GenerativeClassifier)
    with torch.no_grad():
        assert torch.equal(again.class_logits(images), network.class_logits(images))
