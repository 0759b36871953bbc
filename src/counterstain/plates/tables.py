"""Reading small tables that people wrote: CSV, TSV and XLSX, all as text with row numbers."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd

from counterstain._optional import import_optional
from counterstain.errors import InvalidInputError, MissingFileError

__all__ = ["as_numbers", "read_table"]


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(",;\t", key=header.count)


def _rows_of_text(path: Path) -> list[list[str]]:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = raw.decode("utf-16")
        else:
            raise InvalidInputError(
                f"{path} must be text in UTF-8; byte {error.start} is not: save it as UTF-8 "
                "(in Excel: 'CSV UTF-8')."
            ) from error
    header = text.split("\n", 1)[0]
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path, header)))


def _cell(value: Any) -> str:
    """Write a cell of a workbook as a person reads it: 3, not 3.0."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _rows_of_workbook(path: Path) -> list[list[str]]:
    openpyxl = import_optional("openpyxl", "excel", "read XLSX tables")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # zip, XML and key errors alike: the file is no workbook
        raise InvalidInputError(
            f"{path} must be an XLSX workbook; it cannot be opened ({error}): save it again, or as "
            "CSV."
        ) from error
    try:
        return [[_cell(value) for value in row] for row in book.worksheets[0].values]
    finally:
        book.close()


def _check_header(path: Path, header: list[str]) -> None:
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise InvalidInputError(
            f"{path} has more than one column {', '.join(map(repr, twice))}: rename or remove one."
        )


def read_table(path: Path) -> pd.DataFrame:
    r"""Read a CSV, TSV or XLSX table (its first sheet) as stripped text.

    Parameters
    ----------
    path : Path
        The file. The separator of text files (comma, semicolon, tab) is taken from the header.

    Returns
    -------
    pandas.DataFrame
        All cells as str, empty ones as ""; the index is the row in the file (the header is row
        1), so that messages can name it. Blank rows and columns without any text are left out.

    Raises
    ------
    MissingFileError
        If there is no such file.
    InvalidInputError
        If it is empty, not a table, or names a column twice.
    OptionalDependencyError
        If it is XLSX and openpyxl is not installed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "map.csv"
    >>> _ = path.write_text("Metadata_Well;dose\nA1;0\n\nA2;10\n")
    >>> read_table(path)
      Metadata_Well dose
    2            A1    0
    4            A2   10
    """
    if not path.is_file():
        raise MissingFileError(f"{path} must be a table; there is no such file: check the path.")
    kind = path.suffix.lower()
    if kind in (".xls", ".ods"):
        raise InvalidInputError(f"{path} must be CSV, TSV or XLSX; got {kind}: save it as XLSX.")
    rows = _rows_of_workbook(path) if kind in (".xlsx", ".xlsm") else _rows_of_text(path)
    cells = [[cell.strip() for cell in row] for row in rows]
    if not cells or not any(cells[0]):
        raise InvalidInputError(
            f"{path} must be a table with column names in its first row; that row is empty: "
            "remove what is above the names."
        )
    width = max(map(len, cells))
    cells = [row + [""] * (width - len(row)) for row in cells]
    header = cells[0]
    _check_header(path, header)
    used = [i for i in range(width) if any(row[i] for row in cells)]
    unnamed = [i for i in used if not header[i]]
    if unnamed:
        raise InvalidInputError(
            f"{path} holds text in column {unnamed[0] + 1}, which has no name: name the column, or "
            "look for a separator too many."
        )
    body = {n: [row[i] for i in used] for n, row in enumerate(cells[1:], start=2) if any(row)}
    return pd.DataFrame(
        list(body.values()), index=list(body), columns=[header[i] for i in used], dtype=object
    )


def as_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """Turn a column of text into numbers where all of it is numbers; empty cells become NaN.

    A column with a leading zero ("007") stays text, since it holds names.

    Parameters
    ----------
    column : pandas.Series of str
        Cells as written.

    Returns
    -------
    pandas.Series
        int64 or float64 where every filled cell is a number, otherwise the column as it was.

    Examples
    --------
    >>> as_numbers(pd.Series(["0", "", "2.5"])).tolist()
    [0.0, nan, 2.5]
    >>> as_numbers(pd.Series(["007", "8"])).tolist()
    ['007', '8']
    """
    filled = column[column != ""]
    named = filled.str.match(r"[+-]?0\d") if len(filled) else filled
    if not len(filled) or named.any():
        return column
    numbers = pd.to_numeric(filled, errors="coerce")
    words = filled.str.casefold().isin(["nan", "na", "n/a"])
    if (numbers.isna() & ~words).any() or words.all():
        return column
    return numbers.reindex(column.index)
