"""Plain intensity features: what a regressor must beat to have looked at shapes at all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["intensity_features", "predict_from_intensities"]

_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_BATCH = 256
_RIDGE = 1.0


def intensity_features(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Describe patches by their intensities alone, without regard to where they are.

    Parameters
    ----------
    images : ndarray of float32, shape (N, C, H, W)
        Patches.

    Returns
    -------
    ndarray of float64, shape (N, 9 C + C (C - 1) / 2)
        By channel: mean, standard deviation and seven percentiles; then the correlation of each
        pair of channels, 0 where a channel is constant.

    Examples
    --------
    >>> images = np.stack([np.eye(4), np.eye(4)])[None].astype(np.float32)
    >>> intensity_features(images)[0, [0, 9, 18]].round(6).tolist()
    [0.25, 0.25, 1.0]
    """
    flat = images.reshape(*images.shape[:2], -1).astype(np.float64)
    mean, sd = flat.mean(2), flat.std(2)
    percentiles = np.moveaxis(np.percentile(flat, _PERCENTILES, axis=2), 0, 2)
    by_channel = np.concatenate([mean[:, :, None], sd[:, :, None], percentiles], 2)
    scaled = (flat - mean[:, :, None]) / np.where(sd > 0, sd, 1)[:, :, None]
    first, second = np.triu_indices(images.shape[1], 1)
    pairs = [(scaled[:, a] * scaled[:, b]).mean(1) for a, b in zip(first, second, strict=True)]
    return np.column_stack([by_channel.reshape(len(images), -1), *pairs])


def predict_from_intensities(
    images: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    aim: NDArray[np.float32],
    training: NDArray[np.int64],
    *,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Predict a number of every patch from intensity features, with two usual regressors.

    Parameters
    ----------
    images : callable
        From ids to patches ``(n, C, H, W)``.
    aim : ndarray of float32, shape (N,)
        What to predict, of all patches.
    training : ndarray of int
        Patches to learn from.
    seed : int, default 0
        Of the boosted trees.

    Returns
    -------
    dict of str to ndarray of float64, shape (N,)
        Predictions of ``ridge`` and of ``boosted trees``.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ids = np.arange(len(aim))
    features = np.concatenate(
        [
            intensity_features(images(ids[start : start + _BATCH]))
            for start in range(0, len(ids), _BATCH)
        ]
    )
    models = {
        "ridge": make_pipeline(StandardScaler(), Ridge(_RIDGE)),
        "boosted trees": HistGradientBoostingRegressor(max_leaf_nodes=15, random_state=seed),
    }
    return {
        name: np.asarray(model.fit(features[training], aim[training]).predict(features), np.float64)
        for name, model in models.items()
    }
