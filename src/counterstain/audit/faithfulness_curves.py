"""Faithfulness: taking away what a map calls important has to take away the score, and soon."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from counterstain.attribution.slices import baseline_like, slice_length
from counterstain.attribution.target import Model, as_it_was, check_inputs
from counterstain.audit.imputation import impute
from counterstain.audit.reference_maps import edge_maps, random_maps
from counterstain.audit.similarity import is_constant
from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier

__all__ = ["FaithfulnessCurves", "faithfulness"]

_ROAD = (0.1, 0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True)
class FaithfulnessCurves:
    """What the score does as pixels are put in or taken out in the order of a map.

    All scores are probabilities of the target class (or its log-odds, as asked).

    Parameters
    ----------
    method : str
        Name of the method; ``"random"`` and ``"edges"`` are the references.
    fractions : array
        ``(S + 1,)`` share of pixels changed, 0 to 1.
    insertion_curve, deletion_curve : array
        ``(N, S + 1)`` scores.
    insertion, deletion : array
        ``(N,)`` area under them; more is better for insertion, less for deletion.
    road : array
        ``(N,)`` mean score with the least important pixels removed minus that with the most
        important removed, holes filled from around; more is better, 0 is no better than chance.
    reasons : tuple of str
        Why the numbers of an image are NaN, one entry an image; empty where they are defined.
    """

    method: str
    fractions: NDArray[np.float64]
    insertion_curve: NDArray[np.float64]
    deletion_curve: NDArray[np.float64]
    insertion: NDArray[np.float64]
    deletion: NDArray[np.float64]
    road: NDArray[np.float64]
    reasons: tuple[str, ...]


def faithfulness(
    model: Model,
    images: Tensor,
    target_class: int | str | Sequence[int] | None,
    maps: Mapping[str, Any],
    *,
    seed: int,
    baseline: float | Sequence[float] | Tensor | Literal["blurred"] = 0.0,
    steps: int = 8,
    road_fractions: Sequence[float] = _ROAD,
    scale: Literal["probability", "log_odds"] = "probability",
    minibatch_size: int | None = None,
) -> dict[str, FaithfulnessCurves]:
    """Return insertion, deletion and ROAD of maps, and of two references that know no network.

    Pixels are ordered by the map summed over channels, those that speak most for the target first,
    and changed in all channels. Insertion and deletion: Petsiuk et al. 2018,
    doi:10.48550/arXiv.1806.07421. They show the network images as it never saw them; remove and
    debias (ROAD; Rong et al. 2022, doi:10.48550/arXiv.2202.00449) fills what is removed from
    around. It costs ``2 (steps + 1) + 2 len(road_fractions)`` forward passes an image and map.

    Parameters
    ----------
    model : Classifier, torch.nn.Module or callable
        Gives logits ``(N, K)``; with one column or ``(N,)`` they are log-odds.
    images : Tensor
        ``(N, C, H, W)``.
    target_class : int, str, sequence of int or None
        Class whose score is followed; one for all, or an index each image. None for models with
        one number an image.
    maps : mapping of str to array-like or Tensor
        ``(N, C, H, W)`` signed maps each method.
    seed : int
        Seed of the random maps and of the noise in the filling.
    baseline : float, sequence of float, Tensor or "blurred"
        What a pixel is that is not there: as for integrated gradients, or the image blurred.
    steps : int
        Steps of the curves, at least 2.
    road_fractions : sequence of float
        Shares of pixels that are removed, between 0 and 1, both excluded.
    scale : {"probability", "log_odds"}
        What is followed.
    minibatch_size : int, optional
        Images through the model at once.

    Returns
    -------
    dict
        A record each method, and ``"random"`` and ``"edges"``. Constant maps have no order: their
        numbers are NaN, with the reason.

    Raises
    ------
    InvalidInputError
        If a class does not exist, maps do not fit or are not finite, or a number is out of range.

    Examples
    --------
    >>> model = lambda images: images[:, 0, :, :4].sum((1, 2)) - 6  # the left half, against 6
    >>> left = torch.zeros(1, 1, 8, 8)
    >>> left[..., :4] = 1 + torch.rand(8, 4)
    >>> found = faithfulness(model, torch.ones(1, 1, 8, 8), 0, {"left": left}, seed=0)
    >>> bool(found["left"].insertion > found["random"].insertion)
    True
    """
    images = check_inputs(model, images)
    _check(images, steps, road_fractions, scale)
    if isinstance(baseline, str) and baseline != "blurred":
        raise InvalidInputError(
            f"`baseline` must be a number, a tensor or 'blurred'; got {baseline!r}: pass 0 for the "
            "background of images that are scaled by the plate."
        )
    start = _blurred(images) if isinstance(baseline, str) else baseline_like(images, baseline)
    everything = {**dict(maps)}
    everything.setdefault("random", random_maps(images, seed=seed))
    everything.setdefault("edges", edge_maps(images))
    checked = {name: _map(name, one, images) for name, one in everything.items()}
    follow = _follow(model, target_class, scale, slice_length(images, minibatch_size), len(images))
    fractions = np.linspace(0, 1, steps + 1)
    with as_it_was(model), torch.inference_mode():
        return {
            name: _curves(name, one, images, start, follow, fractions, tuple(road_fractions), seed)
            for name, one in checked.items()
        }


def _curves(
    name: str,
    maps: Tensor,
    images: Tensor,
    start: Tensor,
    follow: Callable[[Tensor], NDArray[np.float64]],
    fractions: NDArray[np.float64],
    road_fractions: tuple[float, ...],
    seed: int,
) -> FaithfulnessCurves:
    rank = _rank(maps)
    put, taken = [], []
    for fraction in fractions:
        chosen = (rank < fraction)[:, None]
        put.append(follow(torch.where(chosen, images, start)))
        taken.append(follow(torch.where(chosen, start, images)))
    gains = []
    for fraction in road_fractions:
        least = follow(impute(images, rank >= 1 - fraction, seed=seed))
        gains.append(least - follow(impute(images, rank < fraction, seed=seed)))
    constant = is_constant(maps.cpu())
    blank = np.where(constant, np.nan, 0.0)
    insertion, deletion = (np.stack(curve, 1) + blank[:, None] for curve in (put, taken))
    return FaithfulnessCurves(
        name,
        fractions,
        insertion,
        deletion,
        _area(insertion, fractions),
        _area(deletion, fractions),
        np.mean(gains, axis=0) + blank,
        tuple("the map is constant: it puts no pixel first" if one else "" for one in constant),
    )


def _area(curve: NDArray[np.float64], fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.trapezoid(curve, fractions, axis=1), dtype=np.float64)


def _rank(maps: Tensor) -> Tensor:
    """Return the place of each pixel in the order, ``(N, H, W)``, from 0 to below 1."""
    flat = maps.sum(1).flatten(1)
    order = flat.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(flat.shape[1], device=flat.device, dtype=torch.float64) / flat.shape[1]
    rank = torch.empty_like(flat, dtype=torch.float64)
    rank.scatter_(1, order, places.expand(flat.shape))
    return rank.reshape(len(maps), *maps.shape[2:])


def _follow(
    model: Model, target_class: Any, scale: str, length: int, count: int
) -> Callable[[Tensor], NDArray[np.float64]]:
    forward = model.class_logits if isinstance(model, Classifier) else model
    if target_class is None or isinstance(target_class, int | str):
        if isinstance(model, Classifier):
            target_class = model.class_index(-1 if target_class is None else target_class)
        target_class = [target_class or 0] * count
    wanted = torch.as_tensor([int(one) for one in target_class])
    if len(wanted) != count:
        raise InvalidInputError(
            f"`target_class` must be one class or one each of {count} images; got {len(wanted)}: "
            "pass the called class of each image."
        )

    def follow(images: Tensor) -> NDArray[np.float64]:
        parts = [forward(images[i : i + length]) for i in range(0, count, length)]
        return np.asarray(_ahead(torch.cat(parts), wanted, scale).double().cpu())

    return follow


def _ahead(logits: Tensor, wanted: Tensor, scale: str) -> Tensor:
    if logits.ndim == 1 or logits.shape[1] == 1:
        log_odds = logits.reshape(-1)
        return log_odds if scale == "log_odds" else log_odds.sigmoid()
    if not bool(((wanted >= 0) & (wanted < logits.shape[1])).all()):
        raise InvalidInputError(
            f"`target_class` must be from 0 to {logits.shape[1] - 1}; got {int(wanted.max())}: "
            "choose a class that the model has."
        )
    column = wanted.to(logits.device)[:, None]
    log_share = logits.log_softmax(1).gather(1, column)[:, 0]
    if scale == "probability":
        return log_share.exp()
    rest = logits.scatter(1, column, -math.inf)
    return logits.gather(1, column)[:, 0] - rest.logsumexp(1)


def _map(name: str, maps: Any, images: Tensor) -> Tensor:
    given = torch.as_tensor(maps).to(images.device)
    if given.shape != images.shape or not bool(torch.isfinite(given).all()):
        raise InvalidInputError(
            f"`maps[{name!r}]` must be finite and of the images' shape {tuple(images.shape)}; got "
            f"{tuple(given.shape)}: pass the maps of these images, without NaN."
        )
    return given


def _blurred(images: Tensor) -> Tensor:
    side = min(images.shape[2:]) // 8 * 2 + 1
    planes = functional.pad(images, (side // 2,) * 4, "replicate")
    # Two box blurs are near enough to a Gaussian, and need no kernel.
    once = functional.avg_pool2d(planes, side, stride=1)
    again = functional.pad(once, (side // 2,) * 4, "replicate")
    return functional.avg_pool2d(again, side, stride=1)


def _check(images: Tensor, steps: int, fractions: Sequence[float], scale: str) -> None:
    if images.ndim != 4:
        raise InvalidInputError(
            f"`images` must be (N, C, H, W); got {tuple(images.shape)}: pass images."
        )
    if steps < 2 or not fractions or not all(0 < fraction < 1 for fraction in fractions):
        raise InvalidInputError(
            f"`steps` must be at least 2 and `road_fractions` between 0 and 1, both excluded; got "
            f"{steps} and {list(fractions)}: 8 and {list(_ROAD)} are a start."
        )
    if scale not in ("probability", "log_odds"):
        raise InvalidInputError(
            f"`scale` must be 'probability' or 'log_odds'; got {scale!r}: choose one of the two."
        )
