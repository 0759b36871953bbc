"""Weights and recipe on disk: safetensors beside JSON, never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.files import atomic_path, digest, read_json, write_json
from counterstain.networks.base import Classifier
from counterstain.networks.build import build_network

__all__ = ["FORMAT", "load_network", "save_network"]

FORMAT = 2


def _recipe_digest(content: dict[str, Any]) -> str:
    """Return the digest of a recipe without its own digest, however the file is laid out."""
    rest = {key: value for key, value in content.items() if key != "recipe_sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _paths(path: Path) -> tuple[Path, Path]:
    stem = path.with_suffix("") if path.suffix in {".safetensors", ".json"} else path
    return stem.with_name(stem.name + ".safetensors"), stem.with_name(stem.name + ".json")


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
    weights, recipe = _paths(path)
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    with atomic_path(weights) as temporary:
        save_file(state, temporary)
    content = {
        "format": FORMAT,
        "arguments": network.arguments,
        "weights_sha256": digest(weights),
        "metadata": metadata or {},
    }
    # Through JSON once, so that the digest is that of what a reader will see.
    content = json.loads(json.dumps(content))
    write_json(recipe, content | {"recipe_sha256": _recipe_digest(content)})


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
    weights, recipe = _paths(Path(path))
    for file in (weights, recipe):
        if not file.is_file():
            raise MissingFileError(f"{file} must hold a saved network; there is no such file.")
    content = read_json(recipe)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InvalidInputError(
            f"{recipe} must be a recipe of format {FORMAT}; got "
            f"{content.get('format') if isinstance(content, dict) else content!r}: train the "
            "network again with this version."
        )
    if _recipe_digest(content) != content.get("recipe_sha256"):
        raise InvalidInputError(
            f"{recipe} must be as counterstain wrote it; its content does not fit its digest: it "
            "was edited or damaged; restore the file, or train again."
        )
    if digest(weights) != content.get("weights_sha256"):
        raise InvalidInputError(
            f"{weights} must hold the weights that {recipe.name} was written with; their digests "
            "differ: one of the two files was changed or damaged; restore both."
        )
    try:
        network = build_network(**{**content["arguments"], "pretrained": False})
        network.load_state_dict(load_file(weights))
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise InvalidInputError(
            f"{recipe} must describe the network whose weights lie beside it; it does not "
            f"({error}): restore both files, or train again."
        ) from error
    if channels is not None:
        network.check_channels(channels)
    return network.eval(), content["metadata"]
