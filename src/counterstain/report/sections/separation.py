"""Whether the classes can be told apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from counterstain.figures.class_tree import draw_class_tree
from counterstain.figures.confusion import draw_confusion_matrix
from counterstain.figures.reliability import draw_reliability
from counterstain.figures.separation import draw_class_scores, draw_control_scores
from counterstain.figures.z_prime_pairs import draw_z_prime_pairs
from counterstain.report.chapter import Chapter, Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.figure_tables import count_rows, matrix_rows
from counterstain.report.numbers import as_estimate, count, decimal, interval, percent
from counterstain.report.sections.ways import ways_content, ways_figure
from counterstain.report.sentences import verdict

__all__ = ["separation_chapter"]

_SEPARATION = (
    ("z_prime", "Z′", "1 − 3 (SD₀ + SD₁) / |mean₀ − mean₁|; 0.5 and more: an excellent assay"),
    ("robust_z_prime", "robust Z′", "the same with medians and 1.4826 MAD"),
    ("ssmd", "SSMD", "difference of means over the SD of the difference; 3 and more: strong"),
)


_SCORE_COLUMNS = ("Metadata_Plate", "Metadata_Well", "class_name", "logit", "prob_", "predicted")
_MEANING = {
    "macro_f1": "mean of the classes' F1, each class alike",
    "weighted_f1": "the same, each class by its size",
}


def separation_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return how well the classes are told apart: tables, score histograms, confusions."""
    title, nav = "Can the classes be told apart?", "Classes"
    content = {
        "verdict": verdict(data),
        "nothing": data.nothing_to_explain,
        "figures": [f for draw in _FIGURES if (f := draw(data, book)) is not None],
        "separation": _separation(data),
        "per_class": _per_class(data),
        **ways_content(data),
        "problems": [data.missing[k] for k in ("metrics", "scores", "wells") if k in data.missing],
    }
    return Chapter("classes", title, nav, content)


def _histograms(data: RunData, book: FigureBook) -> PageFigure | None:
    scores, wells = data.table("scores"), data.table("wells")
    if scores is None or wells is None or len(data.classes) < 2:
        return None
    two = len(data.classes) == 2
    needed = {"logit"} if two else {f"prob_{name}" for name in data.classes}
    if not needed <= set(scores.columns) & set(wells.columns):
        return None
    labelled = wells[wells["class_name"] != ""]
    n = f"{int((labelled['n_crops'] > 0).sum())} wells, {count(float(labelled['n_crops'].sum()))}"
    if two:
        figure = draw_control_scores(scores, wells, data.classes, data.noun)
        caption = (
            f"Scores of the {data.noun} of both classes, each by a network that never saw the "
            "well. The dashed line is the decision boundary (log-odds 0); ticks below are well "
            "means, and Z′ is about the gap between them. Scores beyond the 0.2 and 99.8 "
            f"percentiles are counted in the outermost bars. {n} {data.noun} in a class."
        )
    else:
        figure = draw_class_scores(scores, wells, data.classes, data.noun)
        caption = (
            f"Probability that each class's own {data.noun} (colour) and those of the other "
            "classes (grey) get for the class; ticks below are means of its wells. The further "
            f"apart, the better. {n} {data.noun} in a class."
        )
    alt = f"Histograms of the scores of {', '.join(data.classes)}. {verdict(data).text}"
    columns = [c for c in scores if c == "crop" or str(c).startswith(_SCORE_COLUMNS)]
    table = scores.loc[scores["class_name"] != "", columns]
    return book.add("scores", figure, caption=caption, alt=alt, table=table)


def _confusion(data: RunData, book: FigureBook) -> PageFigure | None:
    counts = np.array(data.metrics.get("confusion") or [], dtype=float)
    k = len(data.classes)
    if counts.shape != (k, k) or k == 0:
        return None
    wells = sum((data.metrics.get("n_wells") or {}).values())
    caption = (
        f"Confusions of held-out {data.noun}: share of the true class, and the count. Off the "
        f"diagonal are the errors. {wells} wells, {count(counts.sum())} {data.noun}."
    )
    parts = [
        f"{name}: {count(counts[i, i])} of {count(counts[i].sum())} right"
        for i, name in enumerate(data.classes)
    ]
    alt = f"Confusion matrix. {'; '.join(parts)}."
    figure = draw_confusion_matrix(counts, data.classes, data.noun)
    return book.add(
        "confusion", figure, caption=caption, alt=alt, table=count_rows(counts, data.classes)
    )


def _tree(data: RunData, book: FigureBook) -> PageFigure | None:
    tree = data.metrics.get("hierarchy")
    counts = np.array(data.metrics.get("confusion") or [], dtype=float)
    if not isinstance(tree, Mapping) or len(tree["linkage"]) != len(data.classes) - 1:
        return None
    caption = (
        "The same confusions with like classes beside each other. The tree joins classes that are "
        "taken for each other; left, shares of each true class (recall on the diagonal), right, "
        "of each called class (precision on the diagonal). "
        f"{_sizes(data, counts.sum())}"
    )
    alt = f"Confusions in the order of the tree of classes: {', '.join(tree['order'])}."
    figure = draw_class_tree(counts, data.classes, tree["linkage"], data.noun)
    return book.add(
        "class_tree", figure, caption=caption, alt=alt, table=count_rows(counts, data.classes)
    )


