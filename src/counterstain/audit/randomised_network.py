"""Copies of a network in which part of what it learned is gone."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from counterstain.attribution.target import as_it_was, explained_score
from counterstain.errors import InvalidInputError

__all__ = ["network_stages", "randomised_copy"]

_BODY = ("last third", "middle third", "first third")


def network_stages(
    network: nn.Module, images: Tensor, target_class: int | str | None
) -> dict[str, list[str]]:
    """Return the names of the weights that the score rests on, in stages from the head down.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    images : Tensor
        ``(N, ...)``; one is enough.
    target_class : int, str or None
        The class whose score is explained.

    Returns
    -------
    dict
        ``"head"``, ``"last third"``, ``"middle third"`` and ``"first third"`` of the blocks, in
        this order, each with the names of its weights. Weights that do not touch the score, such as
        those of a decoder, are left out. Empty stages of small networks are left out, too.

    Raises
    ------
    InvalidInputError
        If the score rests on no weight.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    >>> network_stages(model, torch.zeros(1, 1, 4, 4), 0)
    {'head': ['2.weight', '2.bias'], 'last third': ['0.weight', '0.bias']}
    """
    used = _weights_of_score(network, images[:1], target_class)
    owners: dict[str, list[str]] = {}
    for name in used:
        owners.setdefault(name.rpartition(".")[0], []).append(name)
    if not owners:
        raise InvalidInputError(
            "`network` must have weights that its score rests on; got none: there is nothing to "
            "randomise."
        )
    # What the root holds itself are the class means of an invertible network: its head.
    head = owners.pop("", None) or owners.pop(list(owners)[-1])
    body = list(owners.values())
    stages = {"head": head}
    for index, name in enumerate(_BODY):
        first = len(body) * (len(_BODY) - 1 - index) // len(_BODY)
        last = len(body) * (len(_BODY) - index) // len(_BODY)
        weights = [weight for owner in body[first:last] for weight in owner]
        if weights:
            stages[name] = weights
    return stages


def randomised_copy(
    network: nn.Module, weights: list[str], images: Tensor, *, seed: int
) -> nn.Module:
    """Return a copy in which the entries of each named weight are shuffled.

    Shuffled, a weight keeps the distribution that training gave it, so signals keep their size
    where fresh weights would change it; what was learned is gone. Running statistics of batch
    normalisation are those of the images, once more, or signals would die behind them.

    Parameters
    ----------
    network : torch.nn.Module
        Left as it is.
    weights : list of str
        Names as :func:`network_stages` returns them.
    images : Tensor
        ``(N, ...)`` for the statistics of batch normalisation.
    seed : int
        Seed of the shuffling.

    Returns
    -------
    torch.nn.Module
        The copy, in evaluation mode.

    Examples
    --------
    >>> model = nn.Linear(2, 2, bias=False)
    >>> other = randomised_copy(model, ["weight"], torch.zeros(2, 2), seed=0)
    >>> bool(torch.equal(other.weight.sort().values.sum(), model.weight.sort().values.sum()))
    True
    """
    other = copy.deepcopy(network).eval()
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(other.named_parameters())
    with torch.no_grad():
        for name in weights:
            values = parameters[name]
            order = torch.randperm(values.numel(), generator=generator).to(values.device)
            values.copy_(values.flatten()[order].reshape(values.shape))
    _follow_images(other, images)
    return other


@torch.no_grad()
def _follow_images(network: nn.Module, images: Tensor) -> None:
    # torch has no public name for all batch normalisations but this private base of them.
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    layers = [module for module in network.modules() if isinstance(module, kinds)]
    if not layers or len(images) < 2:
        return
    for layer in layers:
        layer.momentum = 1.0
        layer.train()
    _forward(network)(images)
    network.eval()


def _forward(network: nn.Module) -> Any:
    return getattr(network, "class_logits", network)


def _weights_of_score(
    network: nn.Module, image: Tensor, target_class: int | str | None
) -> list[str]:
    score = explained_score(network, target_class)
    with as_it_was(network), torch.enable_grad():
        named = [(name, weight) for name, weight in network.named_parameters()]
        for _, weight in named:
            weight.requires_grad_(True)
        total = score(image).sum()
        if not total.requires_grad:
            return []
        slopes = torch.autograd.grad(total, [w for _, w in named], allow_unused=True)
    return [name for (name, _), slope in zip(named, slopes, strict=True) if slope is not None]
