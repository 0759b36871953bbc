"""The first screen of a run that measured overlap."""

from __future__ import annotations

from counterstain.figures.composite import compose_channels
from counterstain.report.data import RunData
from counterstain.report.figure_book import picture_uri
from counterstain.report.numbers import as_estimate, count, decimal, plain_percent
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.answer import GAMMA, Card, Picture, bounds
from counterstain.report.sections.overlap_figures import control_rows
from counterstain.report.sections.overlap_network_words import parts_of
from counterstain.report.sections.overlap_pictures import ordinary_patches, patch_pixels
from counterstain.report.sections.overlap_words import (
    amount_sentence,
    chance_sentence,
    follows,
    interaction_sentence,
)

__all__ = ["overlap_answer"]

_MOST_GROUPS = 3


def overlap_answer(data: RunData) -> dict[str, object] | None:
    """Return how much two kinds of cells touch in sentences and key numbers; None if not measured.

    Parameters
    ----------
    data : RunData
        A run.

    Returns
    -------
    dict or None
        Verdict, sentences, cards and an ordinary patch of each class.
    """
    if not data.has_overlap:
        return None
    overlap = OverlapData(data)
    return {
        "title": data.title,
        "verdict": follows(overlap),
        "amount": amount_sentence(overlap),
        "chance": chance_sentence(overlap),
        "interaction": interaction_sentence(overlap),
        "cards": _cards(overlap),
        "example": _example(overlap),
    }


def _cards(overlap: OverlapData) -> list[Card]:
    short = {"iou": "IoU", "iou_above_chance": "IoU above chance"}.get(overlap.measure, "overlap")
    cards = []
    for name, mean in list(overlap.means(overlap.measure).items())[:_MOST_GROUPS]:
        value = decimal(mean.value, 3) if mean.is_defined else "–"
        cards.append(Card(f"{short}, {name}", value, bounds(mean, digits=3)))
    auc = as_estimate((overlap.numbers.get("interaction") or {}).get("auc"))
    if auc.is_defined:
        cards.append(Card("ROC area of controls", decimal(auc.value), bounds(auc)))
    cards += _network_cards(overlap)
    wells, numbers = overlap.wells, overlap.numbers
    if wells is not None:
        lost = int(wells[overlap.measure].isna().sum()) if overlap.measure in wells else len(wells)
        detail = f"{lost} without an overlap"
        if numbers.get("n_fields"):
            faulty = count(numbers.get("n_faulty_fields") or 0)
            detail += f"; {faulty} of {count(numbers['n_fields'])} fields faulty"
        cards.append(Card("wells", count(len(wells)), detail))
    return cards


def _network_cards(overlap: OverlapData) -> list[Card]:
    """Return what networks reach on plain patches of held-out wells, or on what there is."""
    cards = []
    for found in list(parts_of(overlap, "classifier").values())[:1]:
        share = as_estimate(((found.get("test") or {}).get("accuracy") or {}).get("crop"))
        if share.is_defined:
            label = "new patches called right"
            cards.append(Card(label, plain_percent(share.value), bounds(share, 100, 1)))
    for found in list(parts_of(overlap, "regressor").values())[:1]:
        test = found.get("test") or {}
        network, constant = (
            as_estimate((test.get(name) or {}).get("rmse")) for name in ("network", "constant")
        )
        if network.is_defined:
            detail = f"{decimal(constant.value, 3)} for a constant"
            cards.append(Card("error of predicted IoU", decimal(network.value, 3), detail))
    return cards


def _example(overlap: OverlapData) -> dict[str, object] | None:
    """Return one ordinary patch of each group: that nearest the median of those in contact."""
    patches, store = overlap.patches, patch_pixels(overlap)
    if patches is None or store is None:
        return None
    pictures = []
    for group in overlap.groups[:_MOST_GROUPS]:
        chosen, _ = ordinary_patches(control_rows(patches), group, 1)
        if not len(chosen):
            continue
        record = chosen.iloc[0]
        pixels, _ = store.read([int(record["patch"])])
        rgb = compose_channels(pixels[0], overlap.colours, GAMMA)
        words = f"IoU {decimal(float(record['iou']), 3)}, well {record['Metadata_Well']}"
        alt = f"A patch of {group}: {words}"
        pictures.append(Picture(picture_uri(rgb), group, words, alt, False))
    if not pictures:
        return None
    return {
        "pictures": pictures,
        "channels": list(zip(overlap.kinds, overlap.colours, strict=True)),
    }
