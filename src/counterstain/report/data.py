"""Everything of a run folder that the report needs, with what is missing said in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import zarr

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.figures.attribution_record import AttributionPictures
from counterstain.figures.composite import channel_colours, palette_colours
from counterstain.figures.picture_record import BoundaryPictures, GeneratedPictures
from counterstain.figures.strip_record import Strips
from counterstain.files import read_arrays
from counterstain.report.run_tables import NEEDED_COLUMNS, read_part, read_table
from counterstain.run_folder import RunFolder

__all__ = ["RunData", "read_run"]

_NOUNS = {"cells": "cells", "tiles": "tiles", "fields": "fields"}


@dataclass(frozen=True)
class RunData:
    """What was read of a run.

    Parameters
    ----------
    folder : RunFolder
        Where it was read.
    run, metrics, crops : dict
        Contents of ``run.json``, ``metrics.json`` and the pixel store's attributes; empty where
        absent.
    tables : dict of str to DataFrame
        Tables that are there and whole.
    strips : Strips or None
        Pictures of counterfactuals.
    boundary : BoundaryPictures or None
        Pictures across and along the decision boundary.
    generated : GeneratedPictures or None
        Pictures that the network made up.
    attributions : AttributionPictures or None
        Crops and their attribution maps.
    missing : dict of str to str
        What is absent or damaged, and how, as sentences for the reader.
    palette : str
        Colours of channels: "run" for those of the screen, or another key of `PALETTES`.
    """

    folder: RunFolder
    run: Mapping[str, Any]
    metrics: Mapping[str, Any]
    crops: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    strips: Strips | None
    boundary: BoundaryPictures | None = None
    generated: GeneratedPictures | None = None
    attributions: AttributionPictures | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    palette: str = "run"

    @property
    def config(self) -> Mapping[str, Any]:
        """Configuration as resolved."""
        return self.run.get("config") or {}

    def section(self, name: str) -> Mapping[str, Any]:
        """Return a section of the configuration; empty where there is none."""
        return self.config.get(name) or {}

    @property
    def title(self) -> str:
        """Name of the screen: of its file, of the folder of a ``screen.toml``, or of the plates."""
        path = _pure(str(self.run.get("screen") or ""))
        if path.stem.lower() in ("", "screen") and path.parent.name:
            return path.parent.name
        if path.stem.lower() in ("", "screen") and self.plates:
            more = f" and {len(self.plates) - 1} more" if len(self.plates) > 1 else ""
            return f"Plate {self.plates[0]}{more}"
        return path.stem or "Screen"

    @property
    def plates(self) -> tuple[str, ...]:
        """Plates in the order of the first table that names them."""
        for name in ("wells", "overlap_wells", "fields"):
            if name in self.tables:
                return tuple(map(str, self.tables[name]["Metadata_Plate"].unique()))
        return ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in their order."""
        return tuple(self.metrics.get("classes") or self.section("classes"))

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names in the order of the channel axis."""
        return tuple(self.crops.get("channels") or self.section("images").get("channels") or ())

    @property
    def colours(self) -> tuple[str, ...]:
        """A colour a channel."""
        if self.palette != "run":
            return palette_colours(self.palette, len(self.channels))
        name = self.section("crops").get("nucleus_channel")
        nucleus = self.channels.index(name) if name in self.channels else 0
        return channel_colours(
            len(self.channels), self.section("images").get("colours"), nucleus_index=nucleus
        )

    @property
    def pixel_size_um(self) -> float | None:
        """Size of a pixel where it is known."""
        known = self.crops.get("pixel_size_um") or self.section("images").get("pixel_size_um")
        return float(known) if known else None

    @property
    def noun(self) -> str:
        """What a crop shows: cells, tiles or fields."""
        kind = self.crops.get("kind") or self.section("crops").get("kind")
        return _NOUNS.get(str(kind), "crops")

    @property
    def nothing_to_explain(self) -> bool:
        """Whether the classes are not told apart, so that no difference is claimed."""
        return bool(self.metrics.get("nothing_to_explain"))

    @property
    def has_overlap(self) -> bool:
        """Whether the overlap of two kinds of cells was measured."""
        return bool(self.metrics.get("overlap")) or "overlap_wells" in self.tables

    @property
    def has_classes(self) -> bool:
        """Whether the page tells of the classification: not where only overlap was asked for."""
        asked = {name for name in self.metrics if name != "overlap"}
        asked |= {name for name in self.tables if not name.startswith("overlap")}
        return bool(asked or self.crops) or not self.has_overlap

    @property
    def usable_strips(self) -> Strips | None:
        """Pictures of counterfactuals that fit the run's channels and classes; None otherwise."""
        strips = self.strips
        if strips is None or not len(strips) or strips.original.shape[1] != len(self.channels):
            return None
        highest = max(int(strips.source.max()), int(strips.target.max()))
        return strips if highest < len(self.classes) else None

    def table(self, name: str) -> pd.DataFrame | None:
        """Return a table, or None where it is missing."""
        return self.tables.get(name)

    def without_paths(self, text: str) -> str:
        """Return a text with folders of this machine taken out of the paths in it.

        Parameters
        ----------
        text : str
            For instance the reason why a file cannot be read.

        Returns
        -------
        str
            Absolute paths are cut to the file's name.
        """
        root = str(self.section("images").get("root") or "")
        screen = str(_pure(str(self.run.get("screen") or "")).parent)
        for known in sorted({root, screen}, key=len, reverse=True):
            if len(known) > 1:
                text = re.sub(re.escape(known) + r"[\\/]", "", text)
        text = re.sub(r"(?<![\w.:/])/(?:[^/\s]+/)+([^/\s]+)", r"\1", text)
        return re.sub(r"\b[A-Za-z]:\\(?:[^\\\s]+\\)*([^\\\s]+)", r"\1", text)


