"""What a treatment leaves to be done, and what else it does, shown and measured.

For what heals in part: its cells carried on to healthy, and how far each measurement has come. For
what is off the axis: diseased cells moved along that way alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.counterfactual.effects import (
    EditedCrops,
    measurement_name,
    population_effects,
)
from counterstain.networks.checkpoint import load_network
from counterstain.networks.generative import GenerativeClassifier
from counterstain.plates.store import CropStore
from counterstain.ranking import Ranking
from counterstain.ranking.restored import restored_shares
from counterstain.run_folder import RunFolder
from counterstain.stages.editing import edit_as_configured
from counterstain.stages.measuring import measure_pixels, measure_real
from counterstain.stages.rank_wells import RankedWells
from counterstain.stages.rows import group_wells, thin_wells
from counterstain.statistics.calls import HIT, OFF_AXIS, PARTIAL

__all__ = ["OFF_THE_AXIS", "REMAINING_COLUMNS", "TO_HEALTHY", "measure_remaining"]

TO_HEALTHY, OFF_THE_AXIS = "to healthy", "off the axis"
REMAINING_COLUMNS = (
    "Metadata_Compound", "Metadata_Concentration", "call", "way", "source_class", "target_class",
    "channel", "region", "feature", "unit", "real", "real_low", "real_high", "real_effect",
    "counterfactual", "counterfactual_low", "counterfactual_high", "q", "counterfactual_q",
    "agreement", "shadow_of", "verdict", "sentence", "rank",
    "restored", "restored_low", "restored_high",
)  # fmt: skip
"""Columns of ``tables/remaining.parquet``, also where there is nothing to say."""
_MOST = {TO_HEALTHY: 6, OFF_THE_AXIS: 4}
_REAL_CROPS_A_WELL = 60
_KEY = ["Metadata_Plate", "Metadata_Well"]

_Edit = Callable[[GenerativeClassifier, NDArray[np.float32], int], torch.Tensor]


@dataclass(frozen=True, slots=True)
class _Run:
    """What all treatments are measured with."""

    config: ScreenConfig
    folder: RunFolder
    crops: pd.DataFrame
    store: CropStore
    wells: RankedWells
    ends: tuple[str, str]

    def crops_of(self, chosen: NDArray[np.bool_], count: int) -> pd.DataFrame:
        """Return usable crops of wells, at most so many a well."""
        keys = pd.MultiIndex.from_frame(self.wells.table.loc[chosen, _KEY].astype(str))
        own = pd.MultiIndex.from_frame(self.crops[_KEY].astype(str)).isin(keys)
        return thin_wells(self.crops[own & self.crops["usable"].to_numpy(bool)], count)

    def control(self, end: int) -> NDArray[np.bool_]:
        """Return the wells of the diseased (0) or the healthy class (1)."""
        return (self.wells.table["class_name"] == self.ends[end]).to_numpy(bool)


def measure_remaining(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    wells: RankedWells,
    ranking: Ranking,
    classical: tuple[NDArray[np.float64], list[str]],
    ends: tuple[str, str],
    progress: Callable[[int, int], None],
) -> pd.DataFrame:
    """Measure what hits and partial hits lack, and what else treatments off the axis do.

    Parameters
    ----------
    config, folder, crops, store
        As for the other stages; the networks of the run must run both ways.
    wells : RankedWells
        Wells and their profiles by each network.
    ranking : Ranking
        Of these wells, row for row.
    classical : (ndarray of shape (W, F), list of str)
        Classical profiles of the wells, and the names of their measurements.
    ends : tuple of str
        Names of the diseased and the healthy class.
    progress : callable
        Told how many treatments are done, and of how many.

    Returns
    -------
    DataFrame
        A row per treatment and measurement: ``Metadata_Compound``, ``Metadata_Concentration``,
        ``call``, ``way`` ("to healthy": from treated to healthy; "off the axis": from diseased to
        treated), the columns of :func:`~counterstain.counterfactual.effects.population_effects`,
        and ``restored`` with ``restored_low`` and ``restored_high`` (share of the way from diseased
        to healthy).
    """
    run = _Run(config, folder, crops, store, wells, ends)
    chosen = _chosen(ranking.treatments)
    tables = []
    for number, row in enumerate(chosen.to_dict("records")):
        treated = _wells_of(ranking.wells, row)
        part = _measure(run, row, treated)
        if part is not None:
            shares = _restored(run, classical, treated)
            tables.append(part.merge(shares, on=["channel", "region", "feature"], how="left"))
        progress(number + 1, len(chosen))
    if not tables:
        return pd.DataFrame(columns=list(REMAINING_COLUMNS))
    return pd.concat(tables, ignore_index=True)[list(REMAINING_COLUMNS)]


def _chosen(treatments: pd.DataFrame) -> pd.DataFrame:
    healing = treatments[treatments["call"].isin([HIT, PARTIAL])]
    toxic = treatments[treatments["call"] == OFF_AXIS].sort_values(
        "side_effect", ascending=False, kind="stable", na_position="last"
    )
    parts = (
        part.drop_duplicates("Metadata_Compound").head(_MOST[way]).assign(way=way)
        for part, way in ((healing, TO_HEALTHY), (toxic, OFF_THE_AXIS))
    )
    return pd.concat(parts, ignore_index=True)


def _wells_of(wells: pd.DataFrame, row: dict[Any, Any]) -> NDArray[np.bool_]:
    dose = wells["concentration"].to_numpy(np.float64)
    wanted = float(row["Metadata_Concentration"])
    same = np.isnan(dose) if np.isnan(wanted) else dose == wanted
    own = (wells["compound"] == row["Metadata_Compound"]) & (wells["mark"] == "")
    return np.asarray(own.to_numpy(bool) & same)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two groups of wells, and crops of the first carried to the second."""

    first: NDArray[np.bool_]
    second: NDArray[np.bool_]
    words: tuple[str, str]
    sources: pd.DataFrame
    edit: _Edit


