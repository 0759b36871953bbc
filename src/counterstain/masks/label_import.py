"""Label images made elsewhere (Cellpose, StarDist, CellProfiler), found by their file names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError, MissingFileError, UnreadableImageError
from counterstain.masks.agreement_matching import as_labels
from counterstain.plates.containers import READABLE_SUFFIXES, UnfitImage, open_stack
from counterstain.plates.conventions import NamePattern, compile_pattern

__all__ = ["LabelImport", "import_labels", "read_labels"]

_KEYS = ["Metadata_Plate", "Metadata_Well", "Metadata_Site"]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class LabelImport:
    """Label images that were found, and what was not.

    Parameters
    ----------
    table : pandas.DataFrame
        A row a label image, and one for each field without any: ``Metadata_Plate``,
        ``Metadata_Well``, ``Metadata_Site``, ``channel`` (as in the file name, "" where it has
        none), ``path`` ("" for a field without a label image), ``height``, ``width``,
        ``n_objects`` (-1 where there is no image) and ``empty``.
    notes : tuple of str
        What was left aside or is missing, counted, a sentence each.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def n_empty(self) -> int:
        """Label images without any object."""
        return int(self.table["empty"].sum())

    @property
    def n_missing(self) -> int:
        """Fields without a label image."""
        return int((self.table["path"] == "").sum())


def read_labels(path: Path | str, size: tuple[int, int] | None = None) -> NDArray[np.int32]:
    """Read one label image.

    Parameters
    ----------
    path : Path or str
        TIFF or PNG of one plane. Integers; floats are taken where all are whole numbers, since
        some programs write labels so.
    size : (int, int), optional
        Height and width of the image that it belongs to.

    Returns
    -------
    (H, W) array of int32
        0 background, one number an object, as in the file: numbers may have gaps.

    Raises
    ------
    MissingFileError
        If there is no such file.
    UnreadableImageError
        If it cannot be decoded, or has several planes (a colour picture of labels).
    InvalidInputError
        If its numbers are no labels, or it has another size: it is never resized.

    Examples
    --------
    >>> import tempfile, tifffile
    >>> path = Path(tempfile.mkdtemp()) / "A01_masks.tif"
    >>> tifffile.imwrite(path, np.array([[0, 3], [3, 0]], np.uint16))
    >>> read_labels(path).tolist()
    [[0, 3], [3, 0]]
    """
    file = Path(path)
    if not file.exists():
        raise MissingFileError(f"{file} must be a label image; there is no such file.")
    plane = _decoded(file)
    if size is not None and plane.shape != tuple(size):
        raise InvalidInputError(
            f"{file} must have the size of its image, {size[0]} x {size[1]} px; got "
            f"{plane.shape[0]} x {plane.shape[1]}: export the labels at full size, uncropped."
        )
    try:
        labels = as_labels(plane, file.name)
    except InvalidInputError as error:
        raise InvalidInputError(f"{file}: {error}") from error
    if labels.size and labels.max() > np.iinfo(np.int32).max:
        raise InvalidInputError(
            f"{file} must hold numbers below 2**31; got {labels.max()}: number the objects anew."
        )
    return labels.astype(np.int32)


