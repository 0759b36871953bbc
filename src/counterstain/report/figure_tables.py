"""What is drawn in a figure of pictures or counts, row by row: its table as CSV."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from counterstain.figures.attribution_record import AttributionPictures
from counterstain.figures.picture_record import BoundaryPictures, GeneratedPictures
from counterstain.figures.strip_record import Strips

__all__ = [
    "attribution_rows",
    "count_rows",
    "gallery_rows",
    "matrix_rows",
    "strip_rows",
    "surface_rows",
]


def strip_rows(strips: Strips, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row a pictured counterfactual: well, classes, log-odds, error of the inverse."""
    names = np.array(classes, dtype=object)
    return pd.DataFrame({
        "well": strips.well, "source_class": names[strips.source],
        "target_class": names[strips.target], "logit_original": strips.logit_original,
        "logit_boundary": strips.logit_boundary,
        "logit_counterfactual": strips.logit_counterfactual,
        "inverse_error": strips.inverse_error,
    })  # fmt: skip


def attribution_rows(pictures: AttributionPictures, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row a pictured crop and method: what the map sums up to, by sign."""
    names, rows = np.array(classes, dtype=object), []
    for method in pictures.methods:
        maps = pictures.summed(method)
        rows.append(pd.DataFrame({
            "crop": pictures.crop, "Metadata_Plate": pictures.plate,
            "Metadata_Well": pictures.well, "class_name": names[pictures.source],
            "called": names[pictures.called], "log_odds": pictures.score, "method": method,
            "sum_for": np.clip(maps, 0, None).sum(axis=(1, 2)),
            "sum_against": np.clip(maps, None, 0).sum(axis=(1, 2)),
        }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def surface_rows(pictures: BoundaryPictures, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row a picture along the boundary: component, shift, log-odds, error."""
    n, steps = pictures.surface_shift.shape
    names = np.array(classes, dtype=object)
    each = {
        "well": pictures.surface_well, "class_name": names[pictures.surface_start],
        "component": pictures.surface_component + 1, "share_of_variance": pictures.surface_share,
    }  # fmt: skip
    table = pd.DataFrame({key: np.repeat(values, steps) for key, values in each.items()})
    return table.assign(
        shift_sd=pictures.surface_shift.reshape(n * steps),
        log_odds=pictures.surface_log_odds.reshape(n * steps),
        error=pictures.surface_error.reshape(n * steps),
    )


def gallery_rows(
    pictures: GeneratedPictures, kind: str, classes: Sequence[str]
) -> pd.DataFrame | None:
    """Return a row a generated picture: samples, morphs or reconstructions."""
    names = np.array(classes, dtype=object)
    if kind == "samples":
        return pd.DataFrame({
            "class_name": names[pictures.sample_class],
            "outside_trained_range": pictures.sample_outside,
            "temperature": pictures.sample_temperature,
        })  # fmt: skip
    if kind == "morphs":
        return pd.DataFrame({
            "first_well": pictures.morph_first, "first_class": names[pictures.morph_source],
            "last_well": pictures.morph_second, "last_class": names[pictures.morph_target],
        })  # fmt: skip
    return pd.DataFrame({
        "well": pictures.rebuilt_well, "class_name": names[pictures.rebuilt_class],
        "error": pictures.rebuilt_error,
    })  # fmt: skip


def count_rows(counts: ArrayLike, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row a cell of a confusion matrix.

    Examples
    --------
    >>> count_rows([[3, 1], [0, 4]], ["a", "b"])["share_of_true_class"].tolist()
    [0.75, 0.25, 0.0, 1.0]
    """
    table = matrix_rows(np.asarray(counts).astype(np.int64), classes, "count")
    table.columns = pd.Index(["true_class", "called_class", "count"])
    total = table.groupby("true_class", sort=False)["count"].transform("sum")
    return table.assign(share_of_true_class=table["count"] / total.where(total > 0))


def matrix_rows(values: ArrayLike, names: Sequence[str], column: str) -> pd.DataFrame:
    """Return a row a cell of a square matrix whose rows and columns are classes."""
    return pd.DataFrame({
        "first_class": np.repeat(np.array(names, dtype=object), len(names)),
        "second_class": np.tile(np.array(names, dtype=object), len(names)),
        column: np.asarray(values).ravel(),
    })  # fmt: skip
