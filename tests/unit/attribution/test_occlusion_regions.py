"""Baselines, in-painting, and occlusion cell by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from counterstain.attribution.occlusion_baseline import baseline_images, inpainted
from counterstain.attribution.occlusion_regions import occlude_regions
from counterstain.attribution.sliding_occlusion import occlusion
from counterstain.errors import InvalidInputError


def log_odds_of_sum(images: Tensor) -> Tensor:
    """Two logits: class 1 wins where the first channel sums to more than 3.5."""
    total = images[:, 0].sum((1, 2)) - 3.5
    return torch.stack([torch.zeros_like(total), total], 1)


def test_removing_a_cell_flips_the_call() -> None:
    images = torch.zeros(1, 2, 6, 6)
    images[0, :, 1:3, 1:3] = 1.0
    cell = np.zeros((1, 6, 6), bool)
    cell[0, 1:3, 1:2] = True
    rows = occlude_regions(log_odds_of_sum, images, {"cell": cell}, 1, baseline=0.0)
    assert [(row.channel, row.drop, row.flips) for row in rows] == [
        ("0", 2.0, True),
        ("1", 0.0, False),
        ("all", 2.0, True),
    ]
    assert rows[0].score_before == 0.5
    assert rows[0].n_pixels == 2


def test_image_without_the_region_gets_a_reason() -> None:
    images, mask = torch.rand(2, 1, 4, 4), np.zeros((2, 4, 4), bool)
    mask[1, 0, 0] = True
    rows = occlude_regions(log_odds_of_sum, images, {"nucleus": mask}, 1, channels="together")
    assert [row.channel for row in rows] == ["all", "all"]
    assert math.isnan(rows[0].drop)
    assert not rows[0].flips
    assert "no nucleus" in rows[0].reason
    assert not math.isnan(rows[1].drop)


def test_masks_that_do_not_fit_are_refused() -> None:
    images = torch.rand(2, 1, 4, 4)
    for regions in (
        {},
        {"cell": np.zeros((1, 4, 4), bool)},
        {"cell": np.zeros((2, 4, 4), np.uint8)},
    ):
        with pytest.raises(InvalidInputError, match="regions"):
            occlude_regions(log_odds_of_sum, images, regions, 1)


def test_regions_are_limited_to_what_changes_without_changing_the_answer() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4, 4, 3, stride=2, padding=1),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    )
    images = torch.rand(2, 2, 24, 24)
    masks = {"left": np.zeros((2, 24, 24), bool), "dot": np.zeros((2, 24, 24), bool)}
    masks["left"][:, :, :9] = True
    masks["dot"][:, 20, 23] = True
    limited = occlude_regions(network, images, masks, 0)
    whole = occlude_regions(lambda x: network(x), images, masks, 0)
    assert [row.drop for row in limited] == pytest.approx([row.drop for row in whole], abs=1e-5)


def test_baselines() -> None:
    images = torch.rand(2, 3, 12, 12)
    one = images[0]
    for given, at in (
        (0.5, torch.full_like(images, 0.5)),
        ([0.0, 0.5, 1.0], torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand_as(images)),
        (one, one.expand_as(images)),
        (images, images),
    ):
        torch.testing.assert_close(baseline_images(given, images), at)
    background = baseline_images("background", images)
    assert (background <= images.flatten(2).median(2).values[:, :, None, None]).all()
    assert baseline_images("blurred", images).std() < images.std()
    for wrong in (torch.zeros(5), torch.zeros(2, 3, 4, 4), [1.0, 2.0], "white", math.nan):
        with pytest.raises(InvalidInputError, match="baseline"):
            baseline_images(wrong, images)


def test_inpainting_is_smooth_and_within_the_rim() -> None:
    ramp = torch.arange(16.0).expand(1, 16, 16).clone()
    hole = np.zeros((16, 16), bool)
    hole[4:12, 4:12] = True
    spoiled = ramp.clone()
    spoiled[0, 4:12, 4:12] = 99.0
    # A ramp solves Laplace's equation: it comes back.
    torch.testing.assert_close(inpainted(spoiled, hole), ramp)
    assert torch.isfinite(inpainted(ramp, np.ones((16, 16), bool))).all()
    hole[:] = False
    hole[:4, :4] = True
    filled = inpainted(spoiled, hole)
    assert filled[0, :4, :4].max() <= ramp.max()


def test_occlusion_with_inpainting_sees_nothing_in_a_ramp() -> None:
    images = torch.arange(16.0).expand(1, 1, 16, 16).clone() / 16
    found = occlusion(
        lambda x: x.square().sum((1, 2, 3)), images, None, window=4, stride=4, baseline="inpainted"
    )
    # Along the left and right edge the rim is on one side only, and the filling flat.
    assert found[..., 4:12].abs().max() < 1e-4
    with pytest.raises(InvalidInputError, match="inpainted"):
        occlusion(
            lambda x: x.sum(1), torch.rand(1, 4), None, window=1, stride=1, baseline="inpainted"
        )
