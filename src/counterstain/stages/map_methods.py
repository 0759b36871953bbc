"""One place where the screen's settings of attribution become functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from counterstain.attribution.class_activation import grad_cam, grad_cam_plus_plus
from counterstain.attribution.gradients import saliency, smooth_grad
from counterstain.attribution.integrated import integrated_gradients
from counterstain.attribution.sliding_occlusion import occlusion
from counterstain.attribution.views import over_views
from counterstain.config import ScreenConfig

__all__ = ["MapMethod", "map_methods", "window_and_stride"]

MapMethod = Callable[..., Tensor]
"""Takes (network, images, target class); returns signed maps of the images' shape."""

# For maps that are shown, and for the many maps of a sanity check, which are only compared.
_NOISE_SAMPLES = {False: 4, True: 2}
_PATH_STEPS = {False: 4, True: 2}
_WINDOWS_A_SIDE = 5


def window_and_stride(config: ScreenConfig, size: int) -> tuple[int, int]:
    """Return side and step of the occluded square, in pixels, for crops of a size.

    Examples
    --------
    >>> from counterstain.config import ImagesConfig
    >>> images = ImagesConfig(pattern="{well}_{channel}.tif", channels=("DNA",))
    >>> config = ScreenConfig(images=images, classes={"a": {}, "b": {}})
    >>> window_and_stride(config, 64)
    (13, 6)
    """
    window = config.attribution.window or max(2, round(size / _WINDOWS_A_SIDE))
    window = min(window, size)
    stride = config.attribution.stride or max(1, window // 2)
    return window, min(stride, window)


def map_methods(
    config: ScreenConfig,
    size: int,
    background: NDArray[np.floating[Any]],
    *,
    quick: bool = False,
    views: int | None = None,
) -> dict[str, MapMethod]:
    """Return the screen's attribution methods by name, all explaining log-odds.

    Parameters
    ----------
    config : ScreenConfig
        Its sections ``attribution`` and ``run`` are used.
    size : int
        Height and width of the crops, pixels.
    background : (C,) array
        Level of empty places in each channel: where paths start, and what occluded pixels become.
    quick : bool
        Coarser maps in a fraction of the time, to be compared with each other only.
    views : int, optional
        Views to average over instead of the screen's.
    """
    window, stride = window_and_stride(config, size)
    baseline: Any = config.attribution.baseline
    levels = [float(level) for level in background]
    every: dict[str, MapMethod] = {
        "saliency": saliency,
        "smooth_grad": partial(smooth_grad, samples=_NOISE_SAMPLES[quick], seed=config.run.seed),
        "integrated_gradients": partial(
            integrated_gradients, baseline=levels, steps=_PATH_STEPS[quick]
        ),
        "grad_cam": grad_cam,
        "grad_cam_plus_plus": grad_cam_plus_plus,
        "occlusion": partial(
            occlusion,
            window=window,
            stride=window if quick else stride,
            baseline=levels if baseline == "background" else baseline,
            channels="together" if quick else "each",
            mode="fast",
        ),
    }
    count = config.attribution.views if views is None else views
    chosen = {name: partial(every[name], score="log_odds") for name in config.attribution.methods}
    return {
        name: over_views(method, 1 if name == "occlusion" else count)
        for name, method in chosen.items()
    }
