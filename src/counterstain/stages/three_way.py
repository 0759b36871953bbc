"""Three classes: does the third undo the way from the second to the first."""

from __future__ import annotations

from typing import Any

import anndata
import numpy as np

from counterstain.config import ScreenConfig
from counterstain.errors import InvalidInputError
from counterstain.run_folder import RunFolder
from counterstain.statistics import compare_axes

__all__ = ["axes_of"]


def axes_of(folder: RunFolder, config: ScreenConfig) -> dict[str, Any] | None:
    """Compare the way from the first class to the second with that to the third.

    Profiles are those of the network that did not see the well; each fold is a space of its own.

    Returns
    -------
    dict or None
        `AxisComparison` and ``classes``; only ``classes`` and a ``reason`` where wells are too few;
        None unless there are three classes.
    """
    names = config.class_names
    if len(names) != 3:
        return None
    data = anndata.read_h5ad(folder.profiles)
    profiles = np.asarray(data.X, np.float64)
    classes = data.obs["class_name"].to_numpy(str)
    folds = data.obs["fold"].to_numpy(np.int64)
    rows = np.isfinite(profiles).all(axis=1) & (folds >= 0) & np.isin(classes, names)
    try:
        found = compare_axes(
            profiles[rows], classes[rows], names, seed=config.run.seed, spaces=folds[rows]
        )
    except InvalidInputError as error:
        return {"classes": list(names), "reason": str(error)}
    return {"classes": list(names), **found.to_json()}
