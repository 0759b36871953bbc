"""Random crops of labelled fields: turned, scaled, lit and blurred otherwise, or put together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveInt
from scipy import ndimage
from torch.nn import functional

from counterstain.types import Share

__all__ = [
    "AugmentSettings",
    "LabelledField",
    "change_light",
    "dim_objects",
    "random_crop",
    "with_effectors",
]


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
    contacts : array of int
        Flat positions of pixels where two objects nearly touch; see
        :func:`~counterstain.training.segmenter_targets.contact_pixels`.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int32]
    group: str = "all"
    scale: float = 1.0
    contacts: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """How much crops differ from the fields they come from.

    Parameters
    ----------
    size : int
        Height and width of a crop, pixels.
    near_object : float
        Share of the crops that hold a given object: most places of a sparse field are empty.
    near_contact : float
        Of these, the share that hold a place where two objects nearly touch instead, in fields that
        have one: they are few, and most mistakes are made there.
    zoom : float
        Magnifications lie between ``exp(-zoom)`` and ``exp(zoom)`` times that of the field.
    wide_share, wide_zoom : float
        For this share of the crops `wide_zoom` stands for `zoom`: the diameter of unknown cells is
        found by a first look at whatever magnification a field has.
    stretch : float
        The two axes differ by up to this share.
    gain, gamma : float
        Intensities are multiplied by ``exp(u)`` and raised to ``exp(v)``, u and v up to these.
    noise : float
        Largest standard deviation of added noise.
    blur : float
        Largest standard deviation of a Gaussian blur, pixels; half of the crops stay sharp.
    dim_share, dimmest : float
        In this share of the crops objects differ in brightness more than they did, down to this
        factor.
    """

    size: PositiveInt = 128
    near_object: Share = 0.7
    near_contact: Share = 0.4
    zoom: NonNegativeFloat = 0.35
    wide_share: Share = 0.2
    wide_zoom: NonNegativeFloat = 0.9
    stretch: Share = 0.1
    gain: NonNegativeFloat = 0.3
    gamma: NonNegativeFloat = 0.35
    noise: NonNegativeFloat = 0.03
    blur: NonNegativeFloat = 1.5
    dim_share: Share = 0.3
    dimmest: Share = 0.3


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
    zoom = settings.wide_zoom if generator.random() < settings.wide_share else settings.zoom
    change = extra_scale * np.exp(generator.uniform(-zoom, zoom))
    scale = field.scale * change
    angle = generator.uniform(0, 2 * np.pi)
    stretch = 1 + generator.uniform(-settings.stretch, settings.stretch)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirror = np.diag([1.0, 1.0 if generator.random() < 0.5 else -1.0])
    matrix = turn @ np.diag([stretch, 1 / stretch]) @ mirror / scale
    offset = _centre(field, settings, scale, generator) - matrix @ np.full(
        2, (settings.size - 1) / 2
    )
    image = field.image
    if change < 0.6:
        image = smoothed(image, 0.35 / change)
    at = np.moveaxis(np.mgrid[: settings.size, : settings.size], 0, -1) @ matrix.T + offset
    labels = field.labels[None].astype(np.float32)  # exact below 2**24
    moved = _sampled(image, at, "bilinear")
    return moved, np.asarray(_sampled(labels, at, "nearest")[0], np.int32)


def _centre(
    field: LabelledField,
    settings: AugmentSettings,
    scale: float,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Choose the middle of a crop, near an object or anywhere, with the crop inside the field."""
    edges = np.array(field.labels.shape, np.float64)
    half = min(settings.size / scale, *edges) / 2
    wanted = np.empty(0, np.intp)
    if generator.random() < settings.near_object:
        touching = generator.random() < settings.near_contact and field.contacts.size
        wanted = field.contacts if touching else _any_object(field.labels, generator)
    if not wanted.size:
        return np.asarray(generator.uniform(half, np.maximum(half, edges - half)))
    pixel = np.array(np.unravel_index(generator.choice(wanted), field.labels.shape), np.float64)
    away = settings.size / scale / 3
    return np.clip(pixel + generator.uniform(-away, away, 2), half, edges - half)


def _any_object(labels: NDArray[np.int32], generator: np.random.Generator) -> NDArray[np.intp]:
    """Return the pixels of an object: each is as likely as the others, however small it is."""
    flat = labels.ravel()
    areas = np.bincount(flat)
    areas[0] = 0
    numbers = np.flatnonzero(areas)
    return np.flatnonzero(flat == generator.choice(numbers)) if numbers.size else numbers


def smoothed(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur each channel: before shrinking, else single pixels of noise would stand for many."""
    out = np.zeros_like(image)
    for channel, plane in enumerate(image):
        if plane.any():
            out[channel] = ndimage.gaussian_filter(plane, sigma)
    return out


def _sampled(
    planes: NDArray[np.float32], at: NDArray[np.float64], mode: str
) -> NDArray[np.float32]:
    """Read planes at places (H, W, 2) of rows and columns, mirrored at the edges."""
    edges = np.maximum(np.array(planes.shape[1:]) - 1, 1)
    grid = torch.from_numpy((2 * at / edges - 1)[None, ..., ::-1].astype(np.float32))
    found = functional.grid_sample(
        torch.from_numpy(planes)[None],
        grid,
        mode=mode,
        padding_mode="reflection",
        align_corners=True,
    )
    return np.asarray(found[0].numpy())


def dim_objects(
    image: NDArray[np.float32],
    labels: NDArray[np.int32],
    settings: AugmentSettings,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Dim some objects in channel 0, each on its own: bright ones beside dim ones are hard.

    Parameters
    ----------
    image : (C, H, W) array of float32
        A crop.
    labels : (H, W) array of int
        Its objects.
    settings : AugmentSettings
        Its `dimmest`.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (C, H, W) array of float32
    """
    gains = generator.uniform(settings.dimmest, 1.0, int(labels.max()) + 1).astype(np.float32)
    gains[generator.random(len(gains)) < 0.5] = 1
    gains[0] = 1
    out = image.copy()
    # Blurred, as the light around an object is its own.
    out[0] *= ndimage.gaussian_filter(gains[labels], 1.5)
    return out


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
        # Darker by little only: what falls below 0 is lost.
        out[channel] += generator.uniform(-0.02, 0.05)
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
