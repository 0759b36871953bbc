"""The sections of ``screen.toml``.

Unknown keys are refused by name, so that a typing slip never turns into a silent default.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = [
    "AttributionConfig",
    "AuditConfig",
    "Budget",
    "ClassRule",
    "CounterfactualConfig",
    "CropsConfig",
    "ImagesConfig",
    "LayoutConfig",
    "MethodName",
    "ModelConfig",
    "OracleConfig",
    "QualityConfig",
    "RunConfig",
    "Section",
    "SplitConfig",
]

_UNITS_S = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}


def _seconds(value: object) -> object:
    """Read '10 min', '90 s' or '1.5 h' as seconds; plain numbers are seconds already."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9.]+)\s*(s|sec|min|h)\s*", value)
    if match is None:
        raise ValueError("must be a duration such as '10 min', '90 s' or '1.5 h'")
    return float(match[1]) * _UNITS_S[match[2]]


MethodName = Literal[
    "saliency",
    "smooth_grad",
    "integrated_gradients",
    "grad_cam",
    "grad_cam_plus_plus",
    "occlusion",
]
"""Attribution methods by name."""


Budget = Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_seconds)]
"""A duration in seconds, or as "10 min"; None where nothing was said."""


class Section(BaseModel):
    """A section of the file: no unknown keys, never changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Percentile = Annotated[float, Field(ge=0, le=100)]

ClassRule = dict[str, str | int | float | bool | list[str] | list[int] | list[float]]
"""Which wells a class takes: every named column must equal the value, or one of the values."""


class ImagesConfig(Section):
    """Where the images are: a file-name pattern, a LoadData table, or an OME-Zarr plate."""

    root: Path = Path()
    pattern: str | None = None
    load_data: Path | None = None
    ome_zarr: Path | None = None
    channels: tuple[str, ...] = Field(min_length=1, max_length=8)
    tokens: tuple[str, ...] | None = None
    """What stands for each channel in file names, where that is not the channel's name."""
    colours: tuple[str, ...] | None = None
    pixel_size_um: float | None = Field(default=None, gt=0)
    plate: str | None = None
    """The plate's name where file names hold none."""

    @model_validator(mode="after")
    def _one_source(self) -> ImagesConfig:
        given = [n for n in ("pattern", "load_data", "ome_zarr") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                "exactly one of `pattern`, `load_data` and `ome_zarr` says where the images are; "
                f"got {', '.join(given) or 'none'}"
            )
        if len(set(self.channels)) != len(self.channels):
            raise ValueError(f"`channels` must differ from each other; got {list(self.channels)}")
        for name in ("tokens", "colours"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.channels):
                raise ValueError(f"`{name}` must have an entry a channel ({len(self.channels)})")
        return self


class LayoutConfig(Section):
    """The plate map."""

    table: Path | None = None


class CropsConfig(Section):
    """How fields are cut into crops."""

    kind: Literal["cells", "tiles", "fields"] = "cells"
    size: int = Field(default=64, ge=8, le=2048)
    nucleus_channel: str | None = None
    """Channel that shows nuclei; the first one where not given."""
    max_per_field: int | None = Field(default=None, ge=1)
    percentiles: tuple[Percentile, Percentile] = (0.1, 99.9)
    """Percentiles of the negative controls that become 0 and 1, per plate and channel."""
    ring_width: int = Field(default=6, ge=1)
    """Width of the ring around a nucleus that stands for the cytoplasm, in pixels."""

    @model_validator(mode="after")
    def _percentiles_rise(self) -> CropsConfig:
        if self.percentiles[0] >= self.percentiles[1]:
            raise ValueError(f"`percentiles` must rise; got {list(self.percentiles)}")
        return self


class QualityConfig(Section):
    """When a field counts as faulty."""

    min_cells: int = Field(default=5, ge=0)
    max_saturated: float = Field(default=0.02, ge=0, le=1)
    """Share of pixels at the highest value of the dtype (or of the camera)."""
    outlier_sd: float = Field(default=6.0, gt=0)
    """Robust standard deviations from the plate's median at which a measure is an outlier."""


class SplitConfig(Section):
    """How wells are held out."""

    group: str = "auto"
    """Column whose values are never shared between training and scoring; "auto" takes the donor,
    else the plate, where every class has at least two of them, else the well."""
    folds: int = Field(default=4, ge=2, le=20)


