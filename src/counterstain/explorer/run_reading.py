"""What the explorer knows of a run: tables by number, pixels, and what is missing, in sentences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from pydantic import ValidationError

from counterstain.config import ScreenConfig
from counterstain.errors import CounterstainError, InvalidInputError, MissingFileError
from counterstain.explorer.catalogue import Catalogue, build_catalogue
from counterstain.figures.composite import channel_colours
from counterstain.figures.overlap_pixels import PatchPixels
from counterstain.files import read_json
from counterstain.run_folder import RunFolder
from counterstain.stages.record import RUN_FORMAT

__all__ = ["ExplorerRun", "read_explorer_run"]

_READ: Final = {
    "fields": ("field", "Metadata_Plate", "Metadata_Well", "Metadata_Site", "faulty", "reason"),
    "crops": ("crop", "field", "Metadata_Plate", "Metadata_Well", "class_name", "y", "x",
              "usable", "fold"),
    "scores": ("crop", "predicted"),
    "wells": ("Metadata_Plate", "Metadata_Well", "class_name"),
    "boundary": ("crop", "source_class", "target_class", "log_odds", "component"),
    "treatments": ("Metadata_Compound",),
    "overlap": ("field", "Metadata_Plate", "Metadata_Well", "Metadata_Site", "fault"),
    "overlap_wells": ("Metadata_Plate", "Metadata_Well", "class_name"),
    "overlap_patches": ("patch", "field", "Metadata_Plate", "Metadata_Well", "class_name",
                        "row_px", "column_px", "patch_px"),
    "overlap_latents": ("patch", "part"),
}  # fmt: skip
_OF_CROPS = ("fields", "crops", "scores", "wells", "boundary", "treatments")
_OF_PATCHES = ("overlap", "overlap_patches", "overlap_latents", "overlap_wells")


@dataclass(frozen=True)
class ExplorerRun:
    """A run as the explorer reads it, once, when it starts.

    Parameters
    ----------
    folder : RunFolder
        Where it lies.
    record, metrics : mapping
        Contents of ``run.json`` and ``metrics.json``; the second empty where absent.
    config : ScreenConfig or None
        The configuration; None where this version cannot read it.
    tables : mapping of str to DataFrame
        Tables that are there and whole.
    catalogue : Catalogue
        Wells, fields and crops (or patches) by number.
    pixels : PatchPixels or None
        Their pixels.
    channels, colours : tuple of str
        Names in the order of the channel axis, and a colour each.
    missing : mapping of str to str
        What is absent or damaged, as sentences.
    """

    folder: RunFolder
    record: Mapping[str, Any]
    metrics: Mapping[str, Any]
    config: ScreenConfig | None
    tables: Mapping[str, pd.DataFrame]
    catalogue: Catalogue
    pixels: PatchPixels | None
    channels: tuple[str, ...]
    colours: tuple[str, ...]
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``crops``, or ``patches`` of a co-culture."""
        return self.catalogue.kind

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in their order."""
        return self.config.class_names if self.config else tuple(self.metrics.get("classes") or ())

    @property
    def pixel_size_um(self) -> float | None:
        """Side of a pixel of a crop, where it is known."""
        if self.pixels is not None and self.pixels.pixel_size_um:
            return self.pixels.pixel_size_um
        if self.kind == "crops" and self.config is not None:
            return self.config.images.pixel_size_um
        return None

    @property
    def stamp(self) -> str:
        """What a cached file must carry to belong to the run as it is now."""
        stages = self.record.get("stages") or {}
        parts = [self.record.get("config_digest"), self.record.get("inputs"), stages]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _record(folder: RunFolder) -> dict[str, Any]:
    if not folder.root.is_dir():
        raise MissingFileError(
            f"`run` must be a run folder; {folder.root} is not there: give the folder that "
            "`counterstain run` wrote."
        )
    if not folder.run_json.is_file():
        raise MissingFileError(
            f"`run` must be a run folder; {folder.root} holds no run.json: give the folder that "
            "`counterstain run` wrote."
        )
    content = read_json(folder.run_json)
    if not isinstance(content, dict):
        raise InvalidInputError(f"{folder.run_json} must be a JSON object: make the run anew.")
    return content


def _metrics(folder: RunFolder, missing: dict[str, str]) -> dict[str, Any]:
    if not folder.metrics.is_file():
        missing["metrics"] = "metrics.json is not there: the run has not come so far."
        return {}
    try:
        content = read_json(folder.metrics)
    except InvalidInputError:
        content = None
    if not isinstance(content, dict):
        missing["metrics"] = "metrics.json is damaged: make it anew with --resume."
        return {}
    return content


def _config(record: dict[str, Any], missing: dict[str, str]) -> ScreenConfig | None:
    if record.get("format") != RUN_FORMAT:
        missing["format"] = (
            f"run.json is of format {record.get('format')!r}, this version writes {RUN_FORMAT}: "
            "what can still be read is shown."
        )
    try:
        return ScreenConfig.model_validate(record.get("config") or {})
    except ValidationError as error:
        missing["config"] = (
            f"The configuration in run.json is of another version ({error.error_count()} entries "
            "differ): cells cannot be carried across the boundary."
        )
        return None


def _table(folder: RunFolder, name: str, missing: dict[str, str]) -> pd.DataFrame | None:
    path = folder.table(name)
    if not path.is_file():
        missing[name] = f"tables/{path.name} is not there: the run has not come so far."
        return None
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        missing[name] = f"tables/{path.name} is damaged ({type(error).__name__}): make it anew."
        return None
    lacking = [column for column in _READ[name] if column not in table.columns]
    if lacking:
        missing[name] = f"tables/{path.name} lacks the column(s) {', '.join(lacking)}."
        return None
    return table


def _pixels(path: Path, missing: dict[str, str]) -> PatchPixels | None:
    try:
        return PatchPixels.open(path)
    except (CounterstainError, OSError, KeyError, ValueError, TypeError):
        missing["pixels"] = f"{path.name} is not there or damaged: no image can be shown."
        return None


def _agreeing(catalogue: Catalogue, pixels: PatchPixels | None, missing: dict[str, str]) -> Any:
    """Give pixels up that are fewer than the table has rows: they would be other cells' pixels."""
    wanted = len(catalogue.items)
    if pixels is not None and len(pixels) < wanted:
        missing["pixels"] = (
            f"The pixel store holds {len(pixels)} of {wanted} {catalogue.kind}: no image is shown."
        )
        return None
    return pixels


