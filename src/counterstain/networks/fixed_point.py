"""The inverse of ``x + g(x)`` for a contraction g, with a bound on its error.

The plain iteration ``x <- y - g(x)`` gains a factor Lip(g) a step (Behrmann et al. 2019,
doi:10.48550/arXiv.1811.00995). Anderson acceleration combines the last few steps so that their
residuals cancel; for linear maps it is GMRES (Walker and Ni 2011, doi:10.1137/10078356X). Whatever
path led there, Banach's theorem bounds the distance to the solution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Solution", "invert_residual"]

_HISTORY = 5
_RIDGE = 1e-10
# A step that makes the residual larger than this many times the smallest so far starts afresh.
_WORSE = 2.0
# Evaluations without a smaller residual after which rounding is all that is left.
_STALLED = 4


class Solution(NamedTuple):
    """Solutions of ``x + g(x) = y`` and how far each can be from the exact one.

    Parameters
    ----------
    x : Tensor
        ``(N, ...)``.
    bound : Tensor
        ``(N,)`` Euclidean distance to the exact solution,
        ``c / (1 - c) * norm(x_k - x_(k-1))``; infinite where the residual is not finite.
    evaluations : int
        Calls of g.
    """

    x: Tensor
    bound: Tensor
    evaluations: int


class _Memory:
    """The last steps and residuals of the samples that still move."""

    def __init__(self) -> None:
        self.points: list[Tensor] = []
        self.residuals: list[Tensor] = []

    def add(self, point: Tensor, residual: Tensor) -> None:
        self.points = [*self.points[-_HISTORY:], point]
        self.residuals = [*self.residuals[-_HISTORY:], residual]

    def keep(self, chosen: Tensor) -> None:
        self.points = [point[chosen] for point in self.points]
        self.residuals = [residual[chosen] for residual in self.residuals]

    def next_point(self) -> Tensor:
        """Plain step, less the combination of earlier steps that best cancels the residual."""
        point, residual = self.points[-1], self.residuals[-1]
        plain = point + residual
        if len(self.points) < 2:
            return plain
        d_residual = torch.stack([residual - r for r in self.residuals[:-1]], 1)
        d_point = torch.stack([point - p for p in self.points[:-1]], 1)
        gram = d_residual @ d_residual.transpose(1, 2)
        ridge = _RIDGE * gram.diagonal(dim1=1, dim2=2).sum(1) + torch.finfo(gram.dtype).tiny
        gram = gram + ridge[:, None, None] * torch.eye(gram.shape[1]).to(gram)
        right = d_residual @ residual[:, :, None]
        mixture, failed = torch.linalg.solve_ex(gram, right)
        usable = (failed == 0) & torch.isfinite(mixture).flatten(1).all(1)
        mixture = torch.where(usable[:, None, None], mixture, torch.zeros_like(mixture))
        return plain - (mixture * (d_point + d_residual)).sum(1)


@torch.no_grad()
def invert_residual(
    g: Callable[[Tensor], Tensor],
    y: Tensor,
    lipschitz: float,
    *,
    tolerance: float,
    start: Tensor | None = None,
    max_evaluations: int = 200,
) -> Solution:
    """Solve ``x + g(x) = y``, each sample until it is solved.

    Parameters
    ----------
    g : callable
        Maps ``(N, ...)`` to the same shape, every sample by itself.
    y : Tensor
        ``(N, ...)``.
    lipschitz : float
        Upper bound c of the Lipschitz constant of g, below 1.
    tolerance : float
        Residual, relative to the norm of y, at which a sample is solved.
    start : Tensor, optional
        First guess; y itself where not given.
    max_evaluations : int
        Calls of g after which what is left unsolved is returned with its bound.

    Examples
    --------
    >>> y = torch.tensor([[0.3, -1.0]], dtype=torch.float64)
    >>> solution = invert_residual(lambda x: 0.5 * torch.sin(x), y, 0.5, tolerance=1e-12)
    >>> back = solution.x + 0.5 * torch.sin(solution.x)
    >>> bool((back - y).abs().max() < 1e-11)
    True
    """
    shape, target = y.shape, y.flatten(1)
    final = target.clone() if start is None else start.to(y.dtype).flatten(1).clone()
    smallest = torch.full((len(target),), math.inf, dtype=y.dtype, device=y.device)
    active = torch.arange(len(target), device=y.device)
    # What follows is of the active samples only.
    limit = tolerance * target.norm(dim=1).clamp_min(torch.finfo(y.dtype).tiny)
    best, stalled, point = smallest.clone(), torch.zeros_like(active), final.clone()
    answer = point
    memory, evaluations = _Memory(), 0
    while len(active) and evaluations < max_evaluations:
        residual = target - point - g(point.reshape(-1, *shape[1:])).flatten(1)
        evaluations += 1
        norm = residual.norm(dim=1)
        # The plain step from here is what the bound speaks of; it is the answer if this is the end.
        better = ~(norm >= best)
        answer = torch.where(better[:, None], point + residual, answer)
        best = torch.where(better, norm, best)
        stalled = torch.where(better, 0, stalled + 1)
        moving = torch.isfinite(norm) & (norm > limit) & (stalled < _STALLED)
        if bool((norm > _WORSE * best).any()):
            memory = _Memory()
        memory.add(point, residual)
        if not bool(moving.all()):
            final[active], smallest[active] = answer, best
            memory.keep(moving)
            state = (active, target, limit, best, stalled, answer)
            active, target, limit, best, stalled, answer = (part[moving] for part in state)
        if len(active):
            point = memory.next_point()
    final[active], smallest[active] = answer, best
    bound = _distance(smallest, lipschitz)
    return Solution(final.reshape(shape), bound, evaluations)


def _distance(residual_norm: Tensor, lipschitz: float) -> Tensor:
    if not lipschitz < 1:
        return torch.full_like(residual_norm, math.inf)
    return torch.nan_to_num(
        lipschitz / (1 - lipschitz) * residual_norm, nan=math.inf, posinf=math.inf
    )
