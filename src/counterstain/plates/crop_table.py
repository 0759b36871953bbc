"""The table of crops, written in blocks so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pyarrow import parquet

__all__ = ["write_crop_table"]

_BLOCK_FIELDS = 64


def write_crop_table(
    path: Path,
    fields: pd.DataFrame,
    places: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> None:
    """Write a row per crop: its number, its field and well, its place, and how it is used.

    Parameters
    ----------
    path : Path
        The parquet file to make.
    fields : DataFrame
        A row per field with ``field``, ``Metadata_*``, ``class_name``, ``n_crops``, ``faulty`` and
        ``fold``; crops are numbered in this order.
    places : sequence of (y, x)
        Centres of the crops of each field, pixels.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "crops.parquet"
    >>> fields = pd.DataFrame({"field": [0, 1], "Metadata_Well": ["A01", "A02"], "n_crops": [2, 1],
    ...                        "class_name": ["a", ""], "faulty": [False, True], "fold": [0, -1]})
    >>> write_crop_table(path, fields, [(np.ones(2), np.ones(2)), (np.zeros(1), np.zeros(1))])
    >>> pd.read_parquet(path)[["crop", "field", "Metadata_Well", "usable"]].values.tolist()
    [[0, 0, 'A01', True], [1, 0, 'A01', True], [2, 1, 'A02', False]]
    """
    # The schema comes from all fields: a block alone may hold only gaps in some column.
    whole = _rows(fields.assign(n_crops=1), [(np.zeros(1), np.zeros(1))] * len(fields), 0)
    schema = pa.Schema.from_pandas(whole, preserve_index=False)
    first = 0
    with parquet.ParquetWriter(path, schema) as stream:
        for start in range(0, len(fields), _BLOCK_FIELDS):
            block = slice(start, start + _BLOCK_FIELDS)
            rows = _rows(fields.iloc[block], places[block], first)
            stream.write_table(pa.Table.from_pandas(rows, schema=schema, preserve_index=False))
            first += len(rows)


def _rows(
    fields: pd.DataFrame,
    places: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    first: int,
) -> pd.DataFrame:
    metadata = [c for c in fields.columns if c.startswith("Metadata_")]
    repeated = fields.iloc[np.repeat(np.arange(len(fields)), fields["n_crops"])]
    rows = repeated[["field", *metadata, "class_name"]].reset_index(drop=True)
    rows.insert(0, "crop", np.arange(first, first + len(rows)))
    rows["y"] = np.concatenate([y for y, _ in places])
    rows["x"] = np.concatenate([x for _, x in places])
    rows["usable"] = ~repeated["faulty"].to_numpy(dtype=bool)
    rows["mislabelled"] = False  # Nobody can have looked at them yet.
    rows["fold"] = repeated["fold"].to_numpy(dtype=np.int64)
    return rows
