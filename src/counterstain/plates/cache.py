"""Stored arrays, decoded once, for reading in any order.

A sharded store must decode a whole chunk to give one crop. Training draws crops at random, so each
chunk is decoded once and kept flat: in memory where that is small, else in a file without a name
that the operating system pages in and out.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["decode_once"]


def decode_once(
    array: zarr.Array[Any], folder: Path, in_memory_bytes: int = 1 << 29
) -> NDArray[Any]:
    """Decode a zarr array once, block by block along its first axis.

    Parameters
    ----------
    array : zarr.Array
        The stored array.
    folder : Path
        Where the nameless file is made; it is gone when the array is, or when the process ends.
    in_memory_bytes : int
        Largest size that is kept in memory; larger arrays go to the file.

    Returns
    -------
    array
        Same shape and dtype; not to be written to.

    Raises
    ------
    InvalidInputError
        If the disk has no room for the file.

    Examples
    --------
    >>> stored = zarr.create_array({}, shape=(4, 2), chunks=(2, 2), dtype="uint8")
    >>> stored[:] = np.arange(8).reshape(4, 2)
    >>> decode_once(stored, Path(".")).tolist()
    [[0, 1], [2, 3], [4, 5], [6, 7]]
    """
    if array.nbytes <= in_memory_bytes or not array.nbytes:
        decoded = np.empty(array.shape, array.dtype)
        for start, block in _blocks(array):
            decoded[start : start + len(block)] = block
        decoded.flags.writeable = False
        return decoded
    with tempfile.TemporaryFile(dir=folder) as stream:
        # Written, not mapped: a full disk then raises an error here instead of killing the process.
        try:
            for _, block in _blocks(array):
                stream.write(block.data)
            stream.flush()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise InvalidInputError(
                f"The disk that holds {folder} is full: decoding the crops needs {array.nbytes:,} "
                "bytes beside the store for the time of the run; free some space."
            ) from error
        return np.memmap(stream, dtype=array.dtype, mode="r", shape=array.shape)


def _blocks(array: zarr.Array[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    step = (array.shards or array.chunks)[0]
    for start in range(0, array.shape[0], step):
        yield start, np.ascontiguousarray(array[start : start + step])
