"""Which treatment heals, and at what price: rescue, side effect, calls, dose response."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.ranking.dose_rows import fit_doses as fit_doses
    from counterstain.ranking.ranked import Ranking as Ranking
    from counterstain.ranking.ranked import rank_treatments as rank_treatments
    from counterstain.statistics.calls import CallRules as CallRules

_LAZY = {
    "CallRules": "counterstain.statistics.calls",
    "Ranking": "counterstain.ranking.ranked",
    "fit_doses": "counterstain.ranking.dose_rows",
    "rank_treatments": "counterstain.ranking.ranked",
}
__all__ = ["CallRules", "Ranking", "fit_doses", "rank_treatments"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
