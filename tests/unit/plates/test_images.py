from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import zarr

from counterstain.errors import UnreadableImageError
from counterstain.plates.images import probe_image, read_field


@pytest.fixture
def stack() -> npt.NDArray[Any]:
    return np.random.default_rng(0).integers(0, 4000, (3, 40, 50)).astype(np.uint16)


def row(path: Path, n_channels: int) -> dict[str, Any]:
    return {f"path_{i}": str(path) for i in range(n_channels)} | {
        f"page_{i}": i for i in range(n_channels)
    }


@pytest.mark.parametrize(
    ("options", "channels_last"),
    [
        ({"photometric": "minisblack"}, False),
        ({"photometric": "minisblack", "metadata": {"axes": "CYX"}}, False),
        ({"photometric": "minisblack", "compression": "zlib", "metadata": {"axes": "CYX"}}, False),
        ({"imagej": True}, False),
        ({"ome": True, "photometric": "minisblack", "metadata": {"axes": "CYX"}}, False),
        ({"photometric": "rgb", "planarconfig": "separate"}, False),
        ({"photometric": "minisblack", "byteorder": ">"}, False),
        ({"photometric": "rgb"}, True),
        ({"photometric": "minisblack"}, True),
        ({"photometric": "minisblack", "metadata": {"axes": "YXC"}}, True),
        ({"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}, False),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_multichannel_tiff_in_any_layout(
    tmp_path: Path,
    stack: npt.NDArray[Any],
    options: dict[str, Any],
    channels_last: bool,
    dtype: Any,
) -> None:
    wanted = stack.astype(dtype)
    path = tmp_path / ("x.ome.tif" if options.get("ome") else "x.tif")
    tifffile.imwrite(path, wanted.transpose(1, 2, 0).copy() if channels_last else wanted, **options)
    header = probe_image(str(path))
    assert header.problem == ""
    assert (header.height, header.width, header.n_planes) == (40, 50, 3)
    assert header.dtype == np.dtype(dtype).name
    field = read_field(row(path, 3), 3)
    assert field.dtype == dtype
    assert field.flags.c_contiguous
    assert field.dtype.isnative
    np.testing.assert_array_equal(field, wanted)


def test_pages_are_taken_in_the_order_of_the_row(tmp_path: Path, stack: npt.NDArray[Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", stack[0])
    places = {"path_0": str(tmp_path / "a.tif"), "page_0": 2, "path_2": str(tmp_path / "a.tif")}
    places |= {"page_2": 1, "path_1": str(tmp_path / "b.tif"), "page_1": 0}
    np.testing.assert_array_equal(read_field(places, 3), stack[[2, 0, 1]])


def test_ome_tiff_of_a_set_of_files_stands_for_itself(tmp_path: Path) -> None:
    pixels = np.full((40, 50), 7, np.uint16)
    description = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="50" '
        'SizeY="40" SizeC="2" SizeZ="1" SizeT="1"><TiffData FirstC="0" IFD="0" PlaneCount="1">'
        '<UUID FileName="a.ome.tif">urn:uuid:1</UUID></TiffData><TiffData FirstC="1" IFD="0" '
        'PlaneCount="1"><UUID FileName="b.ome.tif">urn:uuid:2</UUID></TiffData></Pixels></Image>'
        "</OME>"
    )
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, pixels, description=description, metadata=None)
    assert probe_image(str(path)).n_planes == 1
    np.testing.assert_array_equal(read_field(row(path, 1), 1)[0], pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png(tmp_path: Path, stack: npt.NDArray[Any], dtype: Any) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(imagecodecs.png_encode(stack[0].astype(dtype)))
    assert probe_image(str(path)).dtype == np.dtype(dtype).name
    np.testing.assert_array_equal(read_field(row(path, 1), 1)[0], stack[0].astype(dtype))
    colour = stack.transpose(1, 2, 0).astype(dtype).copy()
    path.write_bytes(imagecodecs.png_encode(colour))
    assert probe_image(str(path)).n_planes == 3
    np.testing.assert_array_equal(read_field(row(path, 3), 3), stack.astype(dtype))
    path.write_bytes(path.read_bytes()[:-20])
    assert "truncated" in probe_image(str(path)).problem


def test_zarr_array(tmp_path: Path, stack: npt.NDArray[Any]) -> None:
    path = tmp_path / "0"
    array = zarr.create_array(
        path, shape=(1, 3, 1, 40, 50), dtype="uint16", dimension_names=["t", "c", "z", "y", "x"]
    )
    array[:] = stack[None, :, None]
    assert probe_image(str(path)).n_planes == 3
    np.testing.assert_array_equal(read_field(row(path, 3), 3), stack)
    volume = zarr.create_array(
        tmp_path / "1", shape=(3, 5, 40, 50), dtype="uint16", dimension_names=["c", "z", "y", "x"]
    )
    assert volume.shape[1] == 5
    assert "C = 3, Z = 5" in probe_image(str(tmp_path / "1")).problem


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_planes_in_depth_or_time_are_not_channels(
    tmp_path: Path, stack: npt.NDArray[Any], axes: str
) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": axes})
    problem = probe_image(str(path)).problem
    assert f"{axes[0]} = 3" in problem
    assert str(path) in problem


@pytest.mark.parametrize(
    ("dtype", "words"),
    [("float32", "float32 (which can hold NaN)"), ("int32", "int32"), ("uint32", "uint32")],
)
def test_other_dtypes(tmp_path: Path, dtype: str, words: str) -> None:
    path = tmp_path / "x.tif"
    pixels = np.zeros((40, 50), dtype)
    if dtype == "float32":
        pixels[3, 4] = np.nan
    tifffile.imwrite(path, pixels)
    problem = probe_image(str(path)).problem
    assert f"must hold 8- or 16-bit unsigned integers; got {words}" in problem
    with pytest.raises(UnreadableImageError, match="unsigned integers"):
        read_field(row(path, 1), 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"", "is empty (0 bytes)"),
        (b"not an image at all", "neither a TIFF nor a PNG"),
        (b"II*\0", "cannot be decoded"),
        (b"II*\0\xff\xff\xff\0", "truncated"),
    ],
)
def test_files_that_are_no_images(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "x.tif"
    if content is not None:
        path.write_bytes(content)
    problem = probe_image(str(path)).problem
    assert words in problem
    assert problem.startswith(str(path))
    with pytest.raises(UnreadableImageError) as caught:
        read_field(row(path, 1), 1)
    assert caught.value.problems == (problem,)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.8, 0.97])
def test_truncated_at_any_place(
    tmp_path: Path,
    stack: npt.NDArray[Any],
    caplog: pytest.LogCaptureFixture,
    compression: str | None,
    planes: int,
    share: float,
) -> None:
    path = tmp_path / "x.tif"
    pixels = stack[0] if planes == 1 else stack
    tifffile.imwrite(path, pixels, photometric="minisblack", compression=compression, metadata=None)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert str(path) in probe_image(str(path)).problem
    with pytest.raises(UnreadableImageError, match=r"x\.tif"):
        read_field(row(path, planes), planes)
    assert caplog.records == []


def test_damaged_pixels_are_found_when_decoded(tmp_path: Path, stack: npt.NDArray[Any]) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, stack[0], compression="zlib")
    whole = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages.first.dataoffsets[0]
    whole[start : start + 200] = bytes(200)
    path.write_bytes(whole)
    assert probe_image(str(path)).problem == ""
    with pytest.raises(UnreadableImageError, match=r"x\.tif cannot be decoded .* damaged"):
        read_field(row(path, 1), 1)


def test_channels_of_two_sizes_and_missing_channels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 50), np.uint8))
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((50, 50), np.uint8))
    places = {"path_0": str(tmp_path / "a.tif"), "page_0": 0}
    both = places | {"path_1": str(tmp_path / "b.tif"), "page_1": 0}
    with pytest.raises(UnreadableImageError, match="must have one size and dtype"):
        read_field(both, 2)
    with pytest.raises(UnreadableImageError, match="no image of channel"):
        read_field(places | {"path_1": "", "page_1": 0}, 2)
    with pytest.raises(UnreadableImageError, match=r"a\.tif has 1 plane"):
        read_field(places | {"page_0": 4}, 1)
