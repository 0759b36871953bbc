"""The whole way across a decision boundary, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from counterstain.counterfactual.edits import Editor, contrast_of
from counterstain.counterfactual.odds import Direction
from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier
from counterstain.networks.views import choose_views

__all__ = ["BoundaryPath", "boundary_path"]


@dataclass(frozen=True, slots=True)
class BoundaryPath:
    """Images at given log-odds, from one side of the boundary to the other.

    Parameters
    ----------
    images : Tensor
        ``(S, N, C, H, W)`` computed images, a step along the first axis.
    log_odds : Tensor
        ``(S, N)`` log-odds of the target class of each computed image.
    error_bound : Tensor
        ``(S, N)`` largest absolute error of a pixel.
    credible : Tensor
        ``(S, N)`` bool: whether the image is still like the training data.
    """

    images: Tensor
    log_odds: Tensor
    error_bound: Tensor
    credible: Tensor


@torch.no_grad()
def boundary_path(
    network: Classifier,
    images: Tensor,
    target_class: int | str,
    *,
    source_class: int | str | None = None,
    log_odds: Sequence[float],
    direction: Direction = "typical",
    views: int = 1,
) -> BoundaryPath:
    """Carry images through a series of log-odds across the boundary.

    Parameters
    ----------
    network : Classifier
        A trained network that runs both ways.
    images : Tensor
        ``(N, C, H, W)`` float, scaled as in training.
    target_class, source_class : int or str
        As for :func:`~counterstain.counterfactual.counterfactual`.
    log_odds : sequence of float
        Log-odds of the target class to stop at; 0 is the boundary.
    direction : {'pattern', 'normal', 'typical'}
        See :meth:`counterstain.counterfactual.odds.Contrast.step`.
    views : int
        Views to average over, 1 to 8.

    Returns
    -------
    BoundaryPath
        Nothing is cut short here: pictures beyond the data are marked, not left out.

    Raises
    ------
    InvalidInputError
        As for ``counterfactual``, or if `log_odds` is empty.

    Examples
    --------
    >>> from counterstain.networks import build_network
    >>> _ = torch.manual_seed(0)
    >>> network = build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1)
    >>> path = boundary_path(
    ...     network.eval(), torch.rand(2, 1, 8, 8), 1, source_class=0, log_odds=[-1, 0, 1],
    ...     direction="normal",
    ... )
    >>> path.images.shape, [f"{float(value) + 2:.2f}" for value in path.log_odds[:, 0]]
    (torch.Size([3, 2, 1, 8, 8]), ['1.00', '2.00', '3.00'])
    """
    if not len(log_odds):
        raise InvalidInputError("`log_odds` must hold at least one value; got none: give some.")
    contrast = contrast_of(network, target_class, source_class)
    editor = Editor(contrast, images, direction, choose_views(views))
    parts = []
    for value in log_odds:
        distance = editor.distance_to(torch.full_like(editor.before, float(value)))
        decoded = editor.at(distance)
        reached = editor.log_odds(decoded.images)
        parts.append((decoded.images, reached, decoded.error_bound, editor.is_credible(distance)))
    stacked = [torch.stack(column) for column in zip(*parts, strict=True)]
    return BoundaryPath(*stacked)
