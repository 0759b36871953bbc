"""What a run says of its treatments, ready to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from counterstain.figures.call_marks import treatment_names
from counterstain.report.data import RunData
from counterstain.report.numbers import as_estimate

__all__ = ["RankingData", "read_ranking"]

_TABLES = ("treatments", "doses", "plates", "ranking_wells")


@dataclass(frozen=True, slots=True)
class RankingData:
    """The ranking of a run.

    Parameters
    ----------
    treatments, doses, plates, wells : DataFrame
        The tables of the run, treatments in the order of rank.
    metrics : mapping
        ``ranking`` of ``metrics.json``.
    """

    treatments: pd.DataFrame
    doses: pd.DataFrame
    plates: pd.DataFrame
    wells: pd.DataFrame
    metrics: Mapping[str, Any]

    @property
    def unit(self) -> str:
        """Unit of the concentrations; may be empty."""
        return str(self.metrics.get("unit") or "")

    @property
    def ends(self) -> tuple[str, str]:
        """Names of the diseased and the healthy class."""
        diseased, healthy = (str(self.metrics.get(k) or k) for k in ("diseased", "healthy"))
        return diseased, healthy

    @property
    def names(self) -> list[str]:
        """Names of the treatments, with their doses, in the order of rank."""
        return treatment_names(self.treatments, self.unit, 40)

    def setting(self, name: str, usual: float) -> float:
        """Return a number of the section ``[ranking]`` as it was."""
        found = as_estimate((self.metrics.get("settings") or {}).get(name)).value
        return found if np.isfinite(found) else usual

    def value(self, row: int, name: str) -> float:
        """Return a number of a treatment."""
        return float(self.treatments[name].to_numpy(np.float64)[row])

    def called(self, call: str) -> list[int]:
        """Return the rows of the treatments of a call, best first."""
        return np.flatnonzero(self.treatments["call"] == call).tolist()


def read_ranking(data: RunData) -> RankingData | str:
    """Return the ranking of a run, or the sentence that says why there is none."""
    metrics = data.metrics.get("ranking")
    if not isinstance(metrics, Mapping):
        return (
            "Treatments were not ranked in this run: `counterstain rank screen.toml --out RUN` "
            "adds it."
        )
    if metrics.get("reason"):
        return str(metrics["reason"])
    tables = [data.table(name) for name in _TABLES]
    lost = [name for name, table in zip(_TABLES, tables, strict=True) if table is None]
    found = [table for table in tables if table is not None]
    if lost:
        return " ".join(data.missing.get(name, f"tables/{name}.parquet is lost.") for name in lost)
    treatments, doses, plates, wells = found
    return RankingData(
        treatments.sort_values("rank").reset_index(drop=True), doses, plates, wells, metrics
    )
