"""Reading fields: headers when a screen is opened, pixels when a field is worked on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from counterstain.errors import UnreadableImageError
from counterstain.plates.containers import ImageStack, UnfitImage, open_stack

__all__ = ["ImageHeader", "probe_image", "read_field"]


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header of an image file says.

    Parameters
    ----------
    height, width : int
        Size in pixels; 0 where it cannot be read.
    dtype : str
        "uint8" or "uint16"; empty where it cannot be read.
    n_planes : int
        Planes of that size in the file.
    problem : str
        Why the file cannot be used, as a sentence that names it; empty where it can.
    """

    height: int = 0
    width: int = 0
    dtype: str = ""
    n_planes: int = 0
    problem: str = ""


@contextmanager
def _usable_stack(path: str) -> Iterator[ImageStack]:
    """Open an image, and say in one sentence with its path why it cannot be used."""
    try:
        with open_stack(Path(path)) as stack:
            if stack.dtype not in (np.uint8, np.uint16):
                doubt = " (which can hold NaN)" if stack.dtype.kind == "f" else ""
                raise UnfitImage(
                    f"must hold 8- or 16-bit unsigned integers; got {stack.dtype}{doubt}: "
                    "export the raw counts of the camera"
                )
            yield stack
    except UnfitImage as error:
        raise UnreadableImageError(f"{path} {error}.") from error
    except (UnreadableImageError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they like on damaged files
        reason = str(error) or type(error).__name__
        raise UnreadableImageError(
            f"{path} cannot be decoded ({reason}): the file is damaged; copy or export it again."
        ) from error


def probe_image(path: str) -> ImageHeader:
    """Read the header of an image file, and check that the file is as long as it must be.

    Parameters
    ----------
    path : str
        A TIFF or PNG file, or the folder of a zarr array.

    Returns
    -------
    ImageHeader
        With its ``problem`` set instead of raising: one bad file stops no screen.

    Examples
    --------
    >>> probe_image("nowhere.tif").problem
    'nowhere.tif does not exist: correct the name or bring the file back.'
    """
    try:
        with _usable_stack(path) as stack:
            return ImageHeader(stack.height, stack.width, str(stack.dtype), stack.n_planes)
    except UnreadableImageError as error:
        return ImageHeader(problem=error.problems[0])


def _read_planes(path: str, pages: list[int]) -> npt.NDArray[Any]:
    with _usable_stack(path) as stack:
        if max(pages) >= stack.n_planes:
            raise UnfitImage(
                f"has {stack.n_planes} plane(s), and plane {max(pages)} (counted from 0) is "
                "wanted: correct `channels` or the frame"
            )
        return stack.read()[pages]


def read_field(row: Mapping[Any, Any] | pd.Series[Any], n_channels: int) -> npt.NDArray[Any]:
    """Decode all channels of one field.

    Parameters
    ----------
    row : mapping or pandas.Series
        A row of ``Screen.fields``: for each channel i the file ``path_i`` and the plane
        ``page_i`` in it.
    n_channels : int
        Number of channels, C.

    Returns
    -------
    ndarray, (C, H, W), uint8 or uint16
        Pixels as in the files, C-contiguous.

    Raises
    ------
    UnreadableImageError
        If a file is missing, truncated, no image, or the channels differ in size or dtype.

    Examples
    --------
    >>> import tempfile
    >>> import tifffile
    >>> path = str(Path(tempfile.mkdtemp()) / "A01.tif")
    >>> tifffile.imwrite(path, np.full((4, 5), 7, np.uint16))
    >>> read_field({"path_0": path, "page_0": 0}, n_channels=1).shape
    (1, 4, 5)
    """
    channels_of: dict[str, list[int]] = defaultdict(list)
    for channel in range(n_channels):
        channels_of[str(row[f"path_{channel}"])].append(channel)
    planes: list[npt.NDArray[Any]] = [np.empty(0)] * n_channels
    for path, channels in channels_of.items():
        if not path:
            raise UnreadableImageError(_missing(row, channels))
        stack = _read_planes(path, [int(row[f"page_{channel}"]) for channel in channels])
        for plane, channel in zip(stack, channels, strict=True):
            planes[channel] = plane
    kinds = {(plane.shape, str(plane.dtype)) for plane in planes}
    if len(kinds) > 1:
        seen = "; ".join(f"{row[f'path_{i}']}: {p.shape}, {p.dtype}" for i, p in enumerate(planes))
        raise UnreadableImageError(
            f"The channels of one field must have one size and dtype; got {seen}: export it again."
        )
    return np.ascontiguousarray(np.stack(planes))


def _missing(row: Mapping[Any, Any] | pd.Series[Any], channels: list[int]) -> str:
    where = " ".join(str(row.get(f"Metadata_{name}", "")) for name in ("Plate", "Well", "Site"))
    numbers = ", ".join(map(str, channels))
    return f"Field {where} has no image of channel(s) {numbers} (from 0): bring the file back."
