"""A trained segmenter on disk: safetensors beside JSON, never pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.files import atomic_path, digest, read_json, write_json
from counterstain.masks.unet_network import build_unet

__all__ = ["FORMAT", "read_unet", "write_unet"]

FORMAT = 2
_KIND = "unet-segmenter"


def _paths(path: Path) -> tuple[Path, Path]:
    stem = path.with_suffix("") if path.suffix in {".safetensors", ".json"} else path
    return stem.with_name(stem.name + ".safetensors"), stem.with_name(stem.name + ".json")


def _recipe_digest(content: dict[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "recipe_sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
    weights, file = _paths(path)
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    with atomic_path(weights) as temporary:
        save_file(state, temporary)
    content = {"format": FORMAT, "kind": _KIND, **recipe, "weights_sha256": digest(weights)}
    # Through JSON once, so that the digest is that of what a reader will see.
    content = json.loads(json.dumps(content))
    write_json(file, content | {"recipe_sha256": _recipe_digest(content)})


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
    weights, file = _paths(Path(path))
    for part in (weights, file):
        if not part.is_file():
            raise MissingFileError(
                f"{part} must hold a trained segmenter; there is no such file: train one, or "
                "correct the path."
            )
    content = read_json(file)
    kind = (content.get("format"), content.get("kind")) if isinstance(content, dict) else None
    if kind != (FORMAT, _KIND):
        raise InvalidInputError(
            f"{file} must be the recipe of a segmenter, format {FORMAT}; got {kind}: train the "
            "segmenter again with this version."
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
    try:
        network = build_unet(**content["arguments"])
        network.load_state_dict(load_file(weights))
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise InvalidInputError(
            f"{file} must describe the network whose weights lie beside it; it does not "
            f"({error}): restore both files, or train again."
        ) from error
    return network.eval(), content
