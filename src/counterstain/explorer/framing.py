"""Numbers on the wire: a line of JSON about arrays, and the arrays as they lie in memory."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["frame", "json_rows", "json_value", "unframe"]

_KINDS = {"f": "<f4", "i": "<i4", "u": "<u1", "b": "<u1"}


def frame(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack facts and arrays into one answer.

    Four bytes hold the length of the JSON that follows; its key ``arrays`` says name, type, shape
    and place of each array behind it. Every array begins at a multiple of four bytes, so that a
    browser maps it without a copy. Pixels stay exact: nothing is compressed or rounded.

    Parameters
    ----------
    facts : mapping
        JSON-ready.
    arrays : mapping of str to ndarray
        Floats become float32, integers int32, truth values uint8.

    Examples
    --------
    >>> facts, arrays = unframe(frame({"n": 2}, {"x": np.array([0.5, 1.5])}))
    >>> facts["n"], arrays["x"].tolist()
    (2, [0.5, 1.5])
    """
    blocks, entries, place = [], [], 0
    for name, array in arrays.items():
        kind = _KINDS[array.dtype.kind]
        data = np.ascontiguousarray(array, kind).tobytes()
        entries.append({"name": name, "type": kind, "shape": list(array.shape), "at": place})
        data += b"\0" * (-len(data) % 4)
        place += len(data)
        blocks.append(data)
    text = json.dumps({**facts, "arrays": entries}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + b"".join(blocks)


def unframe(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Undo `frame`."""
    (length,) = struct.unpack_from("<I", data)
    facts = json.loads(data[4 : 4 + length])
    arrays = {}
    for entry in facts.pop("arrays"):
        count, start = math.prod(entry["shape"]), 4 + length + entry["at"]
        flat = np.frombuffer(data, entry["type"], count, start)
        arrays[entry["name"]] = flat.reshape(entry["shape"])
    return facts, arrays


def json_value(value: Any) -> Any:
    """Return a cell of a table as JSON holds it; None for NaN and the like.

    Examples
    --------
    >>> json_value(np.float32("nan")) is None, json_value(np.int64(3)), json_value(np.True_)
    (True, 3, True)
    """
    if value is None or value is pd.NA:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (bool, int)) else str(value)


def json_rows(table: pd.DataFrame, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON-ready objects.

    Examples
    --------
    >>> json_rows(pd.DataFrame({"a": [1], "b": [float("nan")]}))
    [{'a': 1, 'b': None}]
    """
    names = [str(c) for c in table.columns] if columns is None else columns
    kept = [name for name in names if name in table]
    values = [[json_value(v) for v in table[name].tolist()] for name in kept]
    return [dict(zip(kept, row, strict=True)) for row in zip(*values, strict=True)]
