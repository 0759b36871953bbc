"""What holds for any weights: completeness, and the map of a linear model."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from counterstain.attribution import grad_cam, integrated_gradients

SEEDS = st.integers(0, 2**16)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, channels=st.integers(1, 4), baseline=st.floats(-1, 1))
def test_integrated_gradients_add_up_to_the_gain(seed: int, channels: int, baseline: float) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16 * channels, 5), nn.SiLU(), nn.Linear(5, 2))
    model.double()
    images = torch.rand(2, channels, 4, 4, dtype=torch.float64)
    maps = integrated_gradients(model, images, 1, baseline=baseline, steps=40)
    with torch.no_grad():
        gain = model(images)[:, 1] - model(torch.full_like(images, baseline))[:, 1]
    # 40 points integrate a path of this smoothness to rounding; the map itself is float32.
    torch.testing.assert_close(maps.double().flatten(1).sum(1), gain, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, channels=st.integers(1, 4), classes=st.integers(1, 3))
def test_grad_cam_of_a_linear_model_is_its_own_map(seed: int, channels: int, classes: int) -> None:
    torch.manual_seed(seed)
    mix, head = nn.Conv2d(channels, 6, 1), nn.Linear(6, classes)
    model = nn.Sequential(mix, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    images = torch.rand(2, channels, 5, 5)
    maps = grad_cam(model, images, 0, layer="0")
    with torch.no_grad():
        places = torch.einsum("k,nkhw->nhw", head.weight[0], mix(images)) / 25
        score = model(images)[:, 0] - head.bias[0]
    torch.testing.assert_close(maps.sum(1), places, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(maps.flatten(1).sum(1), score, rtol=1e-4, atol=1e-4)
