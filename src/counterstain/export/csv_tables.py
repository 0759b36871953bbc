"""Tables of a run as CSV, for R and for spreadsheets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.files import csv_text, write_text
from counterstain.run_folder import OVERLAP_TABLES, TABLES, RunFolder

__all__ = ["write_csv_tables"]


def write_csv_tables(folder: RunFolder, to: Path) -> list[Path]:
    """Write every table of a run as CSV (UTF-8, comma, full stop; empty where undefined).

    Parameters
    ----------
    folder : RunFolder
        A run, finished or not: the tables it has are written.
    to : Path
        Folder, made where missing.

    Returns
    -------
    list of Path
        Files, as ``NAME.csv``.

    Raises
    ------
    MissingFileError
        If the run has no table.
    InvalidInputError
        If one is damaged, the folder cannot be written to, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> folder = RunFolder(Path(tempfile.mkdtemp()))
    >>> folder.table("wells").parent.mkdir()
    >>> pd.DataFrame({"Metadata_Well": ["A01"], "logit": [1.5]}).to_parquet(folder.table("wells"))
    >>> [path.name for path in write_csv_tables(folder, folder.root / "csv")]
    ['wells.csv']
    """
    tables = {name: _read(path) for name in (*TABLES, *OVERLAP_TABLES)
              if (path := folder.table(name)).is_file()}  # fmt: skip
    if not tables:
        raise MissingFileError(
            f"{folder.root} must be a run folder with tables; it has none in tables/: give the "
            "folder that `counterstain run` wrote with --out, or go on with --resume."
        )
    paths = []
    for name, table in tables.items():
        paths.append(to / f"{name}.csv")
        write_text(paths[-1], csv_text(table))
    return paths


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"{path} must be a table as counterstain wrote it; it cannot be read ({error}): make "
            "it anew."
        ) from error
