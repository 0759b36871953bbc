"""Why a run has no pictures that a network makes."""

from __future__ import annotations

from typing import Any

from counterstain.config import ScreenConfig
from counterstain.files import read_json
from counterstain.run_folder import RunFolder

__all__ = ["why_no_pictures"]


def why_no_pictures(
    config: ScreenConfig, folder: RunFolder, metrics: dict[str, Any], what: str
) -> str:
    """Return why a run has none of the pictures that need a network run backwards; else empty.

    Parameters
    ----------
    config, folder : ScreenConfig, RunFolder
        A run whose networks are trained.
    metrics : dict
        What its ``metrics.json`` holds.
    what : str
        What there is none of, to end the sentence: ``"there are no counterfactuals"``.
    """
    if metrics["nothing_to_explain"]:
        return str(metrics["nothing_reason"])
    recipe = next(iter(sorted(folder.models.glob("fold_*.json"))))
    if read_json(recipe)["metadata"]["generative"]:
        return ""
    return f"{config.model.network} cannot be run backwards, so {what}."
