"""Null screen: what the machinery claims where there is nothing to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.audit.null_halvings import NullClaims, null_claims
from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier
from counterstain.statistics import is_at_chance
from counterstain.statistics.chance import ChanceTest
from counterstain.training.device import Machine
from counterstain.training.folds import fold_seed, score_crops, train_fold
from counterstain.training.loop import FitSettings, TrainingCrops
from counterstain.training.minibatches import PixelSource

__all__ = ["MIN_WELLS", "NullScreen", "halve_wells", "null_screen"]

MIN_WELLS = 6
"""Negative controls below which two halves are too few to train on and to test."""
_NAMES = ("one half", "other half")
_FOLDS = 2


@dataclass(frozen=True, slots=True)
class NullScreen:
    """A screen of negative controls against themselves.

    Parameters
    ----------
    chance : ChanceTest
        Whether networks tell two halves of the negative controls apart, on wells they never saw.
    claims : NullClaims
        How often measurements would be called different between two halves.
    scores : DataFrame
        A row a well: ``well``, ``half`` (0 or 1), ``fold`` and ``logit`` of the network that
        never saw it.
    networks : tuple of Classifier
        The networks, one a fold: trained exactly as the real ones, on labels that mean nothing.
    steps : int
        Training steps of each.
    """

    chance: ChanceTest
    claims: NullClaims
    scores: pd.DataFrame
    networks: tuple[Classifier, ...]
    steps: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping, without the networks."""
        return {
            "chance": self.chance.to_json(),
            "claims": self.claims.to_json(),
            "n_wells": len(self.scores),
            "steps": self.steps,
        }


@dataclass(frozen=True, slots=True)
class _Halves:
    """Half and fold of each well."""

    half: NDArray[np.int64]
    fold: NDArray[np.int64]


def halve_wells(n_wells: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Deal wells into two halves, neighbours in the given order into different ones.

    Parameters
    ----------
    n_wells : int
        Wells, in the order of the plate: so no gradient over the plate tells the halves apart.
    generator : numpy.random.Generator
        Decides which of two neighbours goes where.

    Returns
    -------
    ndarray of int64, shape (n_wells,)
        0 or 1; of an odd number of wells, the last goes to either half.

    Examples
    --------
    >>> halves = halve_wells(8, np.random.default_rng(0)).reshape(4, 2)
    >>> halves.sum(axis=1).tolist()
    [1, 1, 1, 1]
    """
    first = generator.integers(2, size=(n_wells + 1) // 2)
    return np.stack([first, 1 - first], axis=1).ravel()[:n_wells].astype(np.int64)


def null_screen(
    source: PixelSource,
    ids: NDArray[np.int64],
    wells: NDArray[np.int64],
    measured: pd.DataFrame,
    recipe: dict[str, Any],
    settings: FitSettings,
    machine: Machine,
    *,
    seed: int,
    symmetries: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> NullScreen:
    """Train half of the negative controls against the other half, as the real classes are.

    Chance is expected. Whatever is claimed here is the machinery's own false-positive rate.

    Parameters
    ----------
    source : PixelSource
        Where the pixels are.
    ids, wells : array of int, shape (n,)
        Crops of negative controls, and the well of each: numbers in the order of the plate.
    measured : DataFrame
        A row per crop: the measurements that real claims are made of; NaN where undefined.
    recipe, settings, machine
        As for :func:`~counterstain.training.folds.train_fold`; two classes are put in their place.
    seed : int
        Deals the halves, and seeds the networks.
    symmetries : int
        As for :func:`~counterstain.training.folds.score_crops`.
    progress : callable, optional
        Called with (networks done, networks in all).

    Returns
    -------
    NullScreen
        What was claimed, and the networks.

    Raises
    ------
    InvalidInputError
        If there are fewer than six wells, or the rows do not fit each other.
    """
    names, codes = np.unique(wells, return_inverse=True)
    _check(len(names), ids, wells, measured)
    generator = np.random.default_rng(seed)
    halves = _deal(len(names), generator)
    logits = np.zeros(len(names))
    networks = []
    for fold in range(_FOLDS):
        seen = halves.fold[codes] != fold
        crops = TrainingCrops(source, ids[seen], halves.half[codes[seen]], codes[seen])
        plain = recipe | {"n_classes": 2, "class_names": list(_NAMES)}
        own = FitSettings(**(asdict(settings) | {"seed": fold_seed(seed, fold)}))
        network = train_fold(crops, plain, own, machine).network
        scores = score_crops(
            network, source, ids[~seen], codes[~seen], len(names), machine, symmetries=symmetries
        )
        odds = scores.logits[:, 1] - scores.logits[:, 0]
        for well in np.flatnonzero(halves.fold == fold):
            logits[well] = odds[codes[~seen] == well].mean()
        networks.append(network)
        if progress is not None:
            progress(fold + 1, _FOLDS)
    labels = np.array(_NAMES)[halves.half]
    chance = is_at_chance(logits, labels, _NAMES, seed=seed)
    table = pd.DataFrame({"well": names, "half": halves.half, "fold": halves.fold, "logit": logits})
    claims = null_claims(measured, codes, seed=seed)
    return NullScreen(chance, claims, table, tuple(networks), settings.steps)


def _deal(n_wells: int, generator: np.random.Generator) -> _Halves:
    """Deal wells into halves, and those of each half into folds."""
    half = halve_wells(n_wells, generator)
    fold = np.zeros(n_wells, np.int64)
    for value in (0, 1):
        own = np.flatnonzero(half == value)
        fold[own] = halve_wells(len(own), generator)
    return _Halves(half, fold)


def _check(
    n_wells: int, ids: NDArray[np.int64], wells: NDArray[np.int64], measured: pd.DataFrame
) -> None:
    if not len(ids) == len(wells) == len(measured):
        raise InvalidInputError(
            f"`ids`, `wells` and `measured` must have a row a crop; got {len(ids)}, {len(wells)} "
            f"and {len(measured)}: pass the same crops."
        )
    if n_wells < MIN_WELLS:
        raise InvalidInputError(
            f"`wells` must hold {MIN_WELLS} negative controls or more, to halve them twice; got "
            f"{n_wells}: a null screen needs more control wells."
        )
