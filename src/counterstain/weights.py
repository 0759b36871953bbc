"""Weights and recipe of a network on disk: safetensors beside JSON, never pickle.

The recipe holds a digest of the weights and one of itself, so that neither is changed unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load_file, save_file
from torch import nn

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.files import atomic_path, digest, read_json, write_json

__all__ = ["load_weights", "read_recipe", "rewrite_recipe", "write_weights"]

_Network = TypeVar("_Network", bound=nn.Module)


def _paths(path: Path) -> tuple[Path, Path]:
    stem = path.with_suffix("") if path.suffix in {".safetensors", ".json"} else path
    return stem.with_name(stem.name + ".safetensors"), stem.with_name(stem.name + ".json")


def _recipe_digest(content: dict[str, Any]) -> str:
    """Return the digest of a recipe without its own digest, however the file is laid out."""
    rest = {key: value for key, value in content.items() if key != "recipe_sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def write_weights(network: nn.Module, path: Path, recipe: dict[str, Any]) -> None:
    """Write weights as ``path.safetensors`` and the recipe as ``path.json``.

    Parameters
    ----------
    network : torch.nn.Module
        Whose weights.
    path : Path
        Name without ending.
    recipe : dict
        JSON-ready: ``format``, ``kind`` where there are several, and what rebuilds the network.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net"
    >>> write_weights(nn.Linear(2, 1), path, {"format": 1, "inputs": 2})
    >>> content = read_recipe(path, what="a network", known={(1, None)})
    >>> load_weights(path, content, lambda recipe: nn.Linear(recipe["inputs"], 1)).training
    False
    """
    weights, file = _paths(path)
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    with atomic_path(weights) as temporary:
        save_file(state, temporary)
    # Through JSON once, so that the digest is that of what a reader will see.
    content = json.loads(json.dumps(recipe | {"weights_sha256": digest(weights)}))
    write_json(file, content | {"recipe_sha256": _recipe_digest(content)})


def rewrite_recipe(path: Path, recipe: dict[str, Any]) -> None:
    """Write a recipe anew beside weights that stay as they are.

    Parameters
    ----------
    path : Path
        Name with or without ending.
    recipe : dict
        As from `read_recipe`, changed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net"
    >>> write_weights(nn.Linear(2, 1), path, {"format": 1, "inputs": 2})
    >>> rewrite_recipe(path, read_recipe(path, what="a network", known={(1, None)}) | {"note": "x"})
    >>> read_recipe(path, what="a network", known={(1, None)})["note"]
    'x'
    """
    rest = {key: value for key, value in recipe.items() if key != "recipe_sha256"}
    content = json.loads(json.dumps(rest))
    write_json(_paths(Path(path))[1], content | {"recipe_sha256": _recipe_digest(content)})


def read_recipe(
    path: Path,
    *,
    what: str,
    known: set[tuple[int, str | None]],
    remedy: str = "train one, or correct the path",
) -> dict[str, Any]:
    """Read a recipe, and check it and the weights against their digests.

    Parameters
    ----------
    path : Path
        Name with or without ending.
    what : str
        What is expected, for messages.
    known : set of (int, str or None)
        Formats and kinds that can be read.
    remedy : str
        What to do where there is no such file.

    Raises
    ------
    MissingFileError
        If one of the two files is not there.
    InvalidInputError
        If the recipe is of another format or was changed, or the weights are not those it was
        written with.
    """
    weights, file = _paths(Path(path))
    for part in (weights, file):
        if not part.is_file():
            raise MissingFileError(f"{part} must hold {what}; there is no such file: {remedy}.")
    content = read_json(file)
    found = (content.get("format"), content.get("kind")) if isinstance(content, dict) else None
    if found not in known:
        formats = ", ".join(str(number) for number in sorted({number for number, _ in known}))
        got = found if found is None or found[1] else found[0]
        raise InvalidInputError(
            f"{file} must be the recipe of {what}, format {formats}; got {got}: train it again "
            "with this version."
        )
    if _recipe_digest(content) != content.get("recipe_sha256"):
        raise InvalidInputError(
            f"{file} must be as counterstain wrote it; its content does not fit its digest: it was "
            "edited or damaged; restore the file, or train again."
        )
    if digest(weights) != content.get("weights_sha256"):
        raise InvalidInputError(
            f"{weights} must hold the weights that {file.name} was written with; their digests "
            "differ: one of the two files was changed or damaged; restore both."
        )
    return dict(content)


def load_weights(
    path: Path, recipe: dict[str, Any], build: Callable[[dict[str, Any]], _Network]
) -> _Network:
    """Rebuild a network from its recipe, in evaluation mode.

    Parameters
    ----------
    path : Path
        Name with or without ending.
    recipe : dict
        As from `read_recipe`.
    build : callable
        From the recipe to a network with any weights.

    Raises
    ------
    InvalidInputError
        If the weights do not fit the network that the recipe describes.
    """
    weights, file = _paths(Path(path))
    try:
        network = build(recipe)
        network.load_state_dict(load_file(weights))
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise InvalidInputError(
            f"{file} must describe the network whose weights lie beside it; it does not "
            f"({error}): restore both files, or train again."
        ) from error
    return network.eval()
