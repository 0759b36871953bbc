"""Which crops are mapped, and by which network: one that never saw their well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from counterstain.config import ScreenConfig
from counterstain.masks.foreground import Foreground, fit_foreground
from counterstain.networks.base import Classifier
from counterstain.networks.checkpoint import load_network
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.map_methods import MapMethod
from counterstain.stages.rows import class_index, evenly_spaced
from counterstain.training.device import choose_machine

__all__ = ["EmptyPlaces", "called_index", "empty_places", "held_out", "mapped", "scored_crops"]

_SAMPLE = 400


@dataclass(frozen=True, slots=True)
class EmptyPlaces:
    """What of a screen's crops is cell and what is empty, and how bright empty places are.

    Parameters
    ----------
    foreground : Foreground
        Tells cells from empty places.
    background : (C,) array of float32
        Median of the empty places of each channel; of the dimmest twentieth of all pixels where
        no place is empty.
    """

    foreground: Foreground
    background: NDArray[np.float32]


def scored_crops(folder: RunFolder, crops: pd.DataFrame) -> pd.DataFrame:
    """Return usable crops of wells in a class with what the network that never saw them says."""
    scores = pd.read_parquet(folder.table("scores"))
    columns = [c for c in scores.columns if c.startswith(("logit", "prob_"))]
    table = crops[crops["usable"] & (crops["class_name"] != "")]
    return table.merge(scores[["crop", "predicted", "correct", *columns]], on="crop")


def called_index(table: pd.DataFrame, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the index of the class that each crop is called.

    Examples
    --------
    >>> called_index(pd.DataFrame({"predicted": ["b", "a"]}), ("a", "b")).tolist()
    [1, 0]
    """
    return class_index(table.assign(class_name=table["predicted"]), class_names)


class _Pixels(Protocol):
    """Whatever gives scaled pixels and nuclei of crops by their numbers."""

    def scaled(self, ids: ArrayLike, /) -> NDArray[np.float32]: ...

    def nuclei(self, ids: ArrayLike, /) -> NDArray[np.uint8]: ...


def empty_places(table: pd.DataFrame, store: _Pixels, config: ScreenConfig) -> EmptyPlaces:
    """Find where cells are, from crops spread over all wells."""
    ids = evenly_spaced(table["crop"].to_numpy(np.int64), _SAMPLE)
    images, nuclei = store.scaled(ids), store.nuclei(ids)
    foreground = fit_foreground(images, nuclei)
    empty = ~foreground.cells(images, nuclei, config.crops.ring_width)
    planes = images.transpose(1, 0, 2, 3)
    if empty.any():
        background = np.median(planes[:, empty], axis=1)
    else:
        background = np.quantile(planes.reshape(len(planes), -1), 0.05, axis=1)
    return EmptyPlaces(foreground, background.astype(np.float32))


def held_out(
    folder: RunFolder, table: pd.DataFrame, store: CropStore, config: ScreenConfig
) -> Iterator[tuple[Classifier, NDArray[np.int64]]]:
    """Yield each fold's network with the positions of the rows that it never saw."""
    device = choose_machine(config.run.device).device
    folds = table["fold"].to_numpy(int)
    for fold in sorted(set(folds.tolist())):
        network, _ = load_network(folder.models / f"fold_{fold}", channels=store.channels)
        yield network.to(device), np.flatnonzero(folds == fold)


def mapped(
    network: Classifier,
    images: NDArray[np.float32],
    targets: NDArray[np.int64],
    method: MapMethod,
) -> NDArray[np.float32]:
    """Return signed maps ``(N, C, H, W)`` of images, each of its own target class."""
    maps = np.zeros(images.shape, np.float32)
    for target in np.unique(targets):
        rows = np.flatnonzero(targets == target)
        tensor = torch.from_numpy(images[rows]).to(network.device)
        maps[rows] = method(network, tensor, int(target)).detach().cpu().numpy()
    return maps
