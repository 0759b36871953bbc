"""Maps averaged over turned and mirrored views of an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from counterstain.networks.views import average_of_views, choose_views

__all__ = ["over_views"]

_MapMethod = Callable[..., Tensor]


def over_views(method: _MapMethod, count: int) -> _MapMethod:
    """Return a method whose maps are averaged over views.

    The map of the score averaged over the same views, which is what scores of a run are. A cell has
    no upside: what only one view shows is the network's grid. With all eight views the map turns
    and mirrors exactly as the image does.

    Parameters
    ----------
    method : callable
        ``method(model, images, target_class)`` gives maps ``(N, C, H, W)``.
    count : int
        Views, 1 to 8; 1 leaves the method as it is.

    Returns
    -------
    callable
        Of the same form.

    Examples
    --------
    >>> import torch
    >>> top = lambda model, images, target: torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    >>> over_views(top, 8)(None, torch.rand(1, 1, 2, 2), 0).flatten().tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    if count <= 1:
        return method
    views = choose_views(count)

    def averaged(model: Any, images: Tensor, target_class: Any, **options: Any) -> Tensor:
        maps = [method(model, view.of(images), target_class, **options) for view in views]
        return average_of_views(views, maps)

    return averaged