class ModelConfig(Section):
    """The network and its training."""

    network: Literal["coupling", "iresnet50", "autoencoder", "resnext50", "compact"] = "coupling"
    hidden: int | None = Field(default=None, ge=4)
    blocks: int | None = Field(default=None, ge=1)
    lipschitz: float | None = Field(default=None, gt=0, le=0.95)
    """Largest Lipschitz constant of a block (`iresnet50`)."""
    pretrained: bool = True
    steps: int | None = Field(default=None, ge=1)
    """Training steps a fold; where not given they follow from `run.budget`."""
    minibatch: int = Field(default=48, ge=2)
    learning_rate: float | None = Field(default=None, gt=0)
    """What is not given here and below follows from the network."""
    class_weight: float | None = Field(default=None, ge=0)
    """Weight of the cross-entropy beside one bit per dimension (invertible networks)."""
    label_smoothing: float | None = Field(default=None, ge=0, lt=1)
    balance: float | None = Field(default=None, ge=0, le=1)
    """1 draws every class as often as any other, 0 as often as it has crops."""
    affine_jitter: float | None = Field(default=None, ge=0, le=1)
    """Crops are turned by any angle, and their size varies by this much, as a natural logarithm."""
    gain_jitter: float = Field(default=0.2, ge=0, le=2)
    """Staining differs from well to well: in training each channel's gain varies by this much, as a
    natural logarithm. More where the readout is a ratio, 0 where absolute intensity is trusted."""
    offset_jitter: float = Field(default=0.02, ge=0, le=0.5)
    """Likewise the background, as a share of the range of the negative controls."""
    symmetries: int = Field(default=4, ge=1, le=8)
    """Scores are averaged over so many turns and mirror images of each crop."""
    calibrate: bool = True
    """Divide logits by a temperature fitted on wells the network did not see, so that
    probabilities mean what they say."""


class OracleConfig(Section):
    """The measurement that judges counterfactuals and never sees the network."""

    channel: str | None = None
    feature: str | None = Field(
        default=None,
        pattern=r"^(mean_intensity(:(nucleus|ring|cell))?|log2_ratio(:nucleus/ring)?"
        r"|(granularity|texture_scale)(:(nucleus|cell))?|radial_concentration(:cell)?"
        r"|area(:nucleus)?|cell_count(:crop)?)$",
    )
    """A feature such as ``log2_ratio``, or with its region, as in ``mean_intensity:nucleus``."""


class CounterfactualConfig(Section):
    """How images are carried across the boundary."""

    direction: Literal["typical", "normal", "pattern"] = "typical"
    to: Annotated[float, Field(gt=0.5, lt=1)] | Literal["median", "upper_quartile"] = (
        "upper_quartile"
    )
    """Where an edit ends: the target class's median or upper quartile, or a probability."""
    views: int | None = Field(default=None, ge=1, le=8)
    """Edits are averaged over so many turned and mirrored views of each crop: 4, or 2 with
    `iresnet50`, whose inverse takes ten times as long."""
    crops_per_well: int = Field(default=32, ge=1)


class AttributionConfig(Section):
    """Which maps are drawn of what the network saw."""

    methods: tuple[MethodName, ...] = (
        "saliency",
        "integrated_gradients",
        "grad_cam",
        "occlusion",
    )
    views: int = Field(default=8, ge=1, le=8)
    """Maps are averaged over this many turned or mirrored views; those of occlusion are not."""
    window: int | None = Field(default=None, ge=1)
    """Side of an occluded square in pixels; a fifth of a crop where not given."""
    stride: int | None = Field(default=None, ge=1)
    """Step of the square; half of it where not given."""
    baseline: Literal["background", "blurred", "inpainted"] = "background"
    """What occluded pixels become."""
    crops_per_well: int = Field(default=4, ge=1)
    """Crops whose cells and compartments are removed one by one."""


class AuditConfig(Section):
    """How explanations and classifiers are audited."""

    crops: int = Field(default=8, ge=2)
    """Crops on which sanity and faithfulness of maps are tested."""
    crops_per_well: int = Field(default=12, ge=1)
    """Crops a well that are shown without cells and on other backgrounds."""
    null_steps: int | None = Field(default=None, ge=0)
    """Training steps of each of the two networks of the null screen; where not given, so many that
    both take a sixteenth of the training. 0 leaves the null screen out."""
    batch_column: str | None = None
    """Column of the plate map that names the acquisition batch, where there is one."""


class RunConfig(Section):
    """What holds for the whole run."""

    seed: int = Field(default=0, ge=0)
    budget: Budget = None
    """Time for training all folds, in seconds on the reference machine."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    counterfactual_wells: int = Field(default=8, ge=1)
