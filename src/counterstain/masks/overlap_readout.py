"""Wells of a plate beside the overlap that other software reports of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from counterstain.errors import InvalidInputError
from counterstain.plates.sources import list_some
from counterstain.plates.tables import as_numbers, read_table
from counterstain.plates.wells import normalise_well

__all__ = ["ReadoutMatch", "match_readout", "read_readout"]

_PLATE, _WELL = "Metadata_Plate", "Metadata_Well"


@dataclass(frozen=True)
class ReadoutMatch:
    """Wells with both values, and every well that has only one.

    Parameters
    ----------
    wells : pandas.DataFrame
        All wells of the plate in their order, with a column ``readout``: NaN where there is none.
    both : pandas.DataFrame
        Of these, the wells with a value and a readout.
    not_on_plate : tuple of str
        Wells of the readout that the plate does not have.
    without_readout : tuple of str
        Wells of the plate that the readout lacks.
    without_value : tuple of str
        Wells that have a readout and no value, e.g. since all fields are faulty.
    notes : tuple of str
        The same as sentences; empty where every well has both.
    """

    wells: pd.DataFrame
    both: pd.DataFrame
    not_on_plate: tuple[str, ...] = ()
    without_readout: tuple[str, ...] = ()
    without_value: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_readout(path: Path, column: str) -> pd.DataFrame:
    r"""Read the overlap that another software reports, a row a well.

    Parameters
    ----------
    path : Path
        CSV, TSV or XLSX with a column ``Metadata_Well`` (or ``Well``), and ``Metadata_Plate`` (or
        ``Plate``) where there are several plates.
    column : str
        Column that holds the overlap.

    Returns
    -------
    pandas.DataFrame
        Columns Metadata_Well as "A01", Metadata_Plate where given, and readout, float64: NaN where
        the cell is empty.

    Raises
    ------
    InvalidInputError
        If a column is missing, a well is none or is listed twice, or a value is no number; all
        problems at once, with their rows.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "readout.csv"
    >>> _ = path.write_text("Well,overlap\na1,0.5\nB02,0.25\n")
    >>> read_readout(path, "overlap")["Metadata_Well"].tolist()
    ['A01', 'B02']
    """
    table = read_table(path)
    table = table.rename(columns={"Well": _WELL, "Plate": _PLATE})
    missing = [name for name in (_WELL, column) if name not in table]
    if missing:
        raise InvalidInputError(
            f"{path} must have the column(s) {', '.join(missing)}; it has "
            f"{list_some(map(str, table.columns), most=12)}: name the column with the overlap."
        )
    wells, problems = [], []
    for row, text in table[_WELL].items():
        try:
            wells.append(normalise_well(str(text)))
        except InvalidInputError as error:
            wells.append("")
            problems.append(f"{path}, row {row}: {error}")
    values = as_numbers(table[column])
    if values.dtype == object:
        values = pd.to_numeric(table[column].replace("", np.nan), errors="coerce")
        wrong = [row for row in table.index if table[column][row] and pd.isna(values[row])]
        problems += [
            f"{path}, row {row}: {column!r} must be a number; got {table[column][row]!r}: correct "
            f"it, or leave the cell empty."
            for row in wrong
        ]
    read = pd.DataFrame({_WELL: wells, "readout": values.astype(np.float64)}, index=table.index)
    if _PLATE in table:
        read.insert(0, _PLATE, table[_PLATE])
    problems += _repeated(path, read)
    if problems:
        raise InvalidInputError(problems)
    return read.reset_index(drop=True)


def _repeated(path: Path, read: pd.DataFrame) -> list[str]:
    keys = [name for name in (_PLATE, _WELL) if name in read]
    twice = read[read.duplicated(keys, keep=False) & (read[_WELL] != "")]
    return [
        f"{path}, rows {', '.join(map(str, rows.index))}: well {rows[_WELL].iloc[0]} must have one "
        f"row; it has {len(rows)}: keep one, or their mean."
        for _, rows in twice.groupby(keys)
    ]


def match_readout(
    wells: pd.DataFrame, readout: pd.DataFrame, *, value: str = "iou"
) -> ReadoutMatch:
    """Put a readout beside the wells that it speaks of; what fits nothing is named and counted.

    Parameters
    ----------
    wells : pandas.DataFrame
        A row a well, with Metadata_Well, Metadata_Plate where there are several plates, and the
        column `value`.
    readout : pandas.DataFrame
        As from `read_readout`. Without Metadata_Plate it must be about the only plate.
    value : str, default 'iou'
        Column of `wells` that is to be compared.

    Returns
    -------
    ReadoutMatch
        All wells are kept; `both` holds those to calibrate with.

    Raises
    ------
    InvalidInputError
        If a column is missing, or the readout does not say which of several plates it is about.

    Examples
    --------
    >>> wells = pd.DataFrame({"Metadata_Well": ["A01", "A02"], "iou": [0.1, 0.2]})
    >>> readout = pd.DataFrame({"Metadata_Well": ["A01", "H12"], "readout": [11.0, 40.0]})
    >>> match = match_readout(wells, readout)
    >>> len(match.both), match.not_on_plate, match.without_readout
    (1, ('H12',), ('A02',))
    """
    missing = [f"`wells` {name}" for name in (_WELL, value) if name not in wells]
    missing += [f"`readout` {name}" for name in (_WELL, "readout") if name not in readout]
    if missing:
        raise InvalidInputError(f"Missing column(s): {', '.join(missing)}: add them.")
    plates = wells[_PLATE].unique() if _PLATE in wells else ["the plate"]
    if _PLATE not in readout and len(plates) > 1:
        raise InvalidInputError(
            f"`readout` must have a column {_PLATE}, since there are {len(plates)} plates "
            f"({list_some(map(str, plates))}); got none: add it."
        )
    keys = [name for name in (_PLATE, _WELL) if name in readout and name in wells]
    joined = wells.merge(
        readout[[*keys, "readout"]], on=keys, how="outer", indicator=True, sort=False
    )
    right = joined["_merge"] == "right_only"
    strangers = joined[right]
    kept = wells.merge(readout[[*keys, "readout"]], on=keys, how="left", validate="m:1")
    has_readout, has_value = kept["readout"].notna(), kept[value].notna()
    names = {
        "not_on_plate": _names(strangers, keys),
        "without_readout": _names(kept[~has_readout], keys),
        "without_value": _names(kept[has_readout & ~has_value], keys),
    }
    return ReadoutMatch(kept, kept[has_readout & has_value], **names, notes=_notes(names))


def _names(rows: pd.DataFrame, keys: list[str]) -> tuple[str, ...]:
    return tuple(" ".join(map(str, key)) for key in rows[keys].itertuples(index=False, name=None))


def _notes(names: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    texts = {
        "not_on_plate": "well(s) of the readout are not on the plate and take no part",
        "without_readout": "well(s) of the plate have no readout and take no part in the match",
        "without_value": "well(s) have a readout but no overlap of their own",
    }
    return tuple(
        f"{len(wells)} {texts[key]}: {list_some(wells, most=12)}."
        for key, wells in names.items()
        if wells
    )
