"""The U-Net of the masks (MONAI), and the same network with its norms folded away."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import torch
from monai.networks.nets.basic_unet import BasicUNet, UpCat
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from counterstain.errors import InvalidInputError
from counterstain.masks.unet_levels import LevelwiseUNet

__all__ = ["OUTPUTS", "WIDTHS", "build_unet", "fold_norms", "inference_copy"]

OUTPUTS = ("foreground", "distance", "offset_y", "offset_x")
WIDTHS = (24, 32, 48, 96, 128)
_LEVELS = 5  # those of MONAI's BasicUNet
_BLOCK = 2  # pixels of the image in one of the first level, each way


def build_unet(in_channels: int, widths: Sequence[int] = WIDTHS) -> nn.Module:
    """Build a U-Net that draws foreground, distance and the way to the centre for each pixel.

    Weights are drawn from torch's global generator: seed it first for a network that repeats.

    Parameters
    ----------
    in_channels : int
        Image channels, at least 1.
    widths : sequence of int
        Channels of the five levels. The first one works at half the resolution, each further one
        at half of that: image sides must divide by 32.

    Returns
    -------
    torch.nn.Module
        Images ``(N, C, H, W)`` to ``(N, 4, H, W)``: logits of foreground and of the distance to the
        edge of the own object as a share of the largest one in it; and how far down and right of
        the pixel the centre of its object lies, in radii of the median cell in training.

    Raises
    ------
    InvalidInputError
        If there is no channel, or the levels are not five.

    Notes
    -----
    Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28, in the form of Falk et al. 2019,
    doi:10.1038/s41592-018-0261-2. Blocks of 2 x 2 pixels are moved to channels before it and back
    after it (Shi et al. 2016, doi:10.1109/CVPR.2016.207): no detail is lost, at a quarter of the
    cost.

    Examples
    --------
    >>> import torch
    >>> network = build_unet(2, (4, 4, 8, 8, 8)).eval()
    >>> tuple(network(torch.zeros(1, 2, 64, 32)).shape)
    (1, 4, 64, 32)
    """
    if in_channels < 1 or len(widths) != _LEVELS or min(widths) < 1:
        raise InvalidInputError(
            f"`in_channels` must be at least 1 and `widths` {_LEVELS} positive numbers; got "
            f"{in_channels} and {tuple(widths)}: use the standard widths {WIDTHS}."
        )
    body = BasicUNet(
        spatial_dims=2,
        in_channels=in_channels * Brightened.VIEWS * _BLOCK**2,
        out_channels=len(OUTPUTS) * _BLOCK**2,
        features=(*widths, widths[0]),
        norm="batch",
        act=("relu", {"inplace": True}),
    )
    return nn.Sequential(Brightened(), nn.PixelUnshuffle(_BLOCK), body, nn.PixelShuffle(_BLOCK))


class Brightened(nn.Module):
    """Show each channel twice: as it is, and by its square root, so that dim nuclei stand out.

    Examples
    --------
    >>> import torch
    >>> Brightened()(torch.tensor([-0.1, 0.25]).reshape(1, 2, 1, 1)).flatten().tolist()
    [-0.10000000149011612, 0.25, 0.0, 0.5]
    """

    VIEWS = 2

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to ``(N, 2 C, H, W)``."""
        return torch.cat([images, images.clamp(min=0).sqrt()], dim=1)


def fold_norms(network: nn.Module) -> nn.Module:
    """Merge each batch norm into the convolution before it, in place: the same function, faster.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode: only then does a norm use fixed numbers.

    Returns
    -------
    torch.nn.Module
        The network itself.

    Raises
    ------
    InvalidInputError
        If the network is in training mode.

    Notes
    -----
    Where a convolution weighs ``w x + b`` and a norm follows with mean m, variance v, gain g and
    offset o, the product is ``w g / sqrt(v + e) x + (b - m) g / sqrt(v + e) + o``.

    Examples
    --------
    >>> import torch
    >>> network = build_unet(1, (4, 4, 8, 8, 8)).eval()
    >>> images = torch.rand(1, 1, 64, 64)
    >>> before = network(images)
    >>> after = fold_norms(network)(images)
    >>> bool((after - before).abs().max() < 1e-5)
    True
    >>> any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    False
    """
    if network.training:
        raise InvalidInputError(
            "`network` must be in evaluation mode; got one in training mode: call `.eval()` first."
        )
    convolution: nn.Module | None = None
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            convolution = module
        elif isinstance(module, nn.BatchNorm2d) and convolution is not None:
            _fold(convolution, module)
            _replace(network, module, nn.Identity())
            convolution = None
    return network


def inference_copy(network: nn.Module) -> LevelwiseUNet:
    """Copy a network for inference alone: the same logits up to rounding, in less time.

    Norms are folded, weights lie channel by channel as CPUs read them best, large images run in
    tiles of each level, and levels are not padded to each other: image sides must divide by
    :func:`side_multiple`.

    Parameters
    ----------
    network : torch.nn.Module
        From :func:`build_unet`; not changed.

    Examples
    --------
    >>> import torch
    >>> network = build_unet(1, (4, 4, 8, 8, 8)).eval()
    >>> images = torch.rand(1, 1, 32, 64)
    >>> bool((inference_copy(network)(images) - network(images)).abs().max() < 1e-5)
    True
    """
    faster = fold_norms(copy.deepcopy(network).eval())
    for module in faster.modules():
        if isinstance(module, UpCat):
            module.is_pad = False
    return LevelwiseUNet(cast(nn.Sequential, faster.to(memory_format=torch.channels_last)))


def _fold(convolution: nn.Module, norm: nn.BatchNorm2d) -> None:
    weight, bias = convolution.weight, convolution.bias
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise InvalidInputError(
            "`network` must keep running means in its norms; got a norm without: build it with "
            "`build_unet`."
        )
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        weight,  # type: ignore[arg-type]
        bias if isinstance(bias, Tensor) else None,
        mean,
        variance,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=isinstance(convolution, nn.ConvTranspose2d),
    )


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in network.modules():
        for name, child in parent.named_children():
            if child is old:
                setattr(parent, name, new)


def parameters_in(network: nn.Module) -> int:
    """Return the number of weights of a network."""
    return sum(weight.numel() for weight in network.parameters())


def side_multiple(widths: Sequence[int]) -> int:
    """Return the number that image sides must divide by."""
    return int(_BLOCK * 2 ** (len(widths) - 1))
