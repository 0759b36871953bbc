"""Faulty fields: what is measured, and when a field is told from its plate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from counterstain.config import QualityConfig
from counterstain.errors import InvalidInputError

__all__ = ["flag_faulty", "measure_quality", "quality_columns"]

# Highest values of 8- to 16-bit cameras, also where 10 to 14 bits are stored in the upper bits.
_CEILINGS = {(1 << bits) - 1 for bits in (8, 10, 12, 14, 16)} | {
    ((1 << bits) - 1) << (16 - bits) for bits in (10, 12, 14)
}
_MEASURES = ("focus", "saturated", "mean", "background", "bulk", "high", "blob")
_MIN_FIELDS = 8
"""A plate with fewer readable fields has no spread to judge by."""
_FLOOR_DB = 0.25
_FLOOR_DOUBLINGS = 0.25
"""Least robust standard deviations, so that a very even plate does not flag what nobody sees."""


def quality_columns(channels: Sequence[str]) -> list[str]:
    """Return the keys of `measure_quality` in their order.

    Examples
    --------
    >>> quality_columns(["DNA"])[:3]
    ['n_cells', 'focus_DNA', 'saturated_DNA']
    """
    return ["n_cells", *(f"{measure}_{name}" for name in channels for measure in _MEASURES)]


def measure_quality(
    field: NDArray[Any],
    nuclei: NDArray[np.integer[Any]],
    channels: Sequence[str] | None = None,
) -> dict[str, float]:
    """Measure one field; nothing is judged yet.

    Parameters
    ----------
    field : (C, H, W) array of uint8 or uint16
        Grey values.
    nuclei : (H, W) array of int
        Labels of nuclei.
    channels : sequence of str, optional
        Names for the keys; "0", "1", ... where not given.

    Returns
    -------
    dict of str to float
        ``n_cells`` and for each channel

        - ``focus_*``: energy between 1 and 2 px over that between 2 and 4 px, dB. Blur lowers
          it; the number and brightness of cells hardly touch it.
        - ``saturated_*``: share of pixels at a camera's ceiling, 0 to 1.
        - ``mean_*``, ``background_*`` (5th percentile), ``bulk_*`` (75th), ``high_*`` (99.5th):
          grey values.
        - ``blob_*``: brightest mean of a square of 1/16 of the field's side, above the
          background, grey values.

    Examples
    --------
    >>> sharp = np.random.default_rng(0).integers(0, 200, (1, 64, 64), dtype=np.uint8)
    >>> blurred = ndimage.gaussian_filter(sharp, (0, 2, 2))
    >>> none = np.zeros((64, 64), np.int32)
    >>> focus = [measure_quality(f, none)["focus_0"] for f in (sharp, blurred)]
    >>> focus[0] > focus[1] + 3
    True
    """
    names = [str(c) for c in range(len(field))] if channels is None else list(channels)
    measures = {"n_cells": float(len(np.unique(nuclei[nuclei > 0])))}
    for name, image in zip(names, field, strict=True):
        for key, value in _measure_channel(image).items():
            measures[f"{key}_{name}"] = value
    return measures


def _measure_channel(image: NDArray[Any]) -> dict[str, float]:
    cumulative = np.cumsum(np.bincount(image.ravel()))
    ranks = np.array([0.05, 0.75, 0.995]) * image.size
    background, bulk, high = np.searchsorted(cumulative, ranks).tolist()
    top = len(cumulative) - 1
    at_top = 1.0 - (cumulative[top - 1] / image.size if top else 0.0)
    smooth = image.astype(np.float32)
    side = max(16, min(image.shape) // 16)
    blob = float(ndimage.uniform_filter(smooth[::2, ::2], side // 2).max())
    return {
        "focus": _focus(smooth),
        "saturated": at_top if top in _CEILINGS else 0.0,
        "mean": float(image.mean()),
        "background": float(background),
        "bulk": float(bulk),
        "high": float(high),
        "blob": max(blob - background, 0.0),
    }


def _focus(image: NDArray[np.float32]) -> float:
    one, two, four = (ndimage.gaussian_filter(image, sigma) for sigma in (1, 2, 4))
    fine, coarse = float((one - two).var()), float((two - four).var())
    # A constant image leaves rounding noise only: it has no focus.
    if coarse <= 1e-6 * max(float(image.max()), 1.0) ** 2 * 1e-3 or fine <= 0:
        return float("nan")
    return float(10 * np.log10(fine / coarse))


def flag_faulty(fields: pd.DataFrame, config: QualityConfig) -> pd.DataFrame:
    """Tell faulty fields, each from the other fields of its plate, and say why.

    Only what points to the microscope is called faulty, not what a treatment may do: blur and odd
    brightness must show in every channel, a raised background or a large bright thing in any. A
    deviation that most other wells of the same treatment share is taken for biology. Plates with
    fewer than 8 readable fields are judged by cell count and saturation alone.

    Parameters
    ----------
    fields : DataFrame
        A row per field: ``Metadata_Plate``, ``Metadata_Well``, the columns of `measure_quality`
        (NaN where a field could not be read), ``problem`` (empty where it could), and where known
        ``Metadata_Compound``, ``Metadata_Concentration``, ``class_name``.
    config : QualityConfig
        Limits.

    Returns
    -------
    DataFrame
        `fields` with ``faulty`` (bool) and ``reason`` (str; several are joined by "; ").

    Raises
    ------
    InvalidInputError
        If `fields` was not measured.

    Examples
    --------
    >>> fields = pd.DataFrame({"Metadata_Plate": "P1", "Metadata_Well": ["A01", "A02"],
    ...     "problem": "", "n_cells": [80.0, 1.0], "saturated_DNA": 0.0, "focus_DNA": -5.0,
    ...     "background_DNA": 5.0, "bulk_DNA": 8.0, "high_DNA": 100.0, "blob_DNA": 30.0})
    >>> flag_faulty(fields, QualityConfig())["reason"].tolist()
    ['', 'empty']
    """
    channels = [c.removeprefix("focus_") for c in fields.columns if c.startswith("focus_")]
    if not channels or "n_cells" not in fields:
        raise InvalidInputError(
            "`fields` must hold the columns of measure_quality; got none: measure the fields first."
        )
    readable = fields["problem"] == ""
    empty = readable & (fields["n_cells"] < config.min_cells)
    saturated = readable & (
        fields[[f"saturated_{c}" for c in channels]].max(axis=1) > config.max_saturated
    )
    judged = fields[readable & ~empty]
    relative = _relative(judged, channels, config.outlier_sd).reindex(
        fields.index, fill_value=False
    )
    reasons = pd.DataFrame(
        {
            "empty": empty,
            "out of focus": relative["out of focus"],
            "saturated": saturated,
            "debris": relative["debris"],
            "intensity outlier": relative["intensity outlier"],
        }
    )
    text = pd.Series(
        ["; ".join(reasons.columns[row]) for row in reasons.to_numpy(dtype=bool)],
        index=fields.index,
        dtype=object,
    )
    text[~readable] = "unreadable: " + fields["problem"][~readable].astype(str)
    return fields.assign(faulty=text != "", reason=text)


def _relative(fields: pd.DataFrame, channels: Sequence[str], limit: float) -> pd.DataFrame:
    """Flag what is judged against the plate."""
    names = ["out of focus", "debris", "intensity outlier"]
    flags = pd.DataFrame(False, index=fields.index, columns=names)
    for _, plate in fields.groupby("Metadata_Plate", sort=True):
        if len(plate) < _MIN_FIELDS:
            continue
        scores = [_scores(plate, channel) for channel in channels]
        focus = pd.concat([s["focus"] for s in scores], axis=1)
        signal = pd.concat([s["signal"] for s in scores], axis=1)
        background = pd.concat([s["background"] for s in scores], axis=1)
        blob = pd.concat([s["blob"] for s in scores], axis=1)
        blurred = _throughout(-focus, limit)
        # Longer exposure lifts the background too; what only adds bright things is debris.
        unlifted = background.max(axis=1) < limit / 2
        glaring = _throughout(signal, limit)
        debris = blob.where(background < limit / 2, 0.0).max(axis=1) > limit
        debris |= glaring & unlifted
        odd = (glaring & ~debris) | _throughout(-signal, limit)
        odd |= background.max(axis=1) > limit
        for name, flag in zip(names, (blurred, debris, odd), strict=True):
            flags.loc[plate.index, name] = flag & ~_shared(flag, plate)
    return flags


def _throughout(scores: pd.DataFrame, limit: float) -> pd.Series[bool]:
    """Whether a deviation shows in every channel: half of it where a phenotype spreads one."""
    return (scores.mean(axis=1) > limit) & (scores.min(axis=1) > limit / 2)


def _scores(plate: pd.DataFrame, channel: str) -> dict[str, pd.Series[float]]:
    """Robust z-scores of one channel; intensities in doublings."""
    background = plate[f"background_{channel}"]
    signal = (plate[f"high_{channel}"] - background).clip(lower=0)
    blob = plate[f"blob_{channel}"]
    # A twentieth of the signal keeps backgrounds of a few grey values from doubling by rounding.
    offset = max(0.05 * float(signal.median()), 1.0)
    bulk = (plate[f"bulk_{channel}"] - background).clip(lower=0)
    # Debris is brighter than any group of cells, and not because the whole field is.
    bright = pd.concat(
        [_doublings(blob + offset), _doublings((blob + offset) / (bulk + offset))], axis=1
    )
    return {
        "focus": _robust_z(plate[f"focus_{channel}"], _FLOOR_DB),
        "signal": _doublings(signal + offset),
        "background": _doublings(background + offset),
        "blob": bright.min(axis=1),
    }


def _doublings(values: pd.Series[float]) -> pd.Series[float]:
    logarithm = pd.Series(np.log2(values.to_numpy()), index=values.index)
    return _robust_z(logarithm, _FLOOR_DOUBLINGS)


def _robust_z(values: pd.Series[float], floor: float) -> pd.Series[float]:
    median = values.median()
    spread = 1.4826 * (values - median).abs().median()
    return ((values - median) / max(spread, floor)).fillna(0.0)


def _shared(flag: pd.Series[bool], plate: pd.DataFrame) -> pd.Series[bool]:
    """Whether most fields in other wells of the same treatment deviate too."""
    known = ("Metadata_Compound", "Metadata_Concentration", "class_name")
    columns = [plate[c].fillna("").astype(str) for c in known if c in plate]
    if not columns:
        return pd.Series(False, index=plate.index)
    treatment = pd.concat(columns, axis=1).agg("|".join, axis=1)
    well = treatment + "|" + plate["Metadata_Well"].astype(str)
    number = flag.astype(int)
    others = _total(number, treatment) - _total(number, well)
    n_others = _total(number * 0 + 1, treatment) - _total(number * 0 + 1, well)
    named = treatment.str.strip("|") != ""
    return named & (n_others >= 2) & (others >= 0.5 * n_others)


def _total(values: pd.Series[int], key: pd.Series[str]) -> pd.Series[int]:
    return values.groupby(key).transform("sum")
