from __future__ import annotations

import errno
from itertools import pairwise

import numpy as np
import pytest
import zarr

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.plates import cache
from counterstain.plates.scaling import PixelScaling
from counterstain.plates.store import CropStore, CropWriter

SCALING = PixelScaling(("P1", "P2"), np.array([[0.0, 10.0]] * 2), np.array([[100.0, 30], [50, 40]]))
ATTRS = {"channels": ["DNA", "GFP"], "plates": ["P1", "P2"], "folds": 3}


def write(path, n=2500, size=8, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 4096, (n, 2, size, size), dtype=np.uint16)
    nuclei = rng.integers(0, 3, (n, size, size), dtype=np.uint8)
    writer = CropWriter(path, (2, size, size), np.uint16)
    edges = [0, 3, 3, 1030, 1500, n]
    for start, stop in pairwise(edges):
        writer.append(pixels[start:stop], nuclei[start:stop], plate=int(start >= 1030))
    writer.close(ATTRS, SCALING)
    return pixels, nuclei


@pytest.mark.parametrize("in_memory_bytes", [1 << 29, 0])
def test_what_is_written_is_read_by_index(tmp_path, in_memory_bytes):
    pixels, nuclei = write(tmp_path / "crops.zarr")
    with CropStore.open(tmp_path / "crops.zarr", in_memory_bytes=in_memory_bytes) as store:
        assert len(store) == 2500
        assert store.shape == (2500, 2, 8, 8)
        assert store.dtype == np.uint16
        assert store.channels == ("DNA", "GFP")
        assert store.attrs["folds"] == 3
        ids = np.array([2499, 0, 1023, 1024, 0])
        np.testing.assert_array_equal(store.pixels(ids), pixels[ids])
        np.testing.assert_array_equal(store.nuclei(ids), nuclei[ids])
        plates = (np.arange(2500) >= 1030).astype(int)
        np.testing.assert_array_equal(store.plate_index, plates)
        np.testing.assert_array_equal(
            store.scaled(ids), store.scaling.apply(pixels[ids], plates[ids])
        )
        assert type(store.pixels([1])) is np.ndarray
        assert store.pixels([]).shape == (0, 2, 8, 8)


def test_chunks_are_decoded_once(tmp_path, monkeypatch):
    write(tmp_path / "crops.zarr", n=50)
    calls = []
    real = cache.decode_once
    monkeypatch.setattr(
        "counterstain.plates.store.decode_once", lambda *a: calls.append(1) or real(*a)
    )
    with CropStore.open(tmp_path / "crops.zarr") as store:
        for _ in range(5):
            store.pixels([1, 2])
        assert len(calls) == 1


def test_nothing_is_left_beside_the_store(tmp_path):
    write(tmp_path / "crops.zarr", n=50)
    with CropStore.open(tmp_path / "crops.zarr", in_memory_bytes=0) as store:
        store.scaled(np.arange(50))
        assert [p.name for p in tmp_path.iterdir()] == ["crops.zarr"]
    assert [p.name for p in tmp_path.iterdir()] == ["crops.zarr"]


def test_layout_on_disk_is_the_contract(tmp_path):
    write(tmp_path / "crops.zarr")
    group = zarr.open_group(tmp_path / "crops.zarr", mode="r")
    assert group.metadata.zarr_format == 3
    pixels = group["pixels"]
    assert pixels.chunks == (32, 2, 8, 8)
    assert pixels.shards == (1024, 2, 8, 8)
    assert group["nuclei"].dtype == np.uint8
    assert group.attrs["format"] == 1
    assert group.attrs["scaling"]["plates"] == ["P1", "P2"]


def test_large_crops_make_small_shards(tmp_path):
    CropWriter(tmp_path / "crops.zarr", (3, 2048, 2048), np.uint16)
    pixels = zarr.open_group(tmp_path / "crops.zarr", mode="r")["pixels"]
    assert pixels.chunks[0] == 1
    assert pixels.shards[0] * 3 * 2048 * 2048 * 2 <= 1 << 26


def test_no_crops_at_all(tmp_path):
    CropWriter(tmp_path / "crops.zarr", (2, 8, 8), np.uint8).close(ATTRS, SCALING)
    with CropStore.open(tmp_path / "crops.zarr", in_memory_bytes=0) as store:
        assert store.pixels([]).shape == (0, 2, 8, 8)


def test_missing_and_foreign_stores_are_named(tmp_path):
    with pytest.raises(MissingFileError, match="crop store"):
        CropStore.open(tmp_path / "none.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(InvalidInputError, match=r"empty\.zarr"):
        CropStore.open(tmp_path / "empty.zarr")
    zarr.create_group(tmp_path / "other.zarr", attributes={"format": 7})
    with pytest.raises(InvalidInputError, match="format is 7"):
        CropStore.open(tmp_path / "other.zarr")


def test_full_disk_while_decoding_is_said(tmp_path, monkeypatch):
    write(tmp_path / "crops.zarr", n=50)

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.tempfile, "TemporaryFile", lambda **_: Full())
    with (
        CropStore.open(tmp_path / "crops.zarr", in_memory_bytes=0) as store,
        pytest.raises(InvalidInputError, match="is full"),
    ):
        store.pixels([0])
