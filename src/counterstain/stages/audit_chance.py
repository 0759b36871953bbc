"""The first audit: whether there is anything to explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from counterstain.audit.verdict import AuditCheck, AuditVerdict, Status

__all__ = ["judge_chance"]


def judge_chance(metrics: Mapping[str, Any]) -> AuditVerdict:
    """Turn the chance test of a run into a verdict.

    Parameters
    ----------
    metrics : mapping
        Content of ``metrics.json`` with its key ``chance``.

    Examples
    --------
    >>> chance = {"statistic": "AUC", "score": {"value": 1.0, "low": 0.8, "high": 1.0,
    ...           "n_wells": 24}, "p_value": 1e-4, "at_chance": False, "decidable": True,
    ...           "reason": "The classes are told apart."}
    >>> verdict = judge_chance({"chance": chance})
    >>> verdict.status, verdict.number
    ('green', 'AUC 1.00')
    """
    chance = metrics["chance"]
    score = chance["score"]
    status: Status = "green"
    if chance["at_chance"]:
        status = "red" if chance["decidable"] else "unknown"
    value, low, high = (
        float("nan") if score.get(key) is None else float(score[key])
        for key in ("value", "low", "high")
    )
    number = "not judged" if score.get("value") is None else f"{chance['statistic']} {value:.2f}"
    check = AuditCheck(
        "held-out wells against chance", status, value, low, high, str(chance["statistic"]),
        int(score.get("n_wells") or 0), str(chance["reason"]),
    )  # fmt: skip
    return AuditVerdict.of_checks("chance", "Better than chance", [check], number=number)
