"""Stage: where every crop lies around the decision boundary, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.counterfactual.plane import BoundaryPlane, boundary_plane
from counterstain.files import atomic_path, read_json, write_json
from counterstain.networks.checkpoint import load_network
from counterstain.networks.generative import GenerativeClassifier
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.boundary_pictures import FoldView, picture_pair, write_pictures
from counterstain.stages.progress import Listener
from counterstain.stages.reasons import why_no_pictures
from counterstain.stages.rows import thin_wells
from counterstain.training.device import choose_machine

__all__ = ["map_boundary"]

_CROPS_A_WELL = 100
_CROPS_A_WELL_IN_NO_CLASS = 25
_BLOCK = 128
NO_PICTURES: Final = "there are no pictures of its boundary and none that it generates"
_COLUMNS = ["crop", "Metadata_Plate", "Metadata_Well", "class_name", "fold"]


@dataclass(frozen=True, slots=True)
class _Fold:
    """A network, the crops it never saw, and their averaged latents and brightness."""

    network: GenerativeClassifier
    fold: int
    table: pd.DataFrame
    means: torch.Tensor
    brightness: NDArray[np.float64]


@torch.no_grad()
def _look(
    network: GenerativeClassifier, fold: int, table: pd.DataFrame, store: CropStore, device: str
) -> _Fold:
    """Encode crops block by block; only averages are kept."""
    network.to(device)
    ids, means, brightness = table["crop"].to_numpy(np.int64), [], []
    for start in range(0, len(ids), _BLOCK):
        pixels = store.scaled(ids[start : start + _BLOCK])
        means.append(network.profile(torch.from_numpy(pixels).to(device)).cpu())
        brightness.append(pixels.mean((2, 3)).astype(np.float64))
    network.cpu()
    return _Fold(network, fold, table, torch.cat(means), np.concatenate(brightness))


def _correlations(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's r of values (n,) with each column of others (n, C); 0 where undefined."""
    centred, rest = values - values.mean(), others - others.mean(0)
    size = np.sqrt(np.square(centred).sum() * np.square(rest).sum(0))
    top = centred @ rest
    found: NDArray[np.float64] = np.divide(top, size, out=np.zeros_like(top), where=size > 0)
    return found


def _oriented(
    folds: list[_Fold], planes: list[BoundaryPlane], channels: tuple[str, ...]
) -> tuple[list[BoundaryPlane], dict[str, Any]]:
    """Turn the first component of every network the same way round: towards brighter crops.

    A component has no sign of its own, and each network its own axes. The channel whose mean
    intensity goes with the component most closely gives the sign, and a name to read it by.
    """
    found = np.array([
        _correlations(plane.along(fold.means)[:, 0].double().numpy(), fold.brightness)
        for fold, plane in zip(folds, planes, strict=True)
    ])  # fmt: skip
    channel = int(np.abs(found).mean(0).argmax())
    signs = np.where(found[:, channel] < 0, -1.0, 1.0)
    turned = []
    for plane, sign in zip(planes, signs, strict=True):
        components = plane.components.clone()
        components[0] *= float(sign)
        turned.append(replace(plane, components=components))
    shares = [float(plane.shares[0]) for plane in planes]
    facts = {
        "channel": channels[channel],
        "correlation": [float(r) for r in signs * found[:, channel]],
        "share": shares,
    }
    return turned, facts


def _points(fold: _Fold, plane: BoundaryPlane, pair: tuple[str, str]) -> pd.DataFrame:
    return fold.table[_COLUMNS].assign(
        network=fold.fold,
        source_class=pair[0],
        target_class=pair[1],
        log_odds=plane.log_odds(fold.means).double().numpy(),
        distance=plane.distance(fold.means).double().numpy(),
        component=plane.along(fold.means)[:, 0].double().numpy(),
    )


def _read_folds(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> list[_Fold]:
    usable = crops[crops["usable"]]
    numbers = sorted(int(fold) for fold in crops["fold"].unique() if fold >= 0)
    track, device = listener.track("boundary"), choose_machine(config.run.device).device
    folds = []
    for position, fold in enumerate(numbers):
        network, _ = load_network(folder.models / f"fold_{fold}", channels=store.channels)
        if not isinstance(network, GenerativeClassifier):
            raise TypeError("only networks that run both ways have a boundary plane")
        table = thin_wells(usable[usable["fold"] == fold], _CROPS_A_WELL)
        if fold == numbers[0]:
            others = thin_wells(usable[usable["fold"] == -1], _CROPS_A_WELL_IN_NO_CLASS)
            table = pd.concat([table, others], ignore_index=True)
        if len(table):
            folds.append(_look(network, fold, table, store, device))
        track(position + 1, len(numbers))
    return folds


def map_boundary(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> None:
    """Place every crop in the plane of the decision, and make the pictures around it.

    Writes ``tables/boundary.parquet`` (a row a crop and pair of classes: log-odds, distance to the
    boundary, place along the first within-class component that leaves the log-odds as they are),
    ``boundary.npz`` and the key ``boundary`` of ``metrics.json``. Where there is nothing to
    explain, or the network cannot be run backwards, nothing but the reason is written.

    Parameters
    ----------
    config, folder, crops, store, listener
        As for the other stages. At most 100 crops a well are placed (25 where the well is in no
        class), spread over the well; each by the network that never saw the well, wells in no
        class by the first network.
    """
    folder.table("boundary").unlink(missing_ok=True)
    folder.boundary.unlink(missing_ok=True)
    metrics = read_json(folder.metrics)
    reason = why_no_pictures(config, folder, metrics, NO_PICTURES)
    if reason:
        write_json(folder.metrics, metrics | {"boundary": {"reason": reason}})
        return
    folds = _read_folds(config, folder, crops, store, listener)
    names, tables, facts, views = config.class_names, [], [], []
    for target in range(1, len(names)):
        planes = [boundary_plane(fold.network, 0, target) for fold in folds]
        planes, component = _oriented(folds, planes, store.channels)
        pair = (names[0], names[target])
        both = list(zip(folds, planes, strict=True))
        tables += [_points(fold, plane, pair) for fold, plane in both]
        facts.append({"source_class": pair[0], "target_class": pair[1], **component})
        shown = next(((f, p) for f, p in both if set(pair) <= set(f.table["class_name"])), both[0])
        views.append((FoldView(shown[0].network, shown[1], shown[0].table, shown[0].means), target))
    way = config.counterfactual.direction
    rows = [picture_pair(view, names, target, store, way) for view, target in views]
    n_refused = write_pictures(folder, [row for part in rows for row in part])
    with atomic_path(folder.table("boundary")) as temporary:
        pd.concat(tables, ignore_index=True).to_parquet(temporary, index=False)
    content = {
        "pairs": facts,
        "crops_a_well": _CROPS_A_WELL,
        "crops_a_well_in_no_class": _CROPS_A_WELL_IN_NO_CLASS,
        "n_refused": n_refused,
        "reason": "",
    }
    write_json(folder.metrics, read_json(folder.metrics) | {"boundary": content})
