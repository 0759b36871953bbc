"""The U-Net segmenter: windows, folding, objects, files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.masks.instances import InstanceSettings, instances_from_maps
from counterstain.masks.unet import UNetSegmenter
from counterstain.masks.unet_magnification import fitting_scale, median_diameter, scale_for
from counterstain.masks.unet_network import build_unet, fold_norms
from counterstain.masks.unet_scaling import network_input
from counterstain.masks.unet_windows import WindowSettings, run_windows, window_side

WIDTHS = (4, 4, 8, 8, 8)


def field(height: int = 50, width: int = 70, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(1, 4000, (channels, height, width)).astype(np.uint16)


def trained(network: nn.Module) -> nn.Module:
    """Give norms something to fold: means and variances other than 0 and 1."""
    torch.manual_seed(1)
    network.train()
    for _ in range(3):
        network(torch.rand(4, 2, 64, 64))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


def segmenter(**options) -> UNetSegmenter:
    made = UNetSegmenter(["DNA", "FITC"], widths=WIDTHS, seed=0, **options)
    trained(made.network)
    made.refresh()
    return made


def test_folded_norms_change_nothing() -> None:
    network = trained(build_unet(2, WIDTHS))
    images = torch.rand(2, 2, 64, 96)
    with torch.inference_mode():
        before = network(images)
    folded = fold_norms(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.inference_mode():
        after = folded(images)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    with pytest.raises(InvalidInputError, match="evaluation"):
        fold_norms(build_unet(1, WIDTHS))


@pytest.mark.parametrize("edge", [64, 100, 512, 700, 2048])
def test_windows_cover_a_field_and_share_enough(edge: int) -> None:
    settings = WindowSettings(side=256, overlap=32)
    side = window_side(edge, settings, 16)
    assert side % 16 == 0
    assert side <= 256 + 16
    count = 1 if side >= edge else int(np.ceil((edge - 32) / (side - 32)))
    assert count * side - (count - 1) * 32 >= edge
    with pytest.raises(InvalidInputError, match="overlap"):
        window_side(edge, WindowSettings(side=64, overlap=40), 16)


def test_windows_agree_with_the_whole_field_away_from_their_edges() -> None:
    network = trained(build_unet(2, WIDTHS))
    image = torch.rand(1, 2, 192, 320)
    with torch.inference_mode():
        whole = network(image)
    parts = run_windows(network, image, WindowSettings(side=128, overlap=48, skip_empty=False), 32)
    assert parts.shape == whole.shape
    assert float((parts - whole).abs().median()) < 1e-3
    assert torch.sign(parts).eq(torch.sign(whole)).float().mean() > 0.99


class Counting(nn.Module):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.asked += len(images)
        return images.sum(dim=1, keepdim=True).repeat(1, 2, 1, 1) - 1


def test_empty_windows_are_not_run_and_get_the_same_answer() -> None:
    image = torch.zeros(1, 1, 128, 128)
    image[..., :20, :20] = 1.0
    answers, asked = [], []
    for skip in (True, False):
        network = Counting().eval()
        settings = WindowSettings(side=48, overlap=8, skip_empty=skip)
        answers.append(run_windows(network, image, settings, 16))
        asked.append(network.asked)
    torch.testing.assert_close(answers[0], answers[1])
    assert asked[0] < asked[1] / 3


@pytest.mark.parametrize("size", [(7, 9), (16, 16), (50, 70), (300, 40)])
@pytest.mark.parametrize("scale", [1.0, 0.5, 1.7])
def test_masks_have_the_size_of_the_field(size: tuple[int, int], scale: float) -> None:
    made = segmenter(windows=WindowSettings(side=96, overlap=8))
    image = field(*size)
    assert made.maps(image, scale=scale).shape == (4, *size)
    labels = made.instances(image, scale=scale)
    assert labels.shape == size
    assert np.unique(labels[labels > 0]).tolist() == list(range(1, labels.max() + 1))
    assert not (labels > 0)[~made.semantic(image, scale=scale)].any()


def test_saved_and_loaded_it_draws_the_same(tmp_path: Path) -> None:
    made = segmenter(scale=0.5, diameter=20.0, instances=InstanceSettings(saddle=0.4))
    made.metadata = {"trained_on": "nothing"}
    made.save(tmp_path / "net")
    again = UNetSegmenter.load(tmp_path / "net.json", channels=["DNA", "FITC"])
    assert (again.instance_settings.saddle, again.scale, again.diameter) == (0.4, 0.5, 20.0)
    assert again.metadata == made.metadata
    np.testing.assert_array_equal(again.maps(field()), made.maps(field()))
    with pytest.raises(InvalidInputError, match="channels"):
        UNetSegmenter.load(tmp_path / "net", channels=["FITC", "DNA"])


def test_changed_and_missing_files_are_named(tmp_path: Path) -> None:
    segmenter(scale=1.0).save(tmp_path / "net")
    recipe = tmp_path / "net.json"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace('"scale": 1.0', '"scale": 2.0'), encoding="utf-8")
    with pytest.raises(InvalidInputError, match="edited"):
        UNetSegmenter.load(tmp_path / "net")
    recipe.write_text(json.dumps({"format": 9}), encoding="utf-8")
    with pytest.raises(InvalidInputError, match="format"):
        UNetSegmenter.load(tmp_path / "net")
    recipe.write_text(text, encoding="utf-8")
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(InvalidInputError, match="digests"):
        UNetSegmenter.load(tmp_path / "net")
    weights.unlink()
    with pytest.raises(MissingFileError):
        UNetSegmenter.load(tmp_path / "net")


def test_scaling_ignores_places_without_data_and_constant_channels() -> None:
    image = field()
    bordered = image.copy()
    bordered[:, :, :20] = 0
    inner = network_input(bordered)[:, :, 20:]
    np.testing.assert_allclose(inner, network_input(image)[:, :, 20:], atol=0.05)
    image[1] = 9
    scaled = network_input(image)
    assert not scaled[1].any()
    assert scaled[0].max() <= 1.5
    with pytest.raises(InvalidInputError, match="finite"):
        network_input(np.full((1, 4, 4), np.nan))


def test_islands_without_votes_and_small_ones() -> None:
    maps = np.zeros((4, 20, 20), np.float32)
    maps[0, 2:8, 2:8] = 1  # shallow, but an object
    maps[0, 12, 12] = maps[1, 12, 12] = 1  # too small
    settings = InstanceSettings(min_area=5, min_votes=1)
    labels = instances_from_maps(maps, settings)
    assert labels.max() == 1
    assert (labels > 0).sum() == 36
    assert instances_from_maps(maps, settings, scale=0.4).max() == 1  # 31 pixels are enough
    assert not instances_from_maps(maps, settings, scale=0.3).any()  # 56 are needed


def test_uncertain_objects_are_left_out() -> None:
    maps = np.zeros((4, 20, 20), np.float32)
    maps[:2, 2:8, 2:8], maps[:2, 12:18, 12:18] = 0.95, 0.6
    settings = InstanceSettings(min_area=5, min_votes=1)
    assert instances_from_maps(maps, settings)[5, 5] == 1
    assert not instances_from_maps(maps, settings)[12:].any()
    assert instances_from_maps(maps, replace(settings, certainty=0.5)).max() == 2


def test_magnified_fields_have_a_certainty_of_their_own() -> None:
    maps = np.zeros((4, 20, 20), np.float32)
    maps[:2, 2:8, 2:8] = 0.85
    settings = InstanceSettings(min_area=5, min_votes=1, certainty_magnified=0.9)
    found = [instances_from_maps(maps, settings, scale=scale).max() for scale in (0.9, 1.0, 1.1)]
    assert found == [1, 1, 0]
    same = replace(settings, certainty_magnified=None)
    assert instances_from_maps(maps, same, scale=1.1).max() == 1


def test_settings_and_maps_are_checked() -> None:
    maps = np.zeros((4, 20, 20), np.float32)
    assert not instances_from_maps(np.zeros((4, 5, 5))).any()
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        instances_from_maps(maps, InstanceSettings(saddle=1.0))
    with pytest.raises(InvalidInputError, match="certainty_magnified"):
        instances_from_maps(maps, InstanceSettings(certainty_magnified=np.nan))
    with pytest.raises(InvalidInputError, match="maps"):
        instances_from_maps(maps[0])


def discs(*radii: float) -> np.ndarray:
    labels = np.zeros((80, 80 * len(radii)), np.int32)
    for number, radius in enumerate(radii):
        y, x = np.mgrid[-40:40, -40:40]
        labels[:, 80 * number : 80 * number + 80][np.hypot(y, x) < radius] = number + 1
    return labels


def test_the_median_diameter_hardly_sees_fragments() -> None:
    assert median_diameter(discs(20, 20, 21, 2, 2, 3, 2)) == pytest.approx(40, rel=0.03)
    assert np.isnan(median_diameter(np.zeros((4, 4), np.int32)))


def test_small_cells_are_magnified_and_large_ones_shrunk_by_half_as_much() -> None:
    assert (scale_for(12, 24), scale_for(1, 24), scale_for(np.nan, 24)) == (2.0, 4.0, 1.0)
    assert [scale_for(diameter, 24) for diameter in (24, 36, 48)] == [1.0, 1.0, 1.0]
    assert scale_for(96, 24) == 0.5


def test_a_second_look_corrects_the_first() -> None:
    labels, looks = discs(6, 6), []

    def look(scale: float) -> np.ndarray:
        looks.append(scale)
        return labels if scale > 1.3 else discs(9, 9)  # unclear at first, so drawn too large

    assert fitting_scale(look, wanted=24.0) == pytest.approx(2.0, rel=0.05)
    assert len(looks) == 3
    assert fitting_scale(lambda _: np.zeros((4, 4), np.int32), wanted=24.0, start=0.5) == 0.5


def test_without_a_scale_it_is_fitted_to_the_cells() -> None:
    made = segmenter()
    image = field()
    scale = made.fitting_scale(image)
    np.testing.assert_array_equal(made.maps(image), made.maps(image, scale=scale))
    assert 0.25 <= scale <= 4


def test_wrong_fields_are_refused() -> None:
    made = segmenter()
    with pytest.raises(InvalidInputError, match="channels"):
        made.semantic(field(channels=1))
    with pytest.raises(InvalidInputError, match="scale"):
        made.semantic(field(), scale=0.0)
    with pytest.raises(InvalidInputError, match="widths"):
        build_unet(1, (8,))
