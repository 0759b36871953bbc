"""Networks of patches on disk: safetensors beside JSON, never pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from counterstain.networks.patch_autoencoder import PatchAutoencoder
from counterstain.networks.patch_classifier import PatchClassifier
from counterstain.networks.patch_regressors import AreaRegressor, DenseRegressor
from counterstain.weights import load_weights, read_recipe, write_weights

__all__ = ["FORMAT", "PatchNetwork", "load_patch_network", "save_patch_network"]

FORMAT = 1

PatchNetwork = PatchAutoencoder | PatchClassifier | DenseRegressor | AreaRegressor
_KINDS: dict[str, type[PatchNetwork]] = {
    kind.kind: kind for kind in (PatchAutoencoder, PatchClassifier, DenseRegressor, AreaRegressor)
}


def save_patch_network(network: PatchNetwork, path: Path, metadata: dict[str, Any]) -> None:
    """Save weights as ``path.safetensors`` and the recipe as ``path.json``.

    Parameters
    ----------
    network : PatchNetwork
        An autoencoder, a classifier or a regressor of patches.
    path : Path
        Name without ending.
    metadata : dict
        JSON-ready facts kept with the recipe (channels, images, training).
    """
    recipe = {
        "format": FORMAT,
        "kind": network.kind,
        "arguments": network.arguments,
        "metadata": metadata,
    }
    write_weights(network, path, recipe)


def load_patch_network(path: Path) -> tuple[PatchNetwork, dict[str, Any]]:
    """Rebuild a saved network, in evaluation mode, and return its metadata with it.

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
        saved with.
    """
    content = read_recipe(
        path,
        what="a network of patches",
        known={(FORMAT, kind) for kind in _KINDS},
        remedy="run `counterstain overlap`, or correct the path",
    )
    network = load_weights(
        path, content, lambda recipe: _KINDS[recipe["kind"]](recipe["arguments"])
    )
    return network, content["metadata"]
