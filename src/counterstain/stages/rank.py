"""Stage: which treatment heals, and at what price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.errors import InvalidInputError
from counterstain.files import atomic_path, read_json, write_json
from counterstain.plates.store import CropStore
from counterstain.ranking import Ranking, fit_doses, rank_treatments
from counterstain.ranking.dose_unit import dose_unit
from counterstain.ranking.replicates import intraclass_correlation, pair_replicates
from counterstain.run_folder import RunFolder
from counterstain.stages.progress import Listener
from counterstain.stages.rank_activity import measure_activity
from counterstain.stages.rank_classical import classical_profiles, compare_rankings
from counterstain.stages.rank_pictures import write_ranking_pictures
from counterstain.stages.rank_remaining import REMAINING_COLUMNS, measure_remaining
from counterstain.stages.rank_settings import ranking_settings, why_no_ranking
from counterstain.stages.rank_side_effects import borrow_side_effects, without_side_effects
from counterstain.stages.rank_tables import DOSE_COLUMNS, write_ranking
from counterstain.stages.rank_wells import RankedWells, read_ranked_wells
from counterstain.stages.reasons import why_no_pictures
from counterstain.statistics.inputs import undefined_noted

__all__ = ["FEWEST_CONTROLS", "rank_screen"]

FEWEST_CONTROLS = 6
"""Wells of either control that a network must have held out for an axis of its own.

