"""The same image seen in several ways: turned and mirrored, and back.

A cell has no upside. What an edit does in one view and undoes in another is the network's grid, not
the cell; averaged over views it goes, and what all views agree on stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["View", "average_of_views", "choose_views"]


class View(NamedTuple):
    """A way to look at an image.

    Parameters
    ----------
    turn : int
        0 to 7: quarter turns, plus 4 for a mirrored image.
    """

    turn: int

    def of(self, images: Tensor) -> Tensor:
        """Return square images ``(N, C, H, W)`` in this view."""
        turned = torch.rot90(images, self.turn % 4, (2, 3))
        return turned.flip(3) if self.turn >= 4 else turned

    def back(self, images: Tensor) -> Tensor:
        """Return images of this view as they were."""
        turned = images.flip(3) if self.turn >= 4 else images
        return torch.rot90(turned, -(self.turn % 4), (2, 3))


# In an order in which each prefix is as varied as can be.
_TURNS = (0, 5, 2, 7, 1, 4, 3, 6)


def choose_views(count: int) -> tuple[View, ...]:
    """Return 1 to 8 views, the first of them the image as it is.

    Examples
    --------
    >>> choose_views(2)
    (View(turn=0), View(turn=5))
    """
    return tuple(View(turn) for turn in _TURNS[: max(1, count)])


def average_of_views(views: Sequence[View], changes: Sequence[Tensor]) -> Tensor:
    """Average changes ``(N, C, H, W)`` made in several views.

    Examples
    --------
    >>> views = choose_views(8)
    >>> image = torch.rand(1, 1, 8, 8)
    >>> again = average_of_views(views, [view.of(image) for view in views])
    >>> bool(torch.allclose(again, image))
    True
    """
    returned = [view.back(change) for view, change in zip(views, changes, strict=True)]
    return torch.stack(returned).mean(0)
