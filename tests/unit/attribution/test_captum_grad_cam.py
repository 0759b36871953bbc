"""captum's own cases for Grad-CAM, with captum's values and tolerance.

From captum's tests/attr/layer/test_grad_cam.py (BSD-3-Clause): BasicModel_MultiLayer and
BasicModel_ConvNet_One_Conv.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from counterstain.attribution import grad_cam


class MultiRelu(nn.Module):
    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        return one.relu(), other.relu()


class MultiLayer(nn.Module):
    def __init__(self, *, multi_input_module: bool = False) -> None:
        super().__init__()
        self.multi_input_module = multi_input_module
        self.linear0 = nn.Linear(3, 3)
        self.linear1, self.linear1_alt = nn.Linear(3, 4), nn.Linear(3, 4)
        self.multi_relu, self.relu = MultiRelu(), nn.ReLU()
        self.linear2 = nn.Linear(4, 2)
        with torch.no_grad():
            self.linear0.weight.copy_(torch.eye(3))
            self.linear0.bias.zero_()
            for layer in (self.linear1, self.linear1_alt):
                layer.weight.fill_(1.0)
                layer.bias.copy_(torch.tensor([-10.0, 1.0, 1.0, 1.0]))
            self.linear2.weight.fill_(1.0)
            self.linear2.bias.copy_(torch.tensor([-1.0, 1.0]))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.linear1(self.linear0(x))
        if self.multi_input_module:
            one, other = self.multi_relu(hidden, self.linear1_alt(x))
            self.relu(hidden)
            return self.linear2(one + other)
        return self.linear2(self.relu(hidden))


class OneConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(1, 2, 3), nn.ReLU()
        self.fc1, self.relu2 = nn.Linear(8, 4), nn.ReLU()
        with torch.no_grad():
            self.conv1.weight.fill_(1.0)
            self.conv1.bias.copy_(torch.tensor([-50.0, -75.0]))
            self.fc1.weight.copy_(torch.cat([torch.ones(4, 5), -torch.ones(4, 3)], 1))
            self.fc1.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu2(self.fc1(self.relu1(self.conv1(x)).view(-1, 8)))


def ramp() -> Tensor:
    return torch.arange(16.0).view(1, 1, 4, 4)


def close(found: Tensor, expected: Any) -> None:
    torch.testing.assert_close(found, torch.as_tensor(expected), atol=0.01, rtol=0)


def test_without_convolution() -> None:
    net = MultiLayer()
    found = grad_cam(net, torch.tensor([[0.0, 100.0, 0.0]]), 0, layer=net.linear0, upsample=False)
    close(found, [[400.0]])
    shared = grad_cam(net, torch.tensor([[0.0, 100.0, 0.0]]), 0, layer="linear0")
    close(shared, [[400.0 / 3] * 3])


@pytest.mark.parametrize("index", [0, 1])
def test_a_layer_with_two_tensors(index: int) -> None:
    net = MultiLayer(multi_input_module=True)
    x = torch.tensor([[0.0, 6.0, 0.0]])
    found = grad_cam(net, x, 0, layer=net.multi_relu, output_index=index, upsample=False)
    close(found, [[21.0]])


def test_convolution() -> None:
    net = OneConv()
    close(
        grad_cam(net, ramp(), 0, layer=net.conv1, upsample=False),
        [[[[11.25, 13.5], [20.25, 22.5]]]],
    )


def test_convolution_without_gradients_of_weights() -> None:
    net = OneConv().requires_grad_(False)
    found = grad_cam(net, ramp(), 0, layer="conv1", upsample=False)
    close(found, [[[[11.25, 13.5], [20.25, 22.5]]]])
    assert not any(weight.requires_grad for weight in net.parameters())


def test_channels_of_the_layer_before_they_are_summed() -> None:
    """captum's attr_dim_summation=False: its two maps, whose sum is the map here."""
    split = torch.tensor([[[-3.75, 3.0], [23.25, 30.0]], [[15.0, 10.5], [-3.0, -7.5]]])
    net = OneConv()
    close(grad_cam(net, ramp(), 0, layer=net.conv1, upsample=False)[0, 0], split.sum(0))


def test_rectified_layer() -> None:
    net = OneConv()
    found = grad_cam(net, ramp(), 0, layer=net.relu1, upsample=False)
    close(found, [[[[0.0, 4.0], [28.0, 32.5]]]])


@pytest.mark.parametrize("relu", [False, True])
def test_what_goes_into_a_layer(relu: bool) -> None:
    net, x = OneConv(), ramp()
    x[0, 0, 1, 1] = -4.0
    expected = 0.5625 * x
    found = grad_cam(net, x, 0, layer=net.conv1, layer_input=True, relu=relu, upsample=False)
    close(found, expected.clamp_min(0) if relu else expected)
    close(grad_cam(net, x, 0, layer=net.conv1, layer_input=True), 0.5625 * x)


def test_two_inputs() -> None:
    net = OneConv()
    model: Callable[[Tensor], Tensor] = lambda x: net(x[:, :1] + x[:, 1:])  # noqa: E731
    x = torch.cat([ramp(), torch.ones(1, 1, 4, 4)], 1)
    found = grad_cam(model, x, 0, layer=net.conv1, upsample=False)
    close(found, [[[[14.5, 19.0], [32.5, 37.0]]]])


def test_a_layer_that_the_score_does_not_pass_through() -> None:
    net = MultiLayer(multi_input_module=True)
    found = grad_cam(net, torch.tensor([[0.0, 6.0, 0.0]]), 0, layer=net.relu, upsample=False)
    assert len(found) == 1
    assert float(found.abs().sum()) == 0
