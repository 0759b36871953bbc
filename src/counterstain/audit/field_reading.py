"""From images to what the leakage audit looks at, one field at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from counterstain.audit.field_features_record import (
    VALUES,
    FieldFeatures,
    ImageRecord,
    WellRecord,
    measure_images,
    relative_values,
)
from counterstain.errors import InvalidInputError, UnreadableImageError
from counterstain.plates.images import read_field

if TYPE_CHECKING:
    from counterstain.plates.screen import Screen

__all__ = ["FieldFeatures", "field_features", "image_features"]

_KEY = ["Metadata_Plate", "Metadata_Well"]
_BLOCK = 4
_CROP_EDGE = 96
_LEAST_EDGE = 16


def field_features(
    screen: Screen,
    *,
    usable: ArrayLike | None = None,
    most_fields: int | None = None,
    classes_only: bool = True,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> FieldFeatures:
    """Measure the fields of a screen, one at a time: memory grows with the wells alone.

    Parameters
    ----------
    screen : Screen
        What was imaged.
    usable : array-like of bool, optional
        A value per row of ``screen.fields``: false leaves the field out, such as a faulty one. An
        unreadable field is always left out.
    most_fields : int, optional
        Fields of a well that are read, the first ones by site; all where not given.
    classes_only : bool, default True
        Leave out wells of no class, which no check looks at.
    threads : int, default 2
        Fields measured at a time.
    progress : callable, optional
        Called with (fields done, fields in all) after each.

    Returns
    -------
    FieldFeatures
        A row per well.

    Raises
    ------
    InvalidInputError
        If `usable` has another length than the fields, or no field is left.
    """
    fields = screen.fields
    kept = fields["readable"].to_numpy(bool).copy()
    if usable is not None:
        mask = np.asarray(usable, bool)
        if mask.shape != kept.shape:
            raise InvalidInputError(
                f"`usable` must hold a value per field ({len(kept)}); got {mask.shape}: pass one "
                "for each row of `screen.fields`."
            )
        kept &= mask
    rows = fields[kept].merge(screen.wells[[*_KEY, "class_name"]], on=_KEY, how="left")
    if classes_only:
        rows = rows[rows["class_name"].fillna("") != ""]
    if most_fields is not None:
        rows = rows[rows.groupby(_KEY).cumcount() < most_fields]
    if rows.empty:
        raise InvalidInputError(
            f"{screen.path}: no readable field of a class is left to audit: check `usable`, "
            "`[classes]` and the images."
        )
    notes: list[str] = []
    records: dict[Hashable, WellRecord] = {}
    table = [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
    measured = _measured(table, len(screen.channels), threads)
    for done, (row, found) in enumerate(zip(table, measured, strict=True), start=1):
        if isinstance(found, str):
            notes.append(found)
        else:
            key = (str(row["Metadata_Plate"]), str(row["Metadata_Well"]))
            records.setdefault(key, WellRecord()).add(found)
        if progress is not None:
            progress(done, len(table))
    return _features(records, screen.wells, screen.channels, _BLOCK, False, notes)


def _measured(
    rows: Sequence[Mapping[str, Any]], n_channels: int, threads: int
) -> Iterator[ImageRecord | str]:
    """Measure fields in order, a handful at a time; what cannot be decoded is said."""

    def measure(row: Mapping[str, Any]) -> ImageRecord | str:
        try:
            return measure_images(read_field(row, n_channels)[None], _BLOCK)
        except UnreadableImageError as error:
            return " ".join(error.problems)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        waiting: deque[Any] = deque()
        try:
            for row in rows:
                waiting.append(pool.submit(measure, row))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def image_features(
    images: NDArray[Any],
    wells: ArrayLike,
    classes: ArrayLike,
    *,
    plates: ArrayLike | None = None,
    channels: Sequence[str] | None = None,
) -> FieldFeatures:
    """Measure images that are no fields of a screen, such as crops around cells.

    Parameters
    ----------
    images : (N, C, H, W) array
        Grey values in any unit, the same for all images; at least 16 px. Images up to 96 px are
        taken for crops around cells, larger ones for fields.
    wells : array-like, shape (N,)
        Well of each image, "A01" where positions are to be judged.
    classes : array-like, shape (N,)
        Class of each image; one a well, "" for none.
    plates : array-like, shape (N,), optional
        Plate of each image.
    channels : sequence of str, optional
        Names; "0", "1", ... where not given.

    Returns
    -------
    FieldFeatures
        A row per well.

    Raises
    ------
    InvalidInputError
        If shapes do not fit, values are not finite, or a well has two classes.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(100, 5, (8, 1, 64, 64))
    >>> found = image_features(images, np.repeat(["A01", "A02"], 4), np.repeat(["a", "b"], 4))
    >>> found.wells["n_images"].tolist(), found.centred
    ([4, 4], True)
    """
    pixels = np.asarray(images)
    table = _image_table(pixels, wells, classes, plates)
    names = tuple(map(str, range(pixels.shape[1]))) if channels is None else tuple(channels)
    if len(names) != pixels.shape[1]:
        raise InvalidInputError(
            f"`channels` must name {pixels.shape[1]} channels; got {list(names)}: name each."
        )
    small = min(pixels.shape[2:]) <= _CROP_EDGE
    block = 2 if small else _BLOCK
    records: dict[Hashable, WellRecord] = {}
    for key, rows in table.groupby(_KEY, sort=True).indices.items():
        record = records.setdefault(key, WellRecord())
        step = len(rows) if small else 1
        for start in range(0, len(rows), step):
            chosen = rows[start : start + step]
            record.add(measure_images(pixels[chosen], block), len(chosen))
    return _features(records, table.drop_duplicates(_KEY), names, block, small, [])


def _image_table(
    pixels: NDArray[Any], wells: ArrayLike, classes: ArrayLike, plates: ArrayLike | None
) -> pd.DataFrame:
    if pixels.ndim != 4 or min(pixels.shape) == 0 or min(pixels.shape[2:]) < _LEAST_EDGE:
        raise InvalidInputError(
            f"`images` must be (N, C, H, W) with edges of {_LEAST_EDGE} px or more; got "
            f"{pixels.shape}: stack the images and put channels second."
        )
    if not np.isfinite(pixels).all():
        raise InvalidInputError("`images` must be finite; got NaN or infinity: mend those pixels.")
    given = {"wells": np.asarray(wells), "classes": np.asarray(classes)}
    if plates is not None:
        given["plates"] = np.asarray(plates)
    for name, array in given.items():
        if array.shape != (len(pixels),):
            raise InvalidInputError(
                f"`{name}` must hold one value per image ({len(pixels)}); got shape {array.shape}."
            )
    table = pd.DataFrame(
        {
            "Metadata_Plate": given.get("plates", np.full(len(pixels), "")).astype(str),
            "Metadata_Well": given["wells"].astype(str),
            "class_name": given["classes"].astype(str),
        }
    )
    mixed = table.groupby(_KEY)["class_name"].nunique()
    if (mixed > 1).any():
        raise InvalidInputError(
            f"`classes` must be one a well; got several in {mixed.idxmax()}: a test by well needs "
            "wells of one class."
        )
    return table


def _features(
    records: Mapping[Hashable, WellRecord],
    wells: pd.DataFrame,
    channels: Sequence[str],
    block: int,
    centred: bool,
    notes: list[str],
) -> FieldFeatures:
    if not records:
        raise InvalidInputError(
            f"No image can be audited ({'; '.join(notes[:3])}): mend the images."
        )
    order = list(records)
    table = pd.DataFrame(order, columns=_KEY)
    extra = wells.drop(columns=[c for c in ("n_images", "height", "width") if c in wells])
    table = table.merge(extra.drop_duplicates(_KEY), on=_KEY, how="left")
    table["class_name"] = table["class_name"].fillna("").astype(str)
    gathered = [records[key] for key in order]
    table["n_images"] = [r.n_images for r in gathered]
    for axis, name in enumerate(("height", "width")):
        edges = [{size[axis] for size in r.sizes} for r in gathered]
        table[name] = [next(iter(e)) if len(e) == 1 else 0 for e in edges]
    values = [r.values() for r in gathered]
    longest = max(max(size) for r in gathered for size in r.sizes)
    factor = -(-(longest // block) // 128)
    return FieldFeatures(
        wells=table,
        channels=tuple(channels),
        values=relative_values(
            {name: np.stack([v[name] for v in values]) for name in (*VALUES, "correlation")},
            centred,
        ),
        spectra=np.stack([r.mean("spectra") for r in gathered]),
        snr=np.stack([r.mean("snr") for r in gathered]),
        places=_common([r.mean("places") for r in gathered]),
        corners=_common([r.mean("corners") for r in gathered]),
        block=block,
        place_px=block * factor,
        centred=centred,
        notes=tuple(notes),
    )


def _common(maps: Sequence[NDArray[Any]]) -> NDArray[np.float16]:
    """Cut maps to the size they share."""
    shape = tuple(np.min([m.shape for m in maps], axis=0))
    cut = tuple(slice(edge) for edge in shape)
    return np.stack([m[cut] for m in maps]).astype(np.float16)
