"""Overlap of two masks from an image: a dense head, or areas that are summed and divided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterstain.networks.patch_encoder import PatchEncoder
from counterstain.networks.patch_pooling import average_features, average_width, soft_overlap

__all__ = ["AreaRegressor", "DenseRegressor", "OverlapAnswer"]

_HIDDEN = 128


class OverlapAnswer(NamedTuple):
    """What a regressor says of patches.

    Parameters
    ----------
    iou : Tensor
        ``(N,)`` overlap; 0 where the patch is taken for faulty.
    fault : Tensor
        ``(N,)`` logit of being faulty.
    areas : Tensor or None
        ``(N, 3, S / 4, S / 4)`` logits of the shares of each place that the first mask, the
        second, and both cover.
    """

    iou: Tensor
    fault: Tensor
    areas: Tensor | None = None


class _Regressor(nn.Module):
    """An encoder and the logit of a fault; what a head adds is the overlap."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.encoder = PatchEncoder(arguments)
        self.arguments = dict(self.encoder.arguments)
        self.dense = nn.Sequential(
            nn.Linear(average_width(self.encoder), _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 2)
        )


class DenseRegressor(_Regressor):
    """Encoder, then 128 dense units, then the overlap.

    Parameters
    ----------
    arguments : mapping
        As for `PatchEncoder`.

    Examples
    --------
    >>> network = DenseRegressor({"channels": 2, "size": 16, "widths": [4, 6, 8]})
    >>> network(torch.rand(5, 2, 16, 16)).iou.shape
    torch.Size([5])
    """

    kind = "patch_dense_regressor"

    def forward(self, images: Tensor) -> OverlapAnswer:
        """Return the overlap of images ``(N, C, S, S)`` on the controls' scale."""
        maps = self.encoder.maps(images)
        value, fault = self.dense(average_features(maps)).unbind(1)
        return OverlapAnswer(functional.softplus(value) * torch.sigmoid(-fault), fault)


class AreaRegressor(_Regressor):
    """Predict place by place what each mask and both cover; overlap is the ratio of the sums.

    What must be learned is local, so that every place of every patch teaches it; the ratio is not
    learned at all. The three shares are those of the soft Jaccard index (Rahman and Wang 2016,
    doi:10.1007/978-3-319-50835-1_22), here with an intersection of its own, since a place an eighth
    of a cell wide may hold both masks side by side.

    Parameters
    ----------
    arguments : mapping
        As for `PatchEncoder`.

    Examples
    --------
    >>> network = AreaRegressor({"channels": 2, "size": 16, "widths": [4, 6, 8]})
    >>> answer = network(torch.rand(5, 2, 16, 16))
    >>> answer.iou.shape, answer.areas.shape
    (torch.Size([5]), torch.Size([5, 3, 4, 4]))
    """

    kind = "patch_area_regressor"

    def forward(self, images: Tensor) -> OverlapAnswer:
        """Return the overlap of images ``(N, C, S, S)`` on the controls' scale."""
        maps = self.encoder.maps(images)
        fault = self.dense(average_features(maps))[:, 1]
        overlap = soft_overlap(torch.sigmoid(maps.areas))
        return OverlapAnswer(overlap * torch.sigmoid(-fault), fault, maps.areas)
