"""Occlusion: what the score loses when a window of the image is covered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.attribution.occlusion_baseline import Baseline, baseline_images, inpainted
from counterstain.attribution.occlusion_fast import refined_drops
from counterstain.attribution.occlusion_passes import ImageScores, Occluder
from counterstain.attribution.target import ExplainedScore, Model, as_it_was, check_inputs
from counterstain.attribution.windows import Sizes, Windows, lay_windows
from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier

__all__ = ["Channels", "channel_indices", "check_limits", "occlusion"]

Channels: TypeAlias = Literal["together", "each"] | str | int | Sequence[int | str]
Progress: TypeAlias = Callable[[int, int], None]


def occlusion(
    model: Model,
    images: Tensor,
    target_class: int | str | None,
    *,
    window: Sizes = 16,
    stride: Sizes | None = 8,
    baseline: Baseline = 0.0,
    channels: Channels = "together",
    mode: Literal["exact", "fast"] = "exact",
    score: ExplainedScore = "logit",
    against: int | str | None = None,
    windows_at_once: int | None = None,
    memory_limit_mb: float = 512.0,
    progress: Progress | None = None,
) -> Tensor:
    """Cover one window at a time and map what the score loses.

    The map of captum's ``Occlusion``: at each place the mean of the losses of the windows over it.
    For networks of convolutions (ResNets) only what a window reaches is computed again, which
    changes nothing but the time. Says what the score rests on given everything else in the image;
    of two places that tell the same, neither is missed.

    Parameters
    ----------
    model : Classifier, torch.nn.Module or callable
        Takes ``(N, ...)``, gives logits ``(N, K)``, or one number an image.
    images : Tensor
        ``(N, C, H, W)``, scaled; or ``(N, ...)`` of any rank from 2 on.
    target_class : int, str or None
        Class whose score is explained. None only for models with one number an image.
    window, stride : int or sequence of int
        Size and step in pixels: one number, (height, width), or one for every axis of an image as
        in captum (``(C, height, width)``). A stride of None is 1.
    baseline : float, sequence of float, Tensor or {"background", "blurred", "inpainted"}
        What covers: a level, one level a channel, an image ``(C, H, W)`` or one for each image;
        the image's own background level (5th percentile), a blurred copy, or a smooth filling of
        the window from the pixels around it.
    channels : {"together", "each"}, int, str, or sequence of them
        Cover all channels at once, each alone (a map for each), or only these, at once.
    mode : {"exact", "fast"}
        ``"fast"`` approximates: far effects of a window are cut off or, for models that cannot be
        traced, windows are left out where their neighbours agree. The order of the places is kept,
        not every number.
    score : {"logit", "log_odds"}
        See :func:`~counterstain.attribution.target.explained_score`.
    against : int, str or None
        The class to compare with, for ``"log_odds"``.
    windows_at_once : int, optional
        Windows in a minibatch. By default up to 32 (256 on a GPU), as the limit allows.
    memory_limit_mb : float
        Limit of the maps of a minibatch, units of 2**20 bytes, estimated from one pass; weights
        and the one unchanged image's maps come on top. Windows are streamed: their number costs
        no memory.
    progress : callable, optional
        Called with (images done, images in all).

    Returns
    -------
    Tensor
        Float32 on the CPU, of the images' shape: positive where covering lowers the score. 0 in
        channels that are not covered.

    Raises
    ------
    InvalidInputError
        If a class or channel does not exist, a window is larger than the image, a stride longer
        than its window, the baseline of another shape, or a limit not positive.

    Notes
    -----
    Zeiler and Fergus 2014, doi:10.1007/978-3-319-10590-1_53.

    Examples
    --------
    >>> bright = lambda images: images.sum((1, 2, 3))
    >>> occlusion(bright, torch.ones(1, 1, 4, 4), None, window=2, stride=2)[0, 0, 0]
    tensor([4., 4., 4., 4.])
    """
    if mode not in ("exact", "fast"):
        raise InvalidInputError(
            f"`mode` must be 'exact' or 'fast'; got {mode!r}: choose one of the two."
        )
    check_limits(windows_at_once, memory_limit_mb)
    with as_it_was(model), torch.inference_mode():
        images = check_inputs(model, images)
        windows = lay_windows(images.shape[1:], window, stride, _through(model, images, channels))
        fills = None if baseline == "inpainted" else baseline_images(baseline, images)
        if fills is None:
            _check_plane(images)
        occluder = Occluder(
            model,
            target_class,
            score=score,
            against=against,
            at_once=windows_at_once,
            memory_limit_mb=memory_limit_mb,
        )
        maps = []
        for index, image in enumerate(images):
            fill = _filler(image, windows, None if fills is None else fills[index])
            maps.append(_one_map(occluder, image, windows, fill, fast=mode == "fast"))
            if progress is not None:
                progress(index + 1, len(images))
    # Tensors made in inference mode cannot be used with gradients; a copy can.
    return torch.stack(maps).clone()


def _one_map(
    occluder: Occluder,
    image: Tensor,
    windows: Windows,
    fill: Callable[[int], Tensor],
    *,
    fast: bool,
) -> Tensor:
    scores = occluder.image(image, windows.low[:, -2:], windows.high[:, -2:])

    def change(numbers: NDArray[np.int64]) -> Tensor:
        return windows.cover(image, fill, numbers.tolist())

    drops = _drops(scores, windows, change, fast=fast)
    return windows.average(torch.from_numpy(drops))


def _drops(
    scores: ImageScores,
    windows: Windows,
    change: Callable[[NDArray[np.int64]], Tensor],
    *,
    fast: bool,
) -> NDArray[np.float64]:
    if fast:
        return refined_drops(scores, windows, change)
    return scores.before - scores.after(change, np.arange(len(windows)))


def _filler(image: Tensor, windows: Windows, fill: Tensor | None) -> Callable[[int], Tensor]:
    if fill is not None:
        return lambda _number: fill

    def filled(number: int) -> Tensor:
        hole = np.zeros(tuple(image.shape[1:]), bool)
        hole[windows.box(number)[1:]] = True
        return inpainted(image, hole)

    return filled


def _through(model: Model, images: Tensor, channels: Channels) -> str | tuple[int, ...]:
    """Return the channels as :func:`lay_windows` takes them."""
    if isinstance(channels, str) and channels in ("together", "each"):
        return channels
    return channel_indices(model, images.shape[1], channels)


def channel_indices(model: Model, count: int, channels: Channels) -> tuple[int, ...]:
    """Return the numbers of channels given by number or by name.

    Raises
    ------
    InvalidInputError
        If there is none, or one does not exist or comes twice.

    Examples
    --------
    >>> channel_indices(torch.nn.Identity(), 3, [2, 0])
    (2, 0)
    """
    names = model.channel_names if isinstance(model, Classifier) else ()
    given = [channels] if isinstance(channels, int | str) else list(channels)
    known = {**dict(enumerate(range(count))), **{name: i for i, name in enumerate(names)}}
    found = [known.get(channel, -1) for channel in given]
    if not found or -1 in found or len(set(found)) < len(found):
        raise InvalidInputError(
            f"`channels` must be 'together', 'each', or different ones of {list(known)}; got "
            f"{channels!r}: choose channels that the images have."
        )
    return tuple(found)


def check_limits(at_once: int | None, memory_limit_mb: float) -> None:
    """Refuse limits under which nothing could be computed.

    Raises
    ------
    InvalidInputError
        If one is not positive.
    """
    if (at_once is not None and at_once < 1) or not memory_limit_mb > 0:
        raise InvalidInputError(
            f"`windows_at_once` must be at least 1 and `memory_limit_mb` positive; got {at_once} "
            f"and {memory_limit_mb}: leave them out for what suits the machine."
        )


def _check_plane(images: Tensor) -> None:
    if images.ndim != 4:
        raise InvalidInputError(
            f"`baseline` 'inpainted' needs images (N, C, H, W); got {tuple(images.shape)}: pass a "
            "number instead."
        )
