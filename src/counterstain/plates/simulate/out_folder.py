"""Where a simulated plate goes, and how its images are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
import tifffile

from counterstain.errors import InvalidInputError

__all__ = ["free_folder", "write_plane"]


def free_folder(out: Path) -> Path:
    """Return the absolute path of a folder to make.

    Raises
    ------
    InvalidInputError
        If it is a file, or a folder that holds something.

    Examples
    --------
    >>> import tempfile
    >>> free_folder(Path(tempfile.mkdtemp()) / "plate").name
    'plate'
    """
    folder = out.resolve()
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"`out` must be a new folder; {out} is a file: choose another.")
    if folder.is_dir() and any(folder.iterdir()):
        raise InvalidInputError(
            f"`out` must be a new or empty folder; {out} holds files already: choose another, or "
            "empty it."
        )
    return folder


def write_plane(path: Path, plane: npt.NDArray[Any]) -> None:
    """Write one channel of a field, compressed a little; without a clock or a name in the file."""
    tifffile.imwrite(
        path,
        plane,
        compression="zlib",
        compressionargs={"level": 1},
        photometric="minisblack",
        metadata=None,
        software=False,
    )
