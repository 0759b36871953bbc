"""A convolution of one place as a matrix product, with weights laid out for the processor once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["PackedProduct"]

_CLOSE = 1e-5
# Torch has no type for it.
_MKLDNN_IS_AVAILABLE: Callable[[], bool] = torch.backends.mkldnn.is_available
_ROWS = 1024


@dataclass
class PackedProduct:
    """``x @ weight.T + bias`` at every place of a map, and ReLU behind it where wanted.

    On CPUs oneDNN does all in one pass, with weights packed once. Torch reaches it through
    operators of its compiler, which are no public interface: they are tried once against the plain
    product, and left alone where they are missing or do not agree.

    Parameters
    ----------
    weight : Tensor
        ``(O, I)`` float32.
    bias : Tensor or None
        ``(O,)``.
    relu : bool
        Whether negative outputs become 0.

    Examples
    --------
    >>> product = PackedProduct(torch.tensor([[1.0, -1.0]]), None, relu=True)
    >>> product(torch.tensor([[3.0, 1.0], [1.0, 3.0]])).flatten().tolist()
    [2.0, 0.0]
    """

    weight: Tensor
    bias: Tensor | None
    relu: bool = False
    _packed: Tensor | None = field(default=None, init=False, repr=False)

    def __call__(self, value: Tensor) -> Tensor:
        """Return outputs ``(..., O)`` of values ``(..., I)``."""
        if value.device.type == "cpu" and value.dtype == torch.float32 and _is_packed():
            return self._run_packed(value)
        out = functional.linear(value, self.weight, self.bias)
        return out.relu_() if self.relu else out

    def _run_packed(self, value: Tensor) -> Tensor:
        if self._packed is None:
            self._packed = _operators()._reorder_linear_weight(self.weight.contiguous(), _ROWS)
        after = "relu" if self.relu else "none"
        out: Tensor = _operators()._linear_pointwise(value, self._packed, self.bias, after, [], "")
        return out


def _operators() -> Any:
    return torch.ops.mkldnn


@functools.cache
def _is_packed() -> bool:
    """Whether the packed operators are there, and say what the plain product says."""
    if not _MKLDNN_IS_AVAILABLE():
        return False
    with torch.inference_mode():
        value = torch.linspace(-1, 1, 5 * 16).reshape(5, 16)
        weight = torch.linspace(-1, 1, 8 * 16).reshape(8, 16).sin()
        bias = torch.linspace(-1, 1, 8)
        expected = functional.linear(value, weight, bias).relu()
        try:
            found = PackedProduct(weight, bias, relu=True)._run_packed(value)
        except (AttributeError, RuntimeError, TypeError, NotImplementedError):
            return False
    return found.shape == expected.shape and bool((found - expected).abs().max() <= _CLOSE)
