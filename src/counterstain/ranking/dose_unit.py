"""In which unit a ranking reads the concentrations of its wells."""

from __future__ import annotations

import re

import pandas as pd

__all__ = ["dose_unit"]

_MOLAR = re.compile(r"\d\s*[pnuµμm]?M\s*$")


def dose_unit(treated: pd.DataFrame) -> str:
    """Return the unit that :func:`counterstain.ranking.rank_treatments` gives concentrations in.

    Parameters
    ----------
    treated : DataFrame
        Treated wells, with ``Metadata_Concentration`` and ``Metadata_ConcentrationUnit`` where the
        plate map has them.

    Returns
    -------
    str
        "µM" where concentrations carry units of their own or the wells have several; the one unit
        that all wells have; empty where nothing names a unit.

    Examples
    --------
    >>> dose_unit(pd.DataFrame({"Metadata_Concentration": [3, 10],
    ...                         "Metadata_ConcentrationUnit": "nM"}))
    'nM'
    >>> dose_unit(pd.DataFrame({"Metadata_Concentration": ["3 nM", "1 uM"]}))
    'µM'
    >>> dose_unit(pd.DataFrame({"Metadata_Concentration": [3.0]}))
    ''
    """
    blank = pd.Series([""] * len(treated), index=treated.index)
    amounts, units = (
        treated.get(f"Metadata_Concentration{end}", blank).astype("string").fillna("").str.strip()
        for end in ("", "Unit")
    )
    known = set(units)
    if len(known) > 1 or any(_MOLAR.search(amount) for amount in amounts):
        return "µM"
    unit = known.pop() if known else ""
    return re.sub(r"^[uμ](?=M$)", "µ", unit)
