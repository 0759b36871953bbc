"""Overlap of two masks from an image: a dense head, or areas that are summed and divided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterstain.networks.patch_encoder import PatchEncoder

__all__ = ["AreaRegressor", "DenseRegressor", "OverlapAnswer"]

_HIDDEN = 128
_LEAST_AREA = 1e-3


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
            nn.Linear(self.encoder.pooled_width, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 2)
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
        value, fault = self.dense(self.encoder.pooled(images)).unbind(1)
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

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__(arguments)
        _, fine, coarse = self.encoder.widths
        self.context = nn.Conv2d(coarse, fine, 1)
        self.areas = nn.Sequential(
            nn.Conv2d(fine, fine, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(fine, 3, 1)
        )

    def forward(self, images: Tensor) -> OverlapAnswer:
        """Return the overlap of images ``(N, C, S, S)`` on the controls' scale."""
        maps = self.encoder.maps(images)
        around = functional.interpolate(self.context(maps.coarse), scale_factor=2)
        areas = cast("Tensor", self.areas(functional.relu(maps.fine + around)))
        first, second, both = torch.sigmoid(areas).sum((2, 3)).unbind(1)
        overlap = both / (first + second - both).clamp_min(_LEAST_AREA)
        fault = self.dense(self.encoder.pool(maps))[:, 1]
        return OverlapAnswer(overlap * torch.sigmoid(-fault), fault, areas)
