"""The table of patches, written as it grows."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import parquet

__all__ = ["PatchTable"]

_BLOCK_ROWS = 8192


class PatchTable:
    """Appends rows to a parquet file, with one block of them in memory.

    Parameters
    ----------
    path : Path
        The file to make.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "patches.parquet"
    >>> with PatchTable(path) as table:
    ...     table.append(pd.DataFrame({"patch": [0, 1], "iou": [0.5, 0.0]}))
    ...     table.append(pd.DataFrame({"patch": [2], "iou": [0.25]}))
    >>> pd.read_parquet(path)["iou"].tolist()
    [0.5, 0.0, 0.25]
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[pd.DataFrame] = []
        self._stream: parquet.ParquetWriter | None = None

    def append(self, rows: pd.DataFrame) -> None:
        """Add rows; the first block decides the types of the columns."""
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= _BLOCK_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows = pd.concat(self._waiting, ignore_index=True)
        self._waiting.clear()
        if self._stream is None:
            schema = pa.Schema.from_pandas(rows, preserve_index=False)
            self._stream = parquet.ParquetWriter(self._path, schema)
        block = pa.Table.from_pandas(rows, schema=self._stream.schema, preserve_index=False)
        self._stream.write_table(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()
        if self._stream is not None:
            self._stream.close()
