"""From maps of features to a few numbers a patch, wherever in it the cells lie."""

from __future__ import annotations

import torch
from torch import Tensor

from counterstain.networks.patch_encoder import PatchEncoder, PatchMaps

__all__ = ["average_features", "average_width", "mask_features", "mask_width", "soft_overlap"]

_LEAST_AREA = 1e-3
_LEAST_PLACES = 0.5


def soft_overlap(areas: Tensor) -> Tensor:
    """Return the ratio of intersection to union, from shares that are summed over a patch.

    Parameters
    ----------
    areas : Tensor
        ``(N, 3, h, w)`` shares, 0 to 1, of each place that the first mask, the second, and both
        cover.

    Returns
    -------
    Tensor
        ``(N,)``; 0 where nothing is covered.

    Examples
    --------
    >>> soft_overlap(torch.tensor([[[[1.0, 0.0]], [[1.0, 1.0]], [[1.0, 0.0]]]]))
    tensor([0.5000])
    """
    first, second, both = areas.sum((2, 3)).unbind(1)
    return both / (first + second - both).clamp_min(_LEAST_AREA)


def average_features(maps: PatchMaps) -> Tensor:
    """Return means of fine features over the patch, then means and maxima of coarse ones."""
    fine, coarse = maps.fine, maps.coarse
    return torch.cat([fine.mean((2, 3)), coarse.mean((2, 3)), coarse.amax((2, 3))], 1)


def average_width(encoder: PatchEncoder) -> int:
    """Return how many `average_features` there are."""
    return encoder.widths[1] + 2 * encoder.widths[2]


def mask_features(maps: PatchMaps) -> Tensor:
    """Return means of features over each mask, and how much each mask covers.

    A mean over the cells stays the same when there are more of them; one over the patch does not,
    and crowding differs from well to well for no reason. Masks are the encoder's own.

    Parameters
    ----------
    maps : PatchMaps
        Of N patches.

    Returns
    -------
    Tensor
        ``(N, 3 A + A + 4)``: means of the A features of ``rims`` over the first mask, the second
        and both; over the patch; the covered shares; and the overlap.
    """
    areas = torch.sigmoid(maps.areas)
    weights, rims = areas.flatten(2), maps.rims.flatten(2)
    sums = torch.einsum("nks,nas->nka", weights, rims)
    means = sums / (weights.sum(2, keepdim=True) + _LEAST_PLACES)
    overlap = soft_overlap(areas)[:, None]
    return torch.cat([means.flatten(1), rims.mean(2), areas.mean((2, 3)), overlap], 1)


def mask_width(encoder: PatchEncoder) -> int:
    """Return how many `mask_features` there are."""
    return 4 * encoder.widths[1] + 4
