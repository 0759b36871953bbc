"""Spectral norms are those of the padded convolution, not of its kernel."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from counterstain.errors import NotInvertibleError
from counterstain.networks.spectral import NormedConvolution, convolution_norm


def exact_norm(weight: Tensor, side: int) -> float:
    """Largest singular value of the dense matrix of the zero-padded convolution."""
    inputs = weight.shape[1]
    basis = torch.eye(inputs * side * side, dtype=torch.float64).reshape(-1, inputs, side, side)
    images = functional.conv2d(basis, weight.double(), padding=weight.shape[-1] // 2)
    return float(torch.linalg.svdvals(images.detach().flatten(1))[0])


@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "side"),
    [(1, 1, 3, 8), (3, 5, 3, 6), (8, 4, 1, 5), (6, 6, 3, 4), (2, 7, 3, 1), (1, 2, 5, 7)],
)
@pytest.mark.parametrize("scale", [1.0, 8.0, 1e-12, 1e12])
def test_norm_is_that_of_the_dense_operator(
    inputs: int, outputs: int, kernel: int, side: int, scale: float
) -> None:
    torch.manual_seed(inputs + outputs)
    weight = scale * torch.randn(outputs, inputs, kernel, kernel)
    exact = exact_norm(weight, side)
    got = convolution_norm(weight, side)
    assert exact * 0.999 <= got <= exact * 1.0001


def test_norm_of_clustered_singular_values() -> None:
    # A low-pass kernel on a large map: the largest singular values differ by less than 1 %.
    weight = torch.ones(1, 1, 3, 3)
    assert convolution_norm(weight, 24) == pytest.approx(exact_norm(weight, 24), rel=2e-3)


def test_a_start_orthogonal_to_the_answer_does_not_blind_it() -> None:
    weight = torch.diag(torch.tensor([1.0, 5.0]))[:, :, None, None]
    start = torch.zeros(1, 2, 4, 4)
    start[:, 0] = 1
    assert convolution_norm(weight, 4, start) == pytest.approx(5.0)


def test_weights_that_are_zero_or_not_finite() -> None:
    assert convolution_norm(torch.zeros(2, 2, 3, 3), 4) == 0
    assert convolution_norm(torch.full((1, 1, 1, 1), math.nan), 4) == math.inf
    layer = NormedConvolution(2, 2, 3, 4, 0.9).eval()
    with torch.no_grad():
        layer.weight[0, 0, 0, 0] = math.inf
    with pytest.raises(NotInvertibleError, match="finite"):
        layer.norm()


@pytest.mark.parametrize("scale", [0.01, 1.0, 8.0])
def test_normed_weights_stay_within_the_limit(scale: float) -> None:
    torch.manual_seed(0)
    layer = NormedConvolution(3, 4, 3, 6, 0.7)
    with torch.no_grad():
        layer.weight.mul_(3)
    layer.eval()
    layer.norm()
    # Also where a change leaves no trace in the version counter of the parameter.
    layer.weight.data.mul_(scale)
    norm = exact_norm(layer.normed_weight(torch.float32), 6)
    assert norm <= layer.lipschitz() <= 0.7
    if scale == 0.01:
        assert layer.lipschitz() <= norm * 1.02


def test_warm_iteration_in_training_arrives_at_the_norm() -> None:
    torch.manual_seed(0)
    layer = NormedConvolution(4, 4, 3, 6, 0.5)
    with torch.no_grad():
        layer.weight.mul_(10)
    for _ in range(100):
        weight = layer.normed_weight(torch.float32)
    assert exact_norm(weight, 6) == pytest.approx(0.5, rel=1e-2)
    weight.sum().backward()
    assert layer.weight.grad is not None


def test_evaluation_changes_no_buffer() -> None:
    torch.manual_seed(0)
    layer = NormedConvolution(2, 2, 3, 4, 0.5).eval()
    before = layer.direction.clone()
    layer.norm()
    assert torch.equal(before, layer.direction)
