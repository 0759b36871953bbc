"""What the ranking reads of a run: wells with their cells, and a latent space a network."""

from __future__ import annotations

from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.run_folder import RunFolder

__all__ = ["RankedWells", "count_cells", "read_ranked_wells"]

_KEY = ["Metadata_Plate", "Metadata_Well"]
_EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class RankedWells:
    """All wells of a run, and their profiles.

    Parameters
    ----------
    table : DataFrame, W rows
        ``Metadata_*``, ``class_name``, ``n_cells``; also wells without images.
    views : list of ndarray of float32, shape (W, D)
        Mean profiles by each network; NaN for wells that it was trained on, and without crops.
    """

    table: pd.DataFrame
    views: list[NDArray[np.float32]]


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
    return RankedWells(table.reset_index(drop=True), views)
