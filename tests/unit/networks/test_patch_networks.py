"""Networks of patches: shapes, what pooling ignores, and files that cannot be swapped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.networks.patch_autoencoder import PatchAutoencoder
from counterstain.networks.patch_classifier import READS, PatchClassifier
from counterstain.networks.patch_encoder import PatchEncoder, PatchMaps
from counterstain.networks.patch_file import load_patch_network, save_patch_network
from counterstain.networks.patch_pooling import mask_features, mask_width, soft_overlap
from counterstain.networks.patch_regressors import AreaRegressor, DenseRegressor

ARGUMENTS = {"channels": 2, "size": 16, "widths": [4, 6, 8], "latents": 3}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def images(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 2, 16, 16)


def test_a_size_that_8_does_not_divide_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"multiple of 8 pixels; got 20.*patches of 16"):
        PatchEncoder({**ARGUMENTS, "size": 20})


def test_soft_overlap_is_that_of_hard_masks() -> None:
    first, second = torch.zeros(2, 10, 10)
    first[2:6, 2:6], second[4:8, 4:8] = 1, 1
    areas = torch.stack([first, second, first * second])[None]
    assert soft_overlap(areas).item() == pytest.approx(1 / 7)
    assert soft_overlap(torch.zeros(1, 3, 4, 4)).item() == 0


def test_mask_features_ignore_where_cells_lie_and_how_many_there_are() -> None:
    rims = torch.zeros(1, 5, 8, 8)
    areas = torch.full((1, 3, 8, 8), -30.0)
    rims[..., 1:3, 1:3], areas[:, 0, 1:3, 1:3] = 2.0, 30.0
    moved = PatchMaps(rims, rims, rims.roll(3, 2), areas.roll(3, 2))
    one = mask_features(PatchMaps(rims, rims, rims, areas))
    torch.testing.assert_close(mask_features(moved), one)
    twice = PatchMaps(rims, rims, rims + rims.roll(4, 3), torch.maximum(areas, areas.roll(4, 3)))
    over_mask = mask_features(twice)[:, :5]
    torch.testing.assert_close(over_mask, torch.full((1, 5), 2.0), rtol=0.15, atol=0)
    assert mask_features(twice)[0, 15] == pytest.approx(2 * one[0, 15].item())
    assert one.shape[1] == 4 * 5 + 4


def test_areas_give_the_overlap_and_a_fault_takes_it_away() -> None:
    network = AreaRegressor(ARGUMENTS).eval()
    answer = network(images())
    expected = soft_overlap(torch.sigmoid(answer.areas)) * torch.sigmoid(-answer.fault)
    torch.testing.assert_close(answer.iou, expected)
    with torch.no_grad():
        network.dense[-1].bias[1] = 50.0
    assert float(network(images()).iou.detach().max()) < 1e-6


@pytest.mark.parametrize("reads", READS)
def test_the_classifier_reads_what_it_is_told_to(reads: str) -> None:
    arguments = {**ARGUMENTS, "class_names": ["a", "b", "faulty"], "reads": reads}
    network = PatchClassifier(arguments).eval()
    assert network(images()).shape == (4, 3)
    width = {"masks": mask_width(network.encoder), "averages": 6 + 16, "latents": 3 * 4}[reads]
    assert network.features(images()).shape == (4, width)


def test_bad_classifiers_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="two classes or more"):
        PatchClassifier({**ARGUMENTS, "class_names": ["a"]})
    with pytest.raises(InvalidInputError, match=r"`reads` must be one of .*'rims'"):
        PatchClassifier({**ARGUMENTS, "class_names": ["a", "b"], "reads": "rims"})


@pytest.mark.parametrize("kind", [PatchAutoencoder, AreaRegressor, DenseRegressor, PatchClassifier])
def test_networks_come_back_as_they_were(kind: type, tmp_path: Path) -> None:
    network = kind({**ARGUMENTS, "class_names": ["a", "b"]}).eval()
    save_patch_network(network, tmp_path / "net", {"images": "plain"})
    again, metadata = load_patch_network(tmp_path / "net")
    assert type(again) is kind
    assert metadata == {"images": "plain"}
    x = images()
    first, second = (net(x) for net in (network, again))
    first, second = (getattr(answer, "iou", answer) for answer in (first, second))
    assert torch.equal(first, second)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]


def test_changed_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net"
    with pytest.raises(MissingFileError, match="no such file"):
        load_patch_network(path)
    save_patch_network(PatchAutoencoder(ARGUMENTS), path, {})
    weights = path.with_suffix(".safetensors")
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InvalidInputError, match="digests differ"):
        load_patch_network(path)
    weights.write_bytes(content)
    recipe = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(recipe | {"metadata": {"x": 1}}))
    with pytest.raises(InvalidInputError, match="edited or damaged"):
        load_patch_network(path)
    path.with_suffix(".json").write_text(json.dumps(recipe | {"kind": "something"}))
    with pytest.raises(InvalidInputError, match="recipe of a network of patches"):
        load_patch_network(path)
