"""Fit a U-Net to labelled fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from monai.losses.dice import DiceCELoss
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from counterstain.errors import CounterstainError, InvalidInputError
from counterstain.masks.unet import UNetSegmenter
from counterstain.masks.unet_network import OUTPUTS
from counterstain.masks.unet_scaling import network_input
from counterstain.training.segmenter_augment import AugmentSettings, LabelledField
from counterstain.training.segmenter_crops import CropStream

__all__ = ["SegmenterLoss", "SegmenterSettings", "fit_segmenter", "labelled_field"]

_LARGEST_GRADIENT = 5.0
_RECORD_EVERY = 20
_NEAR = 0.1  # radii: below, an error of the way counts by its square


@dataclass(frozen=True, slots=True)
class SegmenterSettings:
    """How a U-Net is trained.

    Parameters
    ----------
    steps, minibatch : int
        Training steps, and crops a step.
    learning_rate : float
        Highest learning rate of AdamW, reached after a quarter of the steps (one cycle).
    weight_decay : float
        Of AdamW.
    shares : mapping of str to float
        How often crops of each group of fields are drawn. The group ``"effectors"`` stands for
        crops put together of two fields, see
        :class:`~counterstain.training.segmenter_crops.CropStream`. Empty: all fields evenly.
    augment : AugmentSettings
        How much crops differ from the fields.
    seed : int
        Makes training repeat on one machine with the same number of threads.
    """

    steps: PositiveInt = 800
    minibatch: PositiveInt = 8
    learning_rate: PositiveFloat = 4e-3
    weight_decay: NonNegativeFloat = 1e-4
    shares: Mapping[str, NonNegativeFloat] = field(default_factory=dict)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    seed: NonNegativeInt = 0


class SegmenterLoss(nn.Module):
    """What is drawn wrongly of foreground, distance and way to the centre.

    Dice and cross-entropy of the foreground, cross-entropy of the distance, and the smooth absolute
    error of the way to the centre within objects. Cross-entropy with a soft target is smallest
    where the share that is drawn is the true one. Dice is taken over the whole minibatch: a crop
    without a cell would else weigh as much as one full of them.

    Parameters
    ----------
    distance_weight, offset_weight : float
        Weights of the distance and of the way to the centre.

    Examples
    --------
    >>> loss = SegmenterLoss()
    >>> wrong, right = torch.full((1, 4, 8, 8), -9.0), torch.full((1, 4, 8, 8), 9.0)
    >>> truth = torch.ones(1, 4, 8, 8)
    >>> right[:, 2:] = 1
    >>> bool(loss(right, truth) < 0.01 < loss(wrong, truth))
    True
    """

    def __init__(self, distance_weight: float = 2.0, offset_weight: float = 1.0) -> None:
        super().__init__()
        self.distance_weight = distance_weight
        self.offset_weight = offset_weight
        self.foreground = DiceCELoss(sigmoid=True, batch=True)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of outputs ``(N, 4, H, W)`` and targets, which may hold weights as a fifth map."""
        weight = (
            targets[:, 4] if targets.shape[1] > len(OUTPUTS) else torch.ones_like(targets[:, 0])
        )
        drawn: Tensor = self.foreground(logits[:, :1], targets[:, :1])
        deep = (weight * _distance_loss(logits[:, 1], targets[:, 1])).mean()
        inside = weight * targets[:, 0]
        astray = functional.smooth_l1_loss(
            logits[:, 2:4], targets[:, 2:4], reduction="none", beta=_NEAR
        )
        far = (inside * astray.sum(1)).sum() / inside.sum().clamp(min=1)
        return drawn + self.distance_weight * deep + self.offset_weight * far


