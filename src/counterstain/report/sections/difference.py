"""What the difference is: counterfactuals, their judgement, the measured effects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from counterstain.figures.effects import VERDICT_MARKS, draw_effects, measurement_name
from counterstain.figures.strip_record import Strips, change_limit
from counterstain.figures.strips import draw_counterfactual_strips
from counterstain.report.audit_data import withheld
from counterstain.report.chapter import Chapter, Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.figure_tables import strip_rows
from counterstain.report.numbers import as_estimate, count, decimal, percent, scientific
from counterstain.report.sections.answer import GAMMA
from counterstain.report.sentences import (
    Flip,
    confirmed_rows,
    flips,
    nothing_reason,
    shift_words,
)
from counterstain.report.trust import trust

__all__ = ["difference_chapter"]

_MOST_ROWS = 8
_MOST_DIRECTIONS = 6
_MOST_EFFECTS = 24
_WITHHELD = "withheld: an audit is red"


def difference_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return counterfactual strips, their judgement by the oracle, and the measured effects."""
    title, nav = "What is the difference?", "Difference"
    if data.nothing_to_explain:
        return Chapter("difference", title, nav, {"nothing": nothing_reason(data)})
    pairs = _by_pair(data)
    absent = [data.missing[k] for k in ("strips", "effects") if k in data.missing]
    if data.metrics.get("no_counterfactuals"):
        absent = [str(data.metrics["no_counterfactuals"])]
    elif data.metrics and not data.metrics.get("oracle"):
        absent.append("This run holds no oracle: the counterfactuals were not judged.")
    content = {
        "nothing": "",
        "withheld": withheld(data),
        "measured": data.table("effects") is not None,
        "sentences": [str(s) for s in confirmed_rows(data)["sentence"]],
        "strips": _strip_figures(data, book),
        "trust": trust(data),
        "oracle": _oracle(data),
        "flips": _flip_table(data),
        "forests": [_forest(data, pair, rows, book) for pair, rows in pairs],
        "effects": [_effect_table(pair, rows) for pair, rows in pairs],
        "problems": absent,
    }
    return Chapter("difference", title, nav, content)


