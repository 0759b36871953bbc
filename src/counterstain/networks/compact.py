"""A small residual network for small crops of few examples, trained from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from counterstain.networks.backbone import BackboneClassifier
from counterstain.networks.base import Classifier

__all__ = ["CompactClassifier", "TwoViews"]

_USUAL_WIDTH = 24
_TOP = 0.98
_DARKEST_TOP = 0.02


class TwoViews(nn.Module):
    """Show each channel twice: as bright as it is, and as bright as its own middle.

    Shape and texture tell most phenotypes apart and staining differs from plate to plate, but some
    (condensed chromatin) are a matter of brightness. The first view is the square root, in which
    photon noise is alike everywhere (Anscombe 1948, doi:10.1093/biomet/35.3-4.246); the second is
    divided by the 98th percentile of the middle half of the crop, so that bright neighbours at the
    edge do not dim the cell.

    Examples
    --------
    >>> views = TwoViews()(torch.full((1, 1, 8, 8), 0.09))
    >>> views.shape, round(float(views[0, 0, 0, 0]), 6), round(float(views[0, 1, 0, 0]), 6)
    (torch.Size([1, 2, 8, 8]), 0.0, 2.0)
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return both views ``(N, 2 C, H, W)`` of images ``(N, C, H, W)``, roughly centred."""
        images = images.clamp_min(0.0)
        height, width = images.shape[2] // 4, images.shape[3] // 4
        middle = images[:, :, height : images.shape[2] - height, width : images.shape[3] - width]
        top = torch.quantile(middle.flatten(2), _TOP, dim=2)[:, :, None, None]
        # The slope of a root is infinite at 0, where gradients are asked for as well.
        as_it_is = (images + 1e-8).sqrt()
        relative = (images / top.clamp_min(_DARKEST_TOP)).clamp_max(1.5)
        return torch.cat([(as_it_is - 0.3) / 0.25, (relative - 0.3) / 0.35], 1)


class CompactClassifier(BackboneClassifier):
    """A ResNet of four narrow blocks (timm); not invertible, so it has no counterfactuals.

    Seven hundred thousand weights at the usual width, and a fiftieth of the arithmetic of a
    ResNeXt50: made for a few thousand crops of 32 to 128 pixels and a processor without GPU.

    Parameters
    ----------
    arguments : mapping
        ``channels``, ``size``, ``n_classes``, and optionally ``hidden``: channels of the first
        block (24), doubled by each of the others.

    Examples
    --------
    >>> network = CompactClassifier(
    ...     {"network": "compact", "channels": 1, "size": 64, "n_classes": 15, "hidden": 8}
    ... )
    >>> network.eval().class_logits(torch.rand(2, 1, 64, 64)).shape
    torch.Size([2, 15])
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        Classifier.__init__(self, arguments)
        width = int(arguments.get("hidden") or _USUAL_WIDTH)
        # timm says the block is an instance; it is the class.
        block: Any = BasicBlock
        model = ResNet(
            block,
            (1, 1, 1, 1),
            num_classes=self.n_classes,
            in_chans=2 * self.channels,
            channels=(width, 2 * width, 4 * width, 8 * width),
            stem_type="deep",
            stem_width=max(4, width // 2),
            avg_down=True,
            drop_rate=0.1,
        )
        model.conv1 = nn.Sequential(TwoViews(), *model.conv1)
        self.model = model
        self.origin = "from scratch: this network has no pretrained weights"
