"""The latent space of patches: autoencoder, reconstructions, maps, and whether they mean much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.files import atomic_path
from counterstain.networks.patch_file import save_patch_network
from counterstain.plates.store import CropStore
from counterstain.plates.wells import well_names
from counterstain.run_folder import RunFolder
from counterstain.stages.overlap_embedding import principal_components, umap_of
from counterstain.stages.progress import Listener, Silent
from counterstain.statistics.cluster_separation import cluster_separation
from counterstain.training.device import choose_machine
from counterstain.training.patch_parts import PARTS, assign_parts
from counterstain.training.patch_reconstruction import (
    Reconstructions,
    fit_autoencoder,
    reconstruct,
)
from counterstain.training.patch_settings import PatchLearning
from counterstain.training.patch_source import PatchSource, as_images

__all__ = ["LABELS", "learn_latents", "pooled_latents"]

LABELS: Mapping[str, str] = {
    "stimulation": "Metadata_Stimulation",
    "drug": "Metadata_Compound",
    "plate": "Metadata_Plate",
    "faulty": "faulty",
}
"""What clusters are looked for, and the column that says it; those that are missing are left out.
"""


def learn_latents(
    settings: PatchLearning,
    folder: RunFolder,
    patches: pd.DataFrame,
    stores: Mapping[str, CropStore],
    *,
    listener: Listener | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train an autoencoder a kind of image, and look at its latents.

    Writes ``models/overlap_autoencoder_KIND.safetensors`` and ``.json``, and
    ``overlap_reconstructions.npz``: for each kind ``KIND_original``, ``KIND_reconstruction``,
    ``KIND_error`` (reconstruction minus original; float32, (n, C, S, S), on the controls' scale),
    ``KIND_row`` (rows of `patches`, from the best reconstruction to the worst) and ``KIND_rmse``.

    Parameters
    ----------
    settings : PatchLearning
        Kinds, steps, seed.
    folder : RunFolder
        Where files go.
    patches : DataFrame
        A row a patch in the order of the stores: ``Metadata_*``, ``class_name``, ``faulty``.
    stores : mapping of str to CropStore
        ``plain`` and ``masked``.
    listener : Listener, optional
        Who is told how far it is.

    Returns
    -------
    columns : DataFrame
        Index of `patches`; ``part``, and for each kind ``pc1_KIND``, ``pc2_KIND``, ``umap1_KIND``,
        ``umap2_KIND`` (of latents averaged over the patch, see `pooled_latents`) and
        ``reconstruction_rmse_KIND`` (on the asinh scale).
    metrics : dict
        By kind: ``reconstruction`` (by part), ``pca``, ``separation`` (of all ``latents`` and of
        ``pooled`` ones, by label), ``history``.

    Raises
    ------
    InvalidInputError
        If a kind has no store, or a class has fewer than three wells.
    """
    hears = listener or Silent()
    parts = assign_parts(patches, folds=settings.folds, group=settings.group, seed=settings.seed)
    columns = pd.DataFrame({"part": parts}, index=patches.index)
    metrics: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for kind in settings.images:
        source = PatchSource(stores, kind)
        found, metrics[kind], pictures = _learn_kind(
            settings, folder, patches, source, parts, hears
        )
        columns = columns.assign(**{f"{name}_{kind}": values for name, values in found.items()})
        arrays |= {f"{kind}_{name}": values for name, values in pictures.items()}
    final = folder.reconstructions
    with atomic_path(final) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    return columns, metrics


def _learn_kind(
    settings: PatchLearning,
    folder: RunFolder,
    patches: pd.DataFrame,
    source: PatchSource,
    parts: NDArray[np.str_],
    listener: Listener,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any], dict[str, NDArray[Any]]]:
    device = choose_machine(settings.device).device
    training, validation = (np.flatnonzero(parts == part) for part in PARTS[:2])
    network, history = fit_autoencoder(
        source,
        training,
        validation,
        settings,
        device=device,
        progress=listener.track(f"autoencoder of {source.kind} patches"),
    )
    found = reconstruct(network, source, training, device=device)
    rows = _shown_rows(found.squared, parts == PARTS[2], settings.pictures)
    pictures = _pictures(network, source, rows, device)
    facts = {"images": source.kind, "channels": list(source.channels), "history": history}
    path = folder.models / f"overlap_autoencoder_{source.kind}"
    save_patch_network(network.cpu(), path, facts)
    pooled = pooled_latents(found.latents, network.encoder.latent_shape)
    scores, explained = principal_components(pooled, seed=settings.seed)
    listener.say(f"Laying out {len(patches)} {source.kind} patches.")
    umap = umap_of(
        scores,
        most=settings.embedded_patches,
        neighbours=settings.neighbours,
        seed=settings.seed,
    )
    columns: dict[str, NDArray[Any]] = {
        "pc1": scores[:, 0],
        "pc2": scores[:, 1] if scores.shape[1] > 1 else np.zeros(len(scores), np.float32),
        "umap1": umap[:, 0],
        "umap2": umap[:, 1],
        "reconstruction_rmse": np.sqrt(found.squared),
    }
    metrics = {
        "latents": int(found.latents.shape[1]),
        "reconstruction": _errors(found, parts),
        "pca": {"explained": explained[:10].round(4).tolist()},
        "separation": _separations(settings, patches, found.latents, pooled),
        "history": history,
    }
    return columns, metrics, pictures


