"""The U-Net of the masks (MONAI), and the same network with its norms folded away."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets.unet import UNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from counterstain.errors import InvalidInputError

__all__ = ["OUTPUTS", "WIDTHS", "build_unet", "fold_norms"]

OUTPUTS = ("foreground", "distance")
WIDTHS = (24, 40, 64, 96, 128)
# Channels at full resolution: enough to draw an edge between touching objects, and cheap.
_FINE_WIDTH = 8


def build_unet(in_channels: int, widths: Sequence[int] = WIDTHS) -> nn.Module:
    """Build a residual U-Net with a foreground logit and a distance logit for each pixel.

    Weights are drawn from torch's global generator: seed it first for a network that repeats.

    Parameters
    ----------
    in_channels : int
        Image channels, at least 1.
    widths : sequence of int
        Channels a level. The first level works at half the resolution, each further one at half of
        that, and the last one at the resolution of the level above it: image sides must divide by
        ``2 ** (len(widths) - 1)``.

    Returns
    -------
    torch.nn.Module
        Images ``(N, C, H, W)`` to logits ``(N, 2, H, W)``: foreground, and distance to the edge of
        the own object as a share of the largest one in it.

    Raises
    ------
    InvalidInputError
        If there is no channel, or there are fewer than two levels.

    Notes
    -----
    Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28; residual units as in Kerfoot et al.
    2019, doi:10.1007/978-3-030-12029-0_40.

    Examples
    --------
    >>> import torch
    >>> network = build_unet(2, (4, 8, 8)).eval()
    >>> tuple(network(torch.zeros(1, 2, 16, 16)).shape)
    (1, 2, 16, 16)
    """
    if in_channels < 1 or len(widths) < 2 or min(widths) < 1:
        raise InvalidInputError(
            f"`in_channels` must be at least 1 and `widths` two or more positive numbers; got "
            f"{in_channels} and {tuple(widths)}: use the standard widths {WIDTHS}."
        )
    body = UNet(
        spatial_dims=2,
        in_channels=in_channels,
        out_channels=_FINE_WIDTH,
        channels=tuple(widths),
        strides=(2,) * (len(widths) - 1),
        num_res_units=2,
        norm="batch",
        act=("relu", {"inplace": True}),
    )
    return nn.Sequential(body, nn.ReLU(inplace=True), nn.Conv2d(_FINE_WIDTH, len(OUTPUTS), 1))


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
    >>> network = build_unet(1, (4, 8)).eval()
    >>> images = torch.rand(1, 1, 8, 8)
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
    return int(2 ** (len(widths) - 1))
