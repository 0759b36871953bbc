"""A screen as it lies on disk: what was imaged, and what each well holds."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from counterstain.config import ImagesConfig, ScreenConfig, read_config
from counterstain.errors import InvalidInputError
from counterstain.plates.class_rules import classify, is_negative_control
from counterstain.plates.fields import Progress, build_fields
from counterstain.plates.joining import (
    join_wells,
    list_gaps,
    list_spellings,
    plates_apart,
    source_columns,
)
from counterstain.plates.layout import load_plate_map
from counterstain.plates.source_load_data import find_by_load_data
from counterstain.plates.source_ome_zarr import find_in_ome_zarr
from counterstain.plates.source_pattern import find_by_pattern
from counterstain.plates.sources import Found, list_some
from counterstain.plates.splits import choose_group

__all__ = ["Screen", "inspect_screen", "read_screen"]

# The coupling network trades 8 x 8 pixels for channels before it averages over places.
_UNSHUFFLE = 8

_KEYS = ["Metadata_Plate", "Metadata_Well"]
_MOST_NOTES = 50  # sentences about single fields; all are in the table


@dataclass(frozen=True)
class Screen:
    """What was found on disk, before any pixel is decoded.

    Parameters
    ----------
    path : Path
        The ``screen.toml``.
    config : ScreenConfig
        Its content.
    fields : pandas.DataFrame
        A row per field, sorted by plate, well and site: `field` (int64, equal to the index),
        `Metadata_Plate`, `Metadata_Well` ("A01"), `Metadata_Site` (int64), for each channel i
        `path_i` (str) and `page_i` (int64, plane in that file), `height`, `width` (int64),
        `dtype` (str), `readable` (bool) and `problem` (str, "" where readable).
    wells : pandas.DataFrame
        A row per plate and well, the outer join of images and plate map, sorted: all Metadata_*
        columns (text "" and numbers NaN where the plate map has no such well), `class_name` (str,
        "" for none), `n_fields` (int64, 0 for wells without an image) and `in_map` (bool).
    notes : tuple of str
        What a user should know: wells without image, images without well, fields that cannot be
        read, files that were left; one sentence each.
    """

    path: Path
    config: ScreenConfig
    fields: pd.DataFrame
    wells: pd.DataFrame
    notes: tuple[str, ...] = ()

    def fields_of_wells(self) -> pd.DataFrame:
        """Return `fields` with the columns of their wells and `is_control` (negative control)."""
        joined = [c for c in self.wells.columns if c not in ("n_fields", "in_map")]
        rows = self.fields.merge(self.wells[joined], on=_KEYS, how="left")
        return rows.assign(is_control=is_negative_control(rows, self.class_names[0]))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; index 0 is the first."""
        return self.config.class_names

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels in the order of the channel axis."""
        return self.config.images.channels


def _find(images: ImagesConfig, map_plates: Sequence[str]) -> Found:
    """Ask the source that the configuration names; what it raises counts as found."""
    try:
        if images.load_data is not None:
            return find_by_load_data(images, map_plates)
        if images.ome_zarr is not None:
            return find_in_ome_zarr(images, map_plates)
        return find_by_pattern(images, map_plates)
    except InvalidInputError as error:
        return Found(errors=list(error.problems))


def _class_errors(wells: pd.DataFrame, fields: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Ask for two usable wells a class, since whole wells are held out.

    Beside two such classes a class may have one: it is scored, and the split says so.
    """
    usable = set(
        fields.loc[fields["readable"], _KEYS].drop_duplicates().itertuples(index=False, name=None)
    )
    errors = []
    members = {
        name: list(wells.loc[wells["class_name"] == name, _KEYS].itertuples(index=False, name=None))
        for name in names
    }
    n_imaged = {name: sum(row in usable for row in rows) for name, rows in members.items()}
    least = 1 if sum(n >= 2 for n in n_imaged.values()) >= 2 else 2
    for name, rows in members.items():
        imaged = [row for row in rows if row in usable]
        if len(imaged) >= least:
            continue
        got = f"one ({' '.join(imaged[0])})" if imaged else "none"
        lost = len(rows) - len(imaged)
        beside = f", beside {lost} without a readable image" if lost else ""
        errors.append(
            f"`classes.{name}` must take at least two wells with images, since whole wells are "
            f"held out; it takes {got}{beside}: widen its rule or add wells."
        )
    return errors


