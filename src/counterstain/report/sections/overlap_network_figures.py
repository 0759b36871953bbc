"""Figures and tables of the classifier and of the regressor of overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from counterstain.figures.confusion import draw_confusion_matrix
from counterstain.figures.overlap_classifier import ClassifierPanel, draw_classifier_accuracy
from counterstain.figures.overlap_regression import RegressionPanel, draw_overlap_regression
from counterstain.report.chapter import Table
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.figure_tables import count_rows
from counterstain.report.numbers import as_estimate, count, decimal, interval, plain_percent
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_network_words import (
    IMAGE_WORDS,
    classifier_sentence,
    parts_of,
    regressor_sentence,
)

__all__ = [
    "classifier_figure",
    "classifier_table",
    "confusion_figures",
    "per_class_table",
    "regressor_figure",
    "regressor_table",
]

_LEVELS = {"patch": "patches", "patch_in_field": "patches,\nby field", "well": "wells"}
_PARTS = ("train", "validation", "test")


def classifier_figure(overlap: OverlapData, book: FigureBook) -> PageFigure | None:
    """Draw accuracies side by side, and the curves."""
    found = parts_of(overlap, "classifier")
    panels = [_panel(kind, content) for kind, content in found.items()]
    if not panels:
        return None
    test = next(iter(found.values())).get("test") or {}
    caption = (
        "Share called right in the wells that were learnt from, those that chose between "
        "classifiers, and those that were held out of both; above: the gap between the first and "
        "the last. “By field”: a patch is called together with the other patches of its field. "
        f"Held out: {count(test.get('n_patches') or 0)} patches of "
        f"{count(test.get('n_wells') or 0)} wells."
    )
    alt = " ".join(classifier_sentence(kind, content) for kind, content in found.items())
    figure = draw_classifier_accuracy(panels)
    rows = [
        {"images": panel.title, "level": level.replace("\n", " "), "part": part, "accuracy": share}
        for panel in panels
        for level, shares in panel.accuracy.items()
        for part, share in shares.items()
    ]
    return book.add(
        "overlap_classifier", figure, caption=caption, alt=alt, table=pd.DataFrame(rows)
    )


def _panel(kind: str, content: Mapping[str, Any]) -> ClassifierPanel:
    accuracy = {
        words: {p: as_estimate(content["accuracy"][level].get(p)).value for p in _PARTS}
        for level, words in _LEVELS.items()
        if level in (content.get("accuracy") or {})
    }
    history = content.get("curves") or []
    curves = {
        part: (
            [float(row["step"]) for row in history],
            [as_estimate(row.get(f"{part}_accuracy")).value for row in history],
        )
        for part in ("train", "validation")
    }
    chance = as_estimate(((content.get("test") or {}).get("accuracy") or {}).get("chance")).value
    step = as_estimate((content.get("chosen") or {}).get("step")).value
    return ClassifierPanel(IMAGE_WORDS[kind].capitalize(), accuracy, chance, curves, step)


def confusion_figures(overlap: OverlapData, book: FigureBook) -> list[PageFigure]:
    """Draw the confusions of held-out patches for each kind of image."""
    figures = []
    for kind, content in parts_of(overlap, "classifier").items():
        names = [str(name) for name in content.get("class_names") or []]
        counts = np.array((content.get("test") or {}).get("confusion") or [], dtype=float)
        if counts.shape != (len(names), len(names)) or not names:
            continue
        figure = draw_confusion_matrix(counts, names, "patches")
        caption = (
            f"Confusions of {IMAGE_WORDS[kind]} of held-out wells: share of the true class, and "
            f"the count. {count(counts.sum())} patches."
        )
        alt = classifier_sentence(kind, content)
        figures.append(
            book.add(
                f"overlap_confusion_{kind}",
                figure,
                caption=caption,
                alt=alt,
                table=count_rows(counts, names),
            )
        )
    return figures


def classifier_table(overlap: OverlapData) -> Table | None:
    """Return what was tried, and what was chosen on validation wells."""
    rows = []
    for kind, content in parts_of(overlap, "classifier").items():
        for tried in content.get("tried") or []:
            numbers = [as_estimate(tried.get(k)).value for k in ("train_accuracy",
                       "validation_accuracy")]  # fmt: skip
            rows.append((
                IMAGE_WORDS[kind], *(str(tried.get(k) or "?") for k in ("start", "training",
                "reads")), str(tried.get("augmentation") or "none"),
                f"{float(tried.get('weight_decay') or 0):g}", count(tried.get("step") or 0),
                *(plain_percent(n) for n in numbers), decimal(100 * (numbers[0] - numbers[1]), 1),
                "chosen" if tried.get("chosen") else "",
            ))  # fmt: skip
    if not rows:
        return None
    header = (
        "images", "encoder from", "encoder", "head reads", "augmentation", "weight decay",
        "stopped at", "train", "validation", "gap", "",
    )  # fmt: skip
    caption = "Classifiers that were tried; the choice was made on validation wells only"
    return Table(caption, header, rows, frozenset(range(5, 10)))


def regressor_figure(overlap: OverlapData, book: FigureBook) -> PageFigure | None:
    """Draw predicted against measured overlap of held-out patches, plain and masked."""
    latents = overlap.data.table("overlap_latents")
    found = parts_of(overlap, "regressor")
    if latents is None or not found:
        return None
    test = latents[latents["part"] == "test"]
    column = overlap.group_column if overlap.group_column in test else "class_name"
    measured = test["iou"].fillna(0.0)
    panels = []
    for kind, content in found.items():
        if f"iou_predicted_{kind}" in test:
            table = pd.DataFrame({
                "group": test[column].astype(str), "measured": measured,
                "predicted": test[f"iou_predicted_{kind}"],
            })  # fmt: skip
            panels.append(RegressionPanel(IMAGE_WORDS[kind].capitalize(), _words(content), table))
    if not panels or not len(test) or not overlap.groups:
        return None
    caption = (
        "IoU as a network predicts it from the image alone, against the IoU of the masks, for "
        "patches of wells it never saw (faulty ones with 0). The outermost bins hold the rest. "
        f"{count(len(test))} patches."
    )
    alt = " ".join(regressor_sentence(kind, content) for kind, content in found.items())
    figure = draw_overlap_regression(panels, overlap.groups, int(overlap.data.run.get("seed") or 0))
    table = pd.concat([panel.patches.assign(images=panel.title) for panel in panels])
    return book.add("overlap_regression", figure, caption=caption, alt=alt, table=table)


def _words(content: Mapping[str, Any]) -> str:
    errors = (content.get("test") or {}).get("network") or {}
    rmse, r2, rho = (as_estimate(errors.get(k)).value for k in ("rmse", "r2", "spearman"))
    return f"RMSE {decimal(rmse, 3)}\nR² {decimal(r2)}\nρ {decimal(rho)}"


def regressor_table(overlap: OverlapData) -> Table | None:
    """Return errors of the network, of a constant and of intensity features."""
    rows = []
    for kind, content in parts_of(overlap, "regressor").items():
        for part, words in (("test", "all"), ("test_good", "without faulty")):
            for model, errors in (content.get(part) or {}).items():
                v = {k: as_estimate(errors.get(k)).value for k in _ERRORS}
                rows.append((
                    IMAGE_WORDS[kind], words, model, count(errors.get("n") or 0),
                    decimal(v["mse"], 5), decimal(v["rmse"], 4), decimal(v["r2"]),
                    decimal(v["spearman"]), plain_percent(v["wasserstein_of_range"]),
                ))  # fmt: skip
        wells = content.get("test_wells")
        if wells:
            v = {k: as_estimate(wells.get(k)).value for k in _ERRORS}
            rows.append((
                IMAGE_WORDS[kind], "means of wells", "network", count(wells.get("n") or 0),
                decimal(v["mse"], 5), decimal(v["rmse"], 4), decimal(v["r2"]),
                decimal(v["spearman"]), plain_percent(v["wasserstein_of_range"]),
            ))  # fmt: skip
    if not rows:
        return None
    header = ("images", "held-out patches", "model", "n", "MSE", "RMSE", "R²", "Spearman",
              "Wasserstein (of range)")  # fmt: skip
    caption = (
        "Errors of predicted IoU on wells held out; the constant is the mean of the training "
        "patches, ridge and trees read intensities only"
    )
    return Table(caption, header, rows, frozenset(range(3, 9)))


_ERRORS = ("mse", "rmse", "r2", "spearman", "wasserstein_of_range")


def per_class_table(overlap: OverlapData) -> Table | None:
    """Return precision, recall and F1 of each class on held-out patches."""
    rows = []
    for kind, content in parts_of(overlap, "classifier").items():
        for entry in (content.get("test") or {}).get("per_class") or []:
            numbers = [interval(as_estimate(entry.get(k))) for k in ("precision", "recall", "f1")]
            support = count(as_estimate(entry.get("support")).value)
            rows.append((IMAGE_WORDS[kind], str(entry.get("class", "?")), *numbers, support))
    if not rows:
        return None
    header = ("images", "class", "precision", "recall", "F1", "patches")
    caption = "By class, on patches of held-out wells; 95 % intervals over wells"
    return Table(caption, header, rows, frozenset({5}))
