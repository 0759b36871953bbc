"""Masks by a trained U-Net: where cells are, and one number for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from counterstain.errors import InvalidInputError
from counterstain.masks.instances import RADIUS, InstanceSettings, instances_from_maps
from counterstain.masks.unet_file import read_unet, write_unet
from counterstain.masks.unet_magnification import checked_scale, fitting_scale
from counterstain.masks.unet_network import (
    WIDTHS,
    build_unet,
    inference_copy,
    side_multiple,
)
from counterstain.masks.unet_scaling import network_input
from counterstain.masks.unet_windows import WindowSettings, run_windows

__all__ = ["DIAMETER", "UNetSegmenter"]

DIAMETER = 2 * RADIUS
_LOOK = 1024  # pixels of a field, each way, that are enough to tell how large cells are


class UNetSegmenter:
    """A U-Net that draws masks of fields of any size.

    Fresh weights draw nothing of use: train them with
    :func:`counterstain.training.segmenter.fit_segmenter`, or load trained ones.

    Parameters
    ----------
    channels : sequence of str
        Names of the image channels, in the order of the axis.
    widths : sequence of int
        Channels a level, see :func:`~counterstain.masks.unet_network.build_unet`.
    scale : float, optional
        Magnification at which the network sees fields, unless a call says otherwise: 0.5 halves
        both sides first. Without one it is found for each field, so that the median cell becomes
        as large as those of the training, one to two `diameter`: give it where fields are many
        and alike, as each look costs about as much as the mask.
    diameter : float
        Diameter of the smallest median cell in training, pixels of the network; the largest one
        has twice as much.
    instances : InstanceSettings, optional
        Levels and smallest sizes of objects.
    windows : WindowSettings, optional
        How large fields are cut.
    seed : int
        Seed of the fresh weights.

    Attributes
    ----------
    network : torch.nn.Module
        The network as trained.
    metadata : dict
        JSON-ready facts that are saved with it.

    Notes
    -----
    Norms are folded into convolutions for inference, once after loading or training; the folded
    copy gives the same logits up to rounding.

    Examples
    --------
    >>> segmenter = UNetSegmenter(["DNA"], widths=(4, 4, 8, 8, 8), scale=1.0, seed=0)
    >>> field = np.arange(30 * 40, dtype=np.uint16).reshape(1, 30, 40)
    >>> segmenter.semantic(field).shape, segmenter.instances(field).dtype
    ((30, 40), dtype('int32'))
    """

    def __init__(
        self,
        channels: Sequence[str],
        *,
        widths: Sequence[int] = WIDTHS,
        scale: float | None = None,
        diameter: float = DIAMETER,
        instances: InstanceSettings | None = None,
        windows: WindowSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.channels = tuple(channels)
        self.widths = tuple(int(width) for width in widths)
        self.scale = None if scale is None else checked_scale(scale)
        self.diameter = float(diameter)
        self.instance_settings = instances or InstanceSettings()
        self.window_settings = windows or WindowSettings()
        self.metadata: dict[str, Any] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = build_unet(len(self.channels), self.widths).eval()
        self._folded: nn.Module | None = None

    def refresh(self) -> None:
        """Forget the folded copy; call it after the weights were changed."""
        self._folded = None

    def maps(self, field: NDArray[Any], *, scale: float | None = None) -> NDArray[np.float32]:
        """Draw the probability of foreground, the distance to the edge, and the way to the centre.

        Parameters
        ----------
        field : (C, H, W) array of numbers
            One field, any unit, finite; its channels are scaled by their own percentiles.
        scale : float, optional
            Magnification for this field, in place of that of the segmenter.

        Returns
        -------
        (4, H, W) array of float32
            Probability, and distance as a share of the largest in the object, both 0 to 1; how far
            down and right the centre of the object lies, in radii of the median cell in training.

        Raises
        ------
        InvalidInputError
            If the field has other channels, or holds NaN or infinity.
        """
        image = self._input(field)
        return self._maps(image, self._scale(image, scale))

    def fitting_scale(self, field: NDArray[Any]) -> float:
        """Return the magnification that fits the cells of a field; arguments as for :meth:`maps`.

        It is read from the objects that a first look finds in the middle of the field.
        """
        return self._fitting_scale(self._input(field))

    def semantic(self, field: NDArray[Any], *, scale: float | None = None) -> NDArray[np.bool_]:
        """Return where cells are, (H, W) of bool; arguments as for :meth:`maps`."""
        probability = self.maps(field, scale=scale)[0]
        return np.asarray(probability >= self.instance_settings.foreground)

    def instances(self, field: NDArray[Any], *, scale: float | None = None) -> NDArray[np.int32]:
        """Return one number a cell, (H, W) of int32, 0 background; arguments as for :meth:`maps`.

        Its foreground is that of :meth:`semantic` less objects that are too small or uncertain.
        """
        image = self._input(field)
        return self._instances(image, self._scale(image, scale))

    def save(self, path: Path | str) -> None:
        """Save weights as ``path.safetensors`` and all else as ``path.json``.

        Parameters
        ----------
        path : Path or str
            Name without ending.
        """
        write_unet(
            self.network,
            Path(path),
            {
                "arguments": {"in_channels": len(self.channels), "widths": list(self.widths)},
                "channels": list(self.channels),
                "scale": self.scale,
                "diameter": self.diameter,
                "instances": _as_dict(self.instance_settings),
                "windows": _as_dict(self.window_settings),
                "metadata": self.metadata,
            },
        )

    @classmethod
    def load(cls, path: Path | str, *, channels: Sequence[str] | None = None) -> Self:
        """Load a trained segmenter.

        Parameters
        ----------
        path : Path or str
            Name with or without ending.
        channels : sequence of str, optional
            Channels of the images it is loaded for, to be checked against training.

        Raises
        ------
        MissingFileError
            If one of the two files is not there.
        InvalidInputError
            If the files do not fit each other or were changed, or it was trained on other channels.
        """
        network, recipe = read_unet(Path(path))
        segmenter = cls(
            recipe["channels"],
            widths=recipe["arguments"]["widths"],
            scale=recipe["scale"],
            diameter=recipe["diameter"],
            instances=InstanceSettings(**recipe["instances"]),
            windows=WindowSettings(**recipe["windows"]),
        )
        segmenter.network, segmenter.metadata = network, recipe["metadata"]
        if channels is not None and tuple(channels) != segmenter.channels:
            raise InvalidInputError(
                f"`channels` must be {list(segmenter.channels)}, in this order, as in training; "
                f"got {list(channels)}: pass those channels, or train on these."
            )
        return segmenter

    def _input(self, field: NDArray[Any]) -> Tensor:
        if field.ndim != 3 or len(field) != len(self.channels):
            raise InvalidInputError(
                f"`field` must be (C, H, W) with the channels {list(self.channels)}; got "
                f"{field.shape}: pass these channels in this order; where one was not imaged, "
                "zeros in its place."
            )
        return torch.from_numpy(network_input(field))[None]

    def _fitting_scale(self, image: Tensor) -> float:
        starts = [max(0, (edge - _LOOK) // 2) for edge in image.shape[-2:]]
        middle = image[..., starts[0] : starts[0] + _LOOK, starts[1] : starts[1] + _LOOK]
        return fitting_scale(lambda scale: self._instances(middle, scale), self.diameter)

    def _scale(self, image: Tensor, given: float | None) -> float:
        scale = self.scale if given is None else checked_scale(given)
        return self._fitting_scale(image) if scale is None else scale

    def _instances(self, image: Tensor, scale: float) -> NDArray[np.int32]:
        return instances_from_maps(self._maps(image, scale), self.instance_settings, scale=scale)

    def _maps(self, image: Tensor, scale: float) -> NDArray[np.float32]:
        logits = self._logits(_resized(image, scale))
        if logits.shape[-2:] != image.shape[-2:]:
            logits = functional.interpolate(logits, image.shape[-2:], mode="bilinear")
        levels = torch.cat([torch.sigmoid(logits[0, :2]), logits[0, 2:]])
        return np.asarray(levels.numpy(), np.float32)

    def _logits(self, image: Tensor) -> Tensor:
        if self._folded is None:
            self._folded = inference_copy(self.network)
        multiple = side_multiple(self.widths)
        return run_windows(self._folded, image, self.window_settings, multiple)


def _resized(image: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return image
    size = [max(1, round(edge * scale)) for edge in image.shape[-2:]]
    return functional.interpolate(image, size, mode="bilinear", antialias=scale < 1)


def _as_dict(settings: InstanceSettings | WindowSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__slots__}
