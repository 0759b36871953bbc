"""Build a network by its name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from counterstain.errors import InvalidInputError
from counterstain.networks.autoencoder import AutoencoderNetwork
from counterstain.networks.backbone import BACKBONES, BackboneClassifier
from counterstain.networks.base import Classifier
from counterstain.networks.compact import CompactClassifier
from counterstain.networks.coupling import CouplingNetwork
from counterstain.networks.iresnet import InvertibleResNet

__all__ = ["build_network", "network_names"]

_KINDS: dict[str, Callable[[Mapping[str, Any]], Classifier]] = {
    "coupling": CouplingNetwork,
    "iresnet50": InvertibleResNet,
    "autoencoder": AutoencoderNetwork,
    **dict.fromkeys(BACKBONES, BackboneClassifier),
    "compact": CompactClassifier,
}


def network_names() -> tuple[str, ...]:
    """Names that :func:`build_network` knows.

    Examples
    --------
    >>> network_names()
    ('coupling', 'iresnet50', 'autoencoder', 'resnext50', 'compact')
    """
    return tuple(_KINDS)


def build_network(
    network: str, *, channels: int, size: int, n_classes: int, **options: Any
) -> Classifier:
    """Build a network with fresh weights.

    Weights are drawn from torch's global generator: seed it first for a run that repeats.

    Parameters
    ----------
    network : str
        One of :func:`network_names`.
    channels : int
        Image channels, 1 to 8.
    size : int
        Image height and width in pixels.
    n_classes : int
        Classes, at least 2.
    **options
        Options of the kind, e.g. ``hidden`` and ``blocks`` for ``coupling``, ``pretrained`` for
        ``resnext50``.

    Returns
    -------
    Classifier
        The network, in training mode; an ``InvertibleNetwork`` where the kind is invertible.

    Raises
    ------
    InvalidInputError
        If the name is unknown or a number is out of range.

    Examples
    --------
    >>> network = build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1)
    >>> network.arguments["squeeze"]
    [2, 2]
    """
    if network not in _KINDS:
        close = difflib.get_close_matches(network, _KINDS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "choose one of them."
        raise InvalidInputError(f"`network` must be one of {list(_KINDS)}; got {network!r}: {hint}")
    if not 1 <= channels <= 8:
        raise InvalidInputError(f"`channels` must be 1 to 8; got {channels}: choose up to eight.")
    if n_classes < 2:
        raise InvalidInputError(f"`n_classes` must be at least 2; got {n_classes}: add a class.")
    arguments = {"network": network, "channels": channels, "size": size, "n_classes": n_classes}
    return _KINDS[network]({**arguments, **options})
