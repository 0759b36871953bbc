"""Random crops of labelled fields: turned, scaled, lit and blurred otherwise, or put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["AugmentSettings", "LabelledField", "change_light", "random_crop", "with_effectors"]


@dataclass(frozen=True, slots=True)
class LabelledField:
    """A field for training, on the scale a network sees.

    Parameters
    ----------
    image : (C, H, W) array of float32
        As :func:`counterstain.masks.unet_scaling.network_input` makes it.
    labels : (H, W) array of int
        0 background, one number an object.
    group : str
        What it is drawn with: groups are drawn by their weights, fields of a group evenly.
    scale : float
        Magnification at which the network is to see it.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int32]
    group: str = "all"
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """How much crops differ from the fields they come from.

    Parameters
    ----------
    size : int
        Height and width of a crop, pixels.
    zoom : float
        Magnifications lie between ``exp(-zoom)`` and ``exp(zoom)`` times that of the field.
    stretch : float
        The two axes differ by up to this share.
    gain, gamma : float
        Intensities are multiplied by ``exp(u)`` and raised to ``exp(v)``, u and v up to these.
    noise : float
        Largest standard deviation of added noise.
    blur : float
        Largest standard deviation of a Gaussian blur, pixels; half of the crops stay sharp.
    """

    size: int = 192
    zoom: float = 0.35
    stretch: float = 0.1
    gain: float = 0.3
    gamma: float = 0.35
    noise: float = 0.04
    blur: float = 1.5


def random_crop(
    field: LabelledField,
    settings: AugmentSettings,
    generator: np.random.Generator,
    extra_scale: float = 1.0,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Cut a square at a random place, angle and magnification, mirrored or not.

    Parameters
    ----------
    field : LabelledField
        Where from; mirrored at its edges where the square hangs over.
    settings : AugmentSettings
        Size and spread.
    generator : numpy.random.Generator
        Source of randomness.
    extra_scale : float
        A further factor to the magnification.

    Returns
    -------
    image : (C, size, size) array of float32
    labels : (size, size) array of int32
        Numbers as in the field.
    """
    scale = field.scale * extra_scale * np.exp(generator.uniform(-settings.zoom, settings.zoom))
    angle = generator.uniform(0, 2 * np.pi)
    stretch = 1 + generator.uniform(-settings.stretch, settings.stretch)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirror = np.diag([1.0, 1.0 if generator.random() < 0.5 else -1.0])
    matrix = turn @ np.diag([stretch, 1 / stretch]) @ mirror / scale
    half = min(settings.size / scale, *field.labels.shape) / 2
    centre = [generator.uniform(half, max(half, edge - half)) for edge in field.labels.shape]
    offset = np.array(centre) - matrix @ np.full(2, (settings.size - 1) / 2)
    shape = (settings.size, settings.size)
    planes = []
    for plane in field.image:
        # Without a blur before shrinking, single pixels of noise would stand for many.
        smooth = ndimage.gaussian_filter(plane, 0.35 / scale) if scale < 0.75 else plane
        moved = ndimage.affine_transform(smooth, matrix, offset, shape, order=1, mode="mirror")
        planes.append(moved)
    labels = ndimage.affine_transform(field.labels, matrix, offset, shape, order=0, mode="mirror")
    return np.stack(planes), np.asarray(labels, np.int32)


def change_light(
    image: NDArray[np.float32], settings: AugmentSettings, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Change gain, gamma, offset, focus and noise of each channel; an empty channel stays empty.

    Parameters
    ----------
    image : (C, H, W) array of float32
        A crop, 0 to about 1.
    settings : AugmentSettings
        How much.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (C, H, W) array of float32
    """
    out = np.empty_like(image)
    blur = generator.uniform(0.4, settings.blur) if generator.random() < 0.5 else 0.0
    for channel, plane in enumerate(image):
        if not plane.any():
            out[channel] = 0
            continue
        plane = ndimage.gaussian_filter(plane, blur) if blur else plane
        plane = np.maximum(plane, 0) ** np.exp(generator.uniform(-settings.gamma, settings.gamma))
        plane = plane * np.exp(generator.uniform(-settings.gain, settings.gain))
        noise = generator.uniform(0, settings.noise)
        out[channel] = plane + generator.standard_normal(plane.shape, np.float32) * noise
        out[channel] += generator.uniform(-0.05, 0.05)
    return out


def with_effectors(
    targets: NDArray[np.float32],
    others: NDArray[np.float32],
    settings: AugmentSettings,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Put small nuclei of other images between those of a crop, and light them in channel 1.

    A co-culture made of two images with one stain: the network learns that what shines in the
    second channel is not its target, from many more nuclei than the co-cultures hold.

    Parameters
    ----------
    targets : (2, H, W) array of float32
        A crop whose nuclei stay targets.
    others : (2, H, W) array of float32
        A crop of smaller nuclei.
    settings : AugmentSettings
        Unused but for its noise.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (2, H, W) array of float32
        Nuclei of both, and the cells of the others with some light of the targets.
    """
    out = np.empty_like(targets)
    strength = generator.uniform(0.3, 1.1)
    nuclei = np.maximum(targets[0], 0) + strength * others[0]
    out[0] = nuclei / max(1.0, float(np.percentile(nuclei, 99.8)))
    cells = ndimage.gaussian_filter(others[0], generator.uniform(0.8, 2.5))
    bleed = ndimage.gaussian_filter(np.maximum(targets[0], 0), generator.uniform(0.5, 3.0))
    light = cells + generator.uniform(0, 0.35) * bleed
    haze = ndimage.gaussian_filter(others[0], 12.0) * generator.uniform(0, 0.8)
    light = light + haze
    out[1] = light / max(0.2, float(np.percentile(light, 99.8)))
    out[1] += generator.standard_normal(out[1].shape, np.float32) * settings.noise / 2
    return out
