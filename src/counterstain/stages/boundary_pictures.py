"""Pictures around a boundary: crops carried across it, and crops moved along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.counterfactual.odds import Direction
from counterstain.counterfactual.path import boundary_path
from counterstain.counterfactual.plane import BoundaryPlane
from counterstain.files import atomic_path
from counterstain.networks.generative import Decoded, GenerativeClassifier
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.explain import INVERSE_TOLERANCE
from counterstain.stages.typical import nearest_to_median

__all__ = ["FoldView", "picture_pair", "write_pictures"]

_DEEP = 10.0
_SHIFTS = (-2.0, -1.0, 0.0, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class FoldView:
    """A network, a boundary of it, and crops that it never saw.

    Parameters
    ----------
    network : GenerativeClassifier
        The network.
    plane : BoundaryPlane
        Axes around the boundary.
    table : DataFrame
        A row a crop: `crop`, `class_name`, `Metadata_Plate`, `Metadata_Well`.
    means : Tensor
        ``(n, c)`` averaged latents of the crops.
    """

    network: GenerativeClassifier
    plane: BoundaryPlane
    table: pd.DataFrame
    means: Tensor

    def of_class(self, name: str) -> NDArray[np.intp]:
        """Return the rows of a class."""
        return np.flatnonzero((self.table["class_name"] == name).to_numpy())

    def log_odds(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the log-odds of some rows."""
        found: NDArray[np.float64] = self.plane.log_odds(self.means[rows]).double().numpy()
        return found

    def typical(self, name: str) -> int:
        """Return the row of a class that lies nearest to the class's median in the plane."""
        rows = self.of_class(name)
        beside = self.plane.along(self.means[rows])[:, 0].double().numpy()
        return int(rows[nearest_to_median(np.column_stack([self.log_odds(rows), beside]))])


def picture_pair(
    view: FoldView,
    class_names: tuple[str, ...],
    target: int,
    store: CropStore,
    direction: Direction,
) -> list[dict[str, Any]]:
    """Return the pictures of the boundary between the first class and another.

    Parameters
    ----------
    view : FoldView
        Where to look.
    class_names : tuple of str
        All classes.
    target : int
        The other class.
    store : CropStore
        Pixels.
    direction : {'pattern', 'normal', 'typical'}
        Which way edits go.

    Returns
    -------
    list of dict
        Entries as ``boundary.npz`` holds them, a dict a row; empty where a class has no crop here.
    """
    pair = [k for k in (0, target) if len(view.of_class(class_names[k]))]
    if len(pair) < 2:
        return []
    rows: list[dict[str, Any]] = []
    for start in pair:
        at = view.typical(class_names[start])
        record = view.table.iloc[at]
        images = torch.from_numpy(store.scaled(np.array([record["crop"]])))
        facts = {"start": start, "source": 0, "target": target, "well": _place(record, store)}
        stations = _stations(view, class_names, target, start)
        path = _path(view, images, stations, direction)
        rows.append(_named("path", path | facts))
        rows += [
            _named("surface", _surface(view, images, component) | facts)
            for component in range(len(view.plane.components))
        ]
    return rows


def _named(group: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {f"{group}_{key}": value for key, value in facts.items()}


def _place(record: pd.Series, store: CropStore) -> str:
    well = str(record["Metadata_Well"])
    return f"{well} {record['Metadata_Plate']}" if len(store.plates) > 1 else well


def _stations(
    view: FoldView, class_names: tuple[str, ...], target: int, start: int
) -> tuple[NDArray[np.float64], int]:
    """Return the log-odds at which pictures are made, and which of them is the crop's own.

    From the outer tenth of one class through its median, half way, the boundary, half way and the
    median of the other class to its outer tenth: never further out than the classes themselves.
    """
    first = view.log_odds(view.of_class(class_names[0]))
    second = view.log_odds(view.of_class(class_names[target]))
    medians = float(np.median(first)), float(np.median(second))
    ends = float(np.percentile(first, _DEEP)), float(np.percentile(second, 100 - _DEEP))
    places = np.array([ends[0], medians[0], medians[0] / 2, 0, medians[1] / 2, medians[1], ends[1]])
    own = 1 if start == 0 else 5
    order = np.argsort(places, kind="stable")
    return places[order], int(np.flatnonzero(order == own)[0])


@torch.no_grad()
def _path(
    view: FoldView,
    images: Tensor,
    stations: tuple[NDArray[np.float64], int],
    direction: Direction,
) -> dict[str, Any]:
    """Carry a crop across the boundary, the same way as the counterfactuals go.

    In one view: the way is then a straight line in the plane, and every picture lies exactly where
    it was sent.
    """
    places, own = stations
    path = boundary_path(
        view.network,
        images,
        view.plane.target,
        source_class=view.plane.source,
        log_odds=places.tolist(),
        direction=direction,
    )
    credible = path.credible[:, 0].numpy().copy()
    credible[own] = True
    decoded = Decoded(path.images[:, 0], path.error_bound[:, 0])
    return _read(view, decoded, images, own) | {"original": own, "credible": credible}


@torch.no_grad()
def _surface(view: FoldView, images: Tensor, component: int) -> dict[str, Any]:
    """Move a crop along a component: other pictures, the same log-odds."""
    network, count = view.network, len(_SHIFTS)
    latents = network.encode(images)
    steps = torch.stack([view.plane.step(component, shift) for shift in _SHIFTS])
    moved = latents + network.spread(steps)
    decoded = network.edited(images.expand(count, -1, -1, -1), latents.expand(count, -1), moved)
    facts = _read(view, decoded, images, _SHIFTS.index(0.0))
    facts.pop("component")
    share = float(view.plane.shares[component])
    return facts | {"shift": np.array(_SHIFTS), "component": component, "share": share}


def _read(view: FoldView, decoded: Decoded, images: Tensor, own: int) -> dict[str, Any]:
    """Read coordinates from the pictures themselves, not from the latents they were made of.

    A picture whose inverse is beyond the tolerance is left empty (NaN): none is drawn from it.
    """
    pictures = decoded.images.clone()
    pictures[own] = images[0]
    means = view.network.profile(pictures)
    bounds = decoded.error_bound.double().numpy().copy()
    bounds[own] = 0.0
    found = {
        "images": pictures.numpy(),
        "log_odds": view.plane.log_odds(means).double().numpy(),
        "component": view.plane.along(means)[:, 0].double().numpy(),
    }
    if view.network.error_kind == "inverse":
        for values in found.values():
            values[~(bounds <= INVERSE_TOLERANCE)] = np.nan
    return found | {"error": bounds}


def write_pictures(folder: RunFolder, rows: list[dict[str, Any]]) -> int:
    """Write ``boundary.npz``; return how many pictures are empty for the error of their inverse."""
    kept: dict[str, list[Any]] = {}
    n_refused = 0
    for row in rows:
        for key, value in row.items():
            if key.endswith("_log_odds"):
                n_refused += int(np.isnan(value).sum())
            kept.setdefault(key, []).append(value)
    with atomic_path(folder.boundary) as temporary, temporary.open("wb") as stream:
        arrays: dict[str, Any] = {key: np.array(value) for key, value in kept.items()}
        np.savez_compressed(stream, **arrays)
    return n_refused
