"""How a well gets its class: the rules of the section [classes] against the wells."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from counterstain.config import ClassRule
from counterstain.errors import InvalidInputError
from counterstain.plates.sources import list_some
from counterstain.plates.wells import normalise_well, row_name, well_position

__all__ = ["classify", "is_negative_control"]

_DERIVED = ("Metadata_Row", "Metadata_Column")


def _text(value: Any) -> str:
    """Write a cell or a rule's value in one way, so that 1, 1.0 and "1" are equal."""
    if isinstance(value, str):
        value = value.strip()
    elif pd.isna(value):
        return ""
    if isinstance(value, bool) or str(value).casefold() in ("true", "false"):
        return str(value).casefold()
    try:
        return f"{float(value):.12g}"
    except (TypeError, ValueError):
        return str(value)


def _column(wells: pd.DataFrame, name: str) -> pd.Series[Any] | None:
    """Return a column of the wells; rows and columns of the plate follow from the well."""
    if name in wells:
        return wells[name]
    if name in _DERIVED:
        places = [well_position(well) for well in wells["Metadata_Well"]]
        values = [row_name(r) if name == "Metadata_Row" else c + 1 for r, c in places]
        return pd.Series(values, index=wells.index)
    return None


def _no_column(name: str, column: str, wells: pd.DataFrame) -> str:
    known = [str(c) for c in wells.columns if str(c).startswith("Metadata_")]
    guesses = (column, f"Metadata_{column}")
    close = [c for g in guesses for c in difflib.get_close_matches(g, known, n=1, cutoff=0.75)]
    remedy = f"did you mean {close[0]!r}?" if close else "correct the rule or add the column."
    return (
        f"`classes.{name}`: {column!r} is not a column of the plate map, which has "
        f"{list_some(known, most=20)}: {remedy}"
    )


def _no_value(name: str, column: str, value: Any, cells: pd.Series[Any]) -> str:
    seen = sorted({str(cell) for cell in cells if _text(cell)})
    close = difflib.get_close_matches(str(value).casefold(), map(str.casefold, seen), n=1)
    guess = next((cell for cell in seen if close and cell.casefold() == close[0]), None)
    remedy = f"did you mean {guess!r}?" if guess else "use one of these."
    return (
        f"`classes.{name}`: {column} is {value!r} in no well; it has "
        f"{list_some(map(repr, seen), most=12) or 'no value at all'}: {remedy}"
    )


def _members(name: str, rule: ClassRule, wells: pd.DataFrame) -> tuple[pd.Series[bool], list[str]]:
    """Return which wells a rule takes, and the problems of the rule."""
    taken = pd.Series(bool(rule), index=wells.index)
    problems = []
    if not rule:
        problems.append(
            f"`classes.{name}` must say which wells it takes; it is empty: name a column and value."
        )
    for column, wanted in rule.items():
        cells = _column(wells, column)
        if cells is None:
            problems.append(_no_column(name, column, wells))
            taken &= False
            continue
        values = wanted if isinstance(wanted, list) else [wanted]
        texts = cells.map(_text)
        if column == "Metadata_Well":
            values = [normalise_well(str(value)) for value in values]
        absent = [value for value in values if not (texts == _text(value)).any()]
        problems += [_no_value(name, column, value, cells) for value in absent]
        taken &= texts.isin([_text(value) for value in values])
    return taken, problems


def classify(
    wells: pd.DataFrame, rules: Mapping[str, ClassRule]
) -> tuple[pd.Series[Any], list[str]]:
    """Give each well its class, and collect what is wrong with the rules.

    Parameters
    ----------
    wells : pandas.DataFrame
        A row a well with Metadata_* columns.
    rules : mapping of str to ClassRule
        As in the section [classes].

    Returns
    -------
    class_name : pandas.Series of str
        "" for wells in no class; a well in two classes has the first.
    problems : list of str
        Sentences.
    """
    class_name = pd.Series("", index=wells.index, dtype=object, name="class_name")
    problems: list[str] = []
    twice: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    for name, rule in rules.items():
        try:
            taken, wrong = _members(name, rule, wells)
        except InvalidInputError as error:
            problems += [f"`classes.{name}`: {problem}" for problem in error.problems]
            continue
        problems += wrong
        for index in wells.index[taken & (class_name != "")]:
            pair = (str(class_name[index]), name)
            twice[pair] += 1
            example.setdefault(pair, _place(wells, index))
        class_name[taken & (class_name == "")] = name
    for (first, second), count in twice.items():
        problems.append(
            f"`classes`: a well must be in one class; {count} well(s), such as "
            f"{example[first, second]}, are in both {first!r} and {second!r}: make the "
            "rules exclude each other."
        )
    return class_name, problems


def _place(wells: pd.DataFrame, index: Any) -> str:
    names = [name for name in ("Metadata_Plate", "Metadata_Well") if name in wells]
    return " ".join(str(wells.loc[index, name]) for name in names)


def is_negative_control(rows: pd.DataFrame, first_class: str) -> pd.Series[bool]:
    """Say which rows are negative controls.

    Parameters
    ----------
    rows : DataFrame
        With ``class_name`` and, where the plate map has it, ``Metadata_control_type``.
    first_class : str
        Class that stands in for negative controls where the plate map names none.

    Examples
    --------
    >>> rows = pd.DataFrame({"class_name": ["a", "b", ""]})
    >>> is_negative_control(rows, "a").tolist()
    [True, False, False]
    >>> is_negative_control(rows.assign(Metadata_control_type=["", "negcon", ""]), "a").tolist()
    [False, True, False]
    """
    if "Metadata_control_type" in rows:
        named = rows["Metadata_control_type"] == "negcon"
        if named.any():
            return named
    return rows["class_name"] == first_class