def _to_healthy(run: _Run, name: str, treated: NDArray[np.bool_]) -> _Comparison:
    """Carry treated cells on to healthy."""
    names = run.config.class_names
    pair = (names.index(run.ends[0]), names.index(run.ends[1]))

    def edit(network: GenerativeClassifier, images: NDArray[np.float32], _: int) -> torch.Tensor:
        return edit_as_configured(run.config, network, torch.from_numpy(images), pair).images

    sources = _dealt(run, run.crops_of(treated, run.config.counterfactual.crops_per_well))
    return _Comparison(treated, run.control(1), (name, run.ends[1]), sources, edit)


def _off_the_axis(run: _Run, name: str, treated: NDArray[np.bool_]) -> _Comparison:
    """Move diseased cells along what a treatment does beside the way to healthy."""

    def edit(network: GenerativeClassifier, images: NDArray[np.float32], fold: int) -> torch.Tensor:
        return _moved(network, images, _off_axis_step(run, treated, fold))

    diseased = run.control(0)
    sources = run.crops_of(diseased, run.config.counterfactual.crops_per_well)
    return _Comparison(diseased, treated, (run.ends[0], name), sources, edit)


def _measure(run: _Run, row: dict[Any, Any], treated: NDArray[np.bool_]) -> pd.DataFrame | None:
    compare = _to_healthy if row["way"] == TO_HEALTHY else _off_the_axis
    comparison = compare(run, _name(row), treated)
    edited = _edited(run, comparison.sources, comparison.edit)
    if edited is None:
        return None
    groups = (comparison.first, comparison.second)
    parts = [run.crops_of(group, _REAL_CROPS_A_WELL) for group in groups]
    real = pd.concat(parts, ignore_index=True)
    table = population_effects(
        measure_real(real["crop"].to_numpy(np.int64), run.store, run.config),
        np.repeat([0, 1], [len(part) for part in parts]),
        group_wells(real)[0],
        edited,
        pair=(0, 1),
        class_names=comparison.words,
        seed=run.config.run.seed,
    )
    keys = ("Metadata_Compound", "Metadata_Concentration", "call", "way")
    for place, key in enumerate(keys):
        table.insert(place, key, row[key])
    return table


def _dealt(run: _Run, crops: pd.DataFrame) -> pd.DataFrame:
    """Deal treated wells to the networks, none of which saw them: each well goes to one."""
    return crops.assign(fold=group_wells(crops)[0] % len(run.wells.views))


def _edited(run: _Run, crops: pd.DataFrame, edit: _Edit) -> EditedCrops | None:
    codes = group_wells(crops)[0]
    before, after, wells = [], [], []
    for fold in sorted(int(fold) for fold in crops["fold"].unique() if fold >= 0):
        network, _ = load_network(run.folder.models / f"fold_{fold}", channels=run.store.channels)
        if not isinstance(network, GenerativeClassifier):
            return None
        rows = np.flatnonzero(crops["fold"].to_numpy() == fold)
        ids = crops["crop"].to_numpy(np.int64)[rows]
        images = run.store.scaled(ids)
        seen = ~network.domain.outside(torch.from_numpy(images)).numpy()
        if not seen.any():
            continue
        with torch.no_grad():
            changed = edit(network, images[seen], fold).numpy()
        before.append(measure_pixels(images[seen], ids[seen], run.store, run.config))
        after.append(measure_pixels(changed, ids[seen], run.store, run.config))
        wells.append(codes[rows[seen]])
    if not before:
        return None
    first, second = (pd.concat(part, ignore_index=True) for part in (before, after))
    return EditedCrops(first, second, np.concatenate(wells))


def _off_axis_step(run: _Run, treated: NDArray[np.bool_], fold: int) -> NDArray[np.float32]:
    """Return the way from diseased to treated in a network's mean latents, less that to healthy."""
    view = run.wells.views[fold]
    known = np.isfinite(view).all(axis=1)
    start, healthy = (view[run.control(end) & known].mean(axis=0) for end in range(2))
    axis = healthy - start
    way = view[treated & known].mean(axis=0) - start
    return np.asarray(way - axis * (way @ axis) / (axis @ axis), np.float32)


def _moved(
    network: GenerativeClassifier, images: NDArray[np.float32], step: NDArray[np.float32]
) -> torch.Tensor:
    originals = torch.from_numpy(images)
    latents = network.encode(originals)
    after = latents + network.spread(torch.from_numpy(step)[None])
    return network.edited(originals, latents, after).images


def _restored(
    run: _Run, classical: tuple[NDArray[np.float64], list[str]], treated: NDArray[np.bool_]
) -> pd.DataFrame:
    values, features = classical
    shares = restored_shares(
        values,
        run.wells.table["Metadata_Plate"],
        run.control(0),
        run.control(1),
        treated,
        seed=run.config.run.seed,
        confidence=run.config.ranking.confidence,
    )
    rows = []
    for name, share in zip(features, shares, strict=True):
        feature, region, channel = name.split(":", 2)
        rows.append(
            (channel, region, measurement_name(feature), share.value, share.low, share.high)
        )
    columns = ["channel", "region", "feature", "restored", "restored_low", "restored_high"]
    return pd.DataFrame(rows, columns=columns)


def _name(row: dict[Any, Any]) -> str:
    dose = float(row["Metadata_Concentration"])
    return str(row["Metadata_Compound"]) + ("" if np.isnan(dose) else f" {dose:.3g}")
