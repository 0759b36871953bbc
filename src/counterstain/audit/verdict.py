"""What an audit answers: checks with a number, an interval and a sentence, and their verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from counterstain.errors import InvalidInputError

__all__ = ["AuditCheck", "AuditVerdict", "Status", "worst_status"]

Status = Literal["green", "amber", "red", "unknown"]
"""Green: nothing found; amber: read with care; red: do not believe; unknown: not judged."""

# An audit that could not be made is no reason to stop, but no all-clear either.
_SEVERITY: dict[str, int] = {"green": 0, "unknown": 1, "amber": 2, "red": 3}


def worst_status(statuses: Iterable[Status]) -> Status:
    """Return the worst of several statuses.

    Parameters
    ----------
    statuses : iterable of {'green', 'amber', 'red', 'unknown'}
        Statuses of checks. Red is worse than amber, amber than green; checks that could not be
        made are left out as long as any other could.

    Returns
    -------
    {'green', 'amber', 'red', 'unknown'}
        "unknown" where nothing could be judged.

    Raises
    ------
    InvalidInputError
        If a status is none of the four.

    Examples
    --------
    >>> worst_status(["green", "amber", "unknown"]), worst_status([]), worst_status(["green"])
    ('amber', 'unknown', 'green')
    """
    seen = list(statuses)
    for status in seen:
        _check_status(status)
    judged = [status for status in seen if status != "unknown"]
    return max(judged, key=_SEVERITY.__getitem__) if judged else "unknown"


def _check_status(status: str) -> None:
    if status not in get_args(Status):
        raise InvalidInputError(
            f"`status` must be one of {', '.join(get_args(Status))}; got {status!r}: choose one."
        )


def _json_number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """One question that an audit asked, and its answer.

    Parameters
    ----------
    check : str
        Short name, such as "corner tag".
    status : {'green', 'amber', 'red', 'unknown'}
        The answer.
    value, low, high : float
        Its number with an interval by well; NaN where there is none.
    unit : str
        Unit of the three, such as "% of the signal".
    n_wells : int
        Wells that the number rests on.
    sentence : str
        What was found, how large it is and what to do.

    Raises
    ------
    InvalidInputError
        If the status is none of the four.

    Examples
    --------
    >>> AuditCheck("focus", "green", 0.1, unit="px", sentence="Classes are alike.").to_json()["low"]
    """

    check: str
    status: Status
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    n_wells: int = 0
    sentence: str = ""

    def __post_init__(self) -> None:
        _check_status(self.status)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            "check": self.check,
            "status": self.status,
            "value": _json_number(self.value),
            "low": _json_number(self.low),
            "high": _json_number(self.high),
            "unit": self.unit,
            "n_wells": self.n_wells,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What an audit found.

    Parameters
    ----------
    key : str
        Name in ``metrics.json`` and ``tables/audits.parquet``, such as "leakage".
    title : str
        Name for readers.
    status : {'green', 'amber', 'red', 'unknown'}
        Verdict.
    number : str
        Short text of its number, such as "AUC 0.52".
    sentence : str
        One sentence.
    value, low, high : float
        The number itself with its interval; NaN where there is none.
    withholds : bool
        Whether sentences about biology are withheld while the status is red.
    checks : tuple of AuditCheck
        What it rests on.
    details : mapping
        More for the report; JSON-ready.

    Raises
    ------
    InvalidInputError
        If the status is none of the four.

    Examples
    --------
    >>> check = AuditCheck("focus", "red", 0.6, unit="px", sentence="Focus differs by class.")
    >>> verdict = AuditVerdict.of_checks("leakage", "Leakage", [check], number="focus 0.6 px")
    >>> verdict.status, verdict.sentence, verdict.to_json()["checks"][0]["unit"]
    ('red', 'Focus differs by class.', 'px')
    """

    key: str
    title: str
    status: Status
    number: str
    sentence: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    withholds: bool = True
    checks: tuple[AuditCheck, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_status(self.status)

    @classmethod
    def of_checks(
        cls,
        key: str,
        title: str,
        checks: Iterable[AuditCheck],
        *,
        number: str = "",
        sentence: str = "",
        withholds: bool = True,
        details: Mapping[str, Any] | None = None,
    ) -> AuditVerdict:
        """Make the verdict that is as bad as the worst check.

        Parameters
        ----------
        key, title, number, sentence, withholds, details
            As the attributes. Without a sentence, the first of the worst checks speaks; its number
            becomes the verdict's.
        checks : iterable of AuditCheck
            All checks.

        Returns
        -------
        AuditVerdict
            With the checks in the order given.
        """
        checks = tuple(checks)
        status = worst_status(check.status for check in checks)
        leading = next((check for check in checks if check.status == status), None)
        value, low, high = (
            (leading.value, leading.low, leading.high) if leading else (math.nan,) * 3
        )
        return cls(
            key=key,
            title=title,
            status=status,
            number=number,
            sentence=sentence or (leading.sentence if leading else "Nothing could be judged."),
            value=value,
            low=low,
            high=high,
            withholds=withholds,
            checks=checks,
            details=dict(details or {}),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready entry of ``metrics.json["audits"]``."""
        return {
            "key": self.key,
            "title": self.title,
            "status": self.status,
            "value": _json_number(self.value),
            "low": _json_number(self.low),
            "high": _json_number(self.high),
            "number": self.number,
            "sentence": self.sentence,
            "withholds": self.withholds,
            "checks": [check.to_json() for check in self.checks],
            "details": dict(self.details),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return rows for ``tables/audits.parquet``: one a check, NaN kept."""
        names = ("check", "status", "value", "low", "high", "unit", "n_wells", "sentence")
        return [
            {"audit": self.key, **{name: getattr(check, name) for name in names}}
            for check in self.checks
        ]
