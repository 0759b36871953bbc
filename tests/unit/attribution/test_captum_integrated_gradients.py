"""captum's own cases for integrated gradients, with captum's tolerances.

From captum's tests/attr/test_integrated_gradients_basic.py (BSD-3-Clause): BasicModel to
BasicModel6 and BasicModel_MultiLayer. Several inputs become columns of one, and further arguments
are closed over. Its "smoothgrad" cases with vanishing noise are those of SmoothGrad here.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from counterstain.attribution import integrated_gradients, smooth_grad
from counterstain.attribution.integrated import Quadrature

METHODS: list[Quadrature] = [
    "riemann_right",
    "riemann_left",
    "riemann_middle",
    "riemann_trapezoid",
    "gausslegendre",
]


def relu(values: Tensor) -> Tensor:
    return functional.relu(values)


def basic_2(x: Tensor) -> Tensor:
    return relu(relu(x[:, 0]) - 1 - relu(x[:, 1]))


def basic_3(x: Tensor) -> Tensor:
    return relu(relu(x[:, 0] - 1) - relu(x[:, 1]))


def basic_4(divisor: Tensor, column: int) -> Callable[[Tensor], Tensor]:
    def model(x: Tensor) -> Tensor:
        first, second = x[:, :3], x[:, 3:]
        return relu(relu(first - 1) - relu(second) / divisor)[:, column]

    return model


def basic_5(factors: list[int], column: int) -> Callable[[Tensor], Tensor]:
    def model(x: Tensor) -> Tensor:
        first, second = relu(x[:, :3] - 1) * factors[0], relu(x[:, 3:]) * factors[1]
        return relu(first - second)[:, column]

    return model


def basic_6(x: Tensor) -> Tensor:
    return 1 - relu(1 - (x[:, :3] + x[:, 3:]))[:, 1]


class MultiLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear0, self.linear1, self.linear2 = nn.Linear(3, 3), nn.Linear(3, 4), nn.Linear(4, 2)
        with torch.no_grad():
            self.linear0.weight.copy_(torch.eye(3))
            self.linear0.bias.zero_()
            self.linear1.weight.fill_(1.0)
            self.linear1.bias.copy_(torch.tensor([-10.0, 1.0, 1.0, 1.0]))
            self.linear2.weight.fill_(1.0)
            self.linear2.bias.copy_(torch.tensor([-1.0, 1.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(relu(self.linear1(self.linear0(x))))


def delta(
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    baseline: Tensor | float,
    method: Quadrature,
    target: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Maps, and captum's convergence delta of each input."""
    maps = integrated_gradients(model, x, target, baseline=baseline, steps=500, method=method)
    assert maps.shape == x.shape
    start = torch.as_tensor(baseline).expand(x.shape)

    def score(values: Tensor) -> Tensor:
        return model(values) if target is None else model(values)[:, target]

    with torch.no_grad():
        gain = score(x) - score(start)
    return maps, maps.reshape(len(x), -1).sum(1) - gain


@pytest.mark.parametrize("model", [basic_2, basic_3])
@pytest.mark.parametrize("method", METHODS)
def test_multi_variable(model: Callable[[Tensor], Tensor], method: Quadrature) -> None:
    maps, gap = delta(model, torch.tensor([[3.0, 1.0]]), 0.0, method)
    torch.testing.assert_close(maps, torch.tensor([[1.5, -0.5]]), atol=0.05, rtol=0)
    assert gap.abs().max() <= 0.07


def test_multi_variable_is_invariant_to_the_implementation() -> None:
    x = torch.tensor([[3.0, 1.0]])
    one = integrated_gradients(basic_2, x, None, steps=500, method="riemann_right")
    other = integrated_gradients(basic_3, x, None, steps=500, method="riemann_right")
    torch.testing.assert_close(one.sum(), other.sum(), atol=1e-6, rtol=0)


def test_multi_variable_without_multiplying_by_inputs() -> None:
    maps = integrated_gradients(
        basic_2,
        torch.tensor([[3.0, 1.0]]),
        None,
        steps=500,
        method="riemann_right",
        multiply_by_inputs=False,
    )
    torch.testing.assert_close(maps, torch.tensor([[0.5, -0.5]]), atol=0.05, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("value", "baseline"), [(1.0, 0.0), (0.0, 0.0), (-1.0, 0.00001)])
def test_one_variable(method: Quadrature, value: float, baseline: float) -> None:
    _, gap = delta(lambda x: 1 - relu(1 - x), torch.tensor([value]), baseline, method)
    assert gap.abs().max() <= 0.07


TWO = torch.tensor([[1.5, 2.0, 34.3, 3.0, 3.5, 23.2], [3.4, 1.2, 2.0, 2.3, 1.2, 0.3]])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("model", "x", "baseline"),
    [
        (basic_4(torch.arange(1.0, 4.0).reshape(1, 3), 0), TWO[:1], 0.0),
        (basic_5([2, 3], 1), TWO, torch.tensor([0.0] * 3 + [0.00001] * 3)),
        (basic_6, torch.tensor([[1.5, 2.0, 3.3, 3.0, 3.5, 2.2]]), 0.0),
    ],
)
def test_further_arguments_and_tensors(
    method: Quadrature,
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    baseline: Tensor | float,
) -> None:
    _, gap = delta(model, x, baseline, method)
    assert gap.abs().max() <= 0.07


def test_an_argument_each_example() -> None:
    divisors = torch.arange(1.0, 7.0).reshape(2, 3)
    for index in range(2):
        model = basic_4(divisors[index : index + 1], 1)
        _, gap = delta(model, TWO[index : index + 1], torch.zeros(1, 6), "gausslegendre")
        assert gap.abs().max() <= 0.07


BATCH = torch.tensor([[1.5, 2.0, 1.3], [0.5, 0.1, 2.3], [1.5, 2.0, 1.3]])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("minibatch_size", [None, 10, 20])
def test_a_batch_is_the_same_as_one_by_one(method: Quadrature, minibatch_size: int | None) -> None:
    model = MultiLayer()
    _, gap = delta(model, BATCH, 0.0, method, target=0)
    assert gap.abs().max() <= 0.07
    whole = integrated_gradients(
        model, BATCH, 0, steps=100, method=method, minibatch_size=minibatch_size
    )
    single = [integrated_gradients(model, x[None], 0, steps=100, method=method) for x in BATCH]
    torch.testing.assert_close(whole, torch.cat(single), atol=0.05, rtol=0)


@pytest.mark.parametrize("samples_at_once", [1, 6, 100])
def test_noise_that_vanishes_leaves_the_gradient(samples_at_once: int) -> None:
    maps = smooth_grad(
        MultiLayer(), BATCH, 0, seed=0, samples=5, noise=2e-8, minibatch_size=samples_at_once
    )
    torch.testing.assert_close(maps, torch.full((3, 3), 3.0), atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_two_inputs_of_a_batch(method: Quadrature) -> None:
    first = torch.tensor([[1.5, 2.1, 1.9], [0.5, 0.0, 0.7], [1.5, 2.1, 1.1]])
    second = torch.tensor([[0.3, 1.9, 2.4], [0.5, 0.6, 2.1], [1.2, 2.1, 0.2]])
    model = MultiLayer()
    _, gap = delta(
        lambda x: model(x[:, :3] + x[:, 3:]), torch.cat([first, second], 1), 0.0, method, target=0
    )
    assert gap.abs().max() <= 0.07
