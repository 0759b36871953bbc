"""Sanity check: a map has to change when what the network learned is taken away.

Adebayo et al. 2018, doi:10.48550/arXiv.1810.03292. Where it can mislead: a measure of similarity
that normalises away the change, or sees grain only (Binder et al. 2023,
doi:10.48550/arXiv.2211.12486; see :mod:`counterstain.audit.similarity`), and images in which any
network has to look at the same place (Yona and Greenfeld 2021, doi:10.48550/arXiv.2110.14297). So a
pass says that a map depends on the network, not that it is right; the faithfulness audit asks that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from counterstain.audit.randomised_network import network_stages, randomised_copy
from counterstain.audit.similarity import SAME, is_constant, map_similarity
from counterstain.errors import InvalidInputError

__all__ = [
    "MapMethod",
    "RandomisationResult",
    "SanityStatus",
    "StageSimilarity",
    "label_randomisation_check",
    "randomisation_check",
]

SanityStatus = Literal["pass", "fail", "unknown"]
MapMethod = Callable[[Any, Tensor, Any], Tensor]
_LEAST_IMAGES = 4
_UNMOVED = 0.95


@dataclass(frozen=True, slots=True)
class StageSimilarity:
    """How alike maps stay when weights are shuffled.

    Parameters
    ----------
    mode : {"cascading", "independent"}
        Whether all stages down to this one are shuffled, or this one alone.
    stage : str
        Name of the stage, see :func:`~counterstain.audit.randomised_network.network_stages`.
    similarity : float
        Mean over images, 0 to 1.
    by_image : array
        ``(N,)`` float64.
    """

    mode: Literal["cascading", "independent"]
    stage: str
    similarity: float
    by_image: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RandomisationResult:
    """Verdict on a method, with the numbers behind it.

    Parameters
    ----------
    method : str
        Name of the method.
    status : {"pass", "fail", "unknown"}
        Fail where the map of a network that knows nothing shares half or more of the variation.
    reason : str
        One sentence with the number.
    cascading : float
        Similarity with all stages shuffled; NaN where undefined.
    independent : float
        Mean similarity with one stage shuffled at a time; NaN where undefined.
    by_image : array
        ``(N,)`` similarity with all stages shuffled, mean over draws.
    stages : tuple of StageSimilarity
        The way there.
    """

    method: str
    status: SanityStatus
    reason: str
    cascading: float
    independent: float
    by_image: NDArray[np.float64]
    stages: tuple[StageSimilarity, ...] = ()


def randomisation_check(
    network: nn.Module,
    images: Tensor,
    target_class: int | str | None,
    methods: Mapping[str, MapMethod],
    *,
    seed: int,
    mode: Literal["both", "cascading", "independent"] = "both",
    draws: int = 2,
) -> dict[str, RandomisationResult]:
    """Shuffle the network's weights, from the head down and stage by stage, and compare maps.

    Parameters
    ----------
    network : torch.nn.Module
        Copied, never changed.
    images : Tensor
        ``(N, ...)``; 8 to 16 are enough, at least 4.
    target_class : int, str or None
        The class whose score is explained.
    methods : mapping of str to callable
        ``method(network, images, target_class)`` gives maps of the images' shape.
    seed : int
        Seed of the shuffling.
    mode : {"both", "cascading", "independent"}
        Which of the two; the verdict rests on what was run.
    draws : int
        Fully shuffled networks that the verdict is averaged over, at least 1.

    Returns
    -------
    dict
        A result each method, in the order given. Unknown, with the reason, for a method that
        raises or whose map is not finite.

    Raises
    ------
    InvalidInputError
        If images are too few, a number is out of range, or the class does not exist.

    Examples
    --------
    >>> import torch
    >>> from counterstain.attribution import saliency
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    >>> images = torch.rand(8, 1, 8, 8)
    >>> pictures = {"saliency": saliency, "the image": lambda model, images, target: images}
    >>> found = randomisation_check(model, images, 0, pictures, seed=0)
    >>> {name: result.status for name, result in found.items()}
    {'saliency': 'pass', 'the image': 'fail'}
    """
    _check(images, mode, draws)
    stages = network_stages(network, images, target_class)
    originals = {
        name: _maps(method, network, images, target_class) for name, method in methods.items()
    }
    found: dict[str, list[StageSimilarity]] = {name: [] for name in methods}
    broken = {name: maps for name, maps in originals.items() if isinstance(maps, str)}
    for kind, stage, weights, turn in _plan(stages, mode, draws):
        if mode == "both" and (kind, stage) == ("independent", next(iter(stages))):
            # The cascade starts with the same network.
            for entries in found.values():
                entries += [replace(entry, mode="independent") for entry in entries[-1:]]
            continue
        other = randomised_copy(network, weights, images, seed=seed + turn)
        for name, method in methods.items():
            if name in broken:
                continue
            maps = _maps(method, other, images, target_class)
            if isinstance(maps, str):
                broken[name] = maps
                continue
            by_image = map_similarity(originals[name], maps)
            found[name].append(StageSimilarity(kind, stage, float(by_image.mean()), by_image))
    return {
        name: _unknown(name, len(images), broken[name])
        if name in broken
        else _verdict(name, originals[name], found[name], len(stages))
        for name in methods
    }


def label_randomisation_check(
    maps: Any, maps_of_random_labels: Any, *, method: str = "map"
) -> RandomisationResult:
    """Compare maps with those of a network that was trained on shuffled labels.

    Parameters
    ----------
    maps, maps_of_random_labels : array-like or Tensor
        ``(N, C, H, W)`` of the same images.
    method : str
        Name for the reason.

    Returns
    -------
    RandomisationResult
        Fail where they share half or more of their variation; `cascading` holds the similarity.

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(size=(6, 1, 8, 8))
    >>> label_randomisation_check(maps, maps).status
    'fail'
    """
    try:
        by_image = map_similarity(maps, maps_of_random_labels)
    except InvalidInputError as error:
        return _unknown(method, len(np.asarray(maps)), str(error))
    mean = float(by_image.mean())
    constant = bool(is_constant(maps).any())
    status, reason = _judged(by_image, "a network that was trained on shuffled labels", constant)
    return RandomisationResult(method, status, reason, mean, float("nan"), by_image)


def _check(images: Tensor, mode: str, draws: int) -> None:
    if len(images) < _LEAST_IMAGES:
        raise InvalidInputError(
            f"`images` must be at least {_LEAST_IMAGES}; got {len(images)}: a similarity of fewer "
            "says nothing; pass 8 to 16."
        )
    if mode not in ("both", "cascading", "independent") or draws < 1:
        raise InvalidInputError(
            f"`mode` must be 'both', 'cascading' or 'independent' and `draws` at least 1; got "
            f"{mode!r} and {draws}: leave both out for the usual check."
        )


def _plan(
    stages: dict[str, list[str]], mode: str, draws: int
) -> list[tuple[Literal["cascading", "independent"], str, list[str], int]]:
    plan: list[tuple[Literal["cascading", "independent"], str, list[str], int]] = []
    names = list(stages)
    gathered: list[str] = []
    for name in names:
        gathered = gathered + stages[name]
        if mode != "independent":
            turns = range(draws) if name == names[-1] else range(1)
            plan += [("cascading", name, gathered, turn) for turn in turns]
        if mode != "cascading":
            plan.append(("independent", name, stages[name], 0))
    return plan


def _maps(method: MapMethod, network: Any, images: Tensor, target_class: Any) -> Any:
    """Return maps as an array, or the sentence that says why there are none."""
    try:
        maps = np.asarray(method(network, images, target_class).detach().cpu(), np.float64)
    except (ArithmeticError, RuntimeError, ValueError) as error:
        return f"the method gave no map: {str(error).splitlines()[0] if str(error) else error!r}"
    if not np.isfinite(maps).all():
        return "its map holds NaN or infinity"
    return maps


def _unknown(name: str, count: int, reason: str) -> RandomisationResult:
    nothing = np.full(count, np.nan)
    return RandomisationResult(name, "unknown", reason, float("nan"), float("nan"), nothing)


def _verdict(
    name: str, maps: NDArray[Any], found: list[StageSimilarity], n_stages: int
) -> RandomisationResult:
    last = [entry for entry in found if entry.mode == "cascading"][n_stages - 1 :]
    alone = [entry.similarity for entry in found if entry.mode == "independent"]
    by_image = np.full(len(maps), np.nan)
    if last:
        by_image = np.mean([entry.by_image for entry in last], axis=0)
    cascading = float(by_image.mean())
    independent = float(np.mean(alone)) if alone else float("nan")
    status: SanityStatus = "pass"
    reason = f"no stage alone leaves the map as it is (similarity {independent:.2f})"
    if last:
        constant = bool(is_constant(maps).any())
        status, reason = _judged(by_image, "a network with all weights shuffled", constant)
    if status != "fail" and independent >= _UNMOVED:
        status = "fail"
        reason = f"the map hardly changes whichever stage is shuffled ({independent:.2f})"
    return RandomisationResult(name, status, reason, cascading, independent, by_image, tuple(found))


def _judged(by_image: NDArray[np.float64], other: str, constant: bool) -> tuple[SanityStatus, str]:
    mean = float(by_image.mean())
    error = float(by_image.std(ddof=1) / np.sqrt(len(by_image))) if len(by_image) > 1 else np.inf
    words = f"similarity to the map of {other} {mean:.2f} (0 to 1; limit {SAME:.2f})"
    if mean >= SAME:
        return "fail", words + (", a constant map among them" if constant else "")
    if mean + 2 * error >= SAME:
        return "unknown", words + ": too near the limit for so few images"
    return "pass", words
