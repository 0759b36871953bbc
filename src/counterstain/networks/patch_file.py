"""Networks of patches on disk: safetensors beside JSON, never pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.files import atomic_path, digest, read_json, write_json
from counterstain.networks.patch_autoencoder import PatchAutoencoder
from counterstain.networks.patch_classifier import PatchClassifier
from counterstain.networks.patch_regressors import AreaRegressor, DenseRegressor

__all__ = ["FORMAT", "PatchNetwork", "load_patch_network", "save_patch_network"]

FORMAT = 1

PatchNetwork = PatchAutoencoder | PatchClassifier | DenseRegressor | AreaRegressor
_KINDS: dict[str, type[PatchNetwork]] = {
    kind.kind: kind for kind in (PatchAutoencoder, PatchClassifier, DenseRegressor, AreaRegressor)
}


def _paths(path: Path) -> tuple[Path, Path]:
    stem = path.with_suffix("") if path.suffix in {".safetensors", ".json"} else path
    return stem.with_name(stem.name + ".safetensors"), stem.with_name(stem.name + ".json")


def _recipe_digest(content: dict[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "recipe_sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
    weights, recipe = _paths(path)
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    with atomic_path(weights) as temporary:
        save_file(state, temporary)
    content = {
        "format": FORMAT,
        "kind": network.kind,
        "arguments": network.arguments,
        "weights_sha256": digest(weights),
        "metadata": metadata,
    }
    # Through JSON once, so that the digest is that of what a reader will see.
    content = json.loads(json.dumps(content))
    write_json(recipe, content | {"recipe_sha256": _recipe_digest(content)})


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
    weights, recipe = _paths(Path(path))
    for file in (weights, recipe):
        if not file.is_file():
            raise MissingFileError(
                f"{file} must hold a network of patches; there is no such file: run "
                "`counterstain overlap`, or correct the path."
            )
    content = read_json(recipe)
    found = (content.get("format"), content.get("kind")) if isinstance(content, dict) else None
    if found is None or found[0] != FORMAT or found[1] not in _KINDS:
        raise InvalidInputError(
            f"{recipe} must be the recipe of a network of patches, format {FORMAT}; got {found}: "
            "train it again with this version."
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
        network = _KINDS[content["kind"]](content["arguments"])
        network.load_state_dict(load_file(weights))
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise InvalidInputError(
            f"{recipe} must describe the network whose weights lie beside it; it does not "
            f"({error}): restore both files, or train again."
        ) from error
    return network.eval(), content["metadata"]
