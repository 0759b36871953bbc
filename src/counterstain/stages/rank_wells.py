"""What the ranking reads of a run: wells with their cells, and a latent space a network."""

from __future__ import annotations

from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import trim_mean

from counterstain.config import ScreenConfig
from counterstain.run_folder import RunFolder

__all__ = ["RankedWells", "count_cells", "read_ranked_wells", "well_log_odds"]

_KEY = ["Metadata_Plate", "Metadata_Well"]
_EMPTY = "empty"
_TRIMMED = 0.1


@dataclass(frozen=True, slots=True)
class RankedWells:
    """All wells of a run, and their profiles.

    Parameters
    ----------
    table : DataFrame, W rows
        ``Metadata_*``, ``class_name``, ``n_cells``; also wells without images.
    views : list of ndarray of float32, shape (W, D)
        Mean profiles by each network; NaN for wells that it was trained on, and without crops.
    log_odds : ndarray of float64, shape (W,)
        Trimmed mean log-odds of healthy against diseased, by networks that did not see the well;
        NaN without crops.
    """

    table: pd.DataFrame
    views: list[NDArray[np.float32]]
    log_odds: NDArray[np.float64]

    def fewest_controls(self, pair: tuple[str, str], min_cells: int) -> int:
        """Return how many usable wells of the scarcer control the poorest latent space holds."""
        usable = ~(self.table["n_cells"] < min_cells).to_numpy()
        kinds = [(self.table["class_name"] == name).to_numpy() & usable for name in pair]
        seen = [np.isfinite(view).all(axis=1) for view in self.views]
        return min(int((kind & known).sum()) for kind in kinds for known in seen)


def count_cells(fields: pd.DataFrame) -> pd.Series:
    """Count the cells of each well, as if all of its fields were good.

    A field that is faulty only for its few cells counts: that is how a poisoned well looks. Other
    faulty fields do not, and the well's good ones stand for them.

    Parameters
    ----------
    fields : DataFrame
        ``tables/fields.parquet``.

    Returns
    -------
    Series of float
        Cells by plate and well; NaN for wells without a countable field.

    Examples
    --------
    >>> fields = pd.DataFrame({
    ...     "Metadata_Plate": "P1", "Metadata_Well": ["A01", "A01", "A02"],
    ...     "n_cells": [40.0, 7.0, 1.0], "faulty": [False, True, True],
    ...     "reason": ["", "out of focus", "empty"],
    ... })
    >>> count_cells(fields).tolist()
    [80.0, 1.0]
    """
    told = ~fields["faulty"].astype(bool) | (fields["reason"] == _EMPTY)
    usual = fields[told].groupby(_KEY)["n_cells"].mean()
    n_fields = fields.groupby(_KEY).size()
    return (usual.reindex(n_fields.index) * n_fields).rename("n_cells")


def well_log_odds(
    table: pd.DataFrame, scores: pd.DataFrame, pair: tuple[str, str] | None
) -> NDArray[np.float64]:
    """Return the log-odds of each well, as a mean of its crops without the tenth at either end.

    Parameters
    ----------
    table : DataFrame, W rows
        Plate and name of each well.
    scores : DataFrame
        ``tables/scores.parquet``.
    pair : tuple of str or None
        Names of the diseased and the healthy class; None where the screen names none.

    Returns
    -------
    ndarray of float64, shape (W,)
        Of healthy against diseased; NaN for wells without usable crops, and without a pair.

    Examples
    --------
    >>> key = {"Metadata_Plate": "P1", "Metadata_Well": ["A01", "A02"]}
    >>> scores = pd.DataFrame(key | {"usable": [True, False], "prob_a": 0.25, "prob_b": 0.75})
    >>> well_log_odds(pd.DataFrame(key), scores, ("a", "b")).round(3)
    array([1.099,   nan])
    """
    if pair is None:
        return np.full(len(table), np.nan)
    good = scores[scores["usable"]]
    least = np.finfo(np.float64).tiny
    logs = [np.log(np.maximum(good[f"prob_{name}"].to_numpy(np.float64), least)) for name in pair]
    by_well = good[_KEY].assign(value=logs[1] - logs[0]).groupby(_KEY)["value"]
    means = by_well.agg(trim_mean, _TRIMMED).rename("value")
    return (
        table[_KEY]
        .merge(means, left_on=_KEY, right_index=True, how="left")["value"]
        .to_numpy(np.float64)
    )


def read_ranked_wells(folder: RunFolder, config: ScreenConfig) -> RankedWells:
    """Read wells and profiles of a scored run, row for row."""
    wells = pd.read_parquet(folder.table("wells"))
    fields = pd.read_parquet(folder.table("fields"))
    kept = [c for c in wells if str(c).startswith("Metadata_") or c == "class_name"]
    table = wells[kept].merge(count_cells(fields), left_on=_KEY, right_index=True, how="left")
    batch = config.audit.batch_column
    if batch is not None and batch in table:
        table = table.assign(Metadata_Batch=table[batch])
    profiles = anndata.read_h5ad(folder.profiles)
    keys = [profiles.obs[name].astype(str) for name in _KEY]
    found = pd.MultiIndex.from_arrays(keys).get_indexer(
        pd.MultiIndex.from_frame(table[_KEY].astype(str))
    )
    names = sorted(profiles.layers, key=lambda name: int(name.removeprefix("fold_")))
    views = []
    for name in names:
        view = np.asarray(profiles.layers[name], np.float32)[found]
        view[found < 0] = np.nan
        views.append(view)
    scores = pd.read_parquet(folder.table("scores"))
    log_odds = well_log_odds(table, scores, config.ranking.pair(config.class_names))
    return RankedWells(table.reset_index(drop=True), views, log_odds)