def _pure(path: str) -> PurePosixPath | PureWindowsPath:
    return PureWindowsPath(path) if "\\" in path else PurePosixPath(path)


def read_run(folder: RunFolder) -> RunData:
    """Read what the report needs; whatever is absent or damaged is noted, not raised.

    Parameters
    ----------
    folder : RunFolder
        A run, finished or not.

    Returns
    -------
    RunData
        Its content.

    Raises
    ------
    MissingFileError
        If the folder holds neither ``run.json`` nor ``metrics.json``.
    """
    if not (folder.run_json.is_file() or folder.metrics.is_file()):
        raise MissingFileError(
            f"{folder.root} must be a run folder; it holds neither run.json nor metrics.json: "
            "give the folder that `counterstain run` wrote with --out."
        )
    missing: dict[str, str] = {}
    run = read_part(folder.run_json, "run", "the settings of the run", missing)
    metrics = read_part(folder.metrics, "metrics", "the numbers of the run", missing)
    tables = {name: read_table(folder, name, missing) for name in NEEDED_COLUMNS}
    return RunData(
        folder=folder,
        run=run,
        metrics=metrics,
        crops=_store(folder.crops, missing),
        tables={name: table for name, table in tables.items() if table is not None},
        strips=_strips(folder.counterfactuals, missing),
        boundary=_pictures(folder.boundary, BoundaryPictures, missing),
        generated=_pictures(folder.generated, GeneratedPictures, missing),
        attributions=_pictures(folder.attributions, AttributionPictures, missing),
        missing=missing,
    )


def _store(path: Path, missing: dict[str, str]) -> Mapping[str, Any]:
    try:
        return dict(zarr.open_group(path, mode="r").attrs)
    except (OSError, ValueError, KeyError):
        missing["crops"] = "crops.zarr is not there or damaged: pictures of fields are not scaled."
        return {}


def _strips(path: Path, missing: dict[str, str]) -> Strips | None:
    if not path.is_file():
        missing["strips"] = "counterfactuals.npz is not there: no counterfactual was drawn."
        return None
    try:
        content = read_arrays(path)
        parts = {name: content[name] for name in Strips.__dataclass_fields__}
        if "plate" in content and len(set(content["plate"].tolist())) > 1:
            both = zip(parts["well"], content["plate"], strict=True)
            parts["well"] = np.array([f"{well} {plate}" for well, plate in both])
        return Strips(**parts)
    except (InvalidInputError, ValueError, KeyError) as error:
        missing["strips"] = f"counterfactuals.npz is damaged ({_kind_of(error)})."
        return None


_P = TypeVar("_P", BoundaryPictures, GeneratedPictures, AttributionPictures)


def _pictures(path: Path, kind: type[_P], missing: dict[str, str]) -> _P | None:
    if not path.is_file():
        missing[path.stem + "_pictures"] = f"{path.name} is not there: no such picture was made."
        return None
    try:
        return kind.from_arrays(read_arrays(path))
    except (InvalidInputError, ValueError, KeyError) as error:
        missing[path.stem + "_pictures"] = f"{path.name} is damaged ({_kind_of(error)})."
        return None


def _kind_of(error: Exception) -> str:
    return type(error.__cause__ or error).__name__
