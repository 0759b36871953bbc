"""Crops of which a run holds a counterfactual, in grey values as the camera gave them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.files import read_arrays, read_json
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder

__all__ = ["PicturedCrop", "read_pictured"]

_NEEDED = ("original", "boundary", "counterfactual", "source", "target", "well")


@dataclass(frozen=True, slots=True)
class PicturedCrop:
    """A crop and its computed forms.

    Parameters
    ----------
    plate, well : str
        Where it comes from; the plate is empty where the run does not say.
    crop : int
        Row of ``tables/crops.parquet``; -1 where the run does not say.
    source, target : str
        Class of its well, and the class it was carried to.
    original : ndarray, shape (C, H, W)
        As imaged, in the camera's own type; float32 where `unit` is "control range".
    boundary, counterfactual : ndarray of float32, shape (C, H, W)
        Computed, on the decision boundary and beyond it; not rounded.
    nuclei : ndarray of uint8, shape (H, W), or None
        0 background, 1 the crop's own nucleus, 2 other nuclei.
    channels : tuple of str
        Names in the order of the first axis.
    pixel_size_um : float or None
        None where it is unknown.
    unit : str
        "grey value", or "control range" (0 to 1 is the range of the negative controls) where the
        pixel store is lost and grey values cannot be had.
    """

    plate: str
    well: str
    crop: int
    source: str
    target: str
    original: NDArray[Any]
    boundary: NDArray[np.float32]
    counterfactual: NDArray[np.float32]
    nuclei: NDArray[np.uint8] | None
    channels: tuple[str, ...]
    pixel_size_um: float | None
    unit: str


def read_pictured(
    folder: RunFolder, well: str | None = None, plate: str | None = None
) -> list[PicturedCrop]:
    """Read the counterfactuals that a run pictures.

    They are those of the report: the crop of median score of some wells of each class.

    Parameters
    ----------
    folder : RunFolder
        A run.
    well, plate : str, optional
        Only those of this well (``B03``) and plate.

    Returns
    -------
    list of PicturedCrop
        In the order of the run.

    Raises
    ------
    MissingFileError
        If there is no run, or it holds no counterfactuals; the sentence says why.
    InvalidInputError
        If the file is damaged, or holds none of that well.
    """
    arrays = _arrays(folder)
    settings = _settings(folder)
    store = _store(folder)
    rows = _rows(arrays, well, plate)
    return [_crop(arrays, int(row), settings, store) for row in rows]


def _settings(folder: RunFolder) -> Mapping[str, Any]:
    """Return the configuration, with the classes in their order."""
    run = read_json(folder.run_json) if folder.run_json.is_file() else {}
    metrics = read_json(folder.metrics) if folder.metrics.is_file() else {}
    config = dict(run.get("config") or {})
    return config | {"class_names": tuple(metrics.get("classes") or config.get("classes") or ())}


def _arrays(folder: RunFolder) -> Mapping[str, NDArray[Any]]:
    if not (folder.run_json.is_file() or folder.metrics.is_file()):
        raise MissingFileError(
            f"{folder.root} must be a run folder; it holds neither run.json nor metrics.json: "
            "give the folder that `counterstain run` wrote with --out."
        )
    path = folder.counterfactuals
    if not path.is_file():
        metrics = read_json(folder.metrics) if folder.metrics.is_file() else {}
        why = str(metrics.get("no_counterfactuals") or "the run has not come so far")
        raise MissingFileError(
            f"{path} must hold counterfactuals; it is not there: {why.rstrip('.')}. Run "
            "`counterstain run` with --resume, or look at the report."
        )
    remedy = "make them anew with `counterstain explain`"
    arrays = read_arrays(path, remedy)
    lacking = [name for name in _NEEDED if name not in arrays]
    if lacking:
        raise InvalidInputError(
            f"{path} must be counterfactuals as counterstain wrote them; it lacks "
            f"{', '.join(lacking)}: {remedy}."
        )
    return arrays


def _store(folder: RunFolder) -> CropStore | None:
    try:
        return CropStore.open(folder.crops)
    except InvalidInputError:
        return None


def _rows(
    arrays: Mapping[str, NDArray[Any]], well: str | None, plate: str | None
) -> NDArray[np.intp]:
    wells = arrays["well"].astype(str)
    plates = arrays["plate"].astype(str) if "plate" in arrays else np.full(len(wells), "")
    wanted = np.ones(len(wells), bool)
    if well is not None:
        wanted &= np.char.upper(wells) == well.upper()
    if plate is not None:
        wanted &= plates == plate
    if not wanted.any():
        several = len(set(plates.tolist())) > 1
        known = sorted(
            {f"{p} {w}".strip() if several else w for p, w in zip(plates, wells, strict=True)}
        )
        asked = " ".join(name for name in (plate, well) if name)
        raise InvalidInputError(
            f"`--well` must be a well of which the run pictures a counterfactual; got "
            f"{asked or 'none'}, there are {', '.join(known) or 'none'}: choose one, or raise "
            "`run.counterfactual_wells` and make them anew with `counterstain explain`."
        )
    return np.flatnonzero(wanted)


def _crop(
    arrays: Mapping[str, NDArray[Any]],
    row: int,
    settings: Mapping[str, Any],
    store: CropStore | None,
) -> PicturedCrop:
    names = settings["class_names"]
    images = settings.get("images") or {}
    number = int(arrays["crop"][row]) if "crop" in arrays else -1
    plate = str(arrays["plate"][row]) if "plate" in arrays else ""
    original, boundary, beyond = (
        np.asarray(arrays[name][row], np.float32)
        for name in ("original", "boundary", "counterfactual")
    )
    pixels: NDArray[Any] = original
    nuclei, unit = None, "control range"
    if store is not None and 0 <= number < len(store) and store.shape[1:] == original.shape:
        at = store.plate_index[[number]]
        boundary, beyond = (store.scaling.invert(part[None], at)[0] for part in (boundary, beyond))
        pixels, nuclei, unit = store.pixels([number])[0], store.nuclei([number])[0], "grey value"
        plate = plate or store.plates[int(at[0])]
    size = (store.attrs.get("pixel_size_um") if store else None) or images.get("pixel_size_um")
    channels = store.channels if store else tuple(images.get("channels") or ())
    if len(channels) != len(original):
        channels = tuple(f"channel {k + 1}" for k in range(len(original)))
    source, target = (int(arrays[name][row]) for name in ("source", "target"))
    return PicturedCrop(
        plate=plate,
        well=str(arrays["well"][row]),
        crop=number,
        source=_name(names, source),
        target=_name(names, target),
        original=pixels,
        boundary=boundary,
        counterfactual=beyond,
        nuclei=nuclei,
        channels=channels,
        pixel_size_um=float(size) if size else None,
        unit=unit,
    )


def _name(names: tuple[str, ...], index: int) -> str:
    return str(names[index]) if index < len(names) else f"class {index}"
