"""Counterfactuals as OME-TIFF, for Fiji, QuPath, OMERO and napari."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from counterstain.export.pictured import PicturedCrop
from counterstain.files import atomic_path

__all__ = ["write_ome_tiffs"]


def write_ome_tiffs(crops: Sequence[PicturedCrop], to: Path) -> list[Path]:
    """Write a file a counterfactual, in grey values, with channel names and pixel size.

    A file has an image (series) each for `as imaged`, `on the boundary` and `counterfactual`, all
    with axes channel, y, x, and one for the `nuclei` with axes y, x where the run has them.

    Parameters
    ----------
    crops : sequence of PicturedCrop
        What to write.
    to : Path
        Folder, made where missing.

    Returns
    -------
    list of Path
        Files, as ``PLATE_WELL_crop12_SOURCE_to_TARGET.ome.tif``.

    Raises
    ------
    InvalidInputError
        If the folder cannot be written to, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> picture = np.ones((2, 4, 4), np.float32)
    >>> crop = PicturedCrop("P1", "B03", 7, "diseased", "healthy", picture, picture, picture, None,
    ...     ("DNA", "GFP"), 0.65, "grey value")
    >>> written = write_ome_tiffs([crop], Path(tempfile.mkdtemp()))
    >>> written[0].name
    'P1_B03_crop7_diseased_to_healthy.ome.tif'
    >>> with tifffile.TiffFile(written[0]) as file:
    ...     [(series.name, series.axes) for series in file.series]
    [('as imaged', 'CYX'), ('on the boundary', 'CYX'), ('counterfactual', 'CYX')]
    """
    paths = []
    for number, crop in enumerate(crops):
        paths.append(to / f"{_stem(crop, number)}.ome.tif")
        with atomic_path(paths[-1]) as temporary:
            _write(crop, temporary)
    return paths


def _stem(crop: PicturedCrop, number: int) -> str:
    at = f"crop{crop.crop}" if crop.crop >= 0 else f"row{number}"
    parts = [crop.plate, crop.well, at, crop.source, "to", crop.target]
    # Names of plates and classes are free text: only what every file system takes is kept.
    return "_".join(re.sub(r"[^\w.-]+", "-", part) for part in parts if part)


def _write(crop: PicturedCrop, path: Path) -> None:
    where = " ".join(part for part in (crop.plate, crop.well, f"crop {crop.crop}") if part)
    about = {
        "as imaged": f"{where}, class {crop.source}, as imaged; {crop.unit}.",
        "on the boundary": f"{where}, computed: carried from {crop.source} to the decision "
        f"boundary; {crop.unit}. Not a photograph.",
        "counterfactual": f"{where}, computed: carried from {crop.source} to {crop.target}; "
        f"{crop.unit}. Not a photograph.",
    }
    images = (crop.original, crop.boundary, crop.counterfactual)
    with tifffile.TiffWriter(path, ome=True) as file:
        for (name, words), image in zip(about.items(), images, strict=True):
            channels = {"Channel": {"Name": list(crop.channels)}}
            _add(file, image, _metadata(crop, name, words, "CYX") | channels)
        if crop.nuclei is not None:
            words = f"{where}, label image: 0 background, 1 the crop's own nucleus, 2 other nuclei."
            _add(file, crop.nuclei, _metadata(crop, "nuclei", words, "YX"))


def _metadata(crop: PicturedCrop, name: str, words: str, axes: str) -> dict[str, Any]:
    found: dict[str, Any] = {"axes": axes, "Name": name, "Description": words}
    if crop.pixel_size_um:
        found |= {
            "PhysicalSizeX": crop.pixel_size_um,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": crop.pixel_size_um,
            "PhysicalSizeYUnit": "µm",
        }
    return found


def _add(file: tifffile.TiffWriter, image: NDArray[Any], metadata: dict[str, Any]) -> None:
    file.write(
        np.ascontiguousarray(image),
        photometric="minisblack",
        compression="zlib",
        metadata=metadata,
    )
