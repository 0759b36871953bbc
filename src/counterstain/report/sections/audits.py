"""The evidence of every audit."""

from __future__ import annotations

from typing import Any

import pandas as pd

from counterstain.figures.audits import draw_checks
from counterstain.report.audit_data import Audit, read_audits, withheld
from counterstain.report.chapter import Chapter, Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import count, decimal, interval
from counterstain.report.sections.audit_figures import (
    faithfulness_figure,
    inside_figure,
    null_figure,
    sanity_figure,
)
from counterstain.report.sections.trust_panel import SIGNS, audit_light, trust_panel

__all__ = ["audits_chapter"]

# Audits of maps have figures of their own, with a row a method.
_OWN_FIGURES = ("sanity", "faithfulness")


def audits_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return, for each audit, its status, its checks with intervals, and its figures.

    Parameters
    ----------
    data : RunData
        A run.
    book : FigureBook
        Where figures go.

    Returns
    -------
    Chapter
        A run without audits says so.
    """
    audits = read_audits(data)
    content: dict[str, Any] = {
        "absent": trust_panel(data)["absent"],
        "withheld": withheld(data),
        "audits": [
            {
                "light": audit_light(audit),
                "notes": _notes(audit),
                "figures": _figures(data, audit, book),
                "checks": _check_table(audit),
            }
            for audit in audits
        ],
    }
    return Chapter("audits", "Can the explanations be trusted?", "Audits", content)


def _notes(audit: Audit) -> list[str]:
    if audit.status == "unknown" and not audit.checks:
        return ["Nothing was measured here: this is no all-clear."]
    return []


def _figures(data: RunData, audit: Audit, book: FigureBook) -> list[PageFigure]:
    drawn = {
        "empty_area": inside_figure,
        "sanity": sanity_figure,
        "faithfulness": faithfulness_figure,
    }
    found: list[PageFigure | None] = []
    if audit.key in drawn:
        found.append(drawn[audit.key](data, book))
    if audit.key == "null_screen":
        found.append(null_figure(data, audit, book))
    if audit.key not in _OWN_FIGURES:
        found.append(_forest(audit, book))
    return [figure for figure in found if figure is not None]


def _forest(audit: Audit, book: FigureBook) -> PageFigure | None:
    if not any(check.number.is_defined for check in audit.checks):
        return None
    table = pd.DataFrame([
        {"check": c.check, "status": c.status, "unit": c.unit, "value": c.number.value,
         "low": c.number.low, "high": c.number.high}
        for c in audit.checks
    ])  # fmt: skip
    tally = ", ".join(
        f"{n} {name}" for name in SIGNS if (n := sum(c.status == name for c in audit.checks))
    )
    caption = (
        f"{audit.title}: every check with its number and its 95 % interval over wells where it has "
        f"one; an axis a unit. {tally}."
    )
    alt = f"Forest plot of the checks of {audit.title}: {tally}."
    return book.add(
        f"{audit.anchor}-checks", draw_checks(table), caption=caption, alt=alt, table=table
    )


def _check_table(audit: Audit) -> Table | None:
    if not audit.checks:
        return None
    rows = []
    for check in audit.checks:
        number = interval(check.number) if check.number.is_defined else decimal(float("nan"))
        unit = f" {check.unit}" if check.unit and check.number.is_defined else ""
        wells = count(check.number.n_wells) if check.number.n_wells else "–"
        status = f"{SIGNS[check.status]} {check.status}"
        rows.append((check.check, status, number + unit, wells, check.sentence or "–"))
    header = ("check", "status", "number", "wells", "what it says")
    return Table(f"Checks of “{audit.title}”", header, rows, frozenset({3}))
