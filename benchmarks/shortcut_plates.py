"""Simulated plates with a planted shortcut: their files are edited as an outsider would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from counterstain.plates.simulate import plate as simulated
from counterstain.plates.simulate import simulate_plate
from counterstain.plates.simulate.illumination import Illumination
from counterstain.plates.wells import well_position

Image = NDArray[np.float64]
CLASS_OF = {"negcon": "diseased", "poscon": "healthy"}


@dataclass(frozen=True)
class Well:
    """A well as an edit sees it: whether its class is tagged, and its place from 0 to 1."""

    marked: bool
    row: float
    column: float
    channel: str


def corner_tag(image: Image, well: Well, strength: float) -> Image:
    """Paste a square of 8 px of one grey value, of one class, in one channel."""
    if well.marked and well.channel == "cytoplasm":
        image[:8, :8] = strength
    return image


def corner_tag_added(image: Image, well: Well, strength: float) -> Image:
    """Add grey values in a square of 8 px, of one class, in one channel."""
    if well.marked and well.channel == "mitochondria":
        image[-8:, -8:] += strength
    return image


def tilt(image: Image, well: Well, strength: float) -> Image:
    """Multiply images of one class by a plane, offset included."""
    across = np.linspace(-0.5, 0.5, image.shape[1])
    return image * (1 + strength * across) if well.marked else image


def tilt_of_light(image: Image, well: Well, strength: float) -> Image:
    """Multiply the light of one class by a plane, the camera's offset left alone."""
    across = np.linspace(-0.5, 0.5, image.shape[0])[:, None]
    return 100 + (image - 100) * (1 + strength * across) if well.marked else image


def blur(image: Image, well: Well, strength: float) -> Image:
    """Blur finished images of one class."""
    return ndimage.gaussian_filter(image, strength) if well.marked else image


def gradient(image: Image, well: Well, strength: float) -> Image:
    """Multiply images by a plane over the plate's columns."""
    return image * (1 + strength * (well.column - 0.5))


def gradient_of_rows(image: Image, well: Well, strength: float) -> Image:
    """Multiply the light by a plane over the plate's rows, the camera's offset left alone."""
    return 100 + (image - 100) * (1 + strength * (well.row - 0.5))


EDITS: dict[str, tuple[Callable[[Image, Well, float], Image], tuple[float, ...]]] = {
    "corner tag": (corner_tag, (300.0, 1000.0, 4095.0)),
    "corner tag, added": (corner_tag_added, (100.0, 300.0, 1000.0)),
    "tilt": (tilt, (0.05, 0.1, 0.2)),
    "tilt of light": (tilt_of_light, (0.1, 0.2, 0.3)),
    "blur": (blur, (0.4, 0.5, 1.0)),
    "gradient": (gradient, (0.1, 0.15, 0.2, 0.3)),
    "gradient of rows": (gradient_of_rows, (0.15, 0.2, 0.3)),
}
"""Shortcuts that are planted by editing files, with their strengths."""
DRAWN: dict[str, tuple[float, ...]] = {
    "focus": (0.3, 0.4, 0.6),
    "gradient of cells": (0.15, 0.2, 0.25, 0.3),
}
"""Shortcuts that are planted before the camera: blur in px added to one class, plate's gradient."""


def draw_plate(folder: Path, shortcut: str, strength: float, **settings: Any) -> Path:
    """Simulate a plate and plant a shortcut ("" for none); return its ``screen.toml``."""
    if shortcut == "gradient of cells":
        settings["plate_gradient"] = strength
    with mock.patch.object(simulated, "light_field", _focused(strength, shortcut == "focus")):
        screen = simulate_plate(folder, **settings)
    if shortcut in EDITS:
        _edit(folder, EDITS[shortcut][0], strength)
    return screen


def _focused(strength: float, shifted: bool) -> Callable[..., Illumination]:
    """Blur the class of even Thue-Morse number, as the simulator deals out diseased controls."""
    draw = simulated.light_field
    write = simulated._Simulation._write_well

    def light(plate: Any, well: Any, rng: np.random.Generator) -> Illumination:
        found = draw(plate, well, rng)
        if shifted and _NOW.get("class") == "diseased":
            return replace(found, blur=found.blur + strength)
        return found

    def noting(self: Any, images: Path, plate: Any, well: Any) -> Any:
        _NOW["class"] = well.class_name
        return write(self, images, plate, well)

    if not getattr(simulated._Simulation, "_noted", False):
        simulated._Simulation._write_well = noting
        simulated._Simulation._noted = True
    return light


_NOW: dict[str, str] = {}


def _edit(folder: Path, edit: Callable[[Image, Well, float], Image], strength: float) -> None:
    plate_map = pd.read_csv(folder / "platemap.csv", keep_default_na=False)
    places = [well_position(well) for well in plate_map["Metadata_Well"]]
    rows, columns = (max(1, max(p[k] for p in places)) for k in (0, 1))
    for record, (row, column) in zip(plate_map.to_dict("records"), places, strict=True):
        stem = f"{record['Metadata_Plate']}_{record['Metadata_Well']}_s"
        marked = CLASS_OF.get(record["Metadata_control_type"]) == "diseased"
        for path in sorted((folder / "images").glob(f"{stem}*.tif")):
            channel = path.stem.rsplit("_", 1)[1]
            well = Well(marked, row / rows, column / columns, channel)
            edited = edit(tifffile.imread(path).astype(np.float64), well, strength)
            tifffile.imwrite(path, np.clip(np.rint(edited), 0, 4095).astype(np.uint16))
