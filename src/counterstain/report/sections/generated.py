"""What the network knows of the images as such: likelihood, samples, morphs, reconstructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from counterstain.figures.generated import draw_morphs, draw_reconstructions, draw_samples
from counterstain.figures.picture_record import GeneratedPictures
from counterstain.report.chapter import Chapter, Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.figure_tables import gallery_rows
from counterstain.report.numbers import as_estimate, count, decimal, interval
from counterstain.report.sections.answer import GAMMA
from counterstain.report.sentences import nothing_reason

__all__ = ["generated_chapter"]

_STRANGEST = 5


def generated_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return bits per dimension of held-out wells, and the gallery of generated pictures."""
    facts = data.metrics.get("generated") or {}
    content = {
        "likelihood": _likelihood(data),
        "strangest": _strangest(data),
        "no_likelihood": _no_likelihood(data),
        "judged": _judged(facts),
        "figures": [] if data.nothing_to_explain else _figures(data, facts, book),
        "problems": _problems(data, facts),
    }
    return Chapter("generated", "What can the network draw?", "Generated", content)


def _problems(data: RunData, facts: Mapping[str, Any]) -> list[str]:
    if data.nothing_to_explain:
        return [f"No picture was generated: there is nothing to explain, {nothing_reason(data)}."]
    if facts.get("reason"):
        return [str(facts["reason"])]
    found = []
    if facts.get("n_refused"):
        found.append(
            "Generated pictures left out because the error bound of their inverse is above the "
            f"tolerance: {facts['n_refused']}."
        )
    if facts.get("no_samples"):
        found.append(f"There are no samples: {facts['no_samples']}")
    if "generated_pictures" in data.missing:
        found.append(data.missing["generated_pictures"])
    return found


def _no_likelihood(data: RunData) -> str:
    facts = data.metrics.get("likelihood")
    if not facts:
        return data.missing.get("likelihood", "This run holds no likelihood of held-out wells.")
    return str(facts.get("reason") or "")


def _likelihood(data: RunData) -> Table | None:
    facts = data.metrics.get("likelihood") or {}
    if facts.get("reason") or "held_out" not in facts:
        return None
    sampled = facts.get("n_crops") or {}
    total = float(sum(sampled.values()))
    rows = [("held-out wells, all classes", *_bits(facts["held_out"]), count(total))]
    for name, content in (facts.get("by_class") or {}).items():
        rows.append((f"held-out wells, {name}", *_bits(content), count(float(sampled[name]))))
    rows.append(("the same wells, by networks trained on them", *_bits(facts["trained"]), "–"))
    rows.append(("held out minus trained (what was learnt by heart)", *_bits(facts["gap"]), "–"))
    caption = (
        "Bits per dimension (pixel and channel, dequantised to 256 grey levels of the negative "
        "controls’ range or fewer), lower is better; 95 % intervals over wells"
    )
    header = ("wells", "bits per dimension", "wells counted", data.noun)
    return Table(caption, header, rows, frozenset({1, 2, 3}))


def _bits(content: Any) -> tuple[str, str]:
    estimate = as_estimate(content)
    return interval(estimate, 3), count(estimate.n_wells) if estimate.n_wells else "–"


def _strangest(data: RunData) -> Table | None:
    """Return the wells that the networks find least likely: candidates for a closer look."""
    table = data.table("likelihood")
    if table is None or (data.metrics.get("likelihood") or {}).get("reason"):
        return None
    worst = table.sort_values("bits_per_dim", ascending=False, kind="stable").head(_STRANGEST)
    middle = float(np.median(table["bits_per_dim"].to_numpy(float)))
    rows = [
        (
            f"{record['Metadata_Well']}",
            str(record.get("Metadata_Plate", "")),
            str(record["class_name"]) or "in no class",
            decimal(float(record["bits_per_dim"]), 3),
            decimal(float(record["bits_per_dim"]) - middle, 3),
            count(float(record["n_crops"])),
        )
        for record in worst.to_dict("records")
    ]
    header = ("well", "plate", "class", "bits per dimension", "above the median well", data.noun)
    caption = "The wells that the networks find least like what they were trained on"
    return Table(caption, header, rows, frozenset({3, 4, 5}))


