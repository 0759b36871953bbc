"""Steps of a network that look at a neighbourhood: convolution, pooling, addition, pointwise.

What such a step gives at a place depends on a rectangle of its input only, so that after a change
of a few pixels most of its output stands (:mod:`counterstain.attribution.fast_forward`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from counterstain.attribution.packed_product import PackedProduct

__all__ = ["Extent", "LocalStep", "Pair", "convolution", "folded", "max_pooling", "pointwise"]

Pair: TypeAlias = tuple[int, int]
Extent: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True)
class LocalStep:
    """One step: what it computes, and which rectangle of the input it looks at.

    Parameters
    ----------
    inputs : tuple of int
        Numbers of the values that it reads; 0 is the image, n the output of step n.
    run : callable
        From its inputs, padded already, to its output.
    kernel, stride, padding, dilation : (int, int)
        Of a convolution or pooling; ones and zeros for the rest.
    fill : float
        What the input is padded with.
    weight, bias : Tensor, optional
        Of a convolution; the weight ``(O, I / groups, kh, kw)``.
    groups : int
        Of a convolution.
    relu : bool
        Whether negative outputs become 0.
    """

    inputs: tuple[int, ...]
    run: Callable[..., Tensor] | None = None
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    fill: float = 0.0
    weight: Tensor | None = field(default=None, repr=False)
    bias: Tensor | None = field(default=None, repr=False)
    groups: int = 1
    relu: bool = False

    @property
    def moves(self) -> bool:
        """Whether it looks beyond a place, or skips some."""
        return (self.kernel, self.stride, self.padding) != ((1, 1), (1, 1), (0, 0))

    def __call__(self, *inputs: Tensor, padded: bool = True) -> Tensor:
        """Return the output ``(n, c, h, w)``; `padded` inputs need no more padding."""
        if self._product is not None:
            return self._at_each_place(self._product, inputs[0])
        if self.weight is not None:
            padding = (0, 0) if padded else self.padding
            out = functional.conv2d(
                inputs[0], self.weight, self.bias, self.stride, padding, self.dilation, self.groups
            )
        elif self.run is None:
            out = inputs[0] + inputs[1]
        else:
            given = inputs if padded or not self.moves else (self.pad(inputs[0]),)
            out = self.run(*given)
        return out.relu_() if self.relu else out

    @cached_property
    def _product(self) -> PackedProduct | None:
        """The product of matrices that it is at each place, which no other kernel beats on CPUs."""
        plain = (self.kernel, self.padding, self.groups) == ((1, 1), (0, 0), 1)
        if not plain or self.weight is None or self.weight.device.type != "cpu":
            return None
        return PackedProduct(self.weight[:, :, 0, 0], self.bias, relu=self.relu)

    def _at_each_place(self, product: PackedProduct, value: Tensor) -> Tensor:
        taken = value[:, :, :: self.stride[0], :: self.stride[1]].permute(0, 2, 3, 1)
        return product(taken.contiguous()).permute(0, 3, 1, 2)

    def pad(self, value: Tensor) -> Tensor:
        """Return a map with the step's padding around it, channels last in memory."""
        rows, columns = self.padding
        if not rows and not columns:
            return value
        wide = functional.pad(value, (columns, columns, rows, rows), value=self.fill)
        return wide.contiguous(memory_format=torch.channels_last)


def convolution(source: int, layer: nn.Module) -> LocalStep | None:
    """Return the step of a convolution, or None for one that is not understood."""
    if type(layer) is not nn.Conv2d or layer.padding_mode != "zeros":
        return None
    if isinstance(layer.padding, str):
        return None
    return LocalStep(
        (source,),
        kernel=_pair(layer.kernel_size),
        stride=_pair(layer.stride),
        padding=_pair(layer.padding),
        dilation=_pair(layer.dilation),
        weight=layer.weight.detach().to(memory_format=torch.channels_last),
        bias=None if layer.bias is None else layer.bias.detach(),
        groups=layer.groups,
    )


def folded(step: LocalStep, norm: nn.BatchNorm2d) -> LocalStep:
    """Return the convolution with the batch normalisation after it in its weights.

    Exact up to rounding, since in inference the normalisation is a fixed scale and shift.
    """
    if step.weight is None or norm.running_mean is None or norm.running_var is None:
        raise TypeError("only a convolution with running statistics after it can be folded")
    ones = torch.ones_like(norm.running_mean)
    scale = ones if norm.weight is None else norm.weight
    shift = torch.zeros_like(ones) if norm.bias is None else norm.bias
    weight, bias = fuse_conv_bn_weights(
        nn.Parameter(step.weight),
        None if step.bias is None else nn.Parameter(step.bias),
        norm.running_mean,
        norm.running_var,
        norm.eps,
        nn.Parameter(scale.detach()),
        nn.Parameter(shift.detach()),
    )
    kept = weight.detach().to(memory_format=torch.channels_last)
    return replace(step, weight=kept, bias=bias.detach())


def max_pooling(source: int, layer: nn.Module) -> LocalStep | None:
    """Return the step of a max pooling, or None for one that is not understood."""
    if type(layer) is not nn.MaxPool2d or layer.ceil_mode or layer.return_indices:
        return None
    kernel, stride, dilation = map(_pair, (layer.kernel_size, layer.stride, layer.dilation))

    def run(value: Tensor) -> Tensor:
        return functional.max_pool2d(value, kernel, stride, 0, dilation)

    return LocalStep(
        (source,), run, kernel, stride, _pair(layer.padding), dilation, fill=-torch.inf
    )


_POINTWISE = (
    nn.ReLU,
    nn.ReLU6,
    nn.SiLU,
    nn.GELU,
    nn.LeakyReLU,
    nn.ELU,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
    nn.Identity,
    nn.Dropout,
    nn.BatchNorm2d,
)


def pointwise(source: int, layer: nn.Module) -> LocalStep | None:
    """Return the step of a layer that works place by place in inference, or None."""
    if type(layer) not in _POINTWISE:
        return None
    if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is None:
        return None

    def run(value: Tensor) -> Tensor:
        # In-place activations would change maps that other steps still read.
        out: Tensor = layer(value.clone() if getattr(layer, "inplace", False) else value)
        return out

    return LocalStep((source,), run)


def _pair(value: int | tuple[int, ...]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