def _pairs(data: RunData, book: FigureBook) -> PageFigure | None:
    rows = data.metrics.get("z_prime_pairs")
    if not rows or len(rows) != len(data.classes):
        return None
    values = np.array([[as_estimate(cell).value for cell in row] for row in rows])
    few = sorted({as_estimate(cell).reason for row in rows for cell in row if cell["reason"]})
    gaps = [reason for reason in few if "two wells" in reason]
    caption = (
        "Z′ of every two classes, by well, on the log-odds of the one against the other; a "
        "control's row is the table of all classes against it. 0.5 and more is an excellent assay, "
        f"below 0 the wells overlap. {'; '.join(gaps) + '.' if gaps else ''}"
        f" {_sizes(data)}"
    )
    far = np.nanmax(values) if np.isfinite(values).any() else np.nan
    alt = f"Matrix of Z′ of {len(data.classes)} classes; the largest is {decimal(far)}."
    figure = draw_z_prime_pairs(values, data.classes)
    return book.add(
        "z_prime_pairs", figure, caption=caption.strip(), alt=alt,
        table=matrix_rows(values, data.classes, "z_prime"),
    )  # fmt: skip


def _sizes(data: RunData, n_crops: float | None = None) -> str:
    """Say of how many wells in a class, where that is known, and crops a figure is."""
    wells = sum((data.metrics.get("n_wells") or {}).values())
    parts = [f"{count(wells)} wells"] if wells else []
    if n_crops is not None:
        parts.append(f"{count(n_crops)} {data.noun}")
    return f"{', '.join(parts)}." if parts else ""


def _reliability(data: RunData, book: FigureBook) -> PageFigure | None:
    found = data.metrics.get("calibration") or {}
    bins = found.get("bins")
    if not bins:
        return None
    error = as_estimate(found.get("expected_calibration_error"))
    fitted = [value for value in found.get("temperatures") or [] if value is not None]
    how = (
        "divided by a temperature that was fitted on the wells of the other folds "
        f"({', '.join(decimal(value) for value in fitted)})"
        if fitted
        else "as the networks gave them"
    )
    caption = (
        f"Whether probabilities mean what they say: held-out {data.noun} in bins of the "
        "probability of the class they are called, and the share that is right. Logits are "
        f"{how}. Expected calibration error {interval(error)}, drawn by well. "
        f"{_sizes(data, sum(float(one.get('n_crops') or 0) for one in bins))}"
    )
    alt = f"Reliability diagram; expected calibration error {interval(error)}."
    figure = draw_reliability(bins, interval(error), data.noun)
    return book.add("reliability", figure, caption=caption, alt=alt, table=pd.DataFrame(bins))


_FIGURES = (_histograms, _confusion, ways_figure, _tree, _pairs, _reliability)


def _separation(data: RunData) -> Table | None:
    content = data.metrics.get("separation") or {}
    rows: list[tuple[str, ...]] = []
    for key, name, meaning in _SEPARATION:
        if key in content:
            estimate = as_estimate(content[key])
            wells = count(estimate.n_wells) if estimate.n_wells else "–"
            rows.append((name, interval(estimate), wells, meaning))
    rows += _accuracy_rows(data) + _chance_row(data)
    if not rows:
        return None
    header = ("measure", "value [95 % interval]", "wells", "meaning")
    caption = "Separation of held-out wells; 95 % intervals over wells"
    return Table(caption, header, rows, frozenset({1, 2}))


def _accuracy_rows(data: RunData) -> list[tuple[str, ...]]:
    accuracy = data.metrics.get("accuracy") or {}
    rows: list[tuple[str, ...]] = []
    for key, name, chance_key, guess in (
        ("well", "wells called right", "chance", "always guessing the commonest class"),
        ("crop", f"{data.noun} called right", "chance", "always guessing the commonest class"),
        ("balanced", "balanced over classes", "balanced_chance", "chance"),
        ("macro_f1", "macro F1", "", ""),
        ("weighted_f1", "weighted F1", "", ""),
    ):
        if key in accuracy:
            estimate = as_estimate(accuracy[key])
            wells = count(estimate.n_wells) if estimate.n_wells else "–"
            chance = as_estimate(accuracy.get(chance_key))
            meaning = (
                f"{guess}: {percent(chance, 0)}" if chance.is_defined else _MEANING.get(key, "")
            )
            rows.append((name, percent(estimate), wells, meaning))
    return rows


def _chance_row(data: RunData) -> list[tuple[str, ...]]:
    """Return the test that decides whether there is anything to explain."""
    test = data.metrics.get("chance")
    if not isinstance(test, Mapping):
        return []
    score, p_value = as_estimate(test.get("score")), as_estimate(test.get("p_value"))
    wells = count(score.n_wells) if score.n_wells else "–"
    name = f"{test.get('statistic') or 'score'} of wells"
    meaning = f"chance: {decimal(as_estimate(test.get('chance')).value)}"
    if p_value.is_defined:
        meaning += f"; permuted wells reach it with p = {p_value.value:.2g}"
    return [(name, interval(score), wells, meaning)]


def _per_class(data: RunData) -> Table | None:
    rows = []
    wells = data.metrics.get("n_wells") or {}
    for entry in data.metrics.get("per_class") or []:
        numbers = [percent(as_estimate(entry.get(k))) for k in ("precision", "recall", "f1")]
        support = as_estimate(entry.get("support"))
        name = str(entry.get("class", "?"))
        rows.append((name, *numbers, count(support.value), str(wells.get(name, "–"))))
    if not rows:
        return None
    header = ("class", "precision", "recall", "F1", f"support ({data.noun})", "wells")
    caption = f"Per class, on held-out {data.noun}; 95 % intervals over wells"
    return Table(caption, header, rows, frozenset(range(1, 6)))
