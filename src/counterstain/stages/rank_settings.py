"""What the screen says of its ranking, and why there may be none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from counterstain.config import ScreenConfig
from counterstain.ranking import CallRules

__all__ = ["ranking_settings", "why_no_ranking"]

_RULES = (
    "level", "hit_rescue", "partial_rescue", "side_effect", "side_effect_share", "min_wells",
)  # fmt: skip


def ranking_settings(config: ScreenConfig) -> dict[str, Any]:
    """Return the keyword arguments of :func:`counterstain.ranking.rank_treatments`.

    Only for screens that name both ends of the scale.
    """
    ranking = config.ranking
    diseased, healthy = ranking.pair(config.class_names) or ("", "")
    return {
        "seed": config.run.seed,
        "diseased": diseased,
        "healthy": healthy,
        "position": ranking.position,
        "min_cells": ranking.min_cells,
        "min_z_prime": ranking.min_z_prime,
        "confidence": ranking.confidence,
        "rules": CallRules(**{name: getattr(ranking, name) for name in _RULES}),
    }


def why_no_ranking(config: ScreenConfig, wells: pd.DataFrame, metrics: Mapping[str, Any]) -> str:
    """Return why no treatment of a screen can be ranked; empty where they can.

    Parameters
    ----------
    config : ScreenConfig
        The screen.
    wells : DataFrame
        All wells, with ``class_name``.
    metrics : mapping
        What ``metrics.json`` holds of the classifier.

    Returns
    -------
    str
        A sentence with its remedy.
    """
    pair = config.ranking.pair(config.class_names)
    if pair is None:
        names = ", ".join(config.class_names)
        return (
            f"Treatments are ranked between two classes; this screen has {names}, and nothing says "
            "which is diseased and which healthy: name them as `ranking.diseased` and "
            "`ranking.healthy` in screen.toml."
        )
    if wells["class_name"].isin(pair).all():
        return (
            f"Every well is {pair[0]} or {pair[1]}: there is no treatment to rank. Wells of "
            "compounds belong in the plate map, in no class."
        )
    chance = metrics.get("chance") or {}
    if metrics.get("nothing_to_explain") and chance.get("decidable", True):
        return (
            f"{pair[0]} and {pair[1]} are not told apart better than by chance, so there is no way "
            "from one to the other along which to rank a treatment."
        )
    return ""
