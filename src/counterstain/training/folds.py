"""Cross-validation: a network a fold, and scores from networks that never saw the well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from counterstain.networks.base import Classifier
from counterstain.networks.build import build_network
from counterstain.training.device import Machine
from counterstain.training.domain import fit_domain
from counterstain.training.loop import FitSettings, TrainingCrops, fit
from counterstain.training.minibatches import PixelSource, dihedral

__all__ = ["CropScores", "TrainedFold", "fold_seed", "score_crops", "train_fold"]

_REFERENCE_CROPS = 512
# Quarter turns and mirror images in an order in which each prefix is as varied as can be.
_SYMMETRIES = (0, 5, 2, 7, 1, 4, 3, 6)


@dataclass(frozen=True, slots=True)
class TrainedFold:
    """A network and what it was trained on.

    Parameters
    ----------
    network : Classifier
        In evaluation mode, on the CPU, its `domain` filled.
    history : list of dict
        Losses along training.
    medians : array
        ``(K, K)``: entry (k, j) is the median log-odds of class k against class j over the
        training crops of class k.
    train_accuracy : float
        Share of a sample of training crops (balanced by class) that the network calls right.
    """

    network: Classifier
    history: list[dict[str, Any]]
    train_accuracy: float

    @property
    def medians(self) -> NDArray[np.float64]:
        """Median log-odds ``(K, K)`` of training crops; see `TrainedDomain.median_log_odds`."""
        return self.network.domain.median_log_odds.double().numpy()


@dataclass(frozen=True, slots=True)
class CropScores:
    """Answers of one network.

    Parameters
    ----------
    logits : array
        ``(n, K)`` float64.
    profiles : array
        ``(W, P)`` float32: mean profile of the crops of each group.
    """

    logits: NDArray[np.float64]
    profiles: NDArray[np.float32]


def fold_seed(seed: int, fold: int) -> int:
    """Return the seed of one fold's network, unrelated to that of its neighbours.

    Examples
    --------
    >>> fold_seed(0, 0) != fold_seed(0, 1) != fold_seed(1, 0)
    True
    """
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])


def _batches(ids: NDArray[np.int64], size: int) -> Iterator[slice]:
    for start in range(0, len(ids), size):
        yield slice(start, min(start + size, len(ids)))


@torch.inference_mode()
def score_crops(
    network: Classifier,
    source: PixelSource,
    ids: NDArray[np.int64],
    groups: NDArray[np.int64],
    n_groups: int,
    machine: Machine,
    *,
    symmetries: int = 1,
    batch: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> CropScores:
    """Score crops in blocks, so that memory stays flat.

    Parameters
    ----------
    network : Classifier
        A trained network.
    source : PixelSource
        Where the pixels are.
    ids, groups : array of int
        Crops to score, and the group (well) of each, 0 to ``n_groups - 1``.
    n_groups : int
        Rows of the profile table.
    machine : Machine
        Device to use; the network is moved there and back.
    symmetries : int
        Turns and mirror images to average over, 1 to 8.
    batch : int
        Crops a forward pass.
    progress : callable, optional
        Called with (crops done, crops in all).

    Returns
    -------
    CropScores
        Logits in the order of `ids`, and the groups' mean profiles (NaN for an empty group).
    """
    network.to(machine.device).eval()
    logits = np.zeros((len(ids), network.n_classes))
    sums: NDArray[np.float64] | None = None
    for part in _batches(ids, batch):
        pixels = source.scaled(ids[part])
        for code in _SYMMETRIES[:symmetries]:
            turned = dihedral(pixels, np.full(len(pixels), code)) if code else pixels
            images = torch.from_numpy(turned).to(machine.device)
            images = images.contiguous(memory_format=torch.channels_last)
            answer, features = network.logits_and_profile(images)
            logits[part] += answer.cpu().double().numpy() / symmetries
            if code == 0:
                profile = features.cpu().double().numpy()
                sums = np.zeros((n_groups, profile.shape[1])) if sums is None else sums
                np.add.at(sums, groups[part], profile)
        if progress is not None:
            progress(part.stop, len(ids))
    network.cpu()
    counts = np.bincount(groups, minlength=n_groups)[:, None].astype(float)
    sums = np.zeros((n_groups, 0)) if sums is None else sums
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return CropScores(logits, means.astype(np.float32))


def _sample(crops: TrainingCrops, seed: int) -> NDArray[np.int64]:
    """Return positions of up to 512 crops of each class."""
    generator = np.random.default_rng(seed)
    chosen = []
    for index in np.unique(crops.classes):
        members = np.flatnonzero(crops.classes == index)
        count = min(len(members), _REFERENCE_CROPS)
        chosen.append(np.sort(generator.choice(members, count, replace=False)))
    return np.concatenate(chosen)


def train_fold(
    crops: TrainingCrops,
    recipe: dict[str, Any],
    settings: FitSettings,
    machine: Machine,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedFold:
    """Build and train one network on the crops it may see.

    Parameters
    ----------
    crops : TrainingCrops
        Crops of all wells but the held-out ones.
    recipe : dict
        Arguments of :func:`~counterstain.networks.build_network`.
    settings : FitSettings
        Training settings; the seed also draws the starting weights.
    machine : Machine
        Device and precision.
    progress : callable, optional
        Called with (steps done, steps in all).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = build_network(**recipe)
        history = fit(network, crops, settings, machine, progress=progress)
    chosen = _sample(crops, settings.seed)
    classes = crops.classes[chosen]
    logits = fit_domain(network, crops.source, crops.ids[chosen], classes, machine)
    right = logits.argmax(1) == classes
    balanced = float(np.mean([right[classes == index].mean() for index in np.unique(classes)]))
    return TrainedFold(network, history, balanced)