def import_labels(
    root: Path | str,
    pattern: str,
    *,
    channels: Sequence[str] = (),
    plate: str = "",
    fields: pd.DataFrame | None = None,
) -> LabelImport:
    """Find and check the label images below a folder.

    Each is read once, so that what is wrong is said before any work starts; pixels are not kept:
    call :func:`read_labels` with a row's path when its field is worked on.

    Parameters
    ----------
    root : Path or str
        Folder.
    pattern : str
        How files are named, with ``{plate}``, ``{well}`` (or ``{row}`` and ``{column}``),
        ``{site}``, ``{channel}`` and the wildcards ``*``, ``?`` and ``**``, as in ``screen.toml``:
        ``"{plate}_{well}_s{site}_{channel}_cp_masks.tif"`` for Cellpose.
    channels : sequence of str
        How file names write the channels.
    plate : str
        Plate of files whose name holds none.
    fields : pandas.DataFrame, optional
        The imaged fields: ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Site``, ``height`` and
        ``width``. The join is outer: a field without labels gets a row, labels of no field are an
        error.

    Returns
    -------
    LabelImport
        The table, and notes.

    Raises
    ------
    MissingFileError
        If there is no such folder.
    InvalidInputError
        All problems at once: no file fits, two files stand for one field and channel, a file is of
        another size, holds no labels, or belongs to no field.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise MissingFileError(
            f"`root` must be a folder with label images; {folder} does not exist: correct the path."
        )
    compiled = compile_pattern(pattern, channels)
    rows, notes = _rows(folder, compiled, plate)
    problems = _doubles(rows)
    sizes = _sizes(fields)
    for row in rows:
        key = tuple(row[name] for name in _KEYS)
        if fields is not None and key not in sizes:
            problems.append(
                f"{row['path']} is named after {' '.join(map(str, key))}, which was not imaged: "
                "correct its name, or leave it out of the folder."
            )
            continue
        try:
            labels = read_labels(row["path"], sizes.get(key))
        except (InvalidInputError, UnreadableImageError) as error:
            problems += error.problems
            continue
        row["height"], row["width"] = labels.shape
        row["n_objects"] = int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
        row["empty"] = row["n_objects"] == 0
    if problems:
        raise InvalidInputError(problems)
    present = {tuple(row[name] for name in _KEYS) for row in rows}
    absent = [key for key in sizes if key not in present]
    rows += [_absent_row(key, sizes[key]) for key in absent]
    table = pd.DataFrame(rows).sort_values([*_KEYS, "channel"], ignore_index=True)
    empty = [Path(path).name for path in table.loc[table["empty"], "path"]]
    if empty:
        notes.append(
            f"{len(empty)} label image(s) hold no object ({_some(empty)}); they are kept, as empty."
        )
    if absent:
        notes.append(f"{len(absent)} imaged field(s) have no label image: {_some(absent)}.")
    return LabelImport(table, tuple(notes))


def _decoded(file: Path) -> NDArray[Any]:
    try:
        with open_stack(file) as stack:
            if stack.n_planes != 1:
                raise UnreadableImageError(
                    f"{file} must hold one plane of labels; got {stack.n_planes}: a colour picture "
                    "of labels or a stack; export the label numbers of one plane."
                )
            return np.asarray(stack.read()[0])
    except (UnreadableImageError, MemoryError):
        raise
    except UnfitImage as error:
        raise UnreadableImageError(f"{file} {error}.") from error
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise UnreadableImageError(
            f"{file} cannot be decoded ({str(error) or type(error).__name__}): the file is "
            "damaged; copy or export it again."
        ) from error


def _rows(folder: Path, pattern: NamePattern, plate: str) -> tuple[list[dict[str, Any]], list[str]]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in READABLE_SUFFIXES)
    rows, left = [], []
    for file in files:
        name = pattern.match(file.relative_to(folder).as_posix())
        if name is None:
            left.append(file.name)
            continue
        key = (name.plate or plate or folder.resolve().name, name.well, name.site)
        rows.append({**_absent_row(key, (0, 0)), "channel": name.channel or "", "path": str(file)})
    if not rows:
        example = f"; one of them is {left[0]!r}" if left else ""
        raise InvalidInputError(
            f"`pattern`: none of the {len(files)} TIFF and PNG file(s) below {folder} fits "
            f"{pattern.text!r}{example}: correct the pattern or the folder."
        )
    notes = []
    if left:
        notes.append(f"{len(left)} file(s) do not fit the pattern and were left: {_some(left)}.")
    return rows, notes


def _absent_row(key: tuple[Any, ...], size: tuple[int, int]) -> dict[str, Any]:
    return {
        **dict(zip(_KEYS, key, strict=True)),
        "channel": "",
        "path": "",
        "height": size[0],
        "width": size[1],
        "n_objects": -1,
        "empty": False,
    }


def _doubles(rows: list[dict[str, Any]]) -> list[str]:
    first: dict[tuple[Any, ...], str] = {}
    problems = []
    for row in rows:
        key = (*(row[name] for name in _KEYS), row["channel"])
        if key in first:
            problems.append(
                f"{first[key]} and {row['path']} stand for the same field and channel: narrow the "
                "pattern so that one of them fits."
            )
        first.setdefault(key, row["path"])
    return problems


def _sizes(fields: pd.DataFrame | None) -> dict[tuple[Any, ...], tuple[int, int]]:
    if fields is None:
        return {}
    missing = [name for name in (*_KEYS, "height", "width") if name not in fields.columns]
    if missing:
        raise InvalidInputError(
            f"`fields` must have the columns {[*_KEYS, 'height', 'width']}; {missing} is missing: "
            "pass `Screen.fields`."
        )
    return {
        (str(plate), str(well), int(site)): (int(height), int(width))
        for plate, well, site, height, width in zip(
            *(fields[name] for name in (*_KEYS, "height", "width")), strict=True
        )
    }


def _some(items: Sequence[object]) -> str:
    shown = [
        " ".join(map(str, item)) if isinstance(item, tuple) else str(item)
        for item in items[:_SHOWN]
    ]
    return ", ".join(shown) + (" ..." if len(items) > _SHOWN else "")
