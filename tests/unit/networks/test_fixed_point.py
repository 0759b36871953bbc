"""The inverse of x + g(x): solved, bounded, and sooner than by plain iteration."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from counterstain.networks.fixed_point import invert_residual

CONTRACTION = 0.8


def contraction(seed: int, size: int = 30) -> Tensor:
    torch.manual_seed(seed)
    raw = torch.randn(size, size, dtype=torch.float64)
    return CONTRACTION * raw / torch.linalg.matrix_norm(raw, 2)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-8, 1e-15])
def test_bound_covers_the_true_error(seed: int, tolerance: float) -> None:
    weight = contraction(seed)
    x = 3 * torch.randn(20, 30, dtype=torch.float64)
    y = x + torch.sin(x) @ weight.T
    solution = invert_residual(
        lambda v: torch.sin(v) @ weight.T, y, CONTRACTION, tolerance=tolerance
    )
    error = (solution.x - x).norm(dim=1)
    assert (error <= solution.bound + 1e-13).all()
    assert (solution.bound <= 4 * tolerance * y.norm(dim=1) + 1e-12).all()


def test_acceleration_saves_evaluations() -> None:
    weight = contraction(0)
    weight = weight @ weight.T / CONTRACTION
    y = torch.randn(8, 30, dtype=torch.float64)
    solution = invert_residual(lambda v: v @ weight.T, y, CONTRACTION, tolerance=1e-10)
    x, plain = y, 0
    while ((y - x - x @ weight.T).norm(dim=1) > 1e-10 * y.norm(dim=1)).any():
        x, plain = y - x @ weight.T, plain + 1
    assert solution.evaluations < 0.7 * plain


def test_samples_do_not_depend_on_their_neighbours() -> None:
    weight = contraction(0)
    torch.manual_seed(0)
    y = torch.randn(6, 30, dtype=torch.float64) * torch.logspace(-3, 3, 6)[:, None]

    def g(v: Tensor) -> Tensor:
        return torch.sin(v) @ weight.T

    together = invert_residual(g, y, CONTRACTION, tolerance=1e-12)
    for index in range(6):
        alone = invert_residual(g, y[index : index + 1], CONTRACTION, tolerance=1e-12)
        torch.testing.assert_close(alone.x[0], together.x[index], atol=1e-9, rtol=1e-9)


def test_solved_samples_are_not_evaluated_again() -> None:
    counts: list[int] = []

    def g(v: Tensor) -> Tensor:
        counts.append(len(v))
        return 0.5 * torch.sin(v)

    y = torch.tensor([[0.0, 0.0], [2.0, -3.0]], dtype=torch.float64)
    invert_residual(g, y, 0.5, tolerance=1e-12)
    assert counts[0] == 2
    assert set(counts[1:]) == {1}


def test_no_contraction_no_bound() -> None:
    y = torch.ones(2, 3, dtype=torch.float64)
    solution = invert_residual(lambda v: 3 * v.square(), y, 1.0, tolerance=1e-9, max_evaluations=20)
    assert (solution.bound == math.inf).all()
    overflow = invert_residual(
        lambda v: v * 1e300 * 1e300, y, 0.5, tolerance=1e-9, max_evaluations=20
    )
    assert (overflow.bound == math.inf).all()


def test_a_good_start_is_used() -> None:
    y = torch.tensor([[0.3, -1.0]], dtype=torch.float64)

    def g(v: Tensor) -> Tensor:
        return 0.5 * torch.sin(v)

    first = invert_residual(g, y, 0.5, tolerance=1e-12)
    again = invert_residual(g, y, 0.5, tolerance=1e-12, start=first.x)
    assert again.evaluations <= 2
    empty = invert_residual(g, y[:0], 0.5, tolerance=1e-12)
    assert empty.x.shape == (0, 2)
