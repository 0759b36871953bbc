"""Cell-wise occlusion: what the score loses without one cell, or a compartment of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.attribution.occlusion_baseline import Baseline, baseline_images, inpainted
from counterstain.attribution.occlusion_passes import Occluder
from counterstain.attribution.sliding_occlusion import Channels, channel_indices, check_limits
from counterstain.attribution.target import ExplainedScore, Model, as_it_was, check_inputs
from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier

__all__ = ["RegionDrop", "occlude_regions"]

_ALL = "all"


@dataclass(frozen=True, slots=True)
class RegionDrop:
    """What the score loses without one region in one channel.

    Parameters
    ----------
    image : int
        Row of the image.
    region : str
        Name of the region.
    channel : str
        Name of the channel, its number where it has no name, or ``"all"``.
    score_before, score_after, drop : float
        Score with and without the region, and the difference: positive where the region spoke for
        the target class. NaN for an empty region.
    flips : bool
        Whether the score changes sign: with ``score="log_odds"``, whether the call flips.
    n_pixels : int
        Pixels of the region.
    reason : str
        Why there is no number; empty where there is one.
    """

    image: int
    region: str
    channel: str
    score_before: float
    score_after: float
    drop: float
    flips: bool
    n_pixels: int
    reason: str = ""


def occlude_regions(
    model: Model,
    images: Tensor,
    regions: Mapping[str, NDArray[np.bool_]],
    target_class: int | str | None,
    *,
    channels: Channels = "each",
    baseline: Baseline = "background",
    score: ExplainedScore = "log_odds",
    against: int | str | None = None,
    windows_at_once: int | None = None,
    memory_limit_mb: float = 512.0,
    progress: Callable[[int, int], None] | None = None,
) -> list[RegionDrop]:
    """Remove one region of each image, in one channel at a time, and tell what the score loses.

    Parameters
    ----------
    model : Classifier, torch.nn.Module or callable
        Takes ``(N, C, H, W)``.
    images : Tensor
        ``(N, C, H, W)``, scaled.
    regions : mapping of str to (N, H, W) array of bool
        A mask for each image: a cell, its nucleus, its cytoplasm
        (:func:`counterstain.masks.regions.cell_regions`). May be empty for some images.
    target_class : int, str or None
        Class whose score is explained.
    channels : {"each", "together"}, int, str, or sequence of them
        A row for each channel and one for all of them at once; only the latter; or only these,
        each alone.
    baseline, score, against, windows_at_once, memory_limit_mb
        As for :func:`~counterstain.attribution.occlusion`; the baseline here is by default the
        image's background level, the score the log-odds, whose sign is the call.
    progress : callable, optional
        Called with (images done, images in all).

    Returns
    -------
    list of RegionDrop
        A row for each image, region and channel, in this order: ready for a table.

    Raises
    ------
    InvalidInputError
        If there is no mask, one is of another shape than the images, or a class or channel does
        not exist.

    Examples
    --------
    >>> bright = lambda images: images.sum((1, 2, 3))
    >>> mask = np.zeros((1, 2, 2), bool)
    >>> mask[0, 0] = True
    >>> rows = occlude_regions(
    ...     bright, torch.ones(1, 1, 2, 2), {"cell": mask}, None, baseline=0.0, score="logit"
    ... )
    >>> [(row.channel, row.drop, row.flips) for row in rows]
    [('0', 2.0, False), ('all', 2.0, False)]
    """
    check_limits(windows_at_once, memory_limit_mb)
    with as_it_was(model), torch.inference_mode():
        images = check_inputs(model, images)
        masks = _checked(regions, images)
        rows = _channel_rows(model, images.shape[1], channels)
        occluder = Occluder(
            model,
            target_class,
            score=score,
            against=against,
            at_once=windows_at_once,
            memory_limit_mb=memory_limit_mb,
        )
        fills = None if baseline == "inpainted" else baseline_images(baseline, images)
        found: list[RegionDrop] = []
        for index, image in enumerate(images):
            own = {name: mask[index] for name, mask in masks.items()}
            fill = None if fills is None else fills[index]
            found += _one_image(occluder, index, image, own, rows, fill)
            if progress is not None:
                progress(index + 1, len(images))
    return found


def _checked(
    regions: Mapping[str, NDArray[np.bool_]], images: Tensor
) -> dict[str, NDArray[np.bool_]]:
    expected = (images.shape[0], *images.shape[2:])
    if images.ndim != 4 or not regions:
        raise InvalidInputError(
            f"`regions` must hold at least one mask (N, H, W) for images (N, C, H, W); got "
            f"{len(regions)} for {tuple(images.shape)}: pass e.g. {{'nucleus': nuclei == 1}}."
        )
    masks = {}
    for name, mask in regions.items():
        array = np.asarray(mask)
        if array.shape != expected or array.dtype != np.bool_:
            raise InvalidInputError(
                f"`regions[{name!r}]` must be {expected} of bool, one mask an image; got "
                f"{array.shape} of {array.dtype}: cut the masks like the images, and compare "
                "label images with a label."
            )
        masks[name] = array
    return masks


def _channel_rows(model: Model, count: int, channels: Channels) -> list[tuple[str, list[int]]]:
    names = model.channel_names if isinstance(model, Classifier) else ()
    labels = list(names) or [str(channel) for channel in range(count)]
    together = [(_ALL, list(range(count)))]
    if isinstance(channels, str) and channels == "together":
        return together
    if isinstance(channels, str) and channels == "each":
        return [(label, [number]) for number, label in enumerate(labels)] + together
    return [(labels[i], [i]) for i in channel_indices(model, count, channels)]


def _one_image(
    occluder: Occluder,
    index: int,
    image: Tensor,
    masks: dict[str, NDArray[np.bool_]],
    rows: list[tuple[str, list[int]]],
    fill: Tensor | None,
) -> list[RegionDrop]:
    changes = [(name, label, chosen) for name in masks for label, chosen in rows]
    boxes = {name: _bounding_box(mask) for name, mask in masks.items()}
    fills = {name: inpainted(image, mask) if fill is None else fill for name, mask in masks.items()}
    low = np.array([boxes[name][0] for name, _, _ in changes], np.int64)
    high = np.array([boxes[name][1] for name, _, _ in changes], np.int64)
    scores = occluder.image(image, low, high)

    def change(numbers: NDArray[np.int64]) -> Tensor:
        copies = image.unsqueeze(0).repeat(len(numbers), 1, 1, 1)
        for copy, number in zip(copies, numbers.tolist(), strict=True):
            name, _, chosen = changes[number]
            mask = torch.from_numpy(masks[name]).to(copy.device)
            copy[chosen] = torch.where(mask, fills[name][chosen], copy[chosen])
        return copies

    present = np.flatnonzero([masks[name].any() for name, _, _ in changes])
    after = np.full(len(changes), np.nan)
    after[present] = scores.after(change, present)
    return [
        _row(index, name, label, masks[name], scores.before, float(after[number]))
        for number, (name, label, _) in enumerate(changes)
    ]


def _row(
    index: int, name: str, label: str, mask: NDArray[np.bool_], before: float, after: float
) -> RegionDrop:
    pixels = int(mask.sum())
    reason = "" if pixels else f"the image has no {name}"
    flips = pixels > 0 and (before > 0) != (after > 0)
    return RegionDrop(index, name, label, before, after, before - after, flips, pixels, reason)


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return first and one past the last row and column; of an empty mask the first pixel."""
    if not mask.any():
        return (0, 0), (1, 1)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (int(rows[0]), int(columns[0])), (int(rows[-1]) + 1, int(columns[-1]) + 1)
