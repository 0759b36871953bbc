"""Train the autoencoder of patches; latents and errors of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from counterstain.networks.patch_autoencoder import PatchAutoencoder
from counterstain.training.patch_loop import PatchFit, fit_patches
from counterstain.training.patch_settings import PatchLearning
from counterstain.training.patch_source import Augmentation, PatchSource, as_images, in_batches

__all__ = ["Reconstructions", "fit_autoencoder", "reconstruct"]

_LOOKED_AT = 600
_Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reconstructions:
    """What an autoencoder makes of patches.

    Parameters
    ----------
    latents : ndarray of float32, shape (N, D)
        All latents of each patch.
    squared, absolute : ndarray of float32, shape (N,)
        Mean squared and mean absolute difference of its pixels from their reconstruction, on the
        asinh scale of `PatchEncoder.compress`.
    variance : ndarray of float32, shape (N,)
        Mean squared distance of its pixels from `level`, on the same scale.
    level : ndarray of float32, shape (C,)
        Mean of the training patches: what the best constant image would show.
    """

    latents: NDArray[np.float32]
    squared: NDArray[np.float32]
    absolute: NDArray[np.float32]
    variance: NDArray[np.float32]
    level: NDArray[np.float32]

    def explained(self, rows: NDArray[Any]) -> float:
        """Return the share of the pixels' variance that is reconstructed in these patches."""
        return 1 - float(self.squared[rows].sum() / self.variance[rows].sum())


def fit_autoencoder(
    source: PatchSource,
    ids: _Ids,
    validation: _Ids,
    settings: PatchLearning,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[PatchAutoencoder, list[dict[str, Any]]]:
    """Train on the patches of training wells.

    Parameters
    ----------
    source : PatchSource
        The patches.
    ids, validation : ndarray of int
        Patches to train on, and to choose the best state with.
    settings : PatchLearning
        Steps, widths, seed.
    device : str, default "cpu"
        Where to train.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    network : PatchAutoencoder
        In evaluation mode.
    history : list of dict
        Rows of ``step``, ``loss`` and ``validation_loss``, mean squared errors on the asinh scale.
    """
    arguments = {
        "channels": source.shape[1],
        "size": source.shape[2],
        "latents": settings.latents,
        "widths": settings.widths,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = PatchAutoencoder(arguments)
    network.to(memory_format=torch.channels_last).to(device)
    varied = Augmentation()
    # Along the way a sample of the validation patches is enough.
    some = validation[:: max(1, len(validation) // _LOOKED_AT)]

    def loss(network: PatchAutoencoder, generator: np.random.Generator) -> Tensor:
        chosen = generator.choice(ids, settings.minibatch)
        images = as_images(varied.apply(source.images(chosen), generator)[0], device)
        aim = network.encoder.compress(images)
        return functional.mse_loss(network.compressed(network.encoder(images)), aim)

    def evaluate(network: PatchAutoencoder) -> dict[str, float]:
        def error(images: Tensor) -> Tensor:
            return _errors(network, images)[:, :1]

        return {"validation_loss": float(in_batches(error, source.images, some, device).mean())}

    steps = settings.autoencoder_steps
    fit = PatchFit(steps, evaluate_every=max(1, steps // 8), seed=settings.seed)
    history = fit_patches(network, loss, fit, evaluate=evaluate, progress=progress)
    return network, history


def reconstruct(
    network: PatchAutoencoder, source: PatchSource, training: _Ids, *, device: str = "cpu"
) -> Reconstructions:
    """Return latents and errors of all patches of a source.

    Parameters
    ----------
    network : PatchAutoencoder
        Trained, on `device`.
    source : PatchSource
        The patches.
    training : ndarray of int
        Patches whose mean is the level to compare with.
    device : str, default "cpu"
        Where the network is.
    """
    network.to(device).eval()

    def level_of(images: Tensor) -> Tensor:
        return network.encoder.compress(images).mean((2, 3))

    level = in_batches(level_of, source.images, training, device).mean(0)
    constant = torch.from_numpy(level).to(device)[:, None, None]

    def answer(images: Tensor) -> Tensor:
        around = (network.encoder.compress(images) - constant).square().flatten(1).mean(1)
        numbers = torch.cat([_errors(network, images), around[:, None]], 1)
        return torch.cat([numbers, network.encoder(images)], 1)

    found = in_batches(answer, source.images, np.arange(source.shape[0]), device)
    squared, absolute, variance = (found[:, i].copy() for i in range(3))
    return Reconstructions(found[:, 3:], squared, absolute, variance, level)


def _errors(network: PatchAutoencoder, images: Tensor) -> Tensor:
    """Return mean squared and mean absolute error of each patch, ``(N, 2)``."""
    latents = network.encoder(images)
    difference = (network.compressed(latents) - network.encoder.compress(images)).flatten(1)
    return torch.stack([difference.square().mean(1), difference.abs().mean(1)], 1)
