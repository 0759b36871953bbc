"""What napari shows of a well, as plain arrays: no napari is needed to make or test it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.export.pictured import PicturedCrop

__all__ = ["Layer", "well_layers"]

_COLORMAPS = ("cyan", "magenta", "yellow", "gray", "red", "green", "blue", "bop orange")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer.

    Parameters
    ----------
    kind : {"image", "labels"}
        What napari makes of it.
    name : str
        What it is called in the list of layers.
    data : ndarray, shape (n, H, W)
        A picture a crop; the first axis is napari's slider.
    options : dict
        Keywords of ``viewer.add_image`` or ``viewer.add_labels``: scale with its units (µm; pixels
        where their size is unknown), colormap, contrast limits, blending, visible.
    """

    kind: Literal["image", "labels"]
    name: str
    data: NDArray[Any]
    options: dict[str, Any]


def well_layers(crops: Sequence[PicturedCrop]) -> list[Layer]:
    """Return the layers of some crops: image, counterfactual and difference by channel, masks.

    Image and counterfactual of a channel share their contrast limits, so that what looks brighter
    is brighter; the difference is signed, with a scale that is even around zero.

    Parameters
    ----------
    crops : sequence of PicturedCrop
        Of one run, at least one.

    Returns
    -------
    list of Layer
        In the order in which to add them: later ones lie above.

    Raises
    ------
    InvalidInputError
        If there is no crop.

    Examples
    --------
    >>> dark, light = (np.full((1, 4, 4), v, np.float32) for v in (1, 3))
    >>> crop = PicturedCrop("P1", "B03", 7, "diseased", "healthy", dark, light, light, None,
    ...     ("DNA",), 0.5, "grey value")
    >>> [(layer.name, layer.options["scale"]) for layer in well_layers([crop])]
    [('DNA: as imaged', (1.0, 0.5, 0.5)), ('DNA: counterfactual', (1.0, 0.5, 0.5)),
     ('DNA: difference', (1.0, 0.5, 0.5))]
    """
    if not crops:
        raise InvalidInputError("`crops` must hold a crop; got none: choose a pictured well.")
    size = crops[0].pixel_size_um
    unit = "um" if size else "pixel"
    space: dict[str, Any] = {
        "scale": (1.0, size or 1.0, size or 1.0), "units": ("pixel", unit, unit),
    }  # fmt: skip
    layers: list[Layer] = []
    for k, channel in enumerate(crops[0].channels):
        before = np.stack([crop.original[k] for crop in crops]).astype(np.float32)
        after = np.stack([crop.counterfactual[k] for crop in crops])
        limits = _limits(np.stack([before, after]))
        change = after - before
        end = max(float(np.percentile(np.abs(change), 99.8)), 1e-6)
        colour = _COLORMAPS[k % len(_COLORMAPS)]
        shown = space | {"blending": "additive"}
        same = shown | {"colormap": colour, "contrast_limits": limits}
        layers += [
            Layer("image", f"{channel}: as imaged", before, same | {"visible": True}),
            Layer("image", f"{channel}: counterfactual", after, same | {"visible": False}),
            Layer(
                "image",
                f"{channel}: difference",
                change,
                space | {"blending": "translucent", "colormap": "PiYG",
                         "contrast_limits": (-end, end), "visible": False},
            ),
        ]  # fmt: skip
    masks = [crop.nuclei for crop in crops if crop.nuclei is not None]
    if len(masks) == len(crops):
        layers.append(
            Layer("labels", "nuclei", np.stack(masks), space | {"opacity": 0.4, "visible": False})
        )  # fmt: skip
    return layers


def _limits(values: NDArray[np.float32]) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
    return low, max(high, low + 1e-6)
