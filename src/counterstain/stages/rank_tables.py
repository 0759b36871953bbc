"""The files of a ranking."""

from __future__ import annotations

import contextlib

import anndata
import numpy as np
import pandas as pd

from counterstain.files import atomic_path
from counterstain.ranking import Ranking
from counterstain.run_folder import RunFolder

__all__ = ["DOSE_COLUMNS", "write_ranking"]

DOSE_COLUMNS = (
    "Metadata_Compound", "ec50", "ec50_low", "ec50_high", "slope", "plateau", "r_squared",
    "lack_of_fit_p", "turning_p", "n_doses", "n_wells", "reason",
)  # fmt: skip
"""Columns of ``tables/doses.parquet``, also where no compound has a dose."""

_KEY = ["Metadata_Plate", "Metadata_Well"]
_TREATMENT = ["Metadata_Compound", "Metadata_Concentration"]
_OBS = ("rescue", "side_effect", "off_axis_z", "state", "mark", "call")


def write_ranking(
    folder: RunFolder, ranking: Ranking | None, doses: pd.DataFrame | None = None
) -> None:
    """Write the tables of a ranking and its columns of ``profiles.h5ad``.

    Parameters
    ----------
    folder : RunFolder
        The run.
    ranking : Ranking or None
        None takes the files and columns of an older ranking away.
    doses : DataFrame, optional
        From :func:`counterstain.ranking.fit_doses`.
    """
    tables: dict[str, pd.DataFrame | None] = dict.fromkeys(
        ("treatments", "doses", "plates", "ranking_wells")
    )
    if ranking is not None:
        wells = ranking.wells.merge(
            ranking.treatments[[*_TREATMENT, "call"]].set_axis(
                ["compound", "concentration", "call"], axis=1
            ),
            on=["compound", "concentration"],
            how="left",
        )
        # Controls have no compound, and a compound without a dose has the dose NaN.
        wells["call"] = wells["call"].fillna("").astype(object)
        tables = {
            "treatments": ranking.treatments,
            "doses": doses,
            "plates": ranking.plates,
            "ranking_wells": wells,
        }
    with contextlib.ExitStack() as stack:
        for name, table in tables.items():
            if table is None:
                folder.table(name).unlink(missing_ok=True)
            else:
                path = stack.enter_context(atomic_path(folder.table(name)))
                table.to_parquet(path, index=False)
    _annotate(folder, tables["ranking_wells"])


def _annotate(folder: RunFolder, wells: pd.DataFrame | None) -> None:
    """Put what was found of each well beside its profile."""
    data = anndata.read_h5ad(folder.profiles)
    obs = data.obs.drop(columns=[name for name in _OBS if name in data.obs])
    if wells is not None:
        keys, found = (pd.MultiIndex.from_frame(table[_KEY].astype(str)) for table in (obs, wells))
        rows = found.get_indexer(keys)
        for name in _OBS:
            values = wells[name].to_numpy()[rows]
            obs[name] = (
                values.astype(np.float64) if values.dtype.kind == "f" else values.astype(str)
            )
    data.obs = obs
    with atomic_path(folder.profiles) as temporary:
        data.write_h5ad(temporary)
