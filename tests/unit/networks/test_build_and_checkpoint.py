"""Networks are built by name, and come back from disk as they were or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.networks import build_network, load_network, save_network
from counterstain.networks.backbone import BackboneClassifier


def small(**options: object) -> torch.nn.Module:
    return build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1, **options)


def test_unknown_names_and_numbers_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'coupling'"):
        build_network("couplin", channels=1, size=8, n_classes=2)
    with pytest.raises(InvalidInputError, match="`channels` must be 1 to 8; got 9"):
        build_network("coupling", channels=9, size=8, n_classes=2)
    with pytest.raises(InvalidInputError, match="at least 2; got 1"):
        build_network("coupling", channels=1, size=8, n_classes=1)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_resnext_takes_any_number_of_channels(channels: int) -> None:
    network = build_network(
        "resnext50", channels=channels, size=32, n_classes=3, pretrained=False
    ).eval()
    images = torch.rand(2, channels, 32, 32)
    assert network.class_logits(images).shape == (2, 3)
    assert network.profile(images).shape == (2, 2048)
    assert isinstance(network, BackboneClassifier)
    assert network.origin == "from scratch, as asked"


def test_pretrained_weights_out_of_reach_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("counterstain.networks.backbone._hub_answers", lambda: False)
    monkeypatch.setenv("HF_HOME", "nowhere")
    monkeypatch.setattr(
        "counterstain.networks.backbone.timm.create_model", _refuse_pretrained, raising=True
    )
    network = build_network("resnext50", channels=2, size=32, n_classes=2, pretrained=True)
    assert isinstance(network, BackboneClassifier)
    assert network.origin == "from scratch: pretrained weights not reachable (OSError)"


def _refuse_pretrained(name: str, *, pretrained: bool, **options: object) -> torch.nn.Module:
    if pretrained:
        raise OSError("no route to host")
    return torch.nn.Identity()


def test_a_network_comes_back_from_disk(tmp_path: Path) -> None:
    network = small().eval()
    save_network(network, tmp_path / "fold_0", {"classes": ["a", "b"]})
    again, metadata = load_network(tmp_path / "fold_0")
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(again.class_logits(images), network.class_logits(images))
    assert metadata == {"classes": ["a", "b"]}
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".json"}


def test_tampered_files_are_refused(tmp_path: Path) -> None:
    save_network(small(), tmp_path / "net")
    recipe = tmp_path / "net.json"
    content = json.loads(recipe.read_text())

    recipe.write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(InvalidInputError, match="format 2; got 99"):
        load_network(tmp_path / "net")

    wrong = {**content, "arguments": {**content["arguments"], "hidden": 6}}
    recipe.write_text(json.dumps(wrong))
    with pytest.raises(InvalidInputError, match="does not fit its digest"):
        load_network(tmp_path / "net")

    recipe.write_text(json.dumps({**content, "metadata": {"channels": ["GFP", "DNA"]}}))
    with pytest.raises(InvalidInputError, match="does not fit its digest"):
        load_network(tmp_path / "net")

    recipe.write_text(json.dumps(content, indent=8, sort_keys=True))
    load_network(tmp_path / "net")

    recipe.write_text(json.dumps(content))
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    with pytest.raises(InvalidInputError, match="digests differ"):
        load_network(tmp_path / "net")

    weights.unlink()
    with pytest.raises(MissingFileError, match=r"net\.safetensors"):
        load_network(tmp_path / "net")


def test_a_network_is_loaded_for_its_own_channels_only(tmp_path: Path) -> None:
    network = build_network(
        "coupling",
        channels=2,
        size=8,
        n_classes=2,
        hidden=4,
        blocks=1,
        channel_names=["DNA", "GFP"],
    )
    save_network(network, tmp_path / "net")
    load_network(tmp_path / "net", channels=["DNA", "GFP"])
    with pytest.raises(InvalidInputError, match=r"\['DNA', 'GFP'\], in this order"):
        load_network(tmp_path / "net", channels=["GFP", "DNA"])