Chosen on one simulated screen of three plates, where intervals of 95 % held the planted rescue of
91 % of treatments with seven in each latent space, of 66 to 69 % with three or four, and of all by
log-odds; not confirmed on others yet.
"""


def rank_screen(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> None:
    """Rank the treatments of a scored run by rescue and side effect.

    Every well is placed by networks that did not see it: controls by that of the fold that held
    them out, treated wells by all. Where a network held out too few controls to find an axis in its
    latent space, wells are placed by the networks' log-odds instead. Writes
    ``tables/treatments.parquet``, ``tables/doses.parquet``, ``tables/plates.parquet``,
    ``tables/ranking_wells.parquet``, ``tables/remaining.parquet``, the pictures ``treatments.npz``,
    the key ``ranking`` of ``metrics.json``, and columns of ``profiles.h5ad``. Where nothing can be
    ranked, no table is written and ``reason`` in it says why.

    Parameters
    ----------
    config, folder, crops, store, listener
        As for the other stages.
    """
    wells = read_ranked_wells(folder, config)
    metrics = read_json(folder.metrics)
    reason = why_no_ranking(config, wells.table, metrics)
    found: Mapping[str, Any] = {"reason": reason}
    ranking: Ranking | None = None
    if not reason:
        track = listener.track("ranking treatments")
        track(0, 1)
        try:
            ranking = _place(config, wells)
        except InvalidInputError as error:
            found = {"reason": " ".join(error.problems)}
        track(1, 1)
    if ranking is None:
        write_ranking(folder, None)
        for leftover in (folder.ranking, folder.table("remaining")):
            leftover.unlink(missing_ok=True)
    else:
        found = _finish(config, folder, crops, store, listener, wells, ranking)
    write_json(folder.metrics, read_json(folder.metrics) | {"ranking": found})


def _place(config: ScreenConfig, wells: RankedWells) -> Ranking:
    """Rank in the latent spaces, or by log-odds where these hold too few controls."""
    settings = ranking_settings(config)
    if _has_axes(config, wells):
        return rank_treatments(wells.views, wells.table, **settings)
    return without_side_effects(rank_treatments(wells.log_odds[:, None], wells.table, **settings))


def _has_axes(config: ScreenConfig, wells: RankedWells) -> bool:
    pair = config.ranking.pair(config.class_names) or ("", "")
    return wells.fewest_controls(pair, config.ranking.min_cells) >= FEWEST_CONTROLS


def _finish(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
    wells: RankedWells,
    ranking: Ranking,
) -> dict[str, Any]:
    """Add doses, classical profile and activity to a ranking; write its tables."""
    settings = ranking_settings(config)
    pair = (settings["diseased"], settings["healthy"])
    profiles = _classical_profiles(config, crops, store, listener, wells)
    classical, about = _classical(config, wells, profiles)
    ranking = borrow_side_effects(ranking, classical, settings["rules"])
    with undefined_noted():
        treatments, compared = compare_rankings(ranking, classical)
        treatments, activity = measure_activity(config, wells, ranking, treatments)
    unit = dose_unit(wells.table[~wells.table["class_name"].isin(pair)])
    doses = fit_doses(ranking, confidence=config.ranking.confidence)
    doses = doses.reindex(columns=list(DOSE_COLUMNS)).assign(unit=unit)
    ranked = ranking.wells.assign(n_cells=wells.table["n_cells"].to_numpy(np.float64))
    write_ranking(folder, replace(ranking, treatments=treatments, wells=ranked), doses)
    scores = pd.read_parquet(folder.table("scores"))
    write_ranking_pictures(folder, ranking, scores, store, pair)
    _write_remaining(config, folder, crops, store, listener, wells, ranking, profiles)
    return {
        "reason": "",
        **_summary(config, ranking, unit),
        "n_networks": len(wells.views),
        "placed_by": "latents" if _has_axes(config, wells) else "log-odds",
        "doses": {
            "n_compounds": len(doses),
            "n_fitted": int((doses["reason"] == "").sum()),
        },
        "classical": about | compared,
        "activity": activity,
    }


def _summary(config: ScreenConfig, ranking: Ranking, unit: str) -> dict[str, Any]:
    diseased, healthy = config.ranking.pair(config.class_names) or ("", "")
    pairs = pair_replicates(ranking.wells)
    agreement = intraclass_correlation(pairs["rescue"], pairs["treatment"])
    failed = ranking.plates[ranking.plates["failed"]]
    return {
        "diseased": diseased,
        "healthy": healthy,
        "unit": unit,
        "settings": config.ranking.model_dump(mode="json"),
        "n_treatments": len(ranking.treatments),
        "n_wells": int(ranking.treatments["n_wells"].sum()),
        "side_effects_from": _counts(ranking.treatments["side_effect_from"].replace("", "nothing")),
        "n_plates": len(ranking.plates),
        "axis_length": ranking.axis_length,
        "calls": _counts(ranking.treatments["call"]),
        "failed_plates": [
            {"plate": str(row["Metadata_Plate"]), "why": str(row["note"])}
            for row in failed.to_dict("records")
        ],
        "control_states": {
            name: _counts(ranking.wells.loc[ranking.wells["class_name"] == name, "state"])
            for name in (diseased, healthy)
        },
        "replicates": {
            "intraclass_correlation": agreement if np.isfinite(agreement) else None,
            "n_wells": len(pairs),
            "n_treatments": int(pairs["treatment"].nunique()),
        },
        "notes": list(ranking.notes),
    }


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(n) for name, n in column.value_counts().items()}


_Profiles = tuple[NDArray[np.float64], list[str]]


def _classical_profiles(
    config: ScreenConfig,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
    wells: RankedWells,
) -> _Profiles | None:
    if config.ranking.classical_crops == 0:
        return None
    progress = listener.track("classical profiles")
    return classical_profiles(wells.table, crops, store, config, progress)


def _classical(
    config: ScreenConfig, wells: RankedWells, profiles: _Profiles | None
) -> tuple[Ranking | None, dict[str, Any]]:
    """Rank the classical profile of the same wells; say why where that cannot be done."""
    if profiles is None:
        return None, {"reason": "`ranking.classical_crops` is 0."}
    values, features = profiles
    about = {"crops_a_well": config.ranking.classical_crops, "n_features": len(features)}
    try:
        found = rank_treatments(values, wells.table, **ranking_settings(config))
    except InvalidInputError as error:
        return None, {"reason": " ".join(error.problems), **about}
    return found, {"reason": "", **about}


def _write_remaining(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
    wells: RankedWells,
    ranking: Ranking,
    profiles: _Profiles | None,
) -> None:
    """Write what treatments leave to be done; nothing where the networks cannot show it."""
    ends = config.ranking.pair(config.class_names)
    table = pd.DataFrame(columns=list(REMAINING_COLUMNS))
    if ends is not None and profiles is not None and not _blind(config, folder):
        track = listener.track("what treatments leave")
        table = measure_remaining(
            config, folder, crops, store, wells, ranking, profiles, ends, track
        )
    with atomic_path(folder.table("remaining")) as temporary:
        table.to_parquet(temporary, index=False)


def _blind(config: ScreenConfig, folder: RunFolder) -> bool:
    """Whether the networks of a run can show nothing."""
    metrics = read_json(folder.metrics)
    return bool(why_no_pictures(config, folder, metrics, "there are no counterfactuals"))
