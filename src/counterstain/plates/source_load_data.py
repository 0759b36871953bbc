"""Finding images through a LoadData table of CellProfiler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote, urlsplit

import pandas as pd

from counterstain.config import ImagesConfig
from counterstain.errors import InvalidInputError
from counterstain.plates.sources import Found, Plane, list_some, match_channels
from counterstain.plates.tables import read_table
from counterstain.plates.wells import normalise_well

__all__ = ["find_by_load_data"]

_SITES = ("Metadata_Site", "Metadata_Field", "Metadata_FieldID", "Metadata_FieldIndex")
_COLUMNS = ("Metadata_Column", "Metadata_Col")


def _is_local(url: str) -> bool:
    return urlsplit(url).scheme in ("", "file") or len(urlsplit(url).scheme) == 1


class _Resolver:
    """Turns file and path names of a table into files of this machine."""

    def __init__(self, table: Path, root: Path) -> None:
        self.folders = (table.parent, root)
        self.elsewhere = 0  # files found by name only, since the table's folder does not exist
        self.remote: list[str] = []

    def __call__(self, row: Mapping[str, str], channel: str) -> str:
        name = row.get(f"FileName_{channel}", "")
        folder = row.get(f"PathName_{channel}", "")
        if not name:
            url = row.get(f"URL_{channel}", "")
            if not url:
                return ""
            if not _is_local(url):
                self.remote.append(url)
                return url
            name = unquote(urlsplit(url).path) if url.startswith("file:") else url
        if "\\" in folder or "\\" in name:
            folder, name = (PureWindowsPath(text).as_posix() for text in (folder, name))
            folder = "" if folder == "." else folder
        path = Path(folder) / name
        places = [path] if path.is_absolute() else [base / path for base in self.folders]
        for place in places:
            if place.is_file():
                return str(place)
        for base in self.folders:
            if (base / path.name).is_file():
                self.elsewhere += 1
                return str(base / path.name)
        return str(places[0])


def _wells(table: pd.DataFrame, path: Path) -> tuple[pd.Series, pd.Series, list[str]]:
    """Return wells as "A01" and as written, and a problem for each row without one."""
    column = next((name for name in _COLUMNS if name in table), None)
    if "Metadata_Well" in table:
        written = table["Metadata_Well"]
    elif "Metadata_Row" in table and column is not None:
        written = table["Metadata_Row"] + table[column]
    else:
        raise InvalidInputError(
            f"{path} must have the column Metadata_Well (or Metadata_Row and Metadata_Column); got "
            f"{list_some(table.columns, most=20)}: add it."
        )
    wells, problems = [], []
    for row, text in written.items():
        try:
            wells.append(normalise_well(text))
        except InvalidInputError as error:
            wells.append("")
            problems.append(f"{path}, row {row}: {error}")
    return pd.Series(wells, table.index, dtype=object), written, problems


def _plates(table: pd.DataFrame, images: ImagesConfig, map_plates: Sequence[str]) -> pd.Series:
    if "Metadata_Plate" in table and (table["Metadata_Plate"] != "").all():
        return table["Metadata_Plate"]
    only = map_plates[0] if len(map_plates) == 1 else images.root.resolve().name
    given = table.get("Metadata_Plate", pd.Series("", table.index))
    return given.where(given != "", images.plate or only)


def _whole_numbers(
    table: pd.DataFrame, names: Sequence[str], default: int, path: Path
) -> tuple[list[int], list[str]]:
    """Read the first of the columns that is there as integers."""
    name = next((name for name in names if name in table), None)
    if name is None:
        return [default] * len(table), []
    values, problems = [], []
    for row, text in table[name].items():
        try:
            values.append(int(float(text)) if text else default)
        except ValueError:
            values.append(default)
            problems.append(
                f"{path}, row {row}: {name} must be a whole number; got {text!r}: correct it."
            )
    return values, problems


def find_by_load_data(images: ImagesConfig, map_plates: Sequence[str] = ()) -> Found:
    """Find the images that a LoadData table lists.

    A channel X has the columns FileName_X and PathName_X, or URL_X, and Frame_X for one plane of
    several (all of them with or without "Image_" before). Relative folders start at the folder of
    the table, then at `images.root`; where the table's folders do not exist on this machine, the
    file's bare name is looked for in both.

    Parameters
    ----------
    images : ImagesConfig
        With `load_data` set.
    map_plates : sequence of str
        Plates of the plate map, to name the plate where the table has no Metadata_Plate.

    Returns
    -------
    Found
        A plane per row and channel; `metadata` holds the table's Metadata_* columns.

    Raises
    ------
    InvalidInputError
        If the table cannot be read or lacks Metadata_Well.
    """
    if images.load_data is None:
        raise InvalidInputError("`images.load_data` must be given: name the table.")
    path = images.load_data
    table = read_table(path)
    table.columns = pd.Index([str(name).removeprefix("Image_") for name in table.columns])
    found = Found(plane_hint="keep one row a field")
    listed = [n.split("_", 1)[1] for n in table.columns if n.startswith(("FileName_", "URL_"))]
    names = dict.fromkeys(listed)
    if not names:
        raise InvalidInputError(
            f"{path} must have a column FileName_X (or URL_X) for each channel X; got "
            f"{list_some(table.columns, most=20)}: export a LoadData table."
        )
    # Tables of the Broad call raw images Orig, beside the illumination functions Illum.
    plain = {name.removeprefix("Orig"): name for name in names if name.startswith("Orig")}
    wanted = images.tokens or images.channels
    if not set(wanted) <= set(names) and plain:
        index, found.errors, notes = match_channels(plain, images, "FileName_ columns")
        index = {plain[token]: channel for token, channel in index.items()}
    else:
        index, found.errors, notes = match_channels(names, images, "FileName_ columns")
    found.notes += notes
    unused = [name for name in names if name not in index]
    if unused:
        found.notes.append(f"{path.name}: image columns not used: {list_some(unused, most=20)}.")
    _add_rows(found, table, index, images, map_plates)
    return found


def _add_rows(
    found: Found,
    table: pd.DataFrame,
    index: dict[str, int],
    images: ImagesConfig,
    map_plates: Sequence[str],
) -> None:
    path = Path(str(images.load_data))
    wells, written, problems = _wells(table, path)
    plates = _plates(table, images, map_plates)
    sites, wrong_sites = _whole_numbers(table, _SITES, 1, path)
    found.errors += problems + wrong_sites
    resolve = _Resolver(path, images.root)
    for name, channel in index.items():
        framed = f"Frame_{name}" in table
        frames, wrong = _whole_numbers(table, (f"Frame_{name}",), 0, path)
        series, _ = _whole_numbers(table, (f"Series_{name}",), 0, path)
        found.errors += wrong
        if any(series):
            found.errors.append(
                f"{path}: Series_{name} names another series than 0, which is not supported: "
                "export the series as files."
            )
        rows = zip(table.to_dict("records"), plates, wells, written, sites, frames, strict=True)
        for row, plate, well, text, site, frame in rows:
            file = resolve(row, name)
            if well and file:
                number = None if framed else 1
                found.planes.append(Plane(plate, well, text, site, channel, file, frame, number))
    if resolve.remote:
        found.errors.append(
            f"{path}: {len(resolve.remote)} image(s) are not files, such as {resolve.remote[0]}: "
            "download them and name the files."
        )
    if resolve.elsewhere:
        found.notes.append(
            f"{path.name}: {resolve.elsewhere} image(s) were found by their bare name, since the "
            "table's folders do not exist here."
        )
    metadata = table[[name for name in table.columns if name.startswith("Metadata_")]].copy()
    metadata["Metadata_Plate"], metadata["Metadata_Well"] = plates, wells
    found.metadata = metadata[metadata["Metadata_Well"] != ""].drop(
        columns=[name for name in (*_SITES, "Metadata_Row", *_COLUMNS) if name in metadata]
    )
