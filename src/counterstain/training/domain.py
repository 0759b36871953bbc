"""Take down, after training, what the network was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.networks.base import Classifier
from counterstain.networks.generative import GenerativeClassifier
from counterstain.training.device import Machine
from counterstain.training.minibatches import PixelSource

__all__ = ["fit_domain"]

_RAREST = 0.001
_BATCH = 128


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the network says of the sample, a row a crop, and the extremes of its pixels."""

    logits: Tensor
    means: Tensor
    typicality: Tensor
    low: Tensor
    high: Tensor


def _blocks(source: PixelSource, ids: NDArray[np.int64], machine: Machine) -> Iterator[Tensor]:
    for start in range(0, len(ids), _BATCH):
        yield torch.from_numpy(source.scaled(ids[start : start + _BATCH])).to(machine.device)


@torch.inference_mode()
def _look(
    network: Classifier, source: PixelSource, ids: NDArray[np.int64], machine: Machine
) -> _Seen:
    logits, means, typical, low, high = [], [], [], [], []
    for images in _blocks(source, ids, machine):
        answer, profile = network.logits_and_profile(images)
        logits.append(answer.cpu().double())
        low.append(images.amin((0, 2, 3)).cpu())
        high.append(images.amax((0, 2, 3)).cpu())
        if isinstance(network, GenerativeClassifier):
            means.append(profile.cpu().double())
            typical.append(network.typicality(images).cpu().double())
    none = torch.zeros(len(ids), dtype=torch.float64)
    return _Seen(
        torch.cat(logits),
        torch.cat(means) if means else none[:, None][:, :0],
        torch.cat(typical) if typical else none,
        torch.stack(low).amin(0),
        torch.stack(high).amax(0),
    )


def fit_domain(
    network: Classifier,
    source: PixelSource,
    ids: NDArray[np.int64],
    classes: NDArray[np.int64],
    machine: Machine,
) -> NDArray[np.float64]:
    """Fill the network's :class:`~counterstain.networks.domain.TrainedDomain` from training crops.

    Parameters
    ----------
    network : Classifier
        In evaluation mode; left on the CPU.
    source : PixelSource
        Where the pixels are.
    ids, classes : array of int
        A sample of the training crops, some hundred of each class.
    machine : Machine
        Device to use.

    Returns
    -------
    array
        ``(n, K)`` logits of the sample.
    """
    network.to(machine.device)
    seen = _look(network, source, ids, machine)
    network.cpu()
    domain, labels = network.domain, torch.from_numpy(classes)
    domain.set_intensities(seen.low, seen.high)
    centred = seen.means.clone()
    for index in sorted(set(classes.tolist())):
        own = labels == index
        logits = seen.logits[own]
        odds = logits[:, [index]] - logits
        rest = logits.clone()
        rest[:, index] = -torch.inf
        rest_odds = logits[:, index] - torch.logsumexp(rest, 1)
        domain.median_log_odds[index] = torch.quantile(odds, 0.5, dim=0)
        domain.quartile_log_odds[index] = torch.quantile(odds, 0.75, dim=0)
        domain.median_rest_odds[index] = torch.quantile(rest_odds, 0.5)
        domain.quartile_rest_odds[index] = torch.quantile(rest_odds, 0.75)
        domain.latent_means[index] = seen.means[own].mean(0)
        centred[own] -= seen.means[own].mean(0)
    if isinstance(network, GenerativeClassifier):
        domain.latent_covariance.copy_(centred.T @ centred / max(1, len(centred) - 1))
        domain.typicality_low.copy_(torch.quantile(seen.typicality, _RAREST))
    return np.asarray(seen.logits.numpy(), dtype=np.float64)
