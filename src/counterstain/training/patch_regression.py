"""Train the regressors of overlap, and say which does best on validation wells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from counterstain.networks.patch_regressors import AreaRegressor, DenseRegressor, OverlapAnswer
from counterstain.training.minibatches import StainJitter
from counterstain.training.patch_loop import PatchFit, fit_patches
from counterstain.training.patch_settings import PatchLearning
from counterstain.training.patch_source import Augmentation, PatchSource, as_images, in_batches

__all__ = ["HEADS", "OverlapTargets", "TrainedRegressor", "fit_regressor", "predict_overlap"]

_LOOKED_AT = 600
_FAULT_WEIGHT, _RATIO_WEIGHT = 0.1, 0.15
_VARIED = Augmentation(jitter=StainJitter(gain=0.1, offset=0.02))

_Ids = NDArray[np.int64]
_Regressor = AreaRegressor | DenseRegressor
HEADS: Mapping[str, type[_Regressor]] = {"areas": AreaRegressor, "dense": DenseRegressor}
"""What can follow the encoder: soft areas and their ratio, or 128 dense units; half the steps go to
the latter."""


@dataclass(frozen=True, slots=True)
class OverlapTargets:
    """What is to be predicted, and from which patches it may be learned.

    Parameters
    ----------
    iou : ndarray of float32, shape (N,)
        Overlap of every patch; 0 where it is faulty.
    faulty : ndarray of bool, shape (N,)
        Whether it is faulty.
    training, validation : ndarray of int
        Numbers of the patches of either part.
    """

    iou: NDArray[np.float32]
    faulty: NDArray[np.bool_]
    training: _Ids
    validation: _Ids


@dataclass(frozen=True, slots=True)
class TrainedRegressor:
    """A regressor, how it got there, and how it does on validation wells.

    Parameters
    ----------
    network : AreaRegressor or DenseRegressor
        In evaluation mode.
    head, start : str
        Key of `HEADS`; where the encoder came from.
    history : list of dict
        Rows of ``step``, ``loss``, ``validation_loss`` (RMSE).
    validation_rmse : float
        Of the state that is kept.
    """

    network: _Regressor
    head: str
    start: str
    history: list[dict[str, Any]]
    validation_rmse: float


def fit_regressor(
    head: str,
    source: PatchSource,
    targets: OverlapTargets,
    settings: PatchLearning,
    *,
    encoder: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> TrainedRegressor:
    """Train a regressor of overlap on the patches of training wells.

    Parameters
    ----------
    head : {"areas", "dense"}
        What follows the encoder.
    source : PatchSource
        The patches; where masked ones are among its stores they teach the areas place by place.
    targets : OverlapTargets
        Overlap, and the parts.
    settings : PatchLearning
        Steps, widths, seed.
    encoder : mapping of str to Tensor, optional
        Weights the encoder starts from, e.g. an autoencoder's; fresh ones where not given.
    device : str, default "cpu"
        Where to train.
    progress : callable, optional
        Called with (steps done, steps in all).
    """
    arguments = {
        "channels": source.shape[1],
        "size": source.shape[2],
        "latents": settings.latents,
        "widths": settings.widths,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = HEADS[head](arguments)
    if encoder is not None:
        network.encoder.load_state_dict(dict(encoder))
    network.to(memory_format=torch.channels_last).to(device)
    learner = _Learner(source, targets, settings.minibatch, head == "areas", device)
    steps = settings.regressor_steps if head == "areas" else -(-settings.regressor_steps // 2)
    fit = PatchFit(steps, evaluate_every=max(1, steps // 8), patience=8, seed=settings.seed)
    history = fit_patches(network, learner.loss, fit, evaluate=learner.evaluate, progress=progress)
    best = min(row["validation_loss"] for row in history)
    start = "fresh" if encoder is None else "autoencoder"
    return TrainedRegressor(network, head, start, history, best)


def predict_overlap(
    network: _Regressor, source: PatchSource, ids: _Ids, *, device: str = "cpu"
) -> NDArray[np.float32]:
    """Return the predicted overlap of patches, float32 ``(n,)`` from 0 on."""

    def answer(images: Tensor) -> Tensor:
        overlap: Tensor = network(images).iou
        return overlap

    return in_batches(answer, source.images, ids, device)


class _Learner:
    """The loss of a minibatch, and the error on validation wells."""

    def __init__(
        self,
        source: PatchSource,
        targets: OverlapTargets,
        minibatch: int,
        wants_areas: bool,
        device: str,
    ) -> None:
        self._source, self._targets, self._device = source, targets, device
        self._minibatch = minibatch
        # Along the way a sample of the validation patches is enough.
        self._looked_at = targets.validation[:: max(1, len(targets.validation) // _LOOKED_AT)]
        self._areas = wants_areas and source.has_areas
        # On a scale of 1 whatever the range of overlap is; a plate without any still divides.
        self._variance = max(float(targets.iou[targets.training].var()), 1e-6)

    def loss(self, network: _Regressor, generator: np.random.Generator) -> Tensor:
        chosen = generator.choice(self._targets.training, self._minibatch)
        maps = self._source.areas(chosen) if self._areas else None
        images, maps = _VARIED.apply(self._source.images(chosen), generator, maps)
        answer: OverlapAnswer = network(as_images(images, self._device))
        iou, faulty = (
            torch.from_numpy(values[chosen].astype(np.float32)).to(self._device)
            for values in (self._targets.iou, self._targets.faulty)
        )
        ratio = (answer.iou - iou).square().mean() / self._variance
        fault = functional.binary_cross_entropy_with_logits(answer.fault, faulty)
        if maps is None or answer.areas is None:
            return ratio + _FAULT_WEIGHT * fault
        aim = torch.from_numpy(maps).to(self._device)
        every = functional.binary_cross_entropy_with_logits(answer.areas, aim, reduction="none")
        # Masks of faulty patches are no truth about cells.
        good = 1 - faulty
        areas = (every.mean((1, 2, 3)) * good).sum() / good.sum().clamp_min(1)
        return areas + _RATIO_WEIGHT * ratio + _FAULT_WEIGHT * fault

    def evaluate(self, network: _Regressor) -> dict[str, float]:
        ids = self._looked_at
        found = predict_overlap(network, self._source, ids, device=self._device)
        error = float(np.sqrt(np.mean((found - self._targets.iou[ids]) ** 2)))
        return {"validation_loss": error}