def _distance_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each pixel, less what even the right answer costs: 0 means exact."""
    share = targets.clamp(1e-6, 1 - 1e-6)
    crossed = functional.binary_cross_entropy_with_logits(logits, share, reduction="none")
    return crossed + share * share.log() + (1 - share) * (1 - share).log()


def labelled_field(
    image: NDArray[Any], labels: NDArray[Any], *, group: str = "all", scale: float = 1.0
) -> LabelledField:
    """Make a field for training from raw pixels and a label image.

    Parameters
    ----------
    image : (C, H, W) array of numbers
        Any unit, finite; a channel that was not imaged is 0 throughout.
    labels : (H, W) array of int
        0 background, one number an object.
    group : str
        Name for :class:`SegmenterSettings`'s shares.
    scale : float
        Magnification at which the network is to see it.

    Raises
    ------
    InvalidInputError
        If the sizes differ, the labels are no integers, or the image is not finite.

    Examples
    --------
    >>> field = labelled_field(np.eye(4)[None], np.eye(4, dtype=np.uint8))
    >>> field.image.shape, field.labels.dtype
    ((1, 4, 4), dtype('int32'))
    """
    if labels.dtype.kind not in "iu" or image.shape[1:] != labels.shape:
        raise InvalidInputError(
            f"`labels` must be integers of the size of `image`, {image.shape[1:]}; got "
            f"{labels.shape} {labels.dtype}: pass the label image of the same field."
        )
    return LabelledField(network_input(image), labels.astype(np.int32), group, scale)


def fit_segmenter(
    segmenter: UNetSegmenter,
    fields: Sequence[LabelledField],
    settings: SegmenterSettings,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Train a segmenter's U-Net in place, on the CPU or wherever its weights are.

    Parameters
    ----------
    segmenter : UNetSegmenter
        With fresh weights or trained ones; left in evaluation mode.
    fields : sequence of LabelledField
        What it learns from, one at least; see :func:`labelled_field`.
    settings : SegmenterSettings
        Steps, rates, seed.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    list of dict
        Every twentieth step and the last: step, mean loss since the last row, seconds.

    Raises
    ------
    InvalidInputError
        If there is no field, one has other channels, or `settings.shares` names an unknown group.
    CounterstainError
        If the loss stops being a number.
    """
    wrong = [len(field.image) for field in fields if len(field.image) != len(segmenter.channels)]
    if not fields or wrong:
        raise InvalidInputError(
            f"`fields` must hold a field or more of the channels {list(segmenter.channels)}; got "
            + (f"one of {wrong[0]} channel(s)" if wrong else "none")
            + ": give each field these channels, zeros where one was not imaged."
        )
    network = segmenter.network.train().to(memory_format=torch.channels_last)
    stream = CropStream(
        fields, settings.augment, settings.shares, settings.minibatch, settings.seed
    )
    try:
        return _steps(network, stream, settings, progress)
    finally:
        network.eval()
        segmenter.refresh()


def _steps(
    network: nn.Module,
    stream: CropStream,
    settings: SegmenterSettings,
    progress: Callable[[int, int], None] | None,
) -> list[dict[str, Any]]:
    device = next(network.parameters()).device
    objective = SegmenterLoss()
    adam = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        adam, settings.learning_rate, total_steps=max(settings.steps + 1, 8), pct_start=0.25
    )
    history: list[dict[str, Any]] = []
    recent: list[float] = []
    start = time.perf_counter()
    for step in range(settings.steps):
        images, targets = (part.to(device) for part in stream.draw())
        loss = objective(network(images.to(memory_format=torch.channels_last)), targets)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
        if not bool(torch.isfinite(norm)):
            raise CounterstainError(
                f"Training stopped at step {step}: the loss is no longer a number. Lower "
                f"`learning_rate` (now {settings.learning_rate:g})."
            )
        adam.step()
        schedule.step()
        recent.append(float(loss.detach()))
        if step % _RECORD_EVERY == 0 or step == settings.steps - 1:
            seconds = time.perf_counter() - start
            history.append({"step": step, "loss": float(np.mean(recent)), "seconds": seconds})
            recent.clear()
        if progress is not None:
            progress(step + 1, settings.steps)
    return history
