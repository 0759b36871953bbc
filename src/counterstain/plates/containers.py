"""What one image file holds: axes, shape and dtype from its header, pixels on demand.

TIFF, PNG and zarr arrays look the same from here on: one stack of planes of one size.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
import zarr

__all__ = ["IMAGE_SUFFIXES", "READABLE_SUFFIXES", "ImageStack", "UnfitImage", "open_stack"]

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".stk")
READABLE_SUFFIXES = (*TIFF_SUFFIXES, ".png")
IMAGE_SUFFIXES = (*READABLE_SUFFIXES, ".bmp", ".jpg", ".jpeg", ".jp2", ".flex", ".c01", ".nd2")

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
_UNNAMED = "QI"  # axis letters that tifffile gives where the file names none
_MOST_CHANNELS = 8


class UnfitImage(Exception):  # noqa: N818 - a reason that is passed on, not shown
    """Why a file cannot be used, as the end of a sentence that starts with its path."""


@dataclass(frozen=True, slots=True)
class ImageStack:
    """An open image, its planes along one axis.

    Parameters
    ----------
    n_planes, height, width : int
        Planes, and their size in pixels.
    dtype : numpy dtype
        Of the pixels, in native byte order.
    read : callable
        Decodes all planes: (n_planes, height, width).
    """

    n_planes: int
    height: int
    width: int
    dtype: np.dtype[Any]
    read: Callable[[], npt.NDArray[Any]]


class _Listener(logging.Filter):
    """Keeps what tifffile logs while this module reads a file off the user's screen.

    What it says there is a sign of damage that becomes part of one clear sentence; messages that
    other callers of tifffile cause pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        heard: list[str] | None = getattr(self._here, "heard", None)
        if heard is not None:
            heard.append(record.getMessage())
        return heard is None

    @contextlib.contextmanager
    def listening(self) -> Iterator[list[str]]:
        """Collect the messages of this thread."""
        heard: list[str] = []
        self._here.heard = heard
        try:
            yield heard
        finally:
            self._here.heard = None


_LISTENER = _Listener()
logging.getLogger("tifffile").addFilter(_LISTENER)


def _plane_axis(axes: str, shape: tuple[int, ...]) -> tuple[int | None, tuple[int, ...]]:
    """Find the axis of planes; the other long axes are height and width."""
    if len(shape) == 3 and axes[0] in _UNNAMED and shape[2] <= _MOST_CHANNELS < shape[0]:
        axes = "YXC"  # channels last, without a word about it in the file
    extra = [i for i, (a, n) in enumerate(zip(axes, shape, strict=True)) if a not in "YX" and n > 1]
    if len(extra) > 1 or any(axes[i] in "ZTR" for i in extra):
        sizes = ", ".join(f"{axes[i]} = {shape[i]}" for i in extra)
        raise UnfitImage(
            f"has more axes than channel, height and width ({sizes}): keep one plane and one time "
            "point, or project them"
        )
    size = tuple(shape[axes.index(letter)] for letter in "YX")
    return (extra[0] if extra else None), size


def _stack(
    axes: str, shape: tuple[int, ...], dtype: Any, read: Callable[[], npt.NDArray[Any]]
) -> ImageStack:
    axis, (height, width) = _plane_axis(axes, shape)
    n_planes = 1 if axis is None else shape[axis]
    native = np.dtype(dtype).newbyteorder("=")

    def planes_first() -> npt.NDArray[Any]:
        pixels = np.asarray(read()).reshape(shape)
        if axis is not None:
            pixels = np.moveaxis(pixels, axis, 0)
        return pixels.reshape(n_planes, height, width).astype(native, copy=False)

    return ImageStack(n_planes, height, width, native, planes_first)


def _check_whole(series: tifffile.TiffPageSeries, size: int) -> None:
    """Refuse a file that ends before its last strip or tile."""
    if series.dataoffset is not None:
        end = series.dataoffset + series.nbytes
    else:
        end = 0
        for page in series.pages:
            if page is None or 0 in page.databytecounts:
                raise UnfitImage("lacks some of its pixels: copy or export it again")
            ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=True))
            end = max(end, *ends)
    if end > size:
        raise UnfitImage(f"is truncated ({size} bytes of at least {end}): copy it again")


@contextlib.contextmanager
def _open_tiff(path: Path, size: int) -> Iterator[ImageStack]:
    # Sibling files that OME-XML names are not opened: each file stands for itself.
    with _LISTENER.listening() as heard, tifffile.TiffFile(path, _multifile=False) as tiff:
        if not len(tiff.pages) or any("invalid page offset" in message for message in heard):
            raise UnfitImage("is truncated (a page would lie beyond its end): copy it again")
        page = tiff.pages.first
        series = tiff.series[0]
        if len(tiff.pages) == 1 and tiff.is_ome:
            _check_whole(tifffile.TiffPageSeries([page]), size)
            yield _stack(page.axes, page.shape, page.dtype, lambda: page.asarray(maxworkers=1))
            return
        _check_whole(series, size)
        read = lambda: series.asarray(maxworkers=1)  # noqa: E731
        yield _stack(series.axes, series.shape, series.dtype, read)


@contextlib.contextmanager
def _open_png(path: Path) -> Iterator[ImageStack]:
    with path.open("rb") as stream:
        header = stream.read(29)
        stream.seek(-12, os.SEEK_END)
        if b"IEND" not in stream.read():
            raise UnfitImage("is truncated (its end marker is missing): copy it again")
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (16, 20))
    bits, colour = header[24], header[25]
    if colour not in _PNG_SAMPLES:
        raise UnfitImage("has a colour palette: save it as grey levels")
    samples = _PNG_SAMPLES[colour]
    yield _stack(
        "YXS" if samples > 1 else "YX",
        (height, width, samples) if samples > 1 else (height, width),
        f"u{max(bits // 8, 1)}",
        lambda: np.asarray(imagecodecs.png_decode(path.read_bytes())),
    )


@contextlib.contextmanager
def _open_zarr(path: Path) -> Iterator[ImageStack]:
    array = zarr.open_array(path, mode="r")
    names = getattr(array.metadata, "dimension_names", None) or ()
    axes = "".join(str(name)[:1].upper() for name in names)
    if len(axes) != array.ndim or "Y" not in axes or "X" not in axes:
        axes = "Q" * (array.ndim - 2) + "YX"
    yield _stack(axes, array.shape, array.dtype, lambda: np.asarray(array[...]))


@contextlib.contextmanager
def open_stack(path: Path) -> Iterator[ImageStack]:
    """Open an image file or zarr array and read its header; pixels wait for ``read``.

    Parameters
    ----------
    path : Path
        A TIFF or PNG file, or the folder of a zarr array.

    Yields
    ------
    ImageStack
        Its planes.

    Raises
    ------
    UnfitImage
        If the file is empty, truncated, not an image, or has other axes than planes.
    """
    if path.is_dir():
        with _open_zarr(path) as stack:
            yield stack
        return
    if not path.is_file():
        raise UnfitImage("does not exist: correct the name or bring the file back")
    size = path.stat().st_size
    if size == 0:
        raise UnfitImage("is empty (0 bytes): copy it again")
    with path.open("rb") as stream:
        start = stream.read(8)
    if start.startswith(_TIFF_MAGIC):
        with _open_tiff(path, size) as stack:
            yield stack
    elif start == _PNG_MAGIC and size > 40:
        with _open_png(path) as stack:
            yield stack
    else:
        raise UnfitImage(
            f"is neither a TIFF nor a PNG (it starts with {start!r}): export it again as TIFF"
        )
