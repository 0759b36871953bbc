"""A large field through a U-Net, window by window, with blended overlaps (MONAI)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import cast

import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn
from torch.nn import functional

from counterstain.errors import InvalidInputError
from counterstain.side_by_side import side_by_side

__all__ = ["WindowSettings", "run_windows", "window_side"]

_AT_ONCE = 16
_SMALL = 512  # pixels


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """How a field is cut for a network.

    A network knows nothing of what lies beyond a window: masks of small windows depend on where
    these end (Dice with those of the whole field 0.997 at 256 pixels with a quarter shared, 0.9994
    at 512 with a half), and pixels are computed twice. So fields are cut only where memory asks for
    it: 2048 x 2048 pixels take about 1 GB.

    Parameters
    ----------
    side : int
        About the height and width of a window, pixels of the network; a field is cut into windows
        of equal size that cover it with the least overlap.
    overlap : int
        Pixels that neighbouring windows share at least; their outputs are blended there with
        Gaussian weights.
    skip_empty : bool
        Do not run windows in which no pixel lies above `empty_level` in any channel; they get the
        network's answer to an image of zeros.
    empty_level : float
        On the scale of :func:`~counterstain.masks.unet_scaling.network_input`.
    """

    side: int = 2048
    overlap: int = 256
    skip_empty: bool = True
    empty_level: float = 0.0


def window_side(edge: int, settings: WindowSettings, multiple: int) -> int:
    """Return the window along an axis that covers it in equal parts with the least overlap.

    Parameters
    ----------
    edge : int
        Height or width of the field, pixels.
    settings : WindowSettings
        About how large windows are, and how much they share.
    multiple : int
        What a window must divide by.

    Returns
    -------
    int
        A multiple of `multiple`.

    Raises
    ------
    InvalidInputError
        If windows share as much as they are large, or all.

    Examples
    --------
    >>> window_side(4096, WindowSettings(), 32)
    1536
    >>> window_side(100, WindowSettings(), 16)
    112
    """
    if settings.overlap < 0 or settings.side <= 2 * settings.overlap:
        raise InvalidInputError(
            f"`side` must be more than twice `overlap`, and `overlap` at least 0; got "
            f"{settings.side} and {settings.overlap}: try 2048 and 256."
        )
    count = 1
    if edge > settings.side:
        count = ceil((edge - settings.overlap) / (settings.side - settings.overlap))
    side = (edge + (count - 1) * settings.overlap) / count
    return ceil(side / multiple) * multiple


def run_windows(
    network: nn.Module, image: Tensor, settings: WindowSettings, multiple: int
) -> Tensor:
    """Run a network over a field.

    Parameters
    ----------
    network : torch.nn.Module
        Images ``(N, C, h, w)`` to logits ``(N, K, h, w)``, in evaluation mode.
    image : Tensor
        ``(1, C, H, W)`` float32; any size.
    settings : WindowSettings
        Windows.
    multiple : int
        What sides must divide by.

    Returns
    -------
    Tensor
        ``(1, K, H, W)``.
    """
    height, width = image.shape[-2:]
    sides = [window_side(edge, settings, multiple) for edge in (height, width)]
    predict = _Windows(network, settings)
    with torch.inference_mode():
        if sides[0] >= height and sides[1] >= width:
            padding = (0, sides[1] - width, 0, sides[0] - height)
            mode = "reflect" if sides[0] < 2 * height and sides[1] < 2 * width else "replicate"
            # A mirrored edge looks like more of the field; zeros would look like a border.
            whole: Tensor = predict(functional.pad(image, padding, mode=mode))
            return whole[..., :height, :width]
        return _blended(predict, image, sides, settings)


def _blended(
    predict: Callable[[Tensor], Tensor],
    image: Tensor,
    sides: list[int],
    settings: WindowSettings,
) -> Tensor:
    edges = image.shape[-2:]
    need = [max(0, side - edge) for side, edge in zip(sides, edges, strict=True)]
    padded = functional.pad(image, (0, need[1], 0, need[0]), mode="replicate")
    merged = sliding_window_inference(
        padded,
        roi_size=sides,
        sw_batch_size=_AT_ONCE,
        predictor=predict,
        overlap=[min(0.9, settings.overlap / side) for side in sides],
        mode="gaussian",
    )
    return cast(Tensor, merged)[..., : edges[0], : edges[1]]


class _Windows:
    """A network for windows, a few at a time; not asked about those in which nothing shines."""

    def __init__(self, network: nn.Module, settings: WindowSettings) -> None:
        self._network = network
        self._skips, self._level = settings.skip_empty, settings.empty_level
        self._empty: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, windows: Tensor) -> Tensor:
        busy = torch.ones(len(windows), dtype=torch.bool)
        if self._skips:
            busy = windows.amax(dim=(1, 2, 3)) > self._level
        if bool(busy.all()):
            return self._run(windows)
        empty = self._answer_to_nothing(windows[:1])
        out = empty.expand(len(windows), *empty.shape[1:]).clone()
        if bool(busy.any()):
            out[busy] = self._run(windows[busy])
        return out

    def _run(self, windows: Tensor) -> Tensor:
        parts = [windows[i : i + 1] for i in range(len(windows))]
        # A window a core: cores that share a small window wait for each other at every layer. Large
        # ones are shared out by the network itself.
        if max(windows.shape[-2:]) > _SMALL:
            return torch.cat([self._one(part) for part in parts])
        return torch.cat(side_by_side(self._one, parts, windows.device))

    def _one(self, window: Tensor) -> Tensor:
        answer: Tensor = self._network(window)
        return answer

    def _answer_to_nothing(self, window: Tensor) -> Tensor:
        shape = tuple(window.shape)
        if shape not in self._empty:
            self._empty[shape] = self._run(torch.zeros_like(window))
        return self._empty[shape]
