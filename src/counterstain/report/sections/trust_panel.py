"""The panel of audits on the first screen: status, number, a sentence, a link to its evidence."""

from __future__ import annotations

from dataclasses import dataclass

from counterstain.report.audit_data import Audit, read_audits
from counterstain.report.data import RunData

__all__ = ["SIGNS", "Light", "audit_light", "trust_panel"]

SIGNS = {"green": "✓", "amber": "▲", "red": "✗", "unknown": "?"}
"""A sign for each status, so that none rests on colour."""
_NONE = (
    "This run holds no audits: it was made before there were any, or has not come so far. Nothing "
    "vouches for its classifier and its explanations."
)


@dataclass(frozen=True, slots=True)
class Light:
    """An audit as the panel shows it.

    Parameters
    ----------
    title, status, sign : str
        Its name; "green", "amber", "red" or "unknown"; a sign for the status.
    number, sentence : str
        Its number in a few words, and one sentence.
    anchor : str
        Id of its evidence on the page.
    withholds : bool
        Whether sentences about biology are withheld because of it.
    """

    title: str
    status: str
    sign: str
    number: str
    sentence: str
    anchor: str
    withholds: bool


def audit_light(audit: Audit) -> Light:
    """Return an audit as the panel shows it."""
    return Light(
        title=audit.title,
        status=audit.status,
        sign=SIGNS[audit.status],
        number=audit.number,
        sentence=audit.sentence,
        anchor=audit.anchor,
        withholds=audit.withholds and audit.status == "red",
    )


def trust_panel(data: RunData) -> dict[str, object]:
    """Return the panel: a light an audit, how many are of each status, or why there is none.

    Parameters
    ----------
    data : RunData
        A run.

    Returns
    -------
    dict
        ``lights``, ``summary`` and ``absent`` (a sentence where the run holds no audits).
    """
    lights = [audit_light(audit) for audit in read_audits(data)]
    counts = [(name, sum(light.status == name for light in lights)) for name in SIGNS]
    summary = ", ".join(f"{n} {name}" for name, n in counts if n)
    return {"lights": lights, "summary": summary, "absent": "" if lights else _NONE}
