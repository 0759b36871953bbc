"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from timm.utils.model_ema import ModelEmaV3
from torch import nn

from counterstain.errors import CounterstainError
from counterstain.networks.base import Classifier
from counterstain.training.affine import AffineJitter
from counterstain.training.device import Machine
from counterstain.training.minibatches import BalancedSampler, PixelSource, StainJitter, minibatches
from counterstain.training.objective import Losses, Objective

if TYPE_CHECKING:
    from torch.optim.lr_scheduler import LRScheduler

__all__ = ["FitSettings", "TrainingCrops", "fit"]

_WARM_UP_STEPS = 30
_LARGEST_GRADIENT = 5.0
_RECORD_EVERY = 20


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How one network is trained.

    Parameters
    ----------
    steps, minibatch : int
        Training steps, and crops a step.
    learning_rate : float
        Highest learning rate of Adam; warmed up, then decayed along a cosine.
    class_weight, label_smoothing : float
        See :class:`~counterstain.training.objective.Objective`.
    gain_jitter, offset_jitter : float
        See :class:`~counterstain.training.minibatches.StainJitter`.
    balance, affine_jitter, averaging, weight_decay : float
        See :class:`~counterstain.training.recipes.TrainingRecipe`.
    seed : int
        Makes the minibatches repeat.
    """

    steps: int
    minibatch: int = 48
    learning_rate: float = 2e-3
    class_weight: float = 0.1
    label_smoothing: float = 0.05
    gain_jitter: float = 0.0
    offset_jitter: float = 0.0
    balance: float = 1.0
    affine_jitter: float = 0.0
    averaging: float = 0.0
    weight_decay: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainingCrops:
    """Which crops a network may see.

    Parameters
    ----------
    source : PixelSource
        Where the pixels are.
    ids, classes, wells : array of int
        Crop, class index and well, one entry a crop.
    """

    source: PixelSource
    ids: NDArray[np.int64]
    classes: NDArray[np.int64]
    wells: NDArray[np.int64]


def _schedule(optimiser: torch.optim.Optimizer, steps: int) -> LRScheduler:
    def factor(step: int) -> float:
        warm = min(1.0, (step + 1) / _WARM_UP_STEPS)
        return warm * (0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))) + 1e-3)

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _optimiser(objective: Objective, settings: FitSettings) -> torch.optim.Optimizer:
    groups = objective.parameter_groups(settings.learning_rate)
    if not settings.weight_decay:
        return torch.optim.Adam(groups, settings.learning_rate, betas=(0.9, 0.99))
    # Shifts and scales of a normalisation are no weights that could be too large.
    split = [
        {
            **group,
            "params": [value for value in group["params"] if (value.ndim > 1) == is_weight],
            "weight_decay": settings.weight_decay if is_weight else 0.0,
        }
        for group in groups
        for is_weight in (True, False)
    ]
    return torch.optim.AdamW(split, settings.learning_rate, betas=(0.9, 0.99))


def _row(step: int, losses: Losses) -> dict[str, float]:
    return {
        "step": step,
        "loss": float(losses.total.detach()),
        "cross_entropy": float(losses.cross_entropy.detach()),
        "bits_per_dim": float(losses.bits_per_dim.detach()),
        "accuracy": float(losses.accuracy),
    }


def _average(network: Classifier, settings: FitSettings) -> ModelEmaV3 | None:
    """Return the moving average of the weights (Polyak and Juditsky 1992, doi:10.1137/0330046)."""
    if not settings.averaging:
        return None
    # Short at first: the weights of the first steps are not worth remembering.
    return ModelEmaV3(network, decay=settings.averaging, use_warmup=True)


def fit(
    network: Classifier,
    crops: TrainingCrops,
    settings: FitSettings,
    machine: Machine,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Train a network in place.

    Parameters
    ----------
    network : Classifier
        The network; left on the CPU in evaluation mode.
    crops : TrainingCrops
        What it may see.
    settings : FitSettings
        Steps, rates, seed.
    machine : Machine
        Device and precision.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    list of dict
        Every twentieth step and the last: step, loss, cross_entropy, bits_per_dim, accuracy (of
        that minibatch), and seconds since the start.

    Raises
    ------
    CounterstainError
        If the loss stops being a number.
    """
    fabric = Fabric(accelerator=machine.device, devices=1, precision=machine.precision)
    objective = Objective(network, settings.class_weight, settings.label_smoothing)
    objective.train().to(memory_format=torch.channels_last)
    adam = _optimiser(objective, settings)
    wrapped, optimiser = fabric.setup(objective, adam)
    schedule = _schedule(adam, settings.steps)
    generator = np.random.default_rng(settings.seed)
    average = _average(network, settings)
    sampler = BalancedSampler(
        crops.ids, crops.classes, crops.wells, generator, balance=settings.balance
    )
    stream = minibatches(
        crops.source,
        sampler,
        size=settings.minibatch,
        steps=settings.steps,
        generator=generator,
        jitter=StainJitter(settings.gain_jitter, settings.offset_jitter),
        affine=AffineJitter(settings.affine_jitter),
    )
    history: list[dict[str, Any]] = []
    start = time.perf_counter()
    for step, minibatch in enumerate(stream):
        batch = fabric.to_device((minibatch.images, minibatch.classes, minibatch.log_bin))
        losses: Losses = wrapped(*batch)
        optimiser.zero_grad(set_to_none=True)
        fabric.backward(losses.total)
        norms = [
            nn.utils.clip_grad_norm_(group["params"], _LARGEST_GRADIENT)
            for group in adam.param_groups
        ]
        if not all(bool(torch.isfinite(norm)) for norm in norms):
            raise CounterstainError(
                f"Training stopped at step {step}: the loss is no longer a number. Lower "
                f"`model.learning_rate` (now {settings.learning_rate:g})."
            )
        optimiser.step()
        schedule.step()
        if average is not None:
            average.update(network, step=step)
        if step % _RECORD_EVERY == 0 or step == settings.steps - 1:
            seconds = time.perf_counter() - start
            history.append({**_row(step, losses), "seconds": seconds})
        if progress is not None:
            progress(step + 1, settings.steps)
    if average is not None:
        network.load_state_dict(average.module.state_dict())
    network.cpu().eval()
    return history
