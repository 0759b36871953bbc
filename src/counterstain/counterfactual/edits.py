"""Move an image's latents along the normal of the boundary, and decode."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier, InvertibleNetwork

__all__ = ["Counterfactual", "counterfactual"]


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Edited images with what the network says of them before and after.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)`` computed images, in the scale of the input.
    logit_before, logit_after : Tensor
        ``(N,)`` log-odds of the target class against the source class, of the original and of
        the computed image.
    error_bound : Tensor
        ``(N,)`` largest absolute error of a pixel by which the inverse can be wrong.
    """

    images: Tensor
    logit_before: Tensor
    logit_after: Tensor
    error_bound: Tensor


def _check(network: Classifier, source_class: int, target_class: int) -> InvertibleNetwork:
    if not isinstance(network, InvertibleNetwork):
        raise InvalidInputError(
            f"`network` must be invertible; got {network.arguments.get('network')!r}: train "
            '`model.network = "coupling"` for counterfactuals.'
        )
    for name, index in (("source_class", source_class), ("target_class", target_class)):
        if not 0 <= index < network.n_classes:
            raise InvalidInputError(
                f"`{name}` must be a class index from 0 to {network.n_classes - 1}; got {index}."
            )
    if source_class == target_class:
        raise InvalidInputError(
            f"`target_class` must differ from `source_class`; both are {target_class}: choose "
            "another class."
        )
    return network


@torch.no_grad()
def counterfactual(
    network: Classifier,
    images: Tensor,
    target_class: int,
    *,
    source_class: int,
    to_logit: float = 0.0,
) -> Counterfactual:
    """Show images as they would look on the other side of the boundary between two classes.

    Every latent vector is moved along the normal of the boundary, the same step at every place,
    until the log-odds of target against source reach a value, and decoded.

    Parameters
    ----------
    network : Classifier
        An invertible network.
    images : Tensor
        ``(N, C, H, W)`` float, scaled as in training.
    target_class, source_class : int
        Class indices; the edit goes from source to target.
    to_logit : float
        Log-odds (target against source) to reach: 0 is the boundary, the target class's median
        makes a typical member.

    Returns
    -------
    Counterfactual
        Images and log-odds. Whether the biology followed is for a measurement to say that never
        saw the network (:mod:`counterstain.counterfactual.oracle`).

    Raises
    ------
    InvalidInputError
        If the network cannot be inverted, a class does not exist, or both are the same.

    Examples
    --------
    >>> from counterstain.networks import build_network
    >>> _ = torch.manual_seed(0)
    >>> network = build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1)
    >>> edit = counterfactual(network.eval(), torch.rand(3, 1, 8, 8), 1, source_class=0)
    >>> bool(edit.logit_after.abs().max() < 1e-4)
    True
    """
    invertible = _check(network, source_class, target_class)
    latents = invertible.encode(images)
    before = _log_odds(invertible, latents, source_class, target_class)
    step, gain = invertible.direction(source_class, target_class)
    distance = (to_logit - before) / gain
    moved = latents + distance[:, None] * step
    decoded = invertible.decode_with_bound(moved)
    # Of the decoded picture, not of the latents it came from: those reach the goal by arithmetic.
    after = _log_odds(invertible, invertible.encode(decoded.images), source_class, target_class)
    return Counterfactual(decoded.images, before, after, decoded.error_bound)


def _log_odds(network: InvertibleNetwork, latents: Tensor, source: int, target: int) -> Tensor:
    logits = network.logits(latents)
    return logits[:, target] - logits[:, source]
