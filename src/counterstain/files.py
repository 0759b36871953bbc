"""Files that are there whole or not at all.

Everything is written beside its final name and renamed, so that a killed run or a full disk never
leaves half a file under a name that somebody trusts.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError, ReadOnlyError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "atomic_path",
    "csv_text",
    "digest",
    "read_arrays",
    "read_json",
    "write_json",
    "write_text",
]

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_full_disk(error: Exception) -> bool:
    """Whether a disk was full; compiled writers (safetensors, HDF5) say so in words only."""
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return True
    return os.strerror(errno.ENOSPC) in str(error)


@contextlib.contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Give a temporary path that takes the final name only if the block succeeds.

    Works for files and for folders (a zarr store); an older one of that name is replaced.

    Parameters
    ----------
    final : Path
        The name that the file or folder gets in the end. Its folder is made where missing.

    Yields
    ------
    Path
        A name beside `final`, not yet existing.

    Raises
    ------
    InvalidInputError
        If the disk is full; nothing is left behind.
    ReadOnlyError
        If the folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> sorted(item.name for item in folder.iterdir())
    ['a.txt']
    """
    temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if final.is_dir() and not final.is_symlink():
            shutil.rmtree(final)
        temporary.replace(final)
    except Exception as error:
        _remove(temporary)
        if _is_full_disk(error):
            raise InvalidInputError(
                f"The disk that holds {final.parent} is full: {final.name} was not written and "
                "nothing half written is left; free some space and go on with --resume."
            ) from error
        if isinstance(error, OSError) and error.errno in _READ_ONLY:
            raise ReadOnlyError(
                f"{final.parent} must be a folder that can be written to; {final.name} cannot be "
                f"written there ({error.strerror}): give another folder, or copy the run to a disk "
                "that is not read-only."
            ) from error
        raise
    except BaseException:
        _remove(temporary)
        raise


def write_text(final: Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all."""
    with atomic_path(final) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(final: Path, content: Any) -> None:
    """Write JSON (UTF-8, indented, no NaN) whole or not at all."""
    write_text(final, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; a damaged one is named.

    Raises
    ------
    InvalidInputError
        If the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{path} must be JSON as counterstain wrote it; it cannot be read ({error}): "
            "restore it, or make the run anew."
        ) from error


def read_arrays(path: Path, remedy: str = "restore it, or make it anew") -> dict[str, NDArray[Any]]:
    """Read all arrays of an ``.npz`` file; a damaged one is named, with what to do.

    Raises
    ------
    InvalidInputError
        If the file is not there or is no such archive of plain arrays.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInputError(
            f"{path} must hold arrays as counterstain wrote them; it cannot be read ({error}): "
            f"{remedy}."
        ) from error


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV: a header, a comma, a full stop in numbers, empty where undefined.

    Examples
    --------
    >>> import pandas as pd
    >>> csv_text(pd.DataFrame({"well": ["A01", "A02"], "score": [0.5, np.nan]})).splitlines()
    ['well,score', 'A01,0.5', 'A02,']
    """
    return table.to_csv(index=False, lineterminator="\n")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
