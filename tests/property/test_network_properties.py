"""Whatever the weights, a network that runs both ways comes back to where it started."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from counterstain.networks import InvertibleNetwork, build_network
from counterstain.networks.layers import IntensityCompression
from counterstain.training.minibatches import dihedral


def network(channels: int, seed: int, scale: float) -> InvertibleNetwork:
    torch.manual_seed(seed)
    built = build_network(
        "coupling", channels=channels, size=8, n_classes=2, hidden=6, blocks=2
    ).train()
    assert isinstance(built, InvertibleNetwork)
    with torch.no_grad():
        built.transform(torch.rand(4, channels, 8, 8))
        for parameter in built.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return built.eval()


@settings(max_examples=25, deadline=None)
@given(
    channels=st.integers(1, 8),
    seed=st.integers(0, 2**31),
    scale=st.floats(0, 0.3),
    brightness=st.floats(0.01, 4),
)
def test_decode_inverts_encode_within_its_own_bound(
    channels: int, seed: int, scale: float, brightness: float
) -> None:
    built = network(channels, seed, scale)
    images = brightness * torch.rand(2, channels, 8, 8)
    with torch.no_grad():
        latents = built.double().encode(images.double())
        decoded = built.float().decode_with_bound(latents.float())
        # What float32 latents stand for exactly is what the bound speaks of.
        exact = built.double().inverse_transform(
            latents.float().double().reshape(-1, *built.latent_shape)
        )
    error = (decoded.images.double() - exact).abs().flatten(1).amax(1)
    assert (error <= decoded.error_bound.double() * (1 + 1e-6) + 1e-12).all()


@settings(max_examples=50, deadline=None)
@given(softening=st.floats(0.01, 1), low=st.floats(-0.5, 0), high=st.floats(0.1, 20))
def test_compression_is_inverted_and_keeps_order(softening: float, low: float, high: float) -> None:
    layer = IntensityCompression(softening)
    x = torch.linspace(low, high, 50, dtype=torch.float64)[None]
    z, _ = layer(x)
    assert (z.diff() > 0).all()
    torch.testing.assert_close(layer.inverse(z), x, atol=1e-10, rtol=1e-10)


@settings(max_examples=20, deadline=None)
@given(code=st.integers(0, 7), side=st.integers(1, 6))
def test_turning_keeps_every_pixel(code: int, side: int) -> None:
    image = np.arange(side * side, dtype=np.float32).reshape(1, 1, side, side)
    turned = dihedral(image, np.array([code]))
    assert sorted(turned.ravel()) == sorted(image.ravel())
