"""Rows of the tables as arrays: wells as numbers, classes as indices."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["class_index", "evenly_spaced", "group_wells", "metadata_columns", "thin_wells"]

_KEY = ["Metadata_Plate", "Metadata_Well"]


def metadata_columns(table: pd.DataFrame) -> list[str]:
    """Return the ``Metadata_*`` columns that hold for a whole well."""
    columns = [str(name) for name in table.columns if str(name).startswith("Metadata_")]
    return [name for name in columns if name != "Metadata_Site"]


def class_index(table: pd.DataFrame, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the class index of every row; -1 where it is in no class.

    Examples
    --------
    >>> class_index(pd.DataFrame({"class_name": ["b", "", "a"]}), ("a", "b")).tolist()
    [1, -1, 0]
    """
    indexer = pd.Index(class_names).get_indexer(pd.Index(table["class_name"]))
    return np.asarray(indexer, np.int64)


def group_wells(table: pd.DataFrame) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Give each well of a table a number; the same name on two plates is two wells.

    Returns
    -------
    codes : array of int
        Well number of each row.
    wells : DataFrame
        A row a well in the order of the numbers: ``well``, ``Metadata_*``, class_name, fold.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "Metadata_Plate": ["P", "P", "P"], "Metadata_Well": ["B01", "A01", "B01"],
    ...     "class_name": ["x", "y", "x"], "fold": [0, 1, 0],
    ... })
    >>> codes, wells = group_wells(table)
    >>> codes.tolist(), wells["Metadata_Well"].tolist()
    ([1, 0, 1], ['A01', 'B01'])
    """
    numbers = table.groupby(_KEY, sort=True, dropna=False).ngroup()
    codes: NDArray[np.int64] = np.asarray(numbers, np.int64)
    keep = [*metadata_columns(table), "class_name", "fold"]
    first = table[keep].assign(well=codes).drop_duplicates("well").sort_values("well")
    return codes, first.reset_index(drop=True)


def evenly_spaced(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return at most `count` of the rows, spread evenly.

    Examples
    --------
    >>> evenly_spaced(np.arange(10), 3).tolist()
    [0, 4, 9]
    """
    if len(rows) <= count:
        return rows
    picked: NDArray[np.int64] = rows[np.linspace(0, len(rows) - 1, count).astype(int)]
    return picked


def thin_wells(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """Keep at most `count` crops a well, spread over the well.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "Metadata_Plate": "P", "Metadata_Well": ["A01", "A01", "A01", "B01"],
    ...     "class_name": "x", "fold": 0, "crop": [0, 1, 2, 3],
    ... })
    >>> thin_wells(table, 2)["crop"].tolist()
    [0, 2, 3]
    """
    if table.empty:
        return table.reset_index(drop=True)
    codes, _ = group_wells(table)
    rows = [evenly_spaced(np.flatnonzero(codes == well), count) for well in np.unique(codes)]
    return table.iloc[np.sort(np.concatenate(rows))].reset_index(drop=True)