def _by_pair(data: RunData) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Return the effects of each pair of classes, the strongest first."""
    effects = data.table("effects")
    if effects is None or not len(effects) or len(data.classes) < 2:
        return []
    if withheld(data) is not None:
        judged = effects["verdict"].astype(object)
        effects = effects.assign(verdict=judged.where(judged != "confirmed", _WITHHELD))
    if "rank" in effects:
        effects = effects.sort_values("rank", kind="stable")
    if not {"source_class", "target_class"} <= set(effects.columns):
        return [((data.classes[0], data.classes[1]), effects)]
    groups = effects.groupby(["source_class", "target_class"], sort=False)
    found = {(str(a), str(b)): rows for (a, b), rows in groups}
    return sorted(found.items(), key=lambda item: [_place(data, name) for name in item[0]])


def _place(data: RunData, name: str) -> int:
    return data.classes.index(name) if name in data.classes else len(data.classes)


def _strip_figures(data: RunData, book: FigureBook) -> list[PageFigure]:
    strips = data.usable_strips
    if strips is None:
        return []
    limit = change_limit(strips)
    pairs = sorted({(int(s), int(t)) for s, t in zip(strips.source, strips.target, strict=True)})
    figures = []
    for source, target in pairs[:_MOST_DIRECTIONS]:
        rows = np.flatnonzero((strips.source == source) & (strips.target == target))[:_MOST_ROWS]
        chosen = strips.take(rows)
        figure = draw_counterfactual_strips(
            chosen,
            data.channels,
            data.classes,
            data.colours,
            limit=limit,
            gamma=GAMMA,
            pixel_size_um=data.pixel_size_um,
        )
        names = (data.classes[source], data.classes[target])
        figures.append(
            book.add(
                f"counterfactuals_{source}_to_{target}",
                figure,
                caption=_strip_caption(data, chosen, names),
                alt=_strip_alt(data, chosen, names),
                table=strip_rows(chosen, data.classes),
            )
        )
    return figures


def _strip_caption(data: RunData, strips: Strips, names: tuple[str, str]) -> str:
    wells = len(set(strips.well.tolist()))
    worst = float(np.max(strips.inverse_error))
    bar = "" if data.pixel_size_um else " No scale bar: the pixel size is unknown."
    return (
        f"{names[0]} → {names[1]}. Each row is one crop: as imaged, carried onto the decision "
        f"boundary, and carried to {_goal(data, names[1])}; then what changed in each "
        f"channel. Second and third column are computed images, not photographs. All composites "
        f"share one scale (0 to 1 of the negative controls’ range, gamma {GAMMA:g}), all changes "
        f"another. Logits are log-odds of {names[1]} against {names[0]}.{bar} "
        f"{wells} wells, {len(strips)} {data.noun}; {_error_kind(data)} error at most "
        f"{scientific(worst)}."
    )


def _error_kind(data: RunData) -> str:
    return str((data.metrics.get("inverse") or {}).get("kind") or "inverse")


def _goal(data: RunData, target: str) -> str:
    """Say where an edit ends."""
    to = data.section("counterfactual").get("to") or "upper_quartile"
    if isinstance(to, str):
        return f"the {to.replace('_', ' ')} of the scores of {target}"
    return f"a probability of {float(to):g} of {target}"


def _strip_alt(data: RunData, strips: Strips, names: tuple[str, str]) -> str:
    change = np.abs(strips.counterfactual - strips.original).mean(axis=(0, 2, 3))
    most = data.channels[int(np.argmax(change))]
    told = "" if withheld(data) is not None else f"; {most} changes most"
    return (
        f"{len(strips)} {data.noun} of {names[0]}, each beside its computed form on the boundary "
        f"and as {names[1]}, with maps of change{told}."
    )


def _oracle(data: RunData) -> dict[str, str] | None:
    oracle = data.metrics.get("oracle")
    if not oracle:
        return None
    medians = oracle.get("median") or {}
    return {
        "definition": str(oracle.get("definition") or ""),
        "midpoint": decimal(as_estimate(oracle.get("midpoint")).value, 3),
        "separation": decimal(as_estimate(oracle.get("separation")).value),
        "medians": "; ".join(
            f"{name} {decimal(as_estimate(value).value, 3)}" for name, value in medians.items()
        ),
    }


def _flip_table(data: RunData) -> Table | None:
    rows = []
    for flip in flips(data):
        wells = count(flip.oracle.n_wells) if flip.oracle.n_wells else "–"
        shares = [percent(e, 0) for e in (flip.oracle, flip.gap, flip.model)]
        n, left_out = _judged(data, flip)
        rows.append((f"{flip.source} → {flip.target}", *shares, n, left_out, wells))
    if not rows:
        return None
    header = ("direction", "oracle flip", "gap closed", "network’s own flip", data.noun,
              "beyond it before", "wells")  # fmt: skip
    caption = "Do the counterfactuals convince a measurement that never saw the network?"
    return Table(caption, header, rows, frozenset(range(1, 7)))


def _judged(data: RunData, flip: Flip) -> tuple[str, str]:
    """Return how many counterfactuals were judged, and how many could not cross any more."""
    counts = ((data.metrics.get("oracle") or {}).get("n") or {}).get(flip.key)
    if isinstance(counts, Mapping):
        numbers = [as_estimate(counts.get(k)).value for k in ("crops", "left_out")]
        return count(numbers[0]), count(numbers[1])
    table = data.table("counterfactuals")
    if table is None:
        return "–", "–"
    mask = (table["source_class"] == flip.source) & (table["target_class"] == flip.target)
    return count(float(mask.sum())), "–"


def _forest(
    data: RunData, pair: tuple[str, str], effects: pd.DataFrame, book: FigureBook
) -> PageFigure:
    shown = effects.head(_MOST_EFFECTS)
    confirmed = effects[effects["verdict"] == "confirmed"]
    rest = len(effects) - len(shown)
    n_wells = sum((data.metrics.get("n_wells") or {}).get(c, 0) for c in pair)
    caption = (
        f"Measured change from {pair[0]} to {pair[1]}: real wells (dots) beside counterfactuals "
        f"(diamonds), with 95 % intervals. {_counted(data, len(confirmed), len(effects))}"
        + (f" {rest} weaker ones are in the table." if rest else "")
        + (f" {n_wells} wells." if n_wells else "")
    )
    alt = f"Forest plot of changes from {pair[0]} to {pair[1]}. " + " ".join(
        confirmed["sentence"].head(3)
    )
    name = "effects" if len(data.classes) == 2 else f"effects_{_place(data, pair[1])}"
    return book.add(
        name, draw_effects(shown, pair), caption=caption, alt=alt.strip(), table=effects
    )


def _counted(data: RunData, confirmed: int, n: int) -> str:
    if withheld(data) is not None:
        return "While an audit is red, none of these counts as a finding."
    return f"A change counts only where both agree: {confirmed} of {n} measurements are confirmed."


def _effect_table(pair: tuple[str, str], effects: pd.DataFrame) -> Table:
    rows = []
    for record in effects.to_dict("records"):
        unit, judged = str(record["unit"]), str(record["verdict"])
        cells = [measurement_name(*(str(record[k]) for k in ("channel", "region", "feature")))]
        for kind in ("real", "counterfactual"):
            low, high = (decimal(float(record[f"{kind}_{e}"]), 2) for e in ("low", "high"))
            cells.append(f"{shift_words(float(record[kind]), unit)} [{low}, {high}]")
        q = float(record.get("q", float("nan")))
        cells += [scientific(q), f"{VERDICT_MARKS.get(judged, '')} {judged}".strip()]
        rows.append(tuple(cells))
    header = ("measurement", "real wells", "counterfactuals", "q", "verdict")
    caption = f"All measurements, {' → '.join(pair)}; 95 % intervals over wells"
    return Table(caption, header, rows, frozenset({1, 2, 3}))
