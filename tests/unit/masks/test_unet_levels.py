"""A U-Net in tiles of its levels answers as in one piece."""

from __future__ import annotations

import pytest
import torch

from counterstain.masks.unet_levels import LevelwiseUNet, in_tiles
from counterstain.masks.unet_network import build_unet, fold_norms

WIDTHS = (4, 4, 8, 48, 8)  # the fourth level counts as a deep one


@pytest.fixture
def network() -> torch.nn.Sequential:
    made = build_unet(2, WIDTHS).train()
    made(torch.rand(4, 2, 64, 64))  # running means of its norms
    folded = fold_norms(made.eval())
    assert isinstance(folded, torch.nn.Sequential)
    return folded


@pytest.mark.parametrize("size", [(64, 96), (160, 224), (32, 512), (96, 32)])
@pytest.mark.parametrize("tile", [16, 22, 40])
@pytest.mark.parametrize("threads", [1, 2])
def test_tiles_change_nothing(
    network: torch.nn.Sequential, size: tuple[int, int], tile: int, threads: int
) -> None:
    images = torch.rand(2, 2, *size)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            tiled = LevelwiseUNet(network, tile=tile, whole=16)(images)
            whole = network(images)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=1e-4)


def test_a_small_image_runs_in_one_piece(network: torch.nn.Sequential) -> None:
    seen = []
    network[2].register_forward_hook(lambda *_: seen.append(1))
    tiled = LevelwiseUNet(network, whole=64)
    with torch.inference_mode():
        tiled(torch.rand(1, 2, 64, 32))
        assert len(seen) == 1
        tiled(torch.rand(1, 2, 64, 96))
        assert len(seen) == 1  # larger ones block by block


def test_a_tile_without_its_surroundings_would_differ() -> None:
    """What lies beyond a tile counts: cutting it off shows."""
    image = torch.rand(1, 1, 32, 32)
    mean = torch.nn.AvgPool2d(3, stride=1, padding=1)
    cut = torch.cat([mean(mean(image[..., :16])), mean(mean(image[..., 16:]))], dim=-1)
    tiled = in_tiles(lambda part: mean(mean(part)), [image], (32, 32), 1, tile=16)
    torch.testing.assert_close(tiled, mean(mean(image)))
    assert float((cut - tiled).abs().max()) > 0.01
