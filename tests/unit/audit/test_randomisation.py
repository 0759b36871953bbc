"""Methods that see the network pass; edge detectors, constants and the image itself fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from counterstain.attribution import grad_cam, integrated_gradients, saliency
from counterstain.audit.randomisation import label_randomisation_check, randomisation_check
from counterstain.audit.randomised_network import network_stages, randomised_copy
from counterstain.audit.reference_maps import edge_maps
from counterstain.audit.similarity import map_similarity
from counterstain.errors import InvalidInputError
from counterstain.networks import build_network
from counterstain.networks.base import Classifier

KINDS = {
    "coupling": {"hidden": 8, "blocks": 2},
    "iresnet50": {"hidden": 4},
    "autoencoder": {"hidden": 8, "latents": 6},
    "resnext50": {"pretrained": False},
}


def network(kind: str = "coupling", size: int = 16) -> Classifier:
    torch.manual_seed(0)
    built = build_network(kind, channels=2, size=size, n_classes=2, **KINDS[kind])
    with torch.no_grad():
        built.train().class_logits(cells(8, size))
        for weight in built.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return built.eval()


def cells(count: int = 8, size: int = 16) -> Tensor:
    """Two soft disks an image, of random place and width."""
    generator = torch.Generator().manual_seed(1)
    line = torch.arange(size) / size - 0.5
    place = torch.rand(count, 2, 2, 1, 1, generator=generator) * 0.4 - 0.2
    width = 0.08 + 0.1 * torch.rand(count, 2, 1, 1, generator=generator)
    far = (line[:, None] - place[:, :, 0]) ** 2 + (line[None, :] - place[:, :, 1]) ** 2
    noise = 0.02 * torch.rand(count, 2, size, size, generator=generator)
    return torch.exp(-far / (2 * width**2)) + noise


def test_methods_that_see_the_network_pass_and_others_fail() -> None:
    net, images = network(), cells()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = randomisation_check(
        net,
        images,
        0,
        {
            "saliency": lambda m, x, t: saliency(m, x, t, score="log_odds"),
            "integrated": lambda m, x, t: integrated_gradients(m, x, t, steps=4, score="log_odds"),
            "edges": lambda m, x, t: edge_maps(x),
            "upside down": lambda m, x, t: -edge_maps(x),
            "constant": lambda m, x, t: torch.full_like(x, 0.3),
            "zero": lambda m, x, t: torch.zeros_like(x),
        },
        seed=0,
    )
    assert found["saliency"].status == "pass"
    assert found["saliency"].cascading < 0.5
    assert found["integrated"].cascading < 0.9
    for name in ("edges", "upside down", "constant", "zero"):
        assert (found[name].status, found[name].cascading) == ("fail", 1.0)
        assert found[name].independent == 1.0
    assert "constant" in found["zero"].reason
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_map_that_only_scales_with_the_network_fails() -> None:
    def loudness(model: Classifier, x: Tensor, target: int) -> Tensor:
        return x * model.class_logits(x)[:, target, None, None, None]

    result = randomisation_check(network(), cells(), 0, {"image": loudness}, seed=0)["image"]
    assert result.status == "fail"
    assert result.cascading == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("kind", list(KINDS))
def test_stages_of_every_network(kind: str) -> None:
    size = 32 if kind in ("resnext50", "autoencoder") else 16
    net, images = network(kind, size), cells(8, size)
    stages = network_stages(net, images, 0)
    assert list(stages) == ["head", "last third", "middle third", "first third"]
    named = [name for stage in stages.values() for name in stage]
    assert len(named) == len(set(named))
    assert not any("decoder" in name for name in named)
    head = {"coupling": "class_means", "iresnet50": "class_means", "autoencoder": "linear.weight"}
    assert head.get(kind, "model.fc.weight") in stages["head"]
    other = randomised_copy(net, named, images, seed=0)
    with torch.no_grad():
        scores = other.class_logits(images)  # type: ignore[operator]
    assert bool(torch.isfinite(scores).all())
    assert not torch.allclose(scores, net.class_logits(images), atol=1e-4)
    if kind == "resnext50":
        return  # nothing below is particular to it, and 25 million weights take their time
    result = randomisation_check(
        net, images[:4], 0, {"cam": grad_cam}, seed=0, mode="cascading", draws=1
    )["cam"]
    assert np.isfinite(result.cascading)
    assert np.isnan(result.independent)
    assert len(result.stages) == 4


def test_only_independent_gives_a_verdict_too() -> None:
    methods = {"saliency": saliency, "edges": lambda m, x, t: edge_maps(x)}
    found = randomisation_check(network(), cells(), 0, methods, seed=0, mode="independent")
    assert {name: result.status for name, result in found.items()} == {
        "saliency": "pass",
        "edges": "fail",
    }
    assert np.isnan(found["edges"].cascading)


def test_a_method_that_raises_or_gives_nan_is_unknown() -> None:
    found = randomisation_check(
        network(),
        cells(),
        0,
        {
            "nan": lambda m, x, t: x * torch.nan,
            "raises": lambda m, x, t: integrated_gradients(m, x, t, baseline=torch.zeros(3)),
        },
        seed=0,
    )
    assert found["nan"].status == found["raises"].status == "unknown"
    assert found["nan"].reason == "its map holds NaN or infinity"
    assert "`baseline` must be" in found["raises"].reason


def test_bad_input_is_refused() -> None:
    net, images = network(), cells()
    with pytest.raises(InvalidInputError, match="at least 4; got 2"):
        randomisation_check(net, images[:2], 0, {"saliency": saliency}, seed=0)
    with pytest.raises(InvalidInputError, match="from 0 to 1; got 5"):
        randomisation_check(net, images, 5, {"saliency": saliency}, seed=0)
    with pytest.raises(InvalidInputError, match="`draws` at least 1"):
        randomisation_check(net, images, 0, {"saliency": saliency}, seed=0, draws=0)
    with pytest.raises(InvalidInputError, match="nothing to randomise"):
        randomisation_check(nn.Flatten(), images, 0, {"saliency": saliency}, seed=0)


def test_labels_at_random() -> None:
    maps = np.random.default_rng(0).normal(size=(8, 1, 8, 8))
    other = np.random.default_rng(1).normal(size=(8, 1, 8, 8))
    assert label_randomisation_check(maps, other).status == "pass"
    assert label_randomisation_check(maps, maps * 3 + 1).status == "fail"
    assert label_randomisation_check(np.ones_like(maps), other).status == "fail"
    assert label_randomisation_check(maps * np.nan, other).status == "unknown"


def test_similarity_sees_through_grain() -> None:
    """The same picture under independent pixel noise is the same; other pictures are not."""
    rng = np.random.default_rng(0)
    picture = np.asarray(cells(8, 32))
    noisy = [picture + rng.normal(scale=0.1, size=picture.shape) for _ in range(2)]
    assert map_similarity(*noisy).mean() > 0.7
    assert map_similarity(noisy[0], np.roll(noisy[1], 1, axis=0)).mean() < 0.6
    with pytest.raises(InvalidInputError, match="one shape"):
        map_similarity(picture, picture[:1])
