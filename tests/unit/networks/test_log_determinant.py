"""The series against determinants of small matrices, value and gradient."""

from __future__ import annotations

import pytest
import torch

from counterstain.networks.log_determinant import draw_weights, log_determinant, rademacher


def matrix(size: int = 5, norm: float = 0.6) -> torch.Tensor:
    torch.manual_seed(0)
    raw = torch.randn(size, size, dtype=torch.float64)
    return norm * raw / torch.linalg.matrix_norm(raw, 2)


def exact_probe(size: int) -> torch.Tensor:
    """Basis vectors: their products with the Jacobian sum to the trace without noise."""
    return torch.eye(size, dtype=torch.float64)


def test_value_is_the_log_determinant() -> None:
    jacobian = matrix()
    value = log_determinant(lambda t: t @ jacobian.T, exact_probe(5), draw_weights(60, 0.0)).sum()
    expected = torch.linalg.slogdet(torch.eye(5) + jacobian)[1]
    torch.testing.assert_close(value, expected)


def test_gradient_is_that_of_the_log_determinant() -> None:
    jacobian = matrix().requires_grad_()
    fixed = jacobian.detach()
    value = log_determinant(
        lambda t: t @ fixed.T, exact_probe(5), draw_weights(60, 0.0), lambda t: t @ jacobian.T
    ).sum()
    expected = torch.linalg.slogdet(torch.eye(5) + jacobian)[1]
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(
        torch.autograd.grad(value, jacobian)[0], torch.autograd.grad(expected, jacobian)[0]
    )


def test_roulette_has_the_mean_of_the_whole_series() -> None:
    jacobian = matrix()
    torch.manual_seed(1)
    values = torch.stack(
        [
            log_determinant(lambda t: t @ jacobian.T, exact_probe(5), draw_weights(1, 0.5)).sum()
            for _ in range(4000)
        ]
    )
    expected = float(torch.linalg.slogdet(torch.eye(5) + jacobian)[1])
    error = float(values.std() / len(values) ** 0.5)
    assert float(values.mean()) == pytest.approx(expected, abs=4 * error)


def test_random_probes_are_unbiased() -> None:
    jacobian = matrix()
    generator = torch.Generator().manual_seed(0)
    probe = rademacher(torch.zeros(20000, 5, dtype=torch.float64), generator)
    values = log_determinant(lambda t: t @ jacobian.T, probe, draw_weights(40, 0.0))
    expected = float(torch.linalg.slogdet(torch.eye(5) + jacobian)[1])
    assert float(values.mean()) == pytest.approx(expected, abs=4 * float(values.std()) / 141)


def test_weights_of_the_terms() -> None:
    torch.manual_seed(0)
    drawn = [draw_weights(2, 0.5) for _ in range(2000)]
    assert all(weights[:2] == (1.0, 1.0) for weights in drawn)
    third = sum(weights[2] if len(weights) > 2 else 0.0 for weights in drawn) / len(drawn)
    assert third == pytest.approx(1.0, abs=0.1)
