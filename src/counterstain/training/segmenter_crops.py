"""Minibatches of augmented crops of labelled fields, groups of fields in given shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.errors import InvalidInputError
from counterstain.masks.instances import RADIUS
from counterstain.masks.unet_magnification import median_diameter
from counterstain.training.segmenter_augment import (
    AugmentSettings,
    LabelledField,
    change_light,
    dim_objects,
    random_crop,
    smoothed,
    with_effectors,
)
from counterstain.training.segmenter_targets import (
    centre_offsets,
    contact_pixels,
    contact_weights,
    segmentation_targets,
)

__all__ = ["EFFECTORS", "CropStream"]

EFFECTORS = "effectors"
"""The group that stands for crops put together of two fields."""

_TARGET_DIAMETER = (20.0, 48.0)  # pixels of the network
_EFFECTOR_SHARE = (0.35, 0.6)
_UNKNOWN_DIAMETER = 20.0


class CropStream:
    """Draw minibatches without end.

    Parameters
    ----------
    fields : sequence of LabelledField
        One at least.
    augment : AugmentSettings
        Size of crops, and how much they differ from the fields.
    shares : mapping of str to float
        How often each group is drawn; empty: every field evenly. The group ``"effectors"`` stands
        for crops put together of two fields of which only channel 0 was imaged: the nuclei of the
        one are targets, those of the other are shrunk to be effectors and shine in channel 1.
    minibatch : int
        Crops a minibatch.
    seed : int
        Makes the minibatches repeat.

    Raises
    ------
    InvalidInputError
        If `shares` names an unknown group, or ``"effectors"`` without fields to make them of.
    """

    def __init__(
        self,
        fields: Sequence[LabelledField],
        augment: AugmentSettings,
        shares: Mapping[str, float],
        minibatch: int,
        seed: int,
    ) -> None:
        self._augment = augment
        self._minibatch = minibatch
        self._generator = np.random.default_rng(seed)
        self._groups: dict[str, list[LabelledField]] = {}
        ready = [
            replace(_ready_to_shrink(field), contacts=contact_pixels(field.labels))
            for field in fields
        ]
        for field in ready:
            self._groups.setdefault(field.group, []).append(field)
        self._two = [f for f in ready if len(f.image) > 1 and not f.image[1:].any()]
        known = {*self._groups, *([EFFECTORS] if self._two else [])}
        chosen = dict(shares) or {name: float(len(group)) for name, group in self._groups.items()}
        if set(chosen) - known or min(chosen.values()) < 0 or sum(chosen.values()) <= 0:
            raise InvalidInputError(
                f"`shares` must give numbers from 0 on to groups of {sorted(known)}; got {chosen}: "
                "correct the names ('effectors' needs fields whose second channel is empty)."
            )
        self._names = list(chosen)
        self._shares = np.array(list(chosen.values())) / sum(chosen.values())

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return images ``(N, C, size, size)`` and targets ``(N, 5, size, size)``.

        Targets are foreground, distance, the way to the centre, and how much the pixel weighs.
        """
        images, targets = [], []
        for name in self._generator.choice(self._names, self._minibatch, p=self._shares):
            if name == EFFECTORS:
                image, labels = self._put_together()
            else:
                image, labels = random_crop(
                    self._any(self._groups[str(name)]), self._augment, self._generator
                )
            if self._generator.random() < self._augment.dim_share:
                image = dim_objects(image, labels, self._augment, self._generator)
            images.append(change_light(image, self._augment, self._generator))
            targets.append(_targets(labels))
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(targets))

    def _any(self, fields: list[LabelledField]) -> LabelledField:
        return fields[self._generator.integers(len(fields))]

    def _put_together(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        wide = self._generator.uniform(*_TARGET_DIAMETER)
        narrow = wide * self._generator.uniform(*_EFFECTOR_SHARE)
        image, labels = self._of_diameter(wide)
        others, _ = self._of_diameter(narrow)
        return with_effectors(image, others, self._augment, self._generator), labels

    def _of_diameter(self, wanted: float) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        field = self._any(self._two)
        found = median_diameter(field.labels)
        scale = wanted / (found if np.isfinite(found) else _UNKNOWN_DIAMETER) / field.scale
        return random_crop(field, self._augment, self._generator, scale)


def _targets(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    offsets = centre_offsets(labels, RADIUS)
    return np.stack([*segmentation_targets(labels), *offsets, contact_weights(labels)])


def _ready_to_shrink(field: LabelledField) -> LabelledField:
    if field.scale >= 0.75:
        return field
    return replace(field, image=smoothed(field.image, 0.35 / field.scale))
