"""The answer of a run in sentences; each rests on numbers of the run and on nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from counterstain.report.audit_data import withheld
from counterstain.report.data import RunData
from counterstain.report.numbers import (
    as_estimate,
    decimal,
    interval,
    percent,
    plain_percent,
)
from counterstain.types import Estimate

__all__ = [
    "Flip",
    "Verdict",
    "confirmed_rows",
    "difference",
    "flips",
    "nothing_reason",
    "shift_words",
    "verdict",
]

_Z_GOOD = 0.5  # Zhang, Chung and Oldenburg 1999: an excellent assay from here on


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the classes are separable.

    Parameters
    ----------
    status : str
        "good", "fair", "none" or "unknown".
    label, text : str
        A few words, and the sentence.
    """

    status: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Flip:
    """How counterfactuals of one direction fare.

    Parameters
    ----------
    key : str
        The direction as ``metrics.json`` names it.
    source, target : str
        Class names.
    oracle : Estimate
        Share that crosses the midpoint of the measurement that never saw the network.
    gap : Estimate
        Share of the distance between the classes' medians that is closed.
    model : Estimate
        Share that flips the network's own mind.
    """

    key: str
    source: str
    target: str
    oracle: Estimate
    gap: Estimate
    model: Estimate


def verdict(data: RunData) -> Verdict:
    """Say in one sentence whether the classes can be told apart."""
    found = _verdict(data)
    red = withheld(data)
    if red is None or data.nothing_to_explain:
        return found
    names = " and ".join(f"“{audit.title}”" for audit in red.audits)
    text = f"{found.text} The audit of {names} is red: what tells the classes apart may not be"
    status = "fair" if found.status == "good" else found.status
    return Verdict(status, f"{found.label}; cause in doubt", f"{text} biology.")


def _verdict(data: RunData) -> Verdict:
    if not data.metrics:
        return Verdict(
            "unknown",
            "No answer yet",
            "This run has no numbers: it is unfinished or its metrics are lost. What is there is "
            "shown below.",
        )
    if data.nothing_to_explain:
        return Verdict(
            "none",
            "Nothing to explain",
            f"There is nothing to explain: {nothing_reason(data)}. {_accuracy_sentence(data)}",
        )
    z_prime = as_estimate((data.metrics.get("separation") or {}).get("z_prime"))
    names = " and ".join([", ".join(data.classes[:-1]), *data.classes[-1:]])
    if not z_prime.is_defined:
        why = f" Z′ is {interval(z_prime)}." if len(data.classes) == 2 else ""
        text = f"{names} are told apart. {_accuracy_sentence(data)}{why}"
        return Verdict("fair", "Told apart", text)
    status, label, how = _grade(z_prime.value)
    text = (
        f"Wells of {names} {how}: Z′\N{NO-BREAK SPACE}{interval(z_prime)} between wells "
        f"held out of training. "
        f"{_accuracy_sentence(data)}"
    )
    return Verdict(status, label, text)


def nothing_reason(data: RunData) -> str:
    """Say why there is nothing to explain, as the end of "There is nothing to explain: ..."."""
    reason = str(data.metrics.get("nothing_reason") or "the classes are not told apart")
    reason = re.sub(r"^\s*there is nothing to explain\W*", "", reason, flags=re.IGNORECASE)
    if reason[1:2].islower():
        reason = reason[:1].lower() + reason[1:]
    return reason.strip().rstrip(".")


def _grade(z_prime: float) -> tuple[str, str, str]:
    if z_prime >= _Z_GOOD:
        return "good", "Separable", "are clearly separable"
    if z_prime > 0:
        return "fair", "Separable, narrowly", "are separable, with a narrow window between them"
    return "fair", "Overlapping", "differ on average, but their ranges overlap"


def _accuracy_sentence(data: RunData) -> str:
    accuracy = data.metrics.get("accuracy") or {}
    crop, well = as_estimate(accuracy.get("crop")), as_estimate(accuracy.get("well"))
    chance = as_estimate(accuracy.get("chance"))
    text = (
        f"{_sentence_start(percent(well, 0))} of held-out wells and {percent(crop)} of their "
        f"{data.noun} are called right"
    )
    if chance.is_defined:
        text += f" (chance: {plain_percent(chance.value, 0)})"
    return text + "."


def _sentence_start(text: str) -> str:
    return text[:1].upper() + text[1:]


def confirmed_rows(data: RunData) -> pd.DataFrame:
    """Return the effects that the real wells confirm, the strongest first.

    None where they are absent, and none while sentences about biology are withheld.
    """
    effects = data.table("effects")
    if effects is None or data.nothing_to_explain or withheld(data) is not None:
        return pd.DataFrame({"sentence": []})
    rows = effects[effects["verdict"] == "confirmed"]
    return rows.sort_values("rank") if "rank" in rows else rows


def difference(data: RunData) -> str:
    """Say what differs first: the sentence of the strongest confirmed effect."""
    if data.nothing_to_explain:
        return "No difference is claimed, and no counterfactual is shown as a finding."
    if data.metrics.get("no_counterfactuals"):
        return _full_stop(str(data.metrics["no_counterfactuals"]))
    if data.table("effects") is None:
        damaged = data.missing.get("effects")
        return f"What differs is not known: {damaged or 'this run holds no effects table.'}"
    red = withheld(data)
    if red is not None:
        return red.reason
    rows = confirmed_rows(data)
    if not len(rows):
        return (
            "The counterfactuals change the images, but the real wells confirm none of the "
            "measured changes: no difference is claimed."
        )
    return _full_stop(str(rows["sentence"].iloc[0]))


def _full_stop(sentence: str) -> str:
    return sentence.strip().rstrip(".") + "."


def flips(data: RunData) -> list[Flip]:
    """Return the flips of every direction that was evaluated."""
    oracle = data.metrics.get("oracle") or {}
    found = []
    for pair in oracle.get("flip") or {}:
        source, _, target = str(pair).partition("->")
        kinds = [as_estimate((oracle.get(k) or {}).get(pair)) for k in _FLIP_KINDS]
        found.append(Flip(pair, _class_name(data, source), _class_name(data, target), *kinds))
    return found


_FLIP_KINDS = ("flip", "gap_closed", "model_flip")


def _class_name(data: RunData, key: str) -> str:
    key = key.strip()
    if key.isdigit() and int(key) < len(data.classes):
        return data.classes[int(key)]
    return key


def shift_words(value: float, unit: str) -> str:
    """Return a signed change with its unit.

    Examples
    --------
    >>> shift_words(38.0, "%").replace(chr(0x202f), " "), shift_words(-0.42, "log2")
    ('+38.0 %', '−0.42 log2')
    """
    digits = 1 if unit == "%" else 2
    sign = "+" if value > 0 else ""
    gap = "\N{NARROW NO-BREAK SPACE}" if unit == "%" else " "
    return f"{sign}{decimal(value, digits)}{gap}{unit}".rstrip()
