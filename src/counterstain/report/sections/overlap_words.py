"""What is said of overlap; each sentence rests on a test on wells, and on nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from counterstain.report.numbers import (
    as_estimate,
    count,
    decimal,
    interval,
    percent,
    plain_percent,
    scientific,
)
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sentences import Verdict
from counterstain.types import Estimate

__all__ = [
    "amount_sentence",
    "chance_sentence",
    "crowded_columns",
    "crowding_sentence",
    "follows",
    "follows_sentences",
    "interaction_sentence",
    "joined",
    "patch_sentences",
    "probability",
    "readout_sentence",
]

_SURE = 0.05
_MOST_NAMES = 12


def joined(parts: list[str]) -> str:
    """Join words as a sentence does.

    Examples
    --------
    >>> joined(["a", "b", "c"]), joined(["a"]), joined([])
    ('a, b and c', 'a', '')
    """
    return " and ".join([", ".join(parts[:-1]), *parts[-1:]]) if len(parts) > 1 else "".join(parts)


def probability(value: float, name: str = "p") -> str:
    """Return a p or q value in words.

    Examples
    --------
    >>> probability(0.2), probability(1e-9, "q"), probability(float("nan"))
    ('p = 0.2', 'q < 0.0001', 'p undefined')
    """
    if value != value:
        return f"{name} undefined"
    return f"{name} < 0.0001" if value < 1e-4 else f"{name} = {scientific(value)}"


def follows(overlap: OverlapData) -> Verdict:
    """Say in one sentence whether the overlap follows the stimulation."""
    rows = overlap.compared
    tested = [row for row in rows if "difference" in row]
    judged = [row for row in tested if as_estimate(row.get("q")).is_defined]
    noun = overlap.group_noun
    if not judged:
        return Verdict(
            "unknown", "No answer", f"Whether the overlap follows the {noun} cannot be judged: no "
            "two classes have enough wells with an overlap."
        )  # fmt: skip
    sure = [row for row in judged if _is_sure(row)]
    if not sure:
        text = f"No difference in overlap was found between the classes of {noun}: {_all(judged)}."
        return Verdict("none", "No difference found", text)
    text = f"The overlap follows the {noun}: {_differences(overlap, sure)}."
    if len(sure) == len(judged):
        return Verdict("good", "Follows the " + noun, text)
    others = joined([str(row["group"]) for row in judged if row not in sure])
    text = text.replace("The overlap follows", "In part, the overlap follows", 1)
    return Verdict("fair", "In part", f"{text} No difference was found for {others}.")


def _is_sure(row: Mapping[str, Any]) -> bool:
    return as_estimate(row.get("q")).value <= _SURE


def _differences(overlap: OverlapData, rows: list[Mapping[str, Any]]) -> str:
    parts = []
    for words, sign in (("higher", 1), ("lower", -1)):
        own = [row for row in rows if sign * as_estimate(row["difference"]).value > 0]
        if own:
            parts.append(f"{words} by {joined([_difference(row, sign) for row in own])}")
    return f"the {overlap.words()} is {joined(parts)} than in {overlap.base} wells"


def _difference(row: Mapping[str, Any], sign: int) -> str:
    found = as_estimate(row["difference"])
    low, high = sorted((sign * found.low, sign * found.high))
    size = interval(Estimate(sign * found.value, low, high), 3)
    return f"{size} in {row['group']} ({probability(as_estimate(row.get('q')).value, 'q')})"


def _all(rows: list[Mapping[str, Any]]) -> str:
    return joined([
        f"{row['group']} {interval(as_estimate(row['difference']), 3)} "
        f"({probability(as_estimate(row.get('q')).value, 'q')})"
        for row in rows
    ])  # fmt: skip


def amount_sentence(overlap: OverlapData) -> str:
    """Say how much the two kinds touch in each class."""
    means = overlap.means(overlap.measure)
    if not means:
        return "The overlap of no class is known."
    parts = [f"{interval(mean, 3)} in {name}" for name, mean in means.items()]
    text = f"Mean {overlap.words()} of wells: {joined(parts)}."
    touching = overlap.means("share_a_touching")
    if touching:
        a, b = overlap.kinds
        shares = [f"{percent(mean, 0)} in {name}" for name, mean in touching.items()]
        text += f" Of the {a}, {joined(shares)} touch {b}."
    return text


def chance_sentence(overlap: OverlapData) -> str:
    """Say in which classes the kinds overlap more than shifted masks do."""
    found = {n: m for n, m in overlap.means("iou_above_chance").items() if m.is_defined}
    if not found:
        return "Overlap above chance is not known."
    places: dict[str, list[str]] = {"above 0": [], "below 0": [], "not told from 0": []}
    for name, mean in found.items():
        place = "above 0" if mean.low > 0 else "below 0" if mean.high < 0 else "not told from 0"
        places[place].append(f"{name} ({interval(mean, 3)})")
    parts = [f"{place} in {joined(names)}" for place, names in places.items() if names]
    return (
        "Chance is what the same masks give when one of them is shifted; the IoU above it is 0 "
        f"where cells only happen to lie on each other. It is {', '.join(parts)}."
    )


def crowded_columns(overlap: OverlapData) -> dict[str, str]:
    """Return the measures that were set against the number of cells, with words for each."""
    rows = overlap.numbers.get("crowding") or [{}]
    a = overlap.kinds[0]
    known = {
        "iou": "IoU",
        "iou_above_chance": "IoU above chance",
        "share_a": f"share of the area of {a}",
        "share_a_above_chance": f"share of {a} above chance",
    }
    return {column: words for column, words in known.items() if column in rows[0]}


def crowding_sentence(overlap: OverlapData) -> str:
    """Say whether plain and corrected overlap rise with the number of cells within a class."""
    rows = overlap.numbers.get("crowding") or []
    texts = []
    for column, name in crowded_columns(overlap).items():
        places: dict[str, list[str]] = {"rises": [], "falls": [], "is not shown to change": []}
        for row in rows:
            rho = as_estimate(row.get(column))
            if rho.is_defined:
                trend = "rises" if rho.low > 0 else "falls" if rho.high < 0 else list(places)[2]
                places[trend].append(f"{row.get('group')} (ρ = {interval(rho)})")
        parts = [f"{trend} in {joined(names)}" for trend, names in places.items() if names]
        if parts:
            texts.append(f"{name[:1].upper()}{name[1:]} {joined(parts)}.")
    if not texts:
        return "Too few wells of a class to say whether crowding alone changes the overlap."
    return f"With the number of cells in a field: {' '.join(texts)}"


def follows_sentences(overlap: OverlapData) -> list[str]:
    """Return the findings of the chapter, in their order."""
    return [
        follows(overlap).text,
        amount_sentence(overlap),
        chance_sentence(overlap),
        crowding_sentence(overlap),
    ]


def interaction_sentence(overlap: OverlapData) -> str:
    """Say from which overlap on a well interacts, and how well that parts the controls."""
    found = overlap.numbers.get("interaction") or {}
    threshold = as_estimate(found.get("threshold"))
    if not threshold.is_defined:
        return f"There is no threshold of interaction: {found.get('reason') or 'not computed'}."
    origin = {
        "youden": "the threshold that best parts the control wells (Youden)",
        "given": "the threshold that was given",
        "default": "the default threshold, as there are no controls to find one",
    }.get(str(found.get("source")), "the threshold")
    text = (
        f"A well is called interacting from {overlap.words()} {decimal(threshold.value, 3)} on, "
        f"{origin}."
    )
    sensitivity, specificity = (as_estimate(found.get(k)) for k in ("sensitivity", "specificity"))
    if sensitivity.is_defined or specificity.is_defined:
        text += (
            f" It calls {percent(sensitivity, 0)} of the positive control wells and spares "
            f"{percent(specificity, 0)} of the negative ones"
        )
        text += ", each judged without itself." if found.get("source") == "youden" else "."
    elif found.get("reason"):
        text += f" How well it parts wells is unknown: {found['reason']}."
    wells = overlap.wells
    if wells is not None and "interacts" in wells:
        called = int(wells["interacts"].fillna(False).sum())
        text += f" It calls {count(called)} of {count(wells['interacts'].notna().sum())} wells."
    return text


def patch_sentences(overlap: OverlapData) -> list[str]:
    """Count what is faulty, apart from what does not touch."""
    numbers, texts = overlap.numbers, []
    states = {str(k): int(n) for k, n in (numbers.get("patch_states") or {}).items()}
    total = sum(states.values())
    if total:
        faulty = {k: n for k, n in states.items() if k not in ("contact", "no contact")}
        names = {"faulty field": "of faulty fields"}
        listed = joined([f"{count(n)} {names.get(k, k)}" for k, n in faulty.items()]) or "none"
        texts.append(
            f"Of {count(total)} patches, {plain_percent(states.get('contact', 0) / total)} show "
            f"contact and {plain_percent(states.get('no contact', 0) / total)} none. "
            f"{plain_percent(sum(faulty.values()) / total)} are faulty ({listed}): their overlap "
            "is 0 by definition, not by measurement, and is in no mean."
        )
    if numbers.get("n_fields"):
        faults = numbers.get("faults") or {}
        listed = joined([f"{overlap.data.without_paths(str(k))} ({n})" for k, n in faults.items()])
        texts.append(
            f"{count(numbers.get('n_faulty_fields') or 0)} of {count(numbers['n_fields'])} fields "
            f"are faulty{': ' + listed if listed else ''}."
        )
    return texts


def readout_sentence(overlap: OverlapData) -> str:
    """Say how well overlap agrees with another software's readout; or that there is none."""
    found = overlap.numbers.get("readout") or {}
    curves = found.get("curves") or {}
    if not curves:
        reason = str(found.get("reason") or "no readout of another software was given")
        return f"Not compared with another software: {overlap.data.without_paths(reason)}."
    first = next(iter(curves.values()))
    text = (
        f"In {count(found.get('n_wells') or 0)} wells the overlap and the readout "
        f"“{found.get('column')}” have a rank correlation of "
        f"{interval(as_estimate(first.get('spearman')))}. As measured their concordance is "
        f"{interval(as_estimate(first.get('concordance_before')))}"
    )
    after = [
        f"{interval(as_estimate(curve.get('concordance_after')))} after the {kind} curve"
        for kind, curve in curves.items()
    ]
    return f"{text}, {joined(after)}, each well by the curve of the others.{_unmatched(found)}"


def _unmatched(found: Mapping[str, Any]) -> str:
    """Count the wells that one of both softwares does not know."""
    words = {
        "not_on_plate": "of the readout are not on the plate",
        "without_readout": "of the plate have no readout",
        "without_value": "have a readout and no overlap",
    }
    parts = [
        f"{len(names)} {text} ({', '.join(map(str, names[:_MOST_NAMES]))}"
        f"{', …' if len(names) > _MOST_NAMES else ''})"
        for key, text in words.items()
        if (names := list(found.get(key) or []))
    ]
    return f" Wells that take no part: {'; '.join(parts)}." if parts else ""
