"""Names and places of wells on a plate."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["normalise_well", "plate_shape", "row_name", "well_names", "well_position"]

_FORMATS = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
_WELL = re.compile(r"\s*([A-Z]|A[A-F])(?:\s*[-_ ]\s*)?0*(\d{1,2})\s*", re.IGNORECASE)


def row_name(row: int) -> str:
    """Return the letters of a row.

    Parameters
    ----------
    row : int
        Zero-based row, 0 to 31.

    Returns
    -------
    str
        "A" to "Z", then "AA" to "AF".

    Examples
    --------
    >>> row_name(0), row_name(31)
    ('A', 'AF')
    """
    return chr(65 + row) if row < 26 else "A" + chr(65 + row - 26)


def _parse(text: str) -> tuple[int, int]:
    match = _WELL.fullmatch(text)
    if match is not None:
        letters, column = match[1].upper(), int(match[2])
        row = ord(letters[-1]) - 65 + 26 * (len(letters) - 1)
        if 1 <= column <= 48:
            return row, column - 1
    raise InvalidInputError(
        f"A well must be a row (A to AF) and a column (1 to 48) such as 'B07'; got {text!r}: "
        "correct the name."
    )


def normalise_well(text: str) -> str:
    """Write a well the one way that every table of this package uses.

    Parameters
    ----------
    text : str
        A well such as "a1", "A01", "A - 01" or "AB7".

    Returns
    -------
    str
        Row letters and two digits, such as "A01".

    Raises
    ------
    InvalidInputError
        If the text names no well of a plate with up to 1536 wells.

    Examples
    --------
    >>> normalise_well("a1"), normalise_well("P - 24"), normalise_well("AF048")
    ('A01', 'P24', 'AF48')
    """
    row, column = _parse(text)
    return f"{row_name(row)}{column + 1:02d}"


def well_position(well: str) -> tuple[int, int]:
    """Return where a well lies.

    Parameters
    ----------
    well : str
        A well such as "B07".

    Returns
    -------
    row, column : int
        Zero-based.

    Raises
    ------
    InvalidInputError
        If the text names no well.

    Examples
    --------
    >>> well_position("B07"), well_position("AA01")
    ((1, 6), (26, 0))
    """
    return _parse(well)


def plate_shape(wells: Iterable[str]) -> tuple[int, int]:
    """Return the smallest usual plate format that holds all wells.

    Parameters
    ----------
    wells : iterable of str
        Wells such as "B07".

    Returns
    -------
    rows, columns : int
        One of the 6-, 12-, 24-, 48-, 96-, 384- and 1536-well formats.

    Raises
    ------
    InvalidInputError
        If a text names no well.

    Examples
    --------
    >>> plate_shape(["A01", "D12"])
    (8, 12)
    >>> plate_shape(["P24"])
    (16, 24)
    """
    places = [_parse(well) for well in wells]
    n_rows = 1 + max((row for row, _ in places), default=0)
    n_columns = 1 + max((column for _, column in places), default=0)
    return next(shape for shape in _FORMATS if n_rows <= shape[0] and n_columns <= shape[1])


def well_names(rows: pd.DataFrame) -> NDArray[np.str_]:
    """Return plate and well of each row of a table as one name.

    Examples
    --------
    >>> table = pd.DataFrame({"Metadata_Plate": ["P1"], "Metadata_Well": ["A01"]})
    >>> well_names(table).tolist()
    ['P1/A01']
    """
    plate, well = (rows[name].astype(str) for name in ("Metadata_Plate", "Metadata_Well"))
    return np.asarray(plate + "/" + well, np.str_)
