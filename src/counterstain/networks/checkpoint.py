"""Weights and recipe on disk: safetensors beside JSON, never pickle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from counterstain.networks.base import Classifier
from counterstain.networks.build import build_network
from counterstain.weights import load_weights, read_recipe, rewrite_recipe, write_weights

__all__ = ["FORMAT", "load_network", "note_in_recipe", "save_network"]

FORMAT = 2


def save_network(network: Classifier, path: Path, metadata: dict[str, Any] | None = None) -> None:
    """Save weights as ``path.safetensors`` and the recipe as ``path.json``.

    Parameters
    ----------
    network : Classifier
        A network made by :func:`~counterstain.networks.build_network`.
    path : Path
        Name without ending.
    metadata : dict, optional
        JSON-ready facts kept with the recipe (channels, classes, training).
    """
    recipe = {"format": FORMAT, "arguments": network.arguments, "metadata": metadata or {}}
    write_weights(network, path, recipe)


def note_in_recipe(path: Path, facts: dict[str, Any]) -> None:
    """Add facts to the metadata of a saved network, whose weights stay as they are.

    Parameters
    ----------
    path : Path
        Name with or without ending.
    facts : dict
        JSON-ready entries; those of the same name are replaced.

    Raises
    ------
    MissingFileError, InvalidInputError
        As for `load_network`.
    """
    content = read_recipe(path, what="a saved network", known={(FORMAT, None)})
    rewrite_recipe(path, content | {"metadata": content["metadata"] | facts})


def load_network(
    path: Path, *, channels: Sequence[str] | None = None
) -> tuple[Classifier, dict[str, Any]]:
    """Rebuild a saved network, in evaluation mode, and return its metadata with it.

    Parameters
    ----------
    path : Path
        Name with or without ending.
    channels : sequence of str, optional
        Names of the channels of the images it is loaded for, to be checked against training.

    Raises
    ------
    MissingFileError
        If one of the two files is not there.
    InvalidInputError
        If the recipe is of another format or was changed, the weights are not those it was saved
        with, or it was trained on other channels.
    """
    content = read_recipe(path, what="a saved network", known={(FORMAT, None)})
    network = load_weights(
        path,
        content,
        lambda recipe: build_network(**{**recipe["arguments"], "pretrained": False}),
    )
    if channels is not None:
        network.check_channels(channels)
    return network, content["metadata"]
