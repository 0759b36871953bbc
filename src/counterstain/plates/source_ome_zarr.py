"""Finding images in an OME-Zarr 0.5 plate.

The layout is the one of the OME-NGFF specification 0.5 (https://ngff.openmicroscopy.org/0.5/).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zarr
from pydantic import ValidationError

from counterstain._optional import import_optional
from counterstain.config import ImagesConfig
from counterstain.errors import InvalidInputError
from counterstain.plates.sources import Found, Plane, match_channels
from counterstain.plates.wells import normalise_well, row_name

__all__ = ["find_in_ome_zarr"]

_PURPOSE = "read OME-Zarr plates"
_MICROMETRES = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3}


def _metadata(folder: Path, model: str) -> dict[str, Any]:
    """Return the checked "ome" attributes of a group.

    `model` is where ome-zarr-models keeps its schema, as in "hcs.HCSAttrs".
    """
    module, _, name = model.partition(".")
    schemas = import_optional(f"ome_zarr_models.v05.{module}", "omezarr", _PURPOSE)
    try:
        attributes = dict(zarr.open_group(folder, mode="r").attrs)
    except (FileNotFoundError, KeyError, ValueError, OSError) as error:
        raise InvalidInputError(
            f"{folder} must be a zarr group; it cannot be opened ({type(error).__name__}): correct "
            "the path or copy the plate again."
        ) from error
    ome = attributes.get("ome")
    if not isinstance(ome, Mapping):
        old = "plate" in attributes or "multiscales" in attributes
        got = "metadata of OME-Zarr 0.4 or older" if old else "no `ome` attribute"
        raise InvalidInputError(
            f"{folder} must be OME-Zarr 0.5; got {got}: convert it to 0.5 (zarr format 3)."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # recommendations of the specification, not faults
        try:
            getattr(schemas, name).model_validate(dict(ome))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InvalidInputError(
                f"{folder} must be OME-Zarr 0.5; `ome.{where}`: {first['msg']}: correct zarr.json."
            ) from error
    return dict(ome)


def _well_name(plate: Mapping[str, Any], well: Mapping[str, Any]) -> tuple[str, str]:
    """Return a well as "A01" and as written; indices where names are no letters and numbers."""
    written = str(well["path"]).replace("/", "")
    try:
        return normalise_well(written), written
    except InvalidInputError:
        name = f"{row_name(int(well['rowIndex']))}{int(well['columnIndex']) + 1}"
        return normalise_well(name), written


def _labels(ome: Mapping[str, Any], n_channels: int) -> list[str]:
    """Return the names of channels, numbers from 1 where the image names none."""
    channels = (ome.get("omero") or {}).get("channels") or []
    labels = [str(channel.get("label") or "") for channel in channels]
    if len(labels) == n_channels and all(labels) and len(set(labels)) == n_channels:
        return labels
    return [str(number + 1) for number in range(n_channels)]


def _pixel_size(multiscale: Mapping[str, Any]) -> float | None:
    axes = multiscale["axes"]
    factor = _MICROMETRES.get(str(axes[-1].get("unit")))
    for change in multiscale["datasets"][0].get("coordinateTransformations", ()):
        if change.get("type") == "scale" and factor is not None:
            return float(change["scale"][-1]) * factor
    return None


def _add_image(
    found: Found, folder: Path, images: ImagesConfig, place: tuple[str, str, str, int]
) -> None:
    """Add the channels of one field."""
    ome = _metadata(folder, "image.ImageAttrs")
    multiscale = ome["multiscales"][0]
    array_path = folder / multiscale["datasets"][0]["path"]
    axes = [str(axis["name"]).lower() for axis in multiscale["axes"]]
    try:
        array = zarr.open_array(array_path, mode="r")
    except (FileNotFoundError, KeyError, ValueError, OSError):
        n_channels = len(images.channels)  # the probe says what is wrong with this field
    else:
        sizes = dict(zip(axes, array.shape, strict=False))
        n_channels = sizes.get("c", 1)
    if found.pixel_size_um is None:
        found.pixel_size_um = _pixel_size(multiscale)
    labels = _labels(ome, n_channels)
    index, errors, notes = match_channels(labels, images, "image's channels", by_order=True)
    for sentence, known in [(e, found.errors) for e in errors] + [(n, found.notes) for n in notes]:
        if sentence not in known:
            known.append(sentence)
    for page, label in enumerate(labels):
        if label in index:
            found.planes.append(Plane(*place, index[label], str(array_path), page, n_channels))


def _add_well(
    found: Found, folder: Path, images: ImagesConfig, plate: str, name: tuple[str, str]
) -> None:
    """Add the fields of one well."""
    well = _metadata(folder, "well.WellAttrs")["well"]
    acquisitions = {image.get("acquisition") for image in well["images"]}
    if len(acquisitions) > 1:
        raise InvalidInputError(
            f"{folder} holds {len(acquisitions)} acquisitions, which would count as fields of one "
            "time: keep one acquisition a plate."
        )
    for number, image in enumerate(well["images"], start=1):
        place, path = (plate, *name, number), folder / image["path"]
        if path.is_dir():
            _add_image(found, path, images, place)
        else:  # the probe says that it does not exist
            found.planes += [Plane(*place, i, str(path), i) for i in range(len(images.channels))]


def find_in_ome_zarr(images: ImagesConfig, map_plates: Sequence[str] = ()) -> Found:
    """Find the fields of an OME-Zarr 0.5 plate at full resolution.

    Parameters
    ----------
    images : ImagesConfig
        With `ome_zarr` set. `plate` overrides the plate's own name.
    map_plates : sequence of str
        Plates of the plate map, to name a plate without a name.

    Returns
    -------
    Found
        A plane per field and channel. Fields are numbered from 1 in the order of the well.
        Channels are matched by their omero labels, by order where those name none of `channels`.

    Raises
    ------
    InvalidInputError
        If it is no plate of OME-Zarr 0.5.
    OptionalDependencyError
        If ome-zarr-models is not installed.
    """
    if images.ome_zarr is None:
        raise InvalidInputError("`images.ome_zarr` must be given: name the plate's folder.")
    folder = images.ome_zarr
    if not folder.is_dir():
        raise InvalidInputError(
            f"`images.ome_zarr` must be a folder; {folder} does not exist: correct the path."
        )
    found = Found(plane_hint="keep one image a field")
    metadata = _metadata(folder, "hcs.HCSAttrs")["plate"]
    only = map_plates[0] if len(map_plates) == 1 else folder.name.split(".")[0]
    plate = images.plate or metadata.get("name") or only
    for well in metadata["wells"]:
        name = _well_name(metadata, well)
        if not (folder / well["path"]).is_dir():
            found.notes.append(f"Well {name[0]} is listed in {folder.name} and has no folder.")
            continue
        try:
            _add_well(found, folder / well["path"], images, plate, name)
        except InvalidInputError as error:
            found.errors += error.problems
    if not found.planes and not found.errors:
        found.errors.append(f"{folder} holds no image: copy the plate again.")
    return found