def pooled_latents(
    latents: NDArray[np.float32], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Return mean and standard deviation of each latent map over the places of a patch.

    Two patches with the same cells at other places have the same pooled latents; all latents, place
    by place, mostly say where the cells lie.

    Parameters
    ----------
    latents : ndarray of float32, shape (N, D)
        All latents.
    shape : tuple of int
        Maps, height and width, with D their product.

    Returns
    -------
    ndarray of float32, shape (N, 2 maps)
        Standardised columns; those that do not vary are 0.

    Examples
    --------
    >>> latents = np.array([[0, 2, 5, 5], [4, 6, 5, 5]], np.float32)
    >>> pooled_latents(latents, (2, 1, 2)).tolist()
    [[-1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    maps = latents.reshape(len(latents), shape[0], -1)
    pooled = np.concatenate([maps.mean(2), maps.std(2)], 1)
    spread = pooled.std(0)
    return np.asarray((pooled - pooled.mean(0)) / np.where(spread > 1e-6, spread, 1), np.float32)


def _errors(found: Reconstructions, parts: NDArray[np.str_]) -> dict[str, dict[str, float]]:
    """Return errors by part, on the asinh scale."""
    return {
        part: {
            "rmse": float(np.sqrt(found.squared[parts == part].mean())),
            "mae": float(found.absolute[parts == part].mean()),
            "explained_variance": found.explained(parts == part),
            "n_patches": int((parts == part).sum()),
        }
        for part in PARTS
    }


def _separations(
    settings: PatchLearning,
    patches: pd.DataFrame,
    latents: NDArray[np.float32],
    pooled: NDArray[np.float32],
) -> dict[str, Any]:
    """Measure the clusters by every label that has two values or more."""
    rows = np.arange(len(patches))
    if len(rows) > settings.separation_patches:
        rng = np.random.default_rng([settings.seed, 2])
        rows = np.sort(rng.choice(rows, settings.separation_patches, replace=False))
    some = patches.iloc[rows]
    labels = {
        name: some[column].astype(str).to_numpy()
        for name, column in LABELS.items()
        if column in some and some[column].astype(str).nunique() > 1
    }
    wells = well_names(some)
    spaces = {"latents": latents[rows], "pooled": pooled[rows]}
    if len(np.unique(wells)) < 3:
        return {name: {} for name in spaces}
    return {
        name: {
            label: separation.to_json()
            for label, separation in cluster_separation(
                points,
                labels,
                wells,
                seed=settings.seed,
                neighbours=settings.neighbours,
                n_shuffles=settings.shuffles,
            ).items()
        }
        for name, points in spaces.items()
    }


def _shown_rows(
    squared: NDArray[np.float32], held_out: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """Return rows of held-out patches from the best reconstruction to the worst, evenly."""
    rows = np.flatnonzero(held_out)
    rows = rows[np.argsort(squared[rows], kind="stable")]
    picked = np.unique(np.linspace(0, len(rows) - 1, count).round().astype(int))
    return np.asarray(rows[picked], np.int64)


def _pictures(
    network: Any, source: PatchSource, rows: NDArray[np.int64], device: str
) -> dict[str, NDArray[Any]]:
    import torch

    original = source.images(rows)
    with torch.inference_mode():
        again = network(as_images(original, device)).cpu().numpy()
    error = again - original
    return {
        "original": original,
        "reconstruction": again,
        "error": error,
        "row": rows,
        "rmse": np.sqrt((error**2).mean((1, 2, 3))),
    }
