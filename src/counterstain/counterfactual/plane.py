"""The plane in which a decision can be seen: across the boundary, and along what else varies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from counterstain.errors import InvalidInputError
from counterstain.networks.generative import GenerativeClassifier

__all__ = ["BoundaryPlane", "boundary_plane"]


@dataclass(frozen=True, slots=True)
class BoundaryPlane:
    """Axes in the space of averaged latents: the boundary's normal, and components along it.

    Parameters
    ----------
    source, target : int
        Class indices of the pair.
    normal : Tensor
        ``(c,)`` gradient of the log-odds of target against source.
    offset : Tensor
        Scalar: log-odds are ``means @ normal + offset``.
    centre : Tensor
        ``(c,)`` point half way between the means of the two classes: zero of the components.
    components : Tensor
        ``(m, c)`` orthonormal, each orthogonal to `normal`: moving along them leaves the log-odds
        as they are. In the order of their variance within classes.
    deviations : Tensor
        ``(m,)`` standard deviation of the training crops along each, within classes.
    shares : Tensor
        ``(m,)`` share of the variance within classes, normal left out, that each holds.
    """

    source: int
    target: int
    normal: Tensor
    offset: Tensor
    centre: Tensor
    components: Tensor
    deviations: Tensor
    shares: Tensor

    def log_odds(self, means: Tensor) -> Tensor:
        """Return the log-odds ``(N,)`` of averaged latents ``(N, c)``."""
        found: Tensor = means @ self.normal + self.offset
        return found

    def distance(self, means: Tensor) -> Tensor:
        """Return the signed distance ``(N,)`` from the boundary, in units of the latents."""
        found: Tensor = self.log_odds(means) / self.normal.norm()
        return found

    def along(self, means: Tensor) -> Tensor:
        """Return the coordinates ``(N, m)`` along the components, in standard deviations."""
        found: Tensor = (means - self.centre) @ self.components.T / self.deviations
        return found

    def step(self, component: int, deviations: float) -> Tensor:
        """Return the step ``(c,)`` along a component that leaves the log-odds as they are."""
        return deviations * self.deviations[component] * self.components[component]


@torch.no_grad()
def boundary_plane(
    network: GenerativeClassifier, source_class: int, target_class: int, *, n_components: int = 3
) -> BoundaryPlane:
    """Return the axes around the boundary between two classes.

    Parameters
    ----------
    network : GenerativeClassifier
        A trained network: the spread of its averaged latents was taken down after training.
    source_class, target_class : int
        The pair.
    n_components : int
        Components to return; fewer where the latents have fewer.

    Returns
    -------
    BoundaryPlane
        Components have a fixed sign: their largest entry is positive.

    Raises
    ------
    InvalidInputError
        If the two classes are one, or unknown, or have no boundary between them.

    Examples
    --------
    >>> from counterstain.networks import build_network
    >>> _ = torch.manual_seed(0)
    >>> network = build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1)
    >>> plane = boundary_plane(network, 0, 1)
    >>> bool((plane.components @ plane.normal).abs().max() < 1e-6)
    True
    """
    known = range(network.n_classes)
    if source_class not in known or target_class not in known or source_class == target_class:
        raise InvalidInputError(
            "`source_class` and `target_class` must be two class indices from 0 to "
            f"{network.n_classes - 1}; got {source_class} and {target_class}."
        )
    weights, offsets = (part.double() for part in network.head())
    normal = weights[target_class] - weights[source_class]
    length = normal.norm()
    if not float(length) > 0:
        raise InvalidInputError(
            f"Classes {source_class} and {target_class} have the same weights: there is no "
            "boundary between them; train the network first."
        )
    unit = normal / length
    covariance = network.domain.latent_covariance.double()
    # Variance in the boundary's own plane: the normal is taken out on both sides.
    across = torch.eye(len(unit), dtype=unit.dtype, device=unit.device) - torch.outer(unit, unit)
    inside = across @ covariance @ across
    values, vectors = torch.linalg.eigh((inside + inside.T) / 2)
    count = min(n_components, len(unit) - 1)
    order = torch.arange(len(values) - 1, len(values) - 1 - count, -1)
    components = vectors[:, order].T
    signs = components.gather(1, components.abs().argmax(1, keepdim=True)).sign()
    variances = values[order].clamp_min(1e-12)
    means = network.domain.latent_means.double()
    centre = (means[source_class] + means[target_class]) / 2
    offset = offsets[target_class] - offsets[source_class]
    total = values.clamp_min(0).sum().clamp_min(1e-12)
    parts = (normal, offset, centre, components * signs, variances.sqrt(), variances / total)
    return BoundaryPlane(source_class, target_class, *(part.float() for part in parts))
