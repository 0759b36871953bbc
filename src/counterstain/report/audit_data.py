"""What a run's audits found, and whether sentences about biology are withheld for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from counterstain.report.data import RunData
from counterstain.report.numbers import as_estimate
from counterstain.types import Estimate

__all__ = ["AUDIT_TITLES", "Audit", "Check", "Withheld", "read_audits", "withheld"]

AUDIT_TITLES: Mapping[str, str] = {
    "chance": "Better than chance",
    "leakage": "Leakage and shortcuts",
    "empty_area": "Empty areas",
    "sanity": "Sanity of the maps",
    "faithfulness": "Faithfulness of the maps",
    "null_screen": "Null screen",
}
"""Audits in the order of the panel; titles for those that were not made."""
_STATUSES = ("green", "amber", "red", "unknown")


@dataclass(frozen=True, slots=True)
class Check:
    """One question of an audit: its answer, number with unit, and sentence."""

    check: str
    status: str
    number: Estimate
    unit: str = ""
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Parameters
    ----------
    key, title : str
        Its name in the run, and for readers.
    status : str
        "green", "amber", "red" or "unknown".
    number, sentence : str
        Its number with a unit, in a few words, and one sentence.
    withholds : bool
        Whether sentences about biology depend on it.
    checks : tuple of Check
        What it rests on.
    details : mapping
        More of it, as the run holds it.
    """

    key: str
    title: str
    status: str
    number: str = ""
    sentence: str = ""
    withholds: bool = False
    checks: tuple[Check, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def anchor(self) -> str:
        """Id of its evidence on the page."""
        return "audit-" + "".join(
            c if c.isascii() and (c.isalnum() or c == "_") else "-" for c in self.key
        )


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why sentences about biology are withheld.

    Parameters
    ----------
    reason : str
        One sentence or more, to stand in their place.
    audits : tuple of Audit
        The red audits.
    """

    reason: str
    audits: tuple[Audit, ...]


def read_audits(data: RunData) -> list[Audit]:
    """Return the audits of a run in the order of the panel; none where the run holds none.

    An audit of the six that the run lacks is there with status "unknown".

    Parameters
    ----------
    data : RunData
        A run.

    Returns
    -------
    list of Audit
        Those of the panel first, others after them; a status that is no status is "unknown".
    """
    entries = data.metrics.get("audits")
    held = [e for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []
    if not held:
        return []
    found: dict[str, Audit] = {}
    for entry in held:
        key = str(entry.get("key") or "")
        if key and key not in found:
            found[key] = _audit(data, key, entry)
    for key, title in AUDIT_TITLES.items():
        found.setdefault(key, Audit(key, title, "unknown", sentence="It was not made in this run."))
    order = [*AUDIT_TITLES, *(key for key in found if key not in AUDIT_TITLES)]
    return [found[key] for key in order]


def _audit(data: RunData, key: str, entry: Mapping[str, Any]) -> Audit:
    checks = entry.get("checks")
    rows = [c for c in checks if isinstance(c, Mapping)] if isinstance(checks, list) else []
    details = entry.get("details")
    return Audit(
        key=key,
        title=str(entry.get("title") or AUDIT_TITLES.get(key, key.replace("_", " "))),
        status=_status(entry.get("status")),
        number=str(entry.get("number") or ""),
        sentence=data.without_paths(str(entry.get("sentence") or "No sentence was recorded.")),
        withholds=bool(entry.get("withholds")),
        checks=tuple(_check(data, row) for row in rows or _table_rows(data, key)),
        details=details if isinstance(details, Mapping) else {},
    )


def _status(content: Any) -> str:
    return str(content) if content in _STATUSES else "unknown"


def _check(data: RunData, row: Mapping[str, Any]) -> Check:
    numbers = {k: row.get(k) for k in ("value", "low", "high", "n_wells")}
    known = {k: v for k, v in numbers.items() if v is not None and not pd.isna(v)}
    return Check(
        check=str(row.get("check") or "?"),
        status=_status(row.get("status")),
        number=as_estimate(known | {"reason": "" if "value" in known else "no number"}),
        unit=str(row.get("unit") or ""),
        sentence=data.without_paths(str(row.get("sentence") or "")),
    )


def _table_rows(data: RunData, key: str) -> list[Mapping[str, Any]]:
    """Return an audit's checks from the table, for runs whose numbers do not hold them."""
    table = data.table("audits")
    if table is None:
        return []
    rows = table[table["audit"] == key].to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def withheld(data: RunData) -> Withheld | None:
    """Say why sentences about biology are withheld; None where they are not.

    Parameters
    ----------
    data : RunData
        A run.

    Returns
    -------
    Withheld or None
        Something only while an audit that they depend on is red.
    """
    red = tuple(a for a in read_audits(data) if a.status == "red" and a.withholds)
    if not red:
        return None
    names = [f"“{a.title}”" + (f" ({a.number})" if a.number else "") for a in red]
    listed = names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
    start = "the audit" if len(red) == 1 else "the audits"
    verb = "is" if len(red) == 1 else "are"
    reason = (
        f"Sentences about biology are withheld, because {start} {listed} {verb} red. "
        f"{' '.join(a.sentence for a in red)}"
    )
    return Withheld(reason.strip(), red)
