"""A typical crop of the treatments that a reader will ask for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from counterstain.files import atomic_path
from counterstain.plates.store import CropStore
from counterstain.ranking import Ranking
from counterstain.run_folder import RunFolder

__all__ = ["choose_treatments", "write_ranking_pictures"]

_KEY = ["Metadata_Plate", "Metadata_Well"]
_MOST_HEALING, _MOST_TOXIC = 4, 2


def choose_treatments(treatments: pd.DataFrame) -> pd.DataFrame:
    """Return the treatments that are pictured: four that heal best, two that are off the axis.

    Each compound comes once, with the best of its doses (or that of largest side effect).

    Parameters
    ----------
    treatments : DataFrame
        As ranked.

    Returns
    -------
    DataFrame
        Rows of `treatments`, six at most.

    Examples
    --------
    >>> table = pd.DataFrame({"Metadata_Compound": ["C1", "C1", "C2"], "side_effect": 0.0,
    ...     "call": ["hit", "hit", "inactive"], "Metadata_Concentration": [10.0, 1.0, 1.0],
    ...     "n_wells": 3})
    >>> choose_treatments(table)["Metadata_Concentration"].tolist()
    [10.0]
    """
    seen = treatments[treatments["n_wells"] > 0]
    healing = seen[seen["call"].isin(["hit", "partial"])]
    toxic = seen[seen["call"] == "toxic/off-axis"].sort_values(
        "side_effect", ascending=False, kind="stable", na_position="last"
    )
    parts = [
        healing.drop_duplicates("Metadata_Compound").head(_MOST_HEALING),
        toxic.drop_duplicates("Metadata_Compound").head(_MOST_TOXIC),
    ]
    return pd.concat(parts)


def write_ranking_pictures(
    folder: RunFolder,
    ranking: Ranking,
    scores: pd.DataFrame,
    store: CropStore,
    ends: tuple[str, str],
) -> None:
    """Write ``treatments.npz``: a typical crop of either control and of some treatments, as imaged.

    Of the treatment's wells the one whose rescue is nearest to their mean, and of its crops the one
    whose probability of the healthy class is nearest to their median.

    Parameters
    ----------
    folder : RunFolder
        The run.
    ranking : Ranking
        Its treatments and wells.
    scores : DataFrame
        ``tables/scores.parquet``.
    store : CropStore
        Pixels.
    ends : tuple of str
        Names of the diseased and the healthy class.
    """
    wells = ranking.wells[ranking.wells["mark"] == ""]
    groups = [(name, np.nan, "control", wells[wells["class_name"] == name]) for name in ends[:1]]
    for row in choose_treatments(ranking.treatments).to_dict("records"):
        compound, dose = row["Metadata_Compound"], row["Metadata_Concentration"]
        same = wells["concentration"].isna() if np.isnan(dose) else wells["concentration"] == dose
        own = wells[(wells["compound"] == compound) & same]
        groups.append((compound, dose, row["call"], own))
    groups += [(name, np.nan, "control", wells[wells["class_name"] == name]) for name in ends[1:]]
    found = [(*group[:3], *_typical(group[3], scores, f"prob_{ends[1]}")) for group in groups]
    names = ("compound", "concentration", "call", "plate", "well", "rescue", "crop")
    entries = {
        name: np.array(values) for name, values in zip(names, zip(*found, strict=True), strict=True)
    }
    entries["images"] = store.scaled(entries["crop"].astype(np.int64))
    with atomic_path(folder.ranking) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **entries)


def _typical(wells: pd.DataFrame, scores: pd.DataFrame, column: str) -> tuple[str, str, float, int]:
    """Return plate, well, rescue and crop of the most ordinary member of a group of wells."""
    away = (wells["rescue"] - wells["rescue"].mean()).abs()
    well = wells.iloc[int(away.to_numpy(np.float64).argmin())]
    own = scores[scores["usable"] & (scores[_KEY] == well[_KEY]).all(axis=1)]
    off = (own[column] - own[column].median()).abs().to_numpy(np.float64)
    crop = int(own["crop"].to_numpy(np.int64)[off.argmin()])
    return str(well[_KEY[0]]), str(well[_KEY[1]]), float(well["rescue"]), crop