def _judged(facts: Mapping[str, Any]) -> str:
    """Say how many samples hold intensities that training never saw."""
    samples = facts.get("samples") or {}
    if not samples:
        return ""
    parts = [f"{s['n_outside']} of {s['n']} of {name}" for name, s in samples.items()]
    return (
        f"Samples with intensities beyond those of the training images: {', '.join(parts)}. None "
        "was left out or cut off for it."
    )


def _figures(data: RunData, facts: Mapping[str, Any], book: FigureBook) -> list[PageFigure]:
    pictures = data.generated
    if pictures is None or not _fits(data, pictures):
        return []
    drawn: list[tuple[str, int, Callable[..., Figure], str]] = [
        ("samples", len(pictures.sample_images), draw_samples, _samples_caption(data, pictures)),
        ("morphs", len(pictures.morph_images), draw_morphs, _morphs_caption(data, pictures)),
        ("reconstructions", len(pictures.rebuilt_images), draw_reconstructions,
         _rebuilt_caption(data, pictures)),
    ]  # fmt: skip
    options = {"gamma": GAMMA, "pixel_size_um": data.pixel_size_um}
    return [
        book.add(
            f"generated_{name}",
            draw(pictures, data.classes, data.colours, **options),
            caption=caption + ("" if data.pixel_size_um else " The pixel size is unknown."),
            alt=f"Gallery of {name}: {data.noun} as imaged beside pictures marked as generated.",
            table=gallery_rows(pictures, name, data.classes),
        )
        for name, n, draw, caption in drawn
        if n
    ]


def _fits(data: RunData, pictures: GeneratedPictures) -> bool:
    """Whether the pictures are of this run's channels and classes."""
    for name in ("sample", "real", "morph", "rebuilt"):
        images = getattr(pictures, f"{name}_images")
        if len(images) and images.shape[-3] != len(data.channels):
            return False
    classes = [pictures.sample_class, pictures.real_class, pictures.morph_target,
               pictures.rebuilt_class]  # fmt: skip
    return all(len(c) == 0 or int(c.max()) < len(data.classes) for c in classes)


def _samples_caption(data: RunData, pictures: GeneratedPictures) -> str:
    if not len(pictures.sample_images):
        return ""
    return (
        f"{len(pictures.sample_images)} pictures that no microscope took: the class’s mean latents "
        f"plus noise of {float(pictures.sample_temperature[0]):g} of its full spread, decoded; not "
        f"chosen. Above them {len(pictures.real_images)} {data.noun} drawn by lot from "
        f"{len(set(pictures.real_well.tolist()))} held-out wells, on the same scale (gamma "
        f"{GAMMA:g}). Where the rows differ, the network does not know the images as a whole; "
        "counterfactuals start from a real crop and do not rest on it."
    )


def _morphs_caption(data: RunData, pictures: GeneratedPictures) -> str:
    if not len(pictures.morph_images):
        return ""
    wells = len({*pictures.morph_first.tolist(), *pictures.morph_second.tolist()})
    return (
        "From crop to crop by way of the latents; crops were chosen at even steps of their class’s "
        "scores. The two ends are as imaged, the pictures between them are generated: a morph "
        "changes everything in which the two differ, not the class alone. "
        f"{wells} wells, {2 * len(pictures.morph_images)} {data.noun}."
    )


def _rebuilt_caption(data: RunData, pictures: GeneratedPictures) -> str:
    if not len(pictures.rebuilt_images):
        return ""
    return (
        "What this network keeps of an image: crops of held-out wells, at even steps of their "
        "class’s scores, above what it rebuilds of them from its latents; what it does not "
        "rebuild, it cannot edit. Error: largest of a pixel, in units of the negative controls’ "
        "range. "
        f"{len(set(pictures.rebuilt_well.tolist()))} wells, {len(pictures.rebuilt_images)} "
        f"{data.noun}."
    )