def _channels(folder: RunFolder, kind: str, config: ScreenConfig | None) -> tuple[str, ...]:
    try:
        attributes = read_json((folder.crops if kind == "crops" else folder.patches) / "zarr.json")
        return tuple(map(str, attributes["attributes"]["channels"]))
    except (OSError, KeyError, TypeError, InvalidInputError):
        return tuple(config.images.channels) if config else ()


def read_explorer_run(root: str | Path) -> ExplorerRun:
    """Read what is there of a run; what is absent, damaged or of another version is said.

    Parameters
    ----------
    root : str or Path
        The run folder.

    Raises
    ------
    MissingFileError
        If there is no run, or it has no crops yet: there is nothing to show.
    InvalidInputError
        If ``run.json`` cannot be read.

    Examples
    --------
    >>> read_explorer_run("nowhere")
    Traceback (most recent call last):
    ...
    counterstain.errors.MissingFileError: `run` must be a run folder; nowhere is not there: ...
    """
    folder, missing = RunFolder(Path(root)), {}  # type: tuple[RunFolder, dict[str, str]]
    record = _record(folder)
    metrics, config = _metrics(folder, missing), _config(record, missing)
    coculture = not folder.table("crops").is_file() and folder.table("overlap").is_file()
    wanted = _OF_PATCHES if coculture else _OF_CROPS
    found = {name: _table(folder, name, missing) for name in wanted}
    tables = {name: table for name, table in found.items() if table is not None}
    catalogue = build_catalogue(tables, coculture=coculture)
    if catalogue is None:
        raise MissingFileError(
            f"`run` must be a run that has cut its crops; {folder.root} has none that can be "
            "read: go on with `counterstain run ... --resume`, then serve it."
        )
    store = folder.patches if coculture else folder.crops
    pixels = _agreeing(catalogue, _pixels(store, missing), missing)
    channels = _channels(folder, catalogue.kind, config)
    given = config.images.colours if config and len(config.images.channels) == len(channels) else ()
    nucleus = config.nucleus_index if config and catalogue.kind == "crops" else 0
    colours = channel_colours(len(channels), given, nucleus_index=nucleus) if channels else ()
    return ExplorerRun(
        folder, record, metrics, config, tables, catalogue, pixels, channels, colours, missing
    )


def as_finite(values: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return numbers as float32, NaN where there is none."""
    return np.asarray(pd.to_numeric(values, errors="coerce"), np.float32)
