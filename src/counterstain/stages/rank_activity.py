"""Phenotypic activity and consistency of the treatments, where copairs is installed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from counterstain.config import ScreenConfig
from counterstain.stages.rank_wells import RankedWells

__all__ = ["measure_activity"]


def measure_activity(
    config: ScreenConfig, wells: RankedWells, treatments: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    return treatments, {"reason": "copairs is not installed."}
