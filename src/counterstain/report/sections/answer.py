"""The first screen: the answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from counterstain.figures.composite import compose_channels
from counterstain.report.audit_data import withheld
from counterstain.report.data import RunData
from counterstain.report.figure_book import picture_uri
from counterstain.report.numbers import as_estimate, count, decimal, plain_percent
from counterstain.report.sections.ranking_words import healing
from counterstain.report.sections.trust_panel import trust_panel
from counterstain.report.sentences import (
    confirmed_rows,
    difference,
    flips,
    verdict,
)
from counterstain.report.trust import trust, trust_status
from counterstain.types import Estimate

__all__ = ["GAMMA", "Card", "Picture", "answer", "bounds"]

GAMMA = 0.6
"""Exponent of display of every composite picture of the report."""


@dataclass(frozen=True, slots=True)
class Card:
    """A key number: what it is, the number, and its interval or context."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the first screen, with words under it and in its place."""

    uri: str
    label: str
    detail: str
    alt: str
    computed: bool


def answer(data: RunData) -> dict[str, object]:
    """Return what the first screen shows: sentences, key numbers, one example in pictures."""
    return {
        "title": data.title,
        "verdict": verdict(data),
        "difference": difference(data),
        "n_more": max(len(confirmed_rows(data)) - 1, 0),
        "healing": healing(data),
        "trust": trust(data),
        "cards": _cards(data),
        "example": _example(data),
        "nothing": data.nothing_to_explain,
        "withheld": None if data.nothing_to_explain else withheld(data),
        "panel": trust_panel(data),
    }


def bounds(estimate: Estimate, scale: float = 1.0, digits: int = 2) -> str:
    """Return an interval in brackets, or why there is none."""
    if not estimate.is_defined:
        return estimate.reason
    if not np.isfinite([estimate.low, estimate.high]).all():
        return "no interval"
    low, high = (decimal(scale * end, digits) for end in (estimate.low, estimate.high))
    return f"[{low},\N{NO-BREAK SPACE}{high}]"


def _cards(data: RunData) -> list[Card]:
    cards = []
    separation = data.metrics.get("separation") or {}
    if "z_prime" in separation:
        z_prime = as_estimate(separation["z_prime"])
        cards.append(Card("Z′ of wells", decimal(z_prime.value), bounds(z_prime)))
    accuracy = data.metrics.get("accuracy") or {}
    if "crop" in accuracy:
        share = as_estimate(accuracy["crop"])
        value = plain_percent(share.value) if share.is_defined else "–"
        cards.append(Card(f"{data.noun} called right", value, bounds(share, 100, 1)))
    if not data.nothing_to_explain:
        for flip in flips(data)[:2]:
            value = plain_percent(flip.oracle.value, 0) if flip.oracle.is_defined else "–"
            detail = f"{flip.source} → {flip.target} {bounds(flip.oracle, 100, 0)}"
            cards.append(Card("oracle flip", value, detail))
    return cards + _count_cards(data)


def _count_cards(data: RunData) -> list[Card]:
    cards = []
    wells = data.table("wells")
    if wells is not None:
        absent = int((wells["n_fields"] == 0).sum())
        detail = f"{absent} without an image" if absent else "all with images"
        cards.append(Card("wells", count(len(wells)), detail))
        labelled = int(wells.loc[wells["class_name"] != "", "n_crops"].sum())
        detail = f"{count(labelled)} in a class"
        cards.append(Card(data.noun, count(float(wells["n_crops"].sum())), detail))
    quality = data.metrics.get("quality") or {}
    if "n_faulty" in quality:
        cards.append(
            Card("faulty fields", count(quality["n_faulty"]), f"of {count(quality['n_fields'])}")
        )
    return cards


def _example(data: RunData) -> dict[str, object] | None:
    """Return the most ordinary counterfactual of the first direction as three pictures.

    None while sentences about biology are withheld: beside the answer it would read as one.
    """
    strips = data.usable_strips
    if strips is None or data.nothing_to_explain or withheld(data) is not None:
        return None
    rows = np.flatnonzero(strips.source == strips.source.min())
    logits = strips.logit_original[rows]
    row = int(rows[np.argmin(np.abs(logits - np.median(logits)))])
    source, target = (data.classes[int(i[row])] for i in (strips.source, strips.target))
    parts = (
        (strips.original, source, "as imaged", False),
        (strips.boundary, "on the boundary", "computed image", True),
        (strips.counterfactual, f"as {target}", "computed image", True),
    )
    well = str(strips.well[row])
    pictures = [
        Picture(
            picture_uri(compose_channels(images[row], data.colours, GAMMA)),
            label,
            detail,
            f"One of the {data.noun} from well {well}: {label}, {detail}",
            computed,
        )
        for images, label, detail, computed in parts
    ]
    return {
        "pictures": pictures,
        "well": well,
        "source": source,
        "noun": data.noun,
        "weak": trust_status(data) in ("weak", "mixed"),
        "channels": list(zip(data.channels, data.colours, strict=True)),
    }
