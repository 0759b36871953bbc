"""Occlusion gives captum's map: captum's own published cases, and captum itself beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from captum.attr import Occlusion
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional

from counterstain.attribution.sliding_occlusion import occlusion
from counterstain.errors import InvalidInputError
from counterstain.networks import build_network


class MultiLayer(nn.Module):
    """captum's BasicModel_MultiLayer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(3, 4), nn.Linear(4, 2)
        with torch.no_grad():
            self.linear1.weight.fill_(1.0)
            self.linear1.bias.copy_(torch.tensor([-10.0, 1.0, 1.0, 1.0]))
            self.linear2.weight.fill_(1.0)
            self.linear2.bias.copy_(torch.tensor([-1.0, 1.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.linear1(x).relu())


class OneConvolution(nn.Module):
    """captum's BasicModel_ConvNet_One_Conv."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.fc1 = nn.Conv2d(1, 2, 3, 1), nn.Linear(8, 4)
        with torch.no_grad():
            self.conv1.weight.fill_(1.0)
            self.conv1.bias.copy_(torch.tensor([-50.0, -75.0]))
            self.fc1.weight.copy_(torch.cat([torch.ones(4, 5), -torch.ones(4, 3)], 1))
            self.fc1.bias.zero_()

    def forward(self, x: Tensor, x2: Tensor | None = None) -> Tensor:
        x = x if x2 is None else x + x2
        return self.fc1(self.conv1(x).relu().view(-1, 8)).relu()


def convolutional(seed: int = 0) -> nn.Module:
    """Build a small network of strided, dilated and pooled convolutions."""
    torch.manual_seed(seed)
    layers = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4),
        nn.SiLU(),
        nn.Conv2d(8, 12, 1, stride=2),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 3),
    )
    layers[1].running_mean.uniform_(-0.5, 0.5)
    layers[1].running_var.uniform_(0.5, 2.0)
    return layers.eval()


def other_inputs(images: Tensor, model: Callable[..., Tensor], *others: Tensor) -> Tensor:
    """Call a model of several inputs for copies of one image, the other inputs repeated."""
    return model(images, *(other.expand(len(images), *other.shape[1:]) for other in others))


@pytest.mark.parametrize(
    ("images", "options", "expected"),
    [
        ([[20.0, 50.0, 30.0]], {"window": (1,), "stride": None}, [[80.0, 200.0, 120.0]]),
        (
            [[20.0, 50.0, 30.0]],
            {"window": 2, "stride": 1, "baseline": torch.tensor([10.0, 10.0, 10.0])},
            [[200.0, 220.0, 240.0]],
        ),
        ([[20.0, 50.0, 30.0]], {"window": (2,), "stride": 2}, [[280.0, 280.0, 120.0]]),
        (
            [[2.0, 10.0, 3.0], [20.0, 50.0, 30.0]],
            {"window": 1, "stride": 1},
            [[8.0, 35.0, 12.0], [80.0, 200.0, 120.0]],
        ),
    ],
)
@pytest.mark.parametrize("at_once", [1, 2, 3, None])
def test_captums_tabular_cases(
    images: list[list[float]], options: dict[str, Any], expected: Any, at_once: int | None
) -> None:
    found = occlusion(MultiLayer(), torch.tensor(images), 0, windows_at_once=at_once, **options)
    torch.testing.assert_close(found, torch.tensor(expected))


def test_captums_integer_inputs() -> None:
    def model(one: Tensor, two: Tensor) -> Tensor:
        return functional.relu(functional.relu(one - 1) - functional.relu(two))

    one, two = torch.tensor([[-10], [3]]), torch.tensor([[-5], [1]])
    for row, (expected_one, expected_two) in enumerate([(0.0, 0.0), (1.0, -1.0)]):
        a, b = one[row : row + 1], two[row : row + 1]
        first = occlusion(lambda x, b=b: other_inputs(x, model, b), a, 0, window=1, stride=1)
        second = occlusion(
            lambda x, a=a: other_inputs(a.float(), lambda p, q: model(p.expand_as(q), q), x),
            b,
            0,
            window=1,
            stride=1,
        )
        assert (float(first), float(second)) == (expected_one, expected_two)


@pytest.mark.parametrize(
    ("with_baselines", "expected"),
    [
        (
            False,
            (
                [[492.0, 492.0, 492.0], [400.0, 400.0, 400.0]],
                [[80.0, 200.0, 120.0], [0.0, 400.0, 0.0]],
                [[400.0, 420.0, 440.0], [48.0, 50.0, 52.0]],
            ),
        ),
        (
            True,
            (
                [[444.0, 444.0, 444.0], [328.0, 328.0, 328.0]],
                [[68.0, 188.0, 108.0], [-12.0, 388.0, -12.0]],
                [[368.0, 368.0, 24.0], [0.0, 0.0, -12.0]],
            ),
        ),
    ],
)
def test_captums_three_inputs(with_baselines: bool, expected: Any) -> None:
    inputs = (
        torch.tensor([[23.0, 100.0, 0.0], [20.0, 50.0, 30.0]]),
        torch.tensor([[20.0, 50.0, 30.0], [0.0, 100.0, 0.0]]),
        torch.tensor([[0.0, 100.0, 10.0], [2.0, 10.0, 3.0]]),
    )
    baselines = (
        torch.tensor([[1.0, 4, 7], [3.0, 6, 9]]),
        torch.tensor(3.0),
        torch.tensor([[4.0], [6.0]]),
    )
    steps = (2, 1, 2) if with_baselines else (1, 1, 1)
    network = MultiLayer()
    for place, window in enumerate((3, 1, 2)):
        others = [x for index, x in enumerate(inputs) if index != place]
        for row in range(2):
            rest = others[0][row] + others[1][row]
            level = baselines[place]
            baseline = level[row : row + 1] if level.ndim == 2 else level
            found = occlusion(
                lambda x, rest=rest: network(x + rest),
                inputs[place][row : row + 1],
                0,
                window=(window,),
                stride=(steps[place],),
                baseline=baseline if with_baselines else 0.0,
            )
            torch.testing.assert_close(found[0], torch.tensor(expected[place][row]))


@pytest.mark.parametrize(
    ("window", "stride", "expected"),
    [
        ((1, 4, 4), None, [[67.0] * 4] * 4),
        ((1, 2, 3), (1, 2, 1), [[17.0] * 4] * 2 + [[64.0, 65.5, 65.5, 67.0]] * 2),
        ((1, 2, 4), (1, 2, 1), [[17.0] * 4] * 2 + [[67.0] * 4] * 2),
    ],
)
@pytest.mark.parametrize("at_once", [1, 3, 7, 16])
def test_captums_convolution_cases(
    window: tuple[int, ...], stride: Any, expected: Any, at_once: int
) -> None:
    network = OneConvolution()
    image = torch.arange(16.0).view(1, 1, 4, 4)
    # The last of captum's cases has a second input of one column.
    second = torch.ones(1, 1, 4, 1 if window == (1, 2, 4) else 4)
    found = occlusion(
        lambda x: network(x, second),
        image,
        0,
        window=window,
        stride=stride,
        windows_at_once=at_once,
    )
    torch.testing.assert_close(found[0, 0], torch.tensor(expected))


@pytest.mark.parametrize(
    ("width", "window", "stride", "expected"),
    [
        (4, (1, 4, 4), None, [[13.0] * 4] * 4),
        (4, (1, 1, 2), (1, 1, 2), [[3.0] * 4] * 3 + [[0.0] * 4]),
        (1, (1, 2, 1), (1, 1, 1), [[10.0], [10.0], [8.0], [6.0]]),
    ],
)
def test_captums_second_input(width: int, window: Any, stride: Any, expected: Any) -> None:
    network = OneConvolution()
    image = torch.arange(16.0).view(1, 1, 4, 4)
    found = occlusion(
        lambda x: network(image, x),
        torch.ones(1, 1, 4, width),
        0,
        window=window,
        stride=stride,
    )
    torch.testing.assert_close(found[0, 0], torch.tensor(expected))


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((1, 4, 4), {"window": (1, 2), "stride": (1, 2, 2)}),
        ((1, 4, 4), {"window": (1, 1, 1, 2)}),
        ((1, 4, 4), {"window": (1, 2, 2), "stride": (1, 2)}),
        ((1, 4, 4), {"window": (1, 1, 2), "stride": 2}),
        ((1, 4, 4), {"window": (1, 4, 2), "stride": (1, 2, 3)}),
        ((1, 4, 4), {"window": (2, 1, 2), "stride": 2}),
        ((1, 4, 4), {"window": 5}),
        ((1, 4, 4), {"window": 0}),
        ((1, 4, 4), {"window": 2, "stride": 0}),
    ],
)
def test_windows_that_captum_refuses_are_refused(
    shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    options = {"stride": None, **options}
    with pytest.raises(InvalidInputError, match="must"):
        occlusion(OneConvolution(), torch.zeros(1, *shape), 0, **options)


@pytest.mark.parametrize(
    ("window", "stride"),
    [
        ((3, 8, 8), (3, 8, 8)),  # tiles
        ((3, 9, 6), (3, 4, 5)),  # overlaps and hangs over the edge
        ((2, 7, 7), (1, 7, 7)),  # spans some channels
        ((1, 33, 40), (1, 1, 1)),  # a channel each
    ],
)
@pytest.mark.parametrize("per_image", [False, True])
def test_same_map_as_captum(window: Any, stride: Any, per_image: bool) -> None:
    network = convolutional()
    images = torch.rand(2, 3, 33, 40, generator=torch.Generator().manual_seed(1))
    baseline = images.flip(3) if per_image else 0.25
    expected = Occlusion(network).attribute(
        images, window, strides=stride, baselines=baseline, target=1, perturbations_per_eval=4
    )
    found = occlusion(
        network, images, 1, window=window, stride=stride, baseline=baseline, windows_at_once=5
    )
    assert (found - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))
    assert found.dtype == torch.float32
    assert not found.requires_grad


def test_same_map_as_captum_on_resnext() -> None:
    torch.manual_seed(0)
    network = build_network("resnext50", channels=2, size=64, n_classes=2, class_names=["a", "b"])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.0)
    images = torch.rand(1, 2, 64, 64)
    found = occlusion(network, images, "b", window=16, stride=16, score="log_odds")
    assert network.training

    def log_odds(x: Tensor) -> Tensor:
        return network.class_logits(x) @ torch.tensor([-1.0, 1.0])

    network.eval()
    with torch.no_grad():
        expected = Occlusion(log_odds).attribute(
            images, (2, 16, 16), strides=(2, 16, 16), perturbations_per_eval=8
        )
    assert (found - expected).abs().max() <= 1e-3 * float(expected.max() - expected.min())


def test_channels() -> None:
    network = convolutional()
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    each = occlusion(network, images, 0, window=8, stride=4, channels="each")
    for channel in range(3):
        alone = occlusion(network, images, 0, window=8, stride=4, channels=[channel])
        torch.testing.assert_close(alone[0, channel], each[0, channel])
        assert not alone[0, [other for other in range(3) if other != channel]].any()
    with pytest.raises(InvalidInputError, match="channels"):
        occlusion(network, images, 0, window=8, stride=4, channels=[3])


def test_fast_mode_keeps_the_order_of_places_and_repeats() -> None:
    network = convolutional(3)
    rows = torch.arange(64.0)
    blob = torch.exp(-((rows[:, None] - 20) ** 2 + (rows[None] - 40) ** 2) / 150)
    texture = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(4))
    images = (blob * 0.7 + 0.3 * texture)[None]
    exact = occlusion(network, images, 0, window=8, stride=4)
    fast = occlusion(network, images, 0, window=8, stride=4, mode="fast")
    again = occlusion(network, images, 0, window=8, stride=4, mode="fast")
    assert torch.equal(fast, again)
    assert spearmanr(exact[0, 0].flatten(), fast[0, 0].flatten()).statistic > 0.95


def test_constant_map_and_unknown_class() -> None:
    images = torch.rand(1, 1, 8, 8)
    flat = occlusion(lambda x: x.flatten(1)[:, :2] * 0, images, 0, window=2, stride=1, mode="fast")
    assert not flat.any()
    network = build_network("resnext50", channels=1, size=32, n_classes=2)
    for wrong in ("healthy", 2):
        with pytest.raises(InvalidInputError, match="target_class"):
            occlusion(network, torch.rand(1, 1, 32, 32), wrong)
    with pytest.raises(InvalidInputError, match="mode"):
        occlusion(network, torch.rand(1, 1, 32, 32), 0, mode="rough")
    with pytest.raises(InvalidInputError, match="memory_limit_mb"):
        occlusion(network, torch.rand(1, 1, 32, 32), 0, memory_limit_mb=0)


def test_progress_is_told_image_by_image() -> None:
    told: list[tuple[int, int]] = []
    occlusion(
        lambda x: x.sum((1, 2, 3)),
        torch.rand(3, 1, 4, 4),
        None,
        window=2,
        stride=2,
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
