"""Masks by a trained U-Net: where cells are, and one number for each."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from counterstain.errors import InvalidInputError
from counterstain.masks.instances import InstanceSettings, instances_from_maps
from counterstain.masks.unet_file import read_unet, write_unet
from counterstain.masks.unet_network import WIDTHS, build_unet, fold_norms, side_multiple
from counterstain.masks.unet_scaling import network_input
from counterstain.masks.unet_windows import WindowSettings, run_windows

__all__ = ["UNetSegmenter"]


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
    scale : float
        Magnification at which the network sees fields, unless a call says otherwise: 0.5 halves
        both sides first. Cells are to be about as large as those it was trained on.
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
    >>> segmenter = UNetSegmenter(["DNA"], widths=(4, 8), seed=0)
    >>> field = np.arange(30 * 40, dtype=np.uint16).reshape(1, 30, 40)
    >>> segmenter.semantic(field).shape, segmenter.instances(field).dtype
    ((30, 40), dtype('int32'))
    """

    def __init__(
        self,
        channels: Sequence[str],
        *,
        widths: Sequence[int] = WIDTHS,
        scale: float = 1.0,
        instances: InstanceSettings | None = None,
        windows: WindowSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.channels = tuple(channels)
        self.widths = tuple(int(width) for width in widths)
        self.scale = _checked_scale(scale)
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
        """Draw the probability of foreground, and the distance to the edge of the own object.

        Parameters
        ----------
        field : (C, H, W) array of numbers
            One field, any unit, finite; its channels are scaled by their own percentiles.
        scale : float, optional
            Magnification for this field.

        Returns
        -------
        (2, H, W) array of float32
            Both 0 to 1; the distance as a share of the largest in the object.

        Raises
        ------
        InvalidInputError
            If the field has other channels, or holds NaN or infinity.
        """
        if field.ndim != 3 or len(field) != len(self.channels):
            raise InvalidInputError(
                f"`field` must be (C, H, W) with the channels {list(self.channels)}; got "
                f"{field.shape}: pass these channels in this order; where one was not imaged, "
                "zeros in its place."
            )
        scale = self.scale if scale is None else _checked_scale(scale)
        image = torch.from_numpy(network_input(field))[None]
        logits = self._logits(_resized(image, scale))
        if logits.shape[-2:] != image.shape[-2:]:
            logits = functional.interpolate(logits, image.shape[-2:], mode="bilinear")
        return np.asarray(torch.sigmoid(logits)[0].numpy(), np.float32)

    def semantic(self, field: NDArray[Any], *, scale: float | None = None) -> NDArray[np.bool_]:
        """Return where cells are, (H, W) of bool; arguments as for :meth:`maps`."""
        probability = self.maps(field, scale=scale)[0]
        return np.asarray(probability >= self.instance_settings.foreground)

    def instances(self, field: NDArray[Any], *, scale: float | None = None) -> NDArray[np.int32]:
        """Return one number a cell, (H, W) of int32, 0 background; arguments as for :meth:`maps`.

        Its foreground is that of :meth:`semantic` less objects that are too small.
        """
        return instances_from_maps(self.maps(field, scale=scale), self.instance_settings)

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

    def _logits(self, image: Tensor) -> Tensor:
        if self._folded is None:
            # Deep copies of a training network would be folded with numbers that still move.
            self._folded = fold_norms(copy.deepcopy(self.network).eval()).to(
                memory_format=torch.channels_last
            )
        multiple = side_multiple(self.widths)
        return run_windows(self._folded, image, self.window_settings, multiple)


def _resized(image: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return image
    size = [max(1, round(edge * scale)) for edge in image.shape[-2:]]
    return functional.interpolate(image, size, mode="bilinear", antialias=scale < 1)


def _checked_scale(scale: float) -> float:
    if not 0.05 <= scale <= 20:
        raise InvalidInputError(
            f"`scale` must be a magnification between 0.05 and 20; got {scale}: 1 leaves fields as "
            "they are."
        )
    return float(scale)


def _as_dict(settings: InstanceSettings | WindowSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__slots__}
