"""Concentrations as people write them: numbers, numbers as text, or with a molar unit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_concentrations"]

_TEXT = re.compile(r"\s*([+]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)\s*([pnuµμm]?M)?\s*")
_TO_MICROMOLAR = {"pM": 1e-6, "nM": 1e-3, "uM": 1.0, "µM": 1.0, "μM": 1.0, "mM": 1e3, "M": 1e6}


def read_concentrations(values: Iterable[object]) -> tuple[NDArray[np.float64], list[str]]:
    """Read concentrations; what cannot be read is NaN with a reason, and the rest goes on.

    Parameters
    ----------
    values : iterable of object, length W
        Numbers, text such as "3", "3 uM" or "10 nM", and nothing (None, NaN or "") for wells
        without a dose.

    Returns
    -------
    concentrations : ndarray of float64, shape (W,)
        In the unit of the plate map where no value has a unit, else in µM; NaN where there is none.
    problems : list of str, length W
        Why a value is not used, "" where it is. Where some values have a unit and others none,
        those without are not used: they could be a thousand-fold off.

    Examples
    --------
    >>> read_concentrations([3, "10", None])
    (array([ 3., 10., nan]), ['', '', ''])
    >>> read_concentrations(["3 uM", "100 nM", "high"])[0]
    array([3. , 0.1, nan])
    >>> read_concentrations(["3 uM", 100])[1][1]
    "concentration '100' has no unit, others have: write one unit for all"
    """
    raw = list(values)
    amounts = np.full(len(raw), np.nan)
    units: list[str] = [""] * len(raw)
    problems = [""] * len(raw)
    for i, value in enumerate(raw):
        text = _as_text(value)
        if not text:
            continue
        match = _TEXT.fullmatch(text)
        if match is None:
            problems[i] = (
                f"concentration {text!r} is no number of 0 or more, alone or with pM, nM, uM, mM, M"
            )
            continue
        units[i] = match[2] or ""
        amounts[i] = float(match[1].replace(",", ".")) * _TO_MICROMOLAR.get(units[i], 1.0)
    if any(units):
        for i, unit in enumerate(units):
            if not unit and np.isfinite(amounts[i]) and amounts[i] != 0:
                problems[i] = (
                    f"concentration {_as_text(raw[i])!r} has no unit, others have: write one unit "
                    f"for all"
                )
                amounts[i] = np.nan
    return amounts, problems


def _as_text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float | np.floating):
        return repr(float(value))
    text = str(value).strip()
    return "" if text.lower() in ("nan", "<na>", "none") else text
