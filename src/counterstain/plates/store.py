"""The pixel store: crops of a run in one sharded zarr group, written once, read by index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray
from zarr.codecs import ZstdCodec

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.plates.cache import decode_once
from counterstain.plates.scaling import PixelScaling

__all__ = ["CropStore", "CropWriter"]

_FORMAT = 1
_CHUNK_CROPS, _SHARD_CHUNKS = 32, 32
_CHUNK_BYTES, _SHARD_BYTES = 1 << 22, 1 << 26


class CropWriter:
    """Appends crops to a new store, with at most one shard in memory.

    Parameters
    ----------
    path : Path
        Folder of the store; must not exist yet.
    shape : (C, H, W)
        Shape of every crop.
    dtype : numpy dtype
        Of the pixels.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "crops.zarr"
    >>> writer = CropWriter(path, (1, 8, 8), np.uint8)
    >>> writer.append(np.full((3, 1, 8, 8), 60, np.uint8), np.zeros((3, 8, 8), np.uint8), plate=0)
    >>> scaling = PixelScaling(("P1",), np.array([[10.0]]), np.array([[110.0]]))
    >>> writer.close({"channels": ["DNA"], "plates": ["P1"]}, scaling)
    >>> with CropStore.open(path) as store:
    ...     len(store), float(store.scaled([1]).max())
    (3, 0.5)
    """

    def __init__(self, path: Path, shape: Sequence[int], dtype: Any) -> None:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        chunk = int(np.clip(_CHUNK_BYTES // size, 1, _CHUNK_CROPS))
        shard = chunk * int(np.clip(_SHARD_BYTES // (size * chunk), 1, _SHARD_CHUNKS))
        self._group = zarr.create_group(path)
        self._pixels = self._create("pixels", tuple(shape), dtype, chunk, shard)
        self._nuclei = self._create("nuclei", tuple(shape[1:]), np.uint8, chunk, shard)
        self._buffer = np.empty((shard, *shape), dtype)
        self._regions = np.empty((shard, *shape[1:]), np.uint8)
        self._filled = 0
        self._plates: list[NDArray[np.uint16]] = []

    def _create(
        self, name: str, shape: tuple[int, ...], dtype: Any, chunk: int, shard: int
    ) -> zarr.Array[Any]:
        return self._group.create_array(
            name,
            shape=(0, *shape),
            chunks=(chunk, *shape),
            shards=(shard, *shape),
            dtype=dtype,
            compressors=ZstdCodec(level=3),
            dimension_names=["n", *"chw"[3 - len(shape) :]],
        )

    def append(self, pixels: NDArray[Any], nuclei: NDArray[np.uint8], *, plate: int) -> None:
        """Add crops (n, C, H, W) and their nuclei (n, H, W), all of one plate."""
        self._plates.append(np.full(len(pixels), plate, np.uint16))
        start = 0
        while start < len(pixels):
            stop = min(len(pixels), start + len(self._buffer) - self._filled)
            target = slice(self._filled, self._filled + stop - start)
            self._buffer[target] = pixels[start:stop]
            self._regions[target] = nuclei[start:stop]
            self._filled = target.stop
            start = stop
            if self._filled == len(self._buffer):
                self._flush()

    def _flush(self) -> None:
        for array, buffer in ((self._pixels, self._buffer), (self._nuclei, self._regions)):
            n = array.shape[0]
            array.resize((n + self._filled, *array.shape[1:]))
            array[n:] = buffer[: self._filled]
        self._filled = 0

    def close(self, attrs: Mapping[str, Any], scaling: PixelScaling) -> None:
        """Write what is left, the plate of every crop, the scaling and the attributes."""
        if self._filled:
            self._flush()
        self._buffer, self._regions = self._buffer[:0].copy(), self._regions[:0].copy()
        plates = np.concatenate([np.empty(0, np.uint16), *self._plates])
        self._group.create_array("plate", data=plates, dimension_names=["n"])
        self._group.attrs.update({"format": _FORMAT, **attrs, "scaling": scaling.to_json()})


class CropStore:
    """Crops of a run by index; each is decoded once, however often it is read.

    Open it with `CropStore.open`; use it as a context manager, or `close` it, to free the memory.

    Parameters
    ----------
    path : Path
        Folder of the store.
    group : zarr.Group
        The opened group.
    in_memory_bytes : int
        Largest array that is kept in memory; see `decode_once`.

    Attributes
    ----------
    channels, plates : tuple of str
        Names in the order of the axes.
    plate_index : (N,) array of int
        Row of `plates` for each crop.
    scaling : PixelScaling
        From grey values to the scale of the negative controls.
    attrs : dict
        Everything else that was noted when the store was written.
    """

    def __init__(self, path: Path, group: zarr.Group, in_memory_bytes: int = 1 << 29) -> None:
        self._path, self._group, self._in_memory_bytes = path, group, in_memory_bytes
        self._decoded: dict[str, NDArray[Any]] = {}
        self.attrs: dict[str, Any] = dict(group.attrs)
        self.channels = tuple(self.attrs["channels"])
        self.plates = tuple(self.attrs["plates"])
        self.scaling = PixelScaling.from_json(self.attrs["scaling"])
        self.plate_index = np.asarray(self._array("plate")[:]).astype(np.intp)
        self.shape: tuple[int, ...] = tuple(self._array("pixels").shape)
        self.dtype: np.dtype[Any] = np.dtype(self._array("pixels").dtype)

    @classmethod
    def open(cls, path: Path, *, in_memory_bytes: int = 1 << 29) -> CropStore:
        """Open a store that `CropWriter` wrote.

        Raises
        ------
        MissingFileError
            If there is none.
        InvalidInputError
            If it is damaged or of another format.
        """
        if not path.is_dir():
            raise MissingFileError(f"{path} must be a crop store; there is none: run again.")
        try:
            group = zarr.open_group(path, mode="r")
            if group.attrs.get("format") != _FORMAT:
                raise ValueError(f"its format is {group.attrs.get('format')!r}, not {_FORMAT}")
            return cls(path, group, in_memory_bytes)
        except (KeyError, ValueError, FileNotFoundError) as error:
            raise InvalidInputError(
                f"{path} must be a crop store as counterstain writes it; {error}: "
                "delete it and run again with --resume."
            ) from error

    def _array(self, name: str) -> zarr.Array[Any]:
        array = self._group[name]
        if not isinstance(array, zarr.Array):
            raise ValueError(f"{name} is no array")
        return array

    def _read(self, name: str, ids: ArrayLike) -> NDArray[Any]:
        if name not in self._decoded:
            self._decoded[name] = decode_once(
                self._array(name), self._path.parent, self._in_memory_bytes
            )
        # `take` on a view of plain type: indexing a memmap would make each minibatch one.
        return self._decoded[name].view(np.ndarray).take(np.asarray(ids, np.intp), axis=0)

    def __len__(self) -> int:
        return self.shape[0]

    def pixels(self, ids: ArrayLike) -> NDArray[Any]:
        """Return grey values (n, C, H, W) of the crops with these numbers."""
        return self._read("pixels", ids)

    def nuclei(self, ids: ArrayLike) -> NDArray[np.uint8]:
        """Return (n, H, W): 0 background, 1 the crop's own nucleus, 2 other nuclei."""
        return self._read("nuclei", ids)

    def scaled(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return float32 (n, C, H, W) on the scale of each plate's negative controls."""
        return self.scaling.apply(self.pixels(ids), self.plate_index[np.asarray(ids, np.intp)])

    def count_step(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return the size of one grey value on that scale, float32 (n, C)."""
        plates = self.plate_index[np.asarray(ids, np.intp)]
        step = 1.0 / (self.scaling.high - self.scaling.low)
        return step[plates].astype(np.float32)

    def close(self) -> None:
        """Free the decoded pixels; they are decoded anew when read again."""
        self._decoded.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
