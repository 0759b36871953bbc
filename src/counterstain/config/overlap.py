"""The section ``[overlap]`` of ``screen.toml``: how much two kinds of cells touch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from counterstain.config.sections import Budget, Section
from counterstain.types import Share

__all__ = ["IMAGE_KINDS", "OverlapConfig"]

ImageKind = Literal["plain", "masked"]
IMAGE_KINDS: tuple[ImageKind, ...] = ("plain", "masked")
"""Patches as imaged, and with everything outside of the masks removed."""

_LARGEST_SIDE = 96
_MULTIPLE = 8


class OverlapConfig(Section):
    """Masks of two kinds of cells, their overlap, and what a network makes of it."""

    channels: tuple[str, str] | None = None
    """The kind that moves about and binds (T cells), then the other (dendritic cells); the first
    two channels where not given."""
    masks: Literal["threshold", "kmeans", "unet", "labels"] = "threshold"
    threshold: Literal["otsu", "triangle", "mean_sd", "local"] | float = "otsu"
    """How a level is found, or the level itself in grey values."""
    sd_factor: float = Field(default=1.0, gt=0)
    """Standard deviations above the mean (`threshold = "mean_sd"` and `"local"`)."""
    window: int = Field(default=101, ge=3)
    """Side of the moving window in pixels (`threshold = "local"`)."""
    smoothing: float = Field(default=0.0, ge=0)
    """Standard deviation of the smoothing before a threshold, pixels."""
    min_area: int = Field(default=0, ge=0)
    """Smaller pieces of a threshold's mask are taken out, pixels."""
    saturation: float | None = Field(default=None, gt=0)
    """Grey value at which the camera saturates: 4095 for 12 bit; that of the dtype where not
    given."""
    weights: tuple[Path, ...] = Field(default=(), max_length=2)
    """A trained U-Net for both kinds, or one each (`masks = "unet"`)."""
    labels_root: Path | None = None
    """Folder of label images (`masks = "labels"`)."""
    labels_pattern: str | None = None
    """How label images are named, as `images.pattern`, e.g.
    `"{plate}_{well}_s{site}_{channel}_cp_masks.tif"`."""
    labels_channels: tuple[str, str] | None = None
    """How their names write the two kinds; as `channels` where not given."""
    patch: int = Field(default=192, ge=16)
    """Side of a patch in pixels."""
    patches_per_field: int | None = Field(default=100, ge=1)
    null: Literal["local", "torus"] = "local"
    """Shifts that stand for chance: within the cells' own density, or over the whole field."""
    distance: float = Field(default=1.0, ge=0)
    """Gap up to which two cells touch, pixels."""
    measure: Literal["iou", "share_a", "share_b", "iou_above_chance", "share_a_above_chance"] = (
        "iou"
    )
    """Overlap of a well that calls, histograms and the readout are made with."""
    interaction: Literal["controls"] | Share = "controls"
    """From which overlap on a well interacts: found on the controls, or given."""
    negative: str | None = None
    positive: str | None = None
    """Classes of the controls without and with interaction; the first and the last where not
    given."""
    group: str | None = None
    """Column that histograms and colours go by; Metadata_Stimulation where there is one, else the
    class."""
    readout: Path | None = None
    """Table of another software's overlap, a row a well."""
    readout_column: str = "overlap"
    images: tuple[ImageKind, ...] = Field(default=IMAGE_KINDS, min_length=1)
    """What the latent space, the classifier and the regressor are made from."""
    stored_patches: int = Field(default=10_000, ge=16)
    """Patches that are kept to learn from and to look at, spread evenly over all fields."""
    latents: int = Field(default=16, ge=1)
    """Maps that stand for a patch in the latent space, each an eighth of the patch's side."""
    learning: bool = True
    """Whether to learn from patches at all: the rest takes a tenth of the time."""
    budget: Budget = None
    """Time for all networks of this section, in seconds on the reference machine."""

    @model_validator(mode="after")
    def _whole(self) -> OverlapConfig:
        needed: dict[str, Any] = {
            "unet": ("weights", self.weights),
            "labels": ("labels_pattern", self.labels_pattern),
        }
        key, given = needed.get(self.masks, ("", True))
        if not given:
            raise ValueError(f'`{key}` must be given with `masks = "{self.masks}"`; it is missing')
        if self.learning and self.patch % (self.binning * _MULTIPLE):
            step = self.binning * _MULTIPLE
            fitting = max(step, round(self.patch / step) * step)
            raise ValueError(
                f"`patch` must be a multiple of {step} px to be learnt from; got {self.patch}: "
                f"take {fitting}, or `learning = false`"
            )
        return self

    def kinds(self, channels: Sequence[str]) -> tuple[str, str]:
        """Return the channels of the two kinds: as set, or the first two of a screen's."""
        return self.channels or (channels[0], channels[1])

    @property
    def binning(self) -> int:
        """Pixels a side that become one before a patch is kept."""
        return -(-self.patch // _LARGEST_SIDE)
