"""Points of patches in two dimensions: principal components and UMAP."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["principal_components", "umap_of"]

_COMPONENTS = 30


def principal_components(
    points: NDArray[np.float32], *, n_components: int = _COMPONENTS, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the leading principal components of points.

    Parameters
    ----------
    points : ndarray of float32, shape (N, D)
        E.g. latents.
    n_components : int, default 30
        As many as are there at most.
    seed : int, default 0
        Of the randomised solver.

    Returns
    -------
    scores : ndarray of float32, shape (N, P)
        Coordinates.
    explained : ndarray of float64, shape (P,)
        Share of the variance of each.

    Examples
    --------
    >>> points = np.outer(np.arange(6.0), [1, 2, 3]).astype(np.float32)
    >>> scores, explained = principal_components(points)
    >>> scores.shape, round(float(explained[0]), 3)
    ((6, 3), 1.0)
    """
    from sklearn.decomposition import PCA

    count = min(n_components, *points.shape)
    solver = "randomized" if points.shape[1] > 500 and count < min(points.shape) else "full"
    model = PCA(count, svd_solver=solver, random_state=seed)
    scores = model.fit_transform(points)
    explained = np.nan_to_num(np.asarray(model.explained_variance_ratio_, np.float64))
    return np.asarray(scores, np.float32), explained


def umap_of(
    points: NDArray[np.float32], *, most: int = 10_000, neighbours: int = 15, seed: int = 0
) -> NDArray[np.float32]:
    """Return the UMAP of points; the same seed gives the same map.

    Parameters
    ----------
    points : ndarray of float32, shape (N, P)
        E.g. principal components.
    most : int, default 10000
        Points to embed, spread over the table; the others get NaN.
    neighbours : int, default 15
        Neighbours of each point.
    seed : int, default 0
        Makes the map repeat, at the price of one core.

    Returns
    -------
    ndarray of float32, shape (N, 2)
        All NaN where there are fewer than six points: there is no neighbourhood to keep.

    References
    ----------
    McInnes et al. 2018, doi:10.48550/arXiv.1802.03426.
    """
    found = np.full((len(points), 2), np.nan, np.float32)
    rows = np.arange(len(points))
    if len(rows) > most:
        rows = np.unique(np.linspace(0, len(rows) - 1, most).astype(int))
    if len(rows) < 6:
        return found
    # UMAP's compiler resets the threads of OpenMP, and with them torch's: several times as slow.
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        # It warns that TensorFlow is missing, and that a seed leaves it one core.
        warnings.simplefilter("ignore")
        from umap import UMAP

        model = UMAP(n_neighbors=min(neighbours, len(rows) - 1), random_state=seed, n_jobs=1)
        found[rows] = model.fit_transform(points[rows])
    torch.set_num_threads(threads)
    return found
