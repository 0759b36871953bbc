"""The log-determinant of ``x + g(x)`` from products with the Jacobian of g.

``log det(I + J)`` is the sum over k from 1 on of ``(-1)**(k + 1) / k * trace(J**k)``,
with the traces estimated from random probes (Hutchinson 1990, doi:10.1080/03610919008812866), as
in Behrmann et al. 2019, doi:10.48550/arXiv.1811.00995, and made unbiased by a random number of
terms in Chen et al. 2019, doi:10.48550/arXiv.1906.02735.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["draw_weights", "log_determinant", "rademacher"]

Product = Callable[[Tensor], Tensor]


def rademacher(like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return a probe of random signs, of the shape, dtype and device of another tensor.

    Examples
    --------
    >>> sorted(set(rademacher(torch.zeros(100)).tolist()))
    [-1.0, 1.0]
    """
    if generator is None:
        signs = torch.randint(0, 2, like.shape, device=like.device)
    else:
        signs = torch.randint(0, 2, like.shape, generator=generator).to(like.device)
    return torch.empty_like(like).copy_(signs.mul_(2).sub_(1))


def draw_weights(exact: int, continuation: float) -> tuple[float, ...]:
    """Draw how many terms of the series to take, and the weight of each.

    Russian roulette: after the exact terms the series goes on with a probability each time, and a
    term that had the chance p to be reached weighs 1/p, which leaves the mean what it was.

    Parameters
    ----------
    exact : int
        Terms that are always taken.
    continuation : float
        Chance to go on by one more term, 0 (a truncated series) to below 1.

    Examples
    --------
    >>> draw_weights(3, 0.0)
    (1.0, 1.0, 1.0)
    """
    weights = [1.0] * exact
    reached = 1.0
    while continuation > 0 and float(torch.rand(())) < continuation:
        reached *= continuation
        weights.append(1 / reached)
    return tuple(weights)


def log_determinant(
    product: Product, probe: Tensor, weights: Sequence[float], with_graph: Product | None = None
) -> Tensor:
    """Estimate the log-determinant of ``I + J`` for every sample.

    Parameters
    ----------
    product : callable
        Maps tangents ``(N, ...)`` to ``J @ tangents``; used without a graph.
    probe : Tensor
        ``(N, ...)`` random signs.
    weights : sequence of float
        Weight of each term, see :func:`draw_weights`.
    with_graph : callable, optional
        The same product, through which gradients reach the parameters and the input. Where it is
        given, the gradient of the answer is that of the log-determinant from *one* such product,

        ``grad log det(I + J) = v . grad J . sum_k (-1)**k J**k v``, k from 0 on,
        so that memory does not grow with the number of terms (Chen et al. 2019, section 3.2).

    Returns
    -------
    Tensor
        ``(N,)`` nats.

    Examples
    --------
    >>> halve = lambda tangent: 0.5 * tangent
    >>> value = log_determinant(halve, torch.ones(1, 4), draw_weights(60, 0.0))
    >>> bool(torch.isclose(value, 4 * torch.log(torch.tensor(1.5))))
    True
    """
    with torch.no_grad():
        tangent, solved = probe, probe.clone()
        value = probe.new_zeros(len(probe))
        for power, weight in enumerate(weights, start=1):
            tangent = product(tangent).to(probe.dtype)
            sign = -1.0 if power % 2 else 1.0
            value -= sign * weight / power * (probe * tangent).flatten(1).sum(1)
            solved = solved.add_(tangent, alpha=sign * weight)
    if with_graph is None:
        return value
    surrogate = (probe * with_graph(solved)).flatten(1).sum(1)
    return value + surrogate - surrogate.detach()