def _check_settings(
    config: ScreenConfig, fields: pd.DataFrame, wells: pd.DataFrame
) -> tuple[list[str], list[str]]:
    """Check settings that only the plate can answer; return errors and notes."""
    errors: list[str] = []
    notes: list[str] = []
    group = choose_group(wells, config.split.group)
    if group not in wells:
        known = [str(c) for c in wells.columns if str(c).startswith("Metadata_")]
        close = difflib.get_close_matches(group, known, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"one of {list_some(known, most=20)}."
        errors.append(f"`split.group` must be a column of the wells; got {group!r}: {remedy}")
    size = config.crops.size
    if config.model.network == "coupling" and config.crops.kind != "fields" and size % _UNSHUFFLE:
        fitting = max(_UNSHUFFLE, round(size / _UNSHUFFLE) * _UNSHUFFLE)
        errors.append(
            f"`crops.size` must be a multiple of {_UNSHUFFLE} pixels for the coupling network; got "
            f"{size}: take {fitting}."
        )
    good = fields[fields["readable"]]
    side = min(good["height"].min(), good["width"].min())
    if config.crops.kind != "fields" and config.crops.size > side:
        # Nobody asked for the default, so that looking at a plate of small fields still works.
        (errors if "size" in config.crops.model_fields_set else notes).append(
            f"`crops.size` must fit into the fields; it is {config.crops.size}, and the smallest "
            f"field is {side} px: lower it."
        )
    return errors, notes


def _nothing_readable(fields: pd.DataFrame) -> str:
    first = str(fields["problem"].iloc[0])
    return (
        f"None of the {len(fields)} field(s) can be used, and the notes say why of each; the "
        f"first: {first}"
    )


def _field_notes(fields: pd.DataFrame) -> list[str]:
    bad = fields[~fields["readable"]]
    notes = [
        f"Field {row.Metadata_Plate} {row.Metadata_Well} site {row.Metadata_Site} is left out: "
        f"{row.problem}"
        for row in bad.head(_MOST_NOTES).itertuples()
    ]
    if len(bad) > _MOST_NOTES:
        notes.append(f"{len(bad) - _MOST_NOTES} more fields are left out for such reasons.")
    return notes


@dataclass(frozen=True)
class _Map:
    table: pd.DataFrame | None = None
    spellings: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)


def _load_map(path: Path | None) -> _Map:
    if path is None:
        return _Map()
    try:
        return _Map(*load_plate_map(path))
    except InvalidInputError as error:
        return _Map(errors=list(error.problems))


def inspect_screen(
    path: str | Path, progress: Progress | None = None
) -> tuple[Screen | None, tuple[str, ...]]:
    """Look at a screen and collect everything that is wrong with it.

    Parameters
    ----------
    path : str or Path
        The ``screen.toml``.
    progress : callable, optional
        Called with the number of image files probed so far and in all.

    Returns
    -------
    screen : Screen or None
        What could be found in spite of errors; None where ``screen.toml`` itself cannot be read.
    errors : tuple of str
        All problems; empty where the screen can be run.
    """
    path = Path(path)
    try:
        config = read_config(path)
    except InvalidInputError as error:
        return None, error.problems
    plate_map = _load_map(config.layout.table)
    table = plate_map.table
    plates = () if table is None else tuple(dict.fromkeys(table.get("Metadata_Plate", ())))
    found = _find(config.images, plates)
    fields, errors = build_fields(found, config.images.channels, progress)
    own, own_notes = source_columns(found)
    wells = join_wells(fields, table, own)
    class_name, class_problems = classify(wells, config.classes)
    wells.insert(list(wells.columns).index("n_fields"), "class_name", class_name)
    disjoint = plates_apart(fields, table)
    problems = [*plate_map.errors, *found.errors, *errors, *disjoint]
    setting_notes: list[str] = []
    if fields["readable"].any():
        setting_errors, setting_notes = _check_settings(config, fields, wells)
        problems += setting_errors
    elif len(fields) and not problems:
        problems.append(_nothing_readable(fields))
    # What is missing already would only be repeated by complaints about classes.
    if not plate_map.errors and not disjoint and (len(fields) or table is not None):
        problems += class_problems
        if fields["readable"].any() and not class_problems:
            problems += _class_errors(wells, fields, config.class_names)
    notes = [
        *plate_map.notes,
        *found.notes,
        *own_notes,
        *list_spellings(found, plate_map.spellings),
        *list_gaps(wells, table is not None),
        *_field_notes(fields),
        *setting_notes,
    ]
    if found.pixel_size_um is not None and config.images.pixel_size_um is None:
        images = config.images.model_copy(update={"pixel_size_um": found.pixel_size_um})
        config = config.model_copy(update={"images": images})
        notes.append(f"The pixel size, {found.pixel_size_um:.4g} µm, was read from the plate.")
    return Screen(path, config, fields, wells, tuple(notes)), tuple(problems)


def read_screen(path: str | Path, *, progress: Progress | None = None) -> Screen:
    """Read a ``screen.toml`` and find all images and wells; no pixel is decoded yet.

    Parameters
    ----------
    path : str or Path
        The ``screen.toml``.
    progress : callable, optional
        Called with the number of image files probed so far and in all.

    Returns
    -------
    Screen
        Fields, wells and notes. Fields that cannot be used (truncated, a channel missing) are in
        the table with their `problem`, and in the notes.

    Raises
    ------
    InvalidInputError
        If something must be mended before any work starts; all problems at once.
    OptionalDependencyError
        If an OME-Zarr plate or XLSX plate map needs a package that is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, tifffile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for well in ("A1", "A2", "B1", "B2"):
    ...     tifffile.imwrite(folder / f"P1_{well}_DNA.tif", np.ones((64, 64), np.uint8))
    >>> _ = (folder / "screen.toml").write_text('''
    ... [images]
    ... pattern = "{plate}_{well}_{channel}.tif"
    ... channels = ["DNA"]
    ... [classes]
    ... sick = { Metadata_Row = "A" }
    ... well = { Metadata_Row = "B" }
    ... ''')
    >>> read_screen(folder / "screen.toml").wells[["Metadata_Well", "class_name", "n_fields"]]
      Metadata_Well class_name  n_fields
    0           A01       sick         1
    1           A02       sick         1
    2           B01       well         1
    3           B02       well         1
    """
    screen, errors = inspect_screen(path, progress)
    if screen is None or errors:
        raise InvalidInputError(errors)
    return screen
