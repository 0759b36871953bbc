"""A trained segmenter on disk: safetensors beside JSON, never pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from counterstain.masks.unet_network import build_unet
from counterstain.weights import load_weights, read_recipe, write_weights

__all__ = ["FORMAT", "read_unet", "write_unet"]

FORMAT = 3
_KIND = "unet-segmenter"


def write_unet(network: nn.Module, path: Path, recipe: dict[str, Any]) -> None:
    """Write weights as ``path.safetensors`` and the recipe as ``path.json``.

    Parameters
    ----------
    network : torch.nn.Module
        From :func:`~counterstain.masks.unet_network.build_unet`, its norms not folded.
    path : Path
        Name without ending.
    recipe : dict
        JSON-ready; ``arguments`` are those of ``build_unet``.
    """
    write_weights(network, path, {"format": FORMAT, "kind": _KIND, **recipe})


def read_unet(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Rebuild a network, in evaluation mode, and return its recipe with it.

    Parameters
    ----------
    path : Path
        Name with or without ending.

    Raises
    ------
    MissingFileError
        If one of the two files is not there.
    InvalidInputError
        If the recipe is of another format or was changed, or the weights are not those it was
        written with.
    """
    content = read_recipe(path, what="a trained segmenter", known={(FORMAT, _KIND)})
    network = load_weights(path, content, lambda recipe: build_unet(**recipe["arguments"]))
    return network, content
