"""From a screen to crops and tables, one field at a time.

Each field is decoded once: nuclei, quality, histogram and crops come from the same pixels. A plate
is judged when its last field is through. Memory holds a few fields and one shard of crops, however
many fields there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.files import atomic_path
from counterstain.plates.crop_table import write_crop_table
from counterstain.plates.crops import Crops
from counterstain.plates.field_work import work_fields
from counterstain.plates.plate_scale import PlateCounts, table_records
from counterstain.plates.quality import flag_faulty
from counterstain.plates.scaling import PixelScaling
from counterstain.plates.splits import choose_group, single_group_classes
from counterstain.plates.store import CropWriter
from counterstain.plates.well_folds import fold_wells, wells_among
from counterstain.run_folder import RunFolder

if TYPE_CHECKING:
    from counterstain.plates.screen import Screen

__all__ = ["write_crops"]

_KEY = ["Metadata_Plate", "Metadata_Well"]


def write_crops(
    screen: Screen,
    folder: RunFolder,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Cut all fields into crops; write the pixel store and the tables of fields and crops.

    Crops of faulty fields are kept with ``usable`` false: left out of training, never out of the
    tables. A field that cannot be decoded is marked faulty and the rest goes on. Either all three
    outputs are written or none.

    Parameters
    ----------
    screen : Screen
        What was imaged.
    folder : RunFolder
        Gets ``crops.zarr``, ``tables/fields.parquet`` and ``tables/crops.parquet``. The store's
        attributes hold ``folds`` (as many as could be made) and ``notes`` (sentences).
    progress : callable, optional
        Called with the fields done and their number, after each.

    Raises
    ------
    InvalidInputError
        If a class is left without crops to train and score on, fields differ in size where whole
        fields are the crops, or the disk is full.
    """
    shape, dtype = _planned_crops(screen)
    fold_wells(screen, screen.wells["n_fields"] > 0)
    with atomic_path(folder.crops) as path:
        writing = _Writing(screen, CropWriter(path, shape, dtype))
        writing.run(progress)
        fields = writing.field_table()
        usable = wells_among(screen, fields[~fields["faulty"] & (fields["n_crops"] > 0)])
        folds, n_folds = fold_wells(screen, usable, fields)
        writing.note_single_groups(usable)
        writing.close(n_folds, shape)
        with (
            atomic_path(folder.table("fields")) as fields_path,
            atomic_path(folder.table("crops")) as crops_path,
        ):
            fields.to_parquet(fields_path, index=False)
            folded = fields.merge(folds, on=_KEY, how="left")
            write_crop_table(crops_path, folded, writing.places)


def _planned_crops(screen: Screen) -> tuple[tuple[int, int, int], np.dtype[Any]]:
    """Shape and dtype of every crop, from the headers."""
    fields = screen.fields[screen.fields["readable"]]
    if fields.empty:
        raise InvalidInputError(
            f"{screen.path}: none of {len(screen.fields)} fields can be read "
            f"({'; '.join(screen.fields['problem'].unique()[:3])}): mend the images."
        )
    dtype = np.result_type(*(np.dtype(name) for name in fields["dtype"].unique()))
    size = screen.config.crops.size
    if screen.config.crops.kind != "fields":
        return (len(screen.channels), size, size), dtype
    sizes = Counter(zip(fields["height"].tolist(), fields["width"].tolist(), strict=True))
    if len(sizes) > 1:
        seen = ", ".join(f"{n} of {height} x {width}" for (height, width), n in sizes.items())
        raise InvalidInputError(
            f'{screen.path}: `crops.kind` = "fields" needs fields of one size; got {seen} px: '
            'use "cells" or "tiles", or leave the odd ones out.'
        )
    return (len(screen.channels), *next(iter(sizes))), dtype


class _Writing:
    """What is gathered while fields pass."""

    def __init__(self, screen: Screen, writer: CropWriter) -> None:
        self._screen, self._writer = screen, writer
        self._rows = screen.fields_of_wells()
        self._plates = tuple(self._rows["Metadata_Plate"].unique())
        self._fields: list[pd.DataFrame] = []
        self._limits: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self.places: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._notes: list[str] = []

    def run(self, progress: Callable[[int, int], None] | None) -> None:
        """Work through all plates."""
        done, total = 0, len(self._rows)
        for index, plate in enumerate(self._plates):
            rows = self._rows[self._rows["Metadata_Plate"] == plate]
            counts = PlateCounts(plate, self._screen.channels, rows)
            measured = []
            records = table_records(rows)
            worked = work_fields(records, self._screen.config)
            for row, field in zip(records, worked, strict=True):
                measured.append(field.measures)
                if field.pixels is not None:
                    counts.add(field.pixels, is_control=row["is_control"])
                self._append(field.crops, index)
                done += 1
                if progress is not None:
                    progress(done, total)
            table = pd.DataFrame(measured, index=rows.index)
            self._judge(rows.drop(columns="problem").join(table), counts)

    def _append(self, crops: Crops | None, plate: int) -> None:
        if crops is None:
            self.places.append((np.empty(0), np.empty(0)))
            return
        self._writer.append(crops.pixels, crops.nuclei, plate=plate)
        self.places.append((crops.y, crops.x))

    def _judge(self, rows: pd.DataFrame, counts: PlateCounts) -> None:
        """Flag the fields of a plate, then scale by the controls that are left."""
        config = self._screen.config
        fields = flag_faulty(rows, config.quality)
        self._fields.append(fields)
        low, high, notes = counts.limits(fields, config.crops.percentiles)
        self._limits.append((low, high))
        self._notes.extend(notes)

    def field_table(self) -> pd.DataFrame:
        """Return the table of all fields."""
        fields = pd.concat(self._fields).drop(columns=["is_control", "readable", "problem"])
        return fields.reset_index(drop=True)

    def note_single_groups(self, usable: pd.Series[bool]) -> None:
        """Note the classes that a fold's network has never seen."""
        wells = self._screen.wells
        group = choose_group(wells, self._screen.config.split.group)
        self._notes += [
            f"Class {name!r} is in one value of {group} only ({value}): its crops are scored by a "
            "network that never saw the class, so its recall says nothing; add wells."
            for name, value in single_group_classes(wells, group, usable).items()
        ]

    def close(self, n_folds: int, shape: tuple[int, int, int]) -> None:
        """Finish the store."""
        config = self._screen.config
        if any(edge % 8 for edge in shape[1:]):
            self._notes.append(
                f"Crops are {shape[1]} x {shape[2]} px, which 8 does not divide; networks that "
                "unshuffle pixels need that: choose another `crops.size`."
            )
        group = choose_group(self._screen.wells, config.split.group)
        if group != "Metadata_Well":
            self._notes.append(f"Folds hold out whole values of {group}, not single wells.")
        if n_folds < config.split.folds:
            self._notes.append(
                f"`split.folds` is {config.split.folds}, but a class has only {n_folds} groups of "
                f"{group}: {n_folds} folds were made."
            )
        attrs = {
            "channels": list(self._screen.channels),
            "plates": list(self._plates),
            "pixel_size_um": config.images.pixel_size_um,
            "kind": config.crops.kind,
            "size": config.crops.size,
            "folds": n_folds,
            "held_out": group,
            "notes": self._notes,
        }
        low, high = (np.stack(limit) for limit in zip(*self._limits, strict=True))
        self._writer.close(attrs, PixelScaling(self._plates, low, high))
