"""The plate map, and how a well gets its class."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from counterstain.config import ClassRule
from counterstain.errors import InvalidInputError
from counterstain.plates.class_rules import classify
from counterstain.plates.sources import list_some
from counterstain.plates.tables import as_numbers, read_table
from counterstain.plates.wells import normalise_well

__all__ = ["assign_classes", "load_plate_map", "read_plate_map"]

# Columns that hold names even where these look like numbers.
_NAMES = re.compile(r"(plate|well|compound|barcode|donor|type|name|id|unit)$", re.IGNORECASE)


def _check_columns(path: Path, table: pd.DataFrame) -> None:
    if "Metadata_Well" in table:
        return
    names = [str(name) for name in table.columns]
    plain = {
        re.sub(r"[^a-z]", "", name.casefold().removeprefix("metadata_")): name for name in names
    }
    close = [plain[key] for key in ("well", "wellid", "wellname", "wellposition") if key in plain]
    close = close or difflib.get_close_matches("Metadata_Well", names, n=1, cutoff=0.75)
    remedy = f"rename {close[0]!r} to 'Metadata_Well'" if close else "add it"
    raise InvalidInputError(
        f"{path} must have the column Metadata_Well (A01, ...); got "
        f"{list_some(map(repr, names), most=12)}: {remedy}."
    )


def _normalised(path: Path, table: pd.DataFrame) -> tuple[pd.Series[Any], list[str]]:
    """Return wells as "A01", and a problem for each row whose well is none."""
    wells, problems = [], []
    for row, text in table["Metadata_Well"].items():
        try:
            wells.append(normalise_well(text))
        except InvalidInputError as error:
            wells.append("")
            problems.append(f"{path}, row {row}: {error}")
    return pd.Series(wells, index=table.index, dtype=object), problems


def _duplicates(path: Path, table: pd.DataFrame, written: pd.Series[Any]) -> list[str]:
    """Name the rows that describe one well."""
    keys = [name for name in ("Metadata_Plate", "Metadata_Well") if name in table]
    rows: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, names in zip(table.index, table[keys].to_numpy().tolist(), strict=True):
        rows[tuple(names)].append(row)
    problems = []
    for key, numbers in rows.items():
        if len(numbers) == 1 or not key[-1]:
            continue
        spelled = dict.fromkeys(written[numbers])
        how = f" (written {' and '.join(map(repr, spelled))})" if len(spelled) > 1 else ""
        listed = f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
        problems.append(
            f"{path}, rows {listed}: well {' '.join(filter(None, key))} must have one row{how}: "
            "remove the others."
        )
    return problems


def load_plate_map(path: Path) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Read a plate map, and keep how it spells wells.

    Parameters
    ----------
    path : Path
        CSV, TSV or XLSX.

    Returns
    -------
    table : pandas.DataFrame
        As of `read_plate_map`.
    spellings : dict of str to str
        Well as "A01" to well as written.
    notes : list of str
        Columns that are not used.

    Raises
    ------
    InvalidInputError
        As of `read_plate_map`.
    """
    table = read_table(path)
    _check_columns(path, table)
    written = table["Metadata_Well"]
    wells, problems = _normalised(path, table)
    table["Metadata_Well"] = wells
    problems += _duplicates(path, table, written)
    if not len(table):
        problems.append(f"{path} must have a row a well; it has none: fill it.")
    if "Metadata_Plate" in table:
        blank = [str(row) for row, plate in table["Metadata_Plate"].items() if not plate]
        if blank and len(blank) < len(table):
            problems.append(
                f"{path}, row(s) {list_some(blank)}: Metadata_Plate is empty there and filled in "
                "other rows: fill it."
            )
        elif blank:
            table = table.drop(columns="Metadata_Plate")
    if problems:
        raise InvalidInputError(problems)
    others = [str(name) for name in table.columns if not str(name).startswith("Metadata_")]
    notes = []
    if others:
        notes.append(
            f"{path.name}: column(s) without the prefix Metadata_ are not used: "
            f"{list_some(others, most=20)}."
        )
    kept = table.drop(columns=others).reset_index(drop=True)
    for name in kept.columns:
        if not _NAMES.search(str(name)):
            kept[name] = as_numbers(kept[name])
    return kept, dict(zip(wells, written, strict=True)), notes


def read_plate_map(path: Path) -> pd.DataFrame:
    r"""Read a plate map.

    Parameters
    ----------
    path : Path
        CSV, TSV or XLSX (first sheet) with the column Metadata_Well and further Metadata_*
        columns. Without Metadata_Plate it holds for every plate.

    Returns
    -------
    pandas.DataFrame
        A row a well in the order of the file, Metadata_Well as "A01". Columns that hold only
        numbers are numeric (empty cells NaN), except names such as plates and compounds; text is
        str (empty cells ""). Columns without the prefix Metadata_ are left out.

    Raises
    ------
    MissingFileError
        If there is no such file.
    InvalidInputError
        If Metadata_Well is missing, a well is none or is listed twice; all problems at once, with
        row numbers as a spreadsheet shows them.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "platemap.csv"
    >>> _ = path.write_text("Metadata_Well,Metadata_Concentration\nA1,0\nA2,2.5\n")
    >>> read_plate_map(path)
      Metadata_Well  Metadata_Concentration
    0           A01                     0.0
    1           A02                     2.5
    """
    return load_plate_map(path)[0]


def assign_classes(wells: pd.DataFrame, rules: Mapping[str, ClassRule]) -> pd.Series[Any]:
    """Give each well its class.

    A rule takes a well if every column that it names has the value, or one of the values.
    Numbers are compared as numbers, text exactly. Metadata_Row ("A") and Metadata_Column (1) may
    be named even where the plate map does not have them.

    Parameters
    ----------
    wells : pandas.DataFrame
        A row a well with Metadata_* columns.
    rules : mapping of str to ClassRule
        As in the section [classes].

    Returns
    -------
    pandas.Series of str
        Class of each row; "" for wells in no class.

    Raises
    ------
    InvalidInputError
        If a rule names a column or value that does not occur, or a well is in two classes; all
        problems at once.

    Examples
    --------
    >>> wells = pd.DataFrame({"Metadata_Well": ["A01", "A02", "A03"], "Metadata_dose": [0, 1, 5]})
    >>> assign_classes(wells, {"low": {"Metadata_dose": [0, 1]}, "high": {"Metadata_dose": 5}})
    0     low
    1     low
    2    high
    Name: class_name, dtype: object
    """
    class_name, problems = classify(wells, rules)
    if problems:
        raise InvalidInputError(problems)
    return class_name
