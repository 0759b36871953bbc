"""Stability: a map has to follow the image when the image changes and the network does not care."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from counterstain.attribution.target import as_it_was
from counterstain.audit.randomisation import MapMethod, SanityStatus
from counterstain.audit.similarity import SAME, is_constant, map_similarity
from counterstain.errors import InvalidInputError

__all__ = ["StabilityResult", "compensated", "stability_check"]

_Change = Callable[[Tensor], Tensor]
_LEAST_IMAGES = 3
_SCORES_AGREE = 1e-3


@dataclass(frozen=True, slots=True)
class StabilityResult:
    """How well the maps of a method follow changes that mean nothing.

    Parameters
    ----------
    method : str
        Name of the method.
    status : {"pass", "fail", "unknown"}
        Pass where the map of the changed image shares half or more of its variation with the
        changed map; fail where under one of the changes it is no more like it than the map of
        another image is; unknown in between.
    reason : str
        One sentence with the number.
    stability : float
        Mean similarity over changes and images, 0 to 1; NaN where undefined.
    by_change : dict of str to float
        ``"mirror"``, ``"quarter turn"``, ``"move"``, ``"noise"``, ``"input shift"``; NaN where the
        call itself changed on nearly all images, or the change could not be made.
    chance : float
        The same similarity between maps of different images.
    by_image : array
        ``(N,)`` mean over the changes under which the call of the image stayed.
    """

    method: str
    status: SanityStatus
    reason: str
    stability: float
    by_change: dict[str, float]
    chance: float
    by_image: NDArray[np.float64]


def stability_check(
    network: nn.Module,
    images: Tensor,
    target_class: int | str | None,
    methods: Mapping[str, MapMethod],
    *,
    seed: int,
    move: int = 2,
    noise: float = 0.02,
    input_shift: float = 0.1,
) -> dict[str, StabilityResult]:
    """Compare maps of changed images with maps that were changed like the images.

    Mirror image, quarter turn and a move by a few pixels; a little noise; and the input shift of
    Kindermans et al. 2019 (doi:10.1007/978-3-030-28954-6_14), a constant on every pixel that a copy
    of the network takes off again. Images whose call a change flips are left out of it: there the
    network is unstable, not the map. Methods with a fixed baseline see another distance to it
    under the input shift; that it moves their maps is what is measured.

    Parameters
    ----------
    network : torch.nn.Module
        Left as it is.
    images : Tensor
        ``(N, C, H, W)`` with H equal to W.
    target_class : int, str or None
        The class whose score is explained.
    methods : mapping of str to callable
        ``method(network, images, target_class)`` gives maps of the images' shape.
    seed : int
        Seed of the noise.
    move : int
        Pixels to move by, around the edge; small against the image.
    noise : float
        Standard deviation of the noise in units of the images.
    input_shift : float
        The constant, in units of the images.

    Returns
    -------
    dict
        A result each method; unknown, with the reason, for constant maps and methods that raise.

    Raises
    ------
    InvalidInputError
        If images are not square, too few, or `move` leaves nothing of them.

    Examples
    --------
    >>> from counterstain.attribution import saliency
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    >>> images = torch.rand(4, 1, 8, 8)
    >>> of_image = lambda model, images, target: images
    >>> stability_check(model, images, 0, {"image": of_image}, seed=0)["image"].by_change["mirror"]
    1.0
    """
    _check(images, move)
    generator = torch.Generator().manual_seed(seed)
    grain = noise * torch.randn(images.shape, generator=generator).to(images)
    changes: dict[str, tuple[_Change, _Change]] = {
        "mirror": (lambda x: x.flip(-1),) * 2,
        "quarter turn": (lambda x: x.rot90(1, (-2, -1)),) * 2,
        "move": (lambda x: x.roll((move, move), (-2, -1)),) * 2,
        "noise": (lambda x: x + grain, lambda m: m),
        "input shift": (lambda x: x + input_shift, lambda m: m),
    }
    runs = []
    calls = _calls(network, images)
    for name, (change, follow) in changes.items():
        changed = change(images)
        model = compensated(network, images, input_shift) if name == "input shift" else network
        kept = np.zeros(len(images), bool) if model is None else _calls(model, changed) == calls
        runs.append((name, model, changed, follow, kept))
    return {
        name: _result(name, method, network, images, target_class, runs)
        for name, method in methods.items()
    }


def compensated(network: nn.Module, images: Tensor, shift: float) -> nn.Module | None:
    """Return a copy of a network that takes a constant off its input first.

    The constant is taken off before the first layer that sees the images.

    Parameters
    ----------
    network : torch.nn.Module
        Left as it is.
    images : Tensor
        ``(N, ...)`` for finding that layer.
    shift : float
        The constant.

    Returns
    -------
    torch.nn.Module or None
        None where no layer sees the images as they are, or the scores of shifted images differ.
    """
    other = copy.deepcopy(network).eval()
    first = _first_layer(other, images)
    if first is None:
        return None
    first.register_forward_pre_hook(lambda module, inputs: (inputs[0] - shift, *inputs[1:]))
    with torch.no_grad():
        before, after = _forward(network)(images), _forward(other)(images + shift)
    scale = float(before.abs().max()) + 1e-12
    return other if float((before - after).abs().max()) <= _SCORES_AGREE * scale else None


def _first_layer(network: nn.Module, images: Tensor) -> nn.Module | None:
    seen: list[nn.Module] = []

    def watch(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        same = bool(inputs) and isinstance(inputs[0], Tensor) and inputs[0].shape == images.shape
        if not seen and same and bool(torch.equal(inputs[0], images)):
            seen.append(module)

    handles = [module.register_forward_pre_hook(watch) for module in network.modules()]
    try:
        with torch.no_grad():
            _forward(network)(images)
    finally:
        for handle in handles:
            handle.remove()
    return seen[0] if seen else None


def _forward(network: nn.Module) -> Callable[[Tensor], Tensor]:
    found: Callable[[Tensor], Tensor] = getattr(network, "class_logits", network)
    return found


@torch.no_grad()
def _calls(network: nn.Module, images: Tensor) -> NDArray[Any]:
    with as_it_was(network):
        scores = _forward(network)(images)
    one = scores.ndim == 1 or scores.shape[1] == 1
    calls = scores.reshape(len(images)) > 0 if one else scores.argmax(1)
    return np.asarray(calls.cpu())


def _check(images: Tensor, move: int) -> None:
    if images.ndim != 4 or images.shape[-1] != images.shape[-2] or len(images) < _LEAST_IMAGES:
        raise InvalidInputError(
            f"`images` must be at least {_LEAST_IMAGES} square images (N, C, H, W); got "
            f"{tuple(images.shape)}: pass 8 to 16 crops."
        )
    if not 0 <= move < images.shape[-1]:
        raise InvalidInputError(
            f"`move` must be from 0 to below the image's {images.shape[-1]} pixels; got {move}: "
            "2 pixels are a start."
        )


def _result(
    name: str,
    method: MapMethod,
    network: nn.Module,
    images: Tensor,
    target_class: Any,
    runs: list[tuple[str, nn.Module | None, Tensor, _Change, NDArray[np.bool_]]],
) -> StabilityResult:
    table, others_table = (np.full((len(runs), len(images)), np.nan) for _ in range(2))
    try:
        maps = method(network, images, target_class).detach()
        if bool(is_constant(maps.cpu()).any()):
            return _unknown(name, len(images), "a constant map is stable because it says nothing")
        for row, (_, model, changed, follow, kept) in enumerate(runs):
            if model is not None and kept.sum() >= _LEAST_IMAGES:
                others = method(model, changed, target_class).detach()
                followed = follow(maps).cpu()
                alike = map_similarity(followed, others.cpu(), signed=True)
                table[row] = np.where(kept, alike, np.nan)
                wrong = map_similarity(followed.roll(1, 0), others.cpu(), signed=True)
                others_table[row] = np.where(kept, wrong, np.nan)
    except (ArithmeticError, RuntimeError, ValueError) as error:
        return _unknown(name, len(images), f"the method gave no map: {str(error) or error!r}")
    names = [run[0] for run in runs]
    return _verdict(name, names, table, others_table)


def _verdict(
    name: str, changes: list[str], table: NDArray[np.float64], chance: NDArray[np.float64]
) -> StabilityResult:
    by_change = {change: _mean(row) for change, row in zip(changes, table, strict=True)}
    by_image = np.array([_mean(column) for column in table.T])
    stability = _mean(np.array(list(by_change.values())))
    if not np.isfinite(stability):
        return _unknown(name, len(by_image), "every change flips the call on nearly all images")
    by_chance = [
        change for change, *rows in zip(changes, table, chance, strict=True) if _no_better(*rows)
    ]
    worst = min((value, key) for key, value in by_change.items() if np.isfinite(value))
    reason = (
        f"maps follow changes of the image with similarity {stability:.2f} (0 to 1; limit "
        f"{SAME:.2f}; of other images {_mean(chance):.2f}), least for {worst[1]} ({worst[0]:.2f})"
    )
    status: SanityStatus = "pass" if stability >= SAME else "unknown"
    if by_chance:
        # Maps of centred cells are alike: to be no better than another image's says little then.
        status = "pass" if stability >= SAME else "fail"
        reason += f"; no better than by chance for {', '.join(by_chance)}"
    return StabilityResult(name, status, reason, stability, by_change, _mean(chance), by_image)


def _no_better(alike: NDArray[np.float64], chance: NDArray[np.float64]) -> bool:
    """Whether the followed map is no more like the map than another image's, by two errors."""
    gain = (alike - chance)[np.isfinite(alike)]
    if len(gain) < _LEAST_IMAGES:
        return False
    return bool(gain.mean() <= 2 * gain.std(ddof=1) / np.sqrt(len(gain)))


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _unknown(name: str, count: int, reason: str) -> StabilityResult:
    return StabilityResult(
        name, "unknown", reason, float("nan"), {}, float("nan"), np.full(count, np.nan)
    )
