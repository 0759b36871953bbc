"""Stage: masks of every field, their overlap, and the patches that are kept to learn from.

Fields pass one after the other in a few threads; a plate is judged when its last field is through,
as for crops. Memory holds a few fields, the patches' numbers of one plate and one shard of pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError, UnreadableImageError
from counterstain.files import atomic_path
from counterstain.masks.field_masks import FieldMasker
from counterstain.masks.overlap_faulty import without_debris
from counterstain.masks.overlap_fields import FieldMasks, FieldOverlap, measure_field
from counterstain.masks.overlap_patches import FAULTY_STATES
from counterstain.masks.overlap_wells import overlap_by_well
from counterstain.masks.patch_pixels import binned_patches, spread_places
from counterstain.plates.field_work import in_order
from counterstain.plates.images import read_field
from counterstain.plates.plate_scale import PlateCounts, table_records
from counterstain.plates.quality import flag_faulty, measure_quality, quality_columns
from counterstain.plates.scaling import PixelScaling
from counterstain.plates.screen import Screen
from counterstain.plates.store import CropWriter
from counterstain.run_folder import RunFolder
from counterstain.stages.marks import BY_HAND
from counterstain.stages.overlap_masked import write_masked
from counterstain.stages.overlap_tables import PatchTable

__all__ = ["measure_plates"]

_KEY = ["Metadata_Plate", "Metadata_Well"]
_THREADS = 2
_MOST_DEBRIS = 0.1


def measure_plates(
    screen: Screen,
    folder: RunFolder,
    *,
    progress: Callable[[int, int], None] | None = None,
    marked: Sequence[int] = (),
) -> list[str]:
    """Measure the overlap of all fields; write the tables and the stores of patches.

    Either all of ``tables/overlap.parquet`` (a row a field), ``overlap_patches.parquet`` (a row a
    patch), ``overlap_wells.parquet``, ``patches.zarr`` and ``patches_masked.zarr`` are written or
    none. Faulty fields stay in the tables, with the reason in `fault` and no overlap.

    Parameters
    ----------
    screen : Screen
        What was imaged.
    folder : RunFolder
        Gets the files.
    progress : callable, optional
        Called with the fields done and their number, after each.
    marked : sequence of int
        Numbers of fields that a person called faulty.

    Returns
    -------
    list of str
        What a user should know, a sentence each.

    Raises
    ------
    InvalidInputError
        If there is one channel only, no field can be read, a patch is larger than a field, or label
        images do not fit.
    """
    config = screen.config.overlap
    masker = FieldMasker(config, screen.channels, screen.fields, screen.config.run.seed)
    _check_size(screen)
    work = _Plates(screen, masker, frozenset(marked))
    with (
        atomic_path(folder.patches) as plain,
        atomic_path(folder.masked_patches) as masked,
        atomic_path(folder.table("overlap_patches")) as table,
        atomic_path(folder.table("overlap")) as fields_path,
        atomic_path(folder.table("overlap_wells")) as wells_path,
    ):
        side = config.patch // config.binning
        writer = CropWriter(plain, (2, side, side), work.dtype)
        with PatchTable(table) as patches:
            work.run(writer, patches, progress)
        work.close(writer)
        write_masked(plain, masked)
        fields = pd.concat(work.fields, ignore_index=True)
        fields.to_parquet(fields_path, index=False)
        overlap_wells(screen, fields).to_parquet(wells_path, index=False)
    return [*masker.notes, *work.notes]


def overlap_wells(screen: Screen, fields: pd.DataFrame) -> pd.DataFrame:
    """Pool fields by well; wells of the plate map without an image are kept, with the reason."""
    known = [c for c in screen.wells if c not in ("n_fields", "in_map")]
    pooled = overlap_by_well(fields, by=_KEY)
    wells = screen.wells[known].merge(pooled, on=_KEY, how="left", validate="1:1")
    counts = ["n_fields", "n_faulty_fields"]
    wells[counts] = wells[counts].fillna(0).astype("int64")
    wells["reason"] = wells["reason"].fillna("no image")
    return wells


def _check_size(screen: Screen) -> None:
    good = screen.fields[screen.fields["readable"]]
    side = int(min(good["height"].min(), good["width"].min()))
    patch = screen.config.overlap.patch
    if patch > side:
        raise InvalidInputError(
            f"{screen.path}: `overlap.patch` must be at most the shortest side of a field, {side} "
            f"px; got {patch}: lower it."
        )


@dataclass(frozen=True)
class _Worked:
    """One field: what was measured, and what is kept of its pixels."""

    found: FieldOverlap
    quality: dict[str, Any]
    problem: str = ""
    pixels: NDArray[Any] | None = None
    stored: NDArray[np.intp] | None = None
    patches: NDArray[Any] | None = None
    regions: NDArray[np.uint8] | None = None


class _Plates:
    """What is gathered while fields pass."""

    def __init__(self, screen: Screen, masker: FieldMasker, marked: frozenset[int]) -> None:
        self._screen, self._masker, self._marked = screen, masker, marked
        self._settings = screen.config.overlap
        self._rows = screen.fields_of_wells()
        self._metadata = [str(c) for c in self._rows if str(c).startswith("Metadata_")]
        self._plates = tuple(self._rows["Metadata_Plate"].unique())
        self._per_field = max(1, self._settings.stored_patches // max(len(self._rows), 1))
        self._limits: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._n_stored = 0
        self.fields: list[pd.DataFrame] = []
        self.notes: list[str] = []

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of all pixels, from the headers."""
        good = self._rows[self._rows["readable"]]
        return np.result_type(np.uint8, *(np.dtype(name) for name in good["dtype"].unique()))

    def run(
        self,
        writer: CropWriter,
        table: PatchTable,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        """Work through all plates."""
        done, total = 0, len(self._rows)
        for index, plate in enumerate(self._plates):
            rows = self._rows[self._rows["Metadata_Plate"] == plate]
            counts = PlateCounts(plate, self._screen.channels, rows)
            kept: list[_Worked] = []
            records = table_records(rows)
            for row, worked in zip(records, self._worked(records), strict=True):
                if worked.pixels is not None:
                    counts.add(worked.pixels, is_control=row["is_control"])
                if worked.patches is not None and worked.regions is not None:
                    writer.append(worked.patches, worked.regions, plate=index)
                kept.append(replace(worked, pixels=None, patches=None, regions=None))
                done += 1
                if progress is not None:
                    progress(done, total)
            self._judge(rows, kept, counts, table)

    def _worked(self, records: list[dict[str, Any]]) -> Iterator[_Worked]:
        # A network keeps all cores busy by itself.
        threads = 1 if self._settings.masks == "unet" else _THREADS
        return in_order(self._work, records, threads)

    def _work(self, row: dict[str, Any]) -> _Worked:
        channels = self._screen.channels
        problem = str(row["problem"])
        if not problem:
            try:
                pixels = read_field(row, len(channels))
            except UnreadableImageError as error:
                problem = " ".join(error.problems)
        metadata = self._metadata_of(row)
        if problem:
            quality: dict[str, Any] = dict.fromkeys(quality_columns(channels), np.nan)
            return _Worked(self._faulty(row, f"unreadable: {problem}"), quality, problem)
        masks = self._masker.masks(pixels, metadata)
        if masks.debris is not None and masks.debris.mean() > _MOST_DEBRIS:
            masks = replace(masks, fault="debris")
        found = self._measured(masks)
        cells = np.where(masks.mask_b > 0, masks.mask_b + int(masks.mask_a.max()), masks.mask_a)
        stored, patches, regions = self._kept(pixels, masks, found)
        # Debris takes its own patches out; without it the rest of the field is judged.
        clean = pixels if masks.debris is None else without_debris(pixels, masks.debris)
        quality = measure_quality(clean, cells, channels)
        return _Worked(found, quality, "", pixels, stored, patches, regions)

    def _metadata_of(self, row: dict[str, Any]) -> dict[str, Any]:
        names = ("field", *self._metadata, "class_name")
        return {name: row[name] for name in names}

    def _measured(self, masks: FieldMasks) -> FieldOverlap:
        settings = self._settings
        return measure_field(
            masks,
            patch_px=settings.patch,
            n_patches=settings.patches_per_field,
            null=settings.null,
            distance_px=settings.distance,
        )

    def _kept(
        self, pixels: NDArray[Any], masks: FieldMasks, found: FieldOverlap
    ) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[np.uint8]]:
        """Cut the patches that are kept out of a field, masks without what is debris."""
        corners = found.patches[["row_px", "column_px"]].to_numpy(np.intp)
        stored = spread_places(corners, self._per_field)
        clean = np.ones(masks.mask_a.shape, bool) if masks.debris is None else ~masks.debris
        patches, regions = binned_patches(
            pixels[list(self._masker.indices)],
            (masks.mask_a * clean, masks.mask_b * clean),
            corners[stored],
            patch_px=self._settings.patch,
            binning=self._settings.binning,
        )
        return stored, patches, regions

    def _faulty(self, row: dict[str, Any], fault: str) -> FieldOverlap:
        """Measure nothing: a row of NaN, and patches whose overlap is 0 by definition."""
        shape = (int(row["height"]), int(row["width"]))
        if min(shape) < self._settings.patch:
            shape = (self._settings.patch, self._settings.patch)
        empty = np.zeros(shape, np.int32)
        return self._measured(FieldMasks(empty, empty, self._metadata_of(row), None, fault))

    def _judge(
        self, rows: pd.DataFrame, kept: list[_Worked], counts: PlateCounts, table: PatchTable
    ) -> None:
        """Flag the fields of a plate, number its patches, and find its scale."""
        config = self._screen.config
        measured = pd.DataFrame([w.quality for w in kept], index=rows.index)
        measured["problem"] = [w.problem for w in kept]
        flagged = flag_faulty(rows.drop(columns="problem").join(measured), config.quality)
        low, high, notes = counts.limits(flagged, config.crops.percentiles)
        self._limits.append((low, high))
        self.notes += notes
        found = []
        for row, worked, reason in zip(
            table_records(rows), kept, flagged["reason"].tolist(), strict=True
        ):
            known = worked.found.row["fault"]
            if row["field"] in self._marked:
                reason = "; ".join(part for part in (reason, BY_HAND) if part)
            one = worked.found if known or not reason else self._faulty(row, reason)
            found.append(one.row)
            self._number(one.patches, worked.stored)
            table.append(one.patches)
        self.fields.append(pd.DataFrame(found))

    def _number(self, patches: pd.DataFrame, stored: NDArray[np.intp] | None) -> None:
        number = np.full(len(patches), -1, np.int64)
        if stored is not None:
            number[stored] = np.arange(self._n_stored, self._n_stored + len(stored))
            self._n_stored += len(stored)
        patches.insert(0, "patch", number)
        patches["faulty"] = patches["state"].isin(FAULTY_STATES)

    def close(self, writer: CropWriter) -> None:
        """Finish the store."""
        config = self._screen.config
        pixel_size = config.images.pixel_size_um
        attrs = {
            "channels": list(self._masker.kinds),
            "plates": list(self._plates),
            "pixel_size_um": None if pixel_size is None else pixel_size * self._settings.binning,
            "kind": "patches",
            "size": self._settings.patch // self._settings.binning,
            "binning": self._settings.binning,
            "notes": [],
        }
        low, high = (np.stack(limit) for limit in zip(*self._limits, strict=True))
        order = list(self._masker.indices)
        writer.close(attrs, PixelScaling(self._plates, low[:, order], high[:, order]))
