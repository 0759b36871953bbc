"""Figures of the audits that have a row a method, and of the null screen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from counterstain.figures.attribution_record import method_words
from counterstain.figures.audits import draw_inside_share, draw_sanity_matrix
from counterstain.figures.faithfulness import FAITHFULNESS_TESTS, draw_faithfulness
from counterstain.figures.null_screen import draw_null_screen
from counterstain.report.audit_data import Audit
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import as_estimate, plain_percent

__all__ = ["faithfulness_figure", "inside_figure", "null_figure", "sanity_figure"]

_SANITY = {
    "cascading": "weights randomised\nfrom the head down",
    "independent": "weights randomised\none stage at a time",
    "label_randomised": "labels\nrandomised",
    "stability": "stable under shifts\nand mirrors",
}
# The limits of audit.randomisation and audit.stability, which load torch: a test holds them equal.
SANITY_LIMITS = {"cascading": 0.707, "independent": 0.95, "label_randomised": 0.707,
                 "stability": 0.707}  # fmt: skip
"""Similarity from which a check fails; below which it fails, for stability."""
_BETTER = {"insertion": "higher", "deletion": "lower", "road": "higher"}
_UNITS = {
    "insertion": "area under the curve",
    "deletion": "area under the curve",
    "road": "least less most important",
}
_SIGNIFICANT = 0.05


def _methods(data: RunData) -> Mapping[str, Mapping[str, Any]]:
    methods = (data.metrics.get("attribution") or {}).get("methods")
    return methods if isinstance(methods, Mapping) else {}


def inside_figure(data: RunData, book: FigureBook) -> PageFigure | None:
    """Return the share of attribution inside cells, by method; None where none was measured."""
    rows: list[dict[str, Any]] = []
    for name, content in _methods(data).items():
        share = as_estimate(content.get("inside_cells"))
        rows.append({
            "method": name, "value": share.value, "low": share.low, "high": share.high,
            "area": as_estimate(content.get("area_inside")).value, "n": share.n_wells,
            "sanity": str((content.get("sanity") or {}).get("status") or "unknown"),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    if not rows or not np.isfinite(table["value"].to_numpy(float)).any():
        return None
    caption = (
        "Share of the attribution (of the size of the map) that lies inside cells, beside the "
        "share of the area that cells cover: what an even map would give. Below the bar, empty "
        f"areas count more than cells. 95 % intervals over {int(table['n'].max())} wells."
    )
    alt = "Attribution inside cells: " + "; ".join(
        f"{method_words(str(r['method']))} {plain_percent(float(r['value']), 0)} on "
        f"{plain_percent(float(r['area']), 0)} of the area"
        for r in rows
        if math.isfinite(float(r["value"]))
    )
    return book.add(
        "audit_inside_cells", draw_inside_share(table), caption=caption, alt=f"{alt}.", table=table
    )


def sanity_figure(data: RunData, book: FigureBook) -> PageFigure | None:
    """Return the matrix of methods and sanity checks; None where none was made."""
    methods = _methods(data)
    if not methods:
        return None
    values, statuses = {}, {}
    for name, content in methods.items():
        sanity = content.get("sanity") or {}
        numbers = {key: as_estimate(sanity.get(key)).value for key in _SANITY}
        verdict = str(sanity.get("status") or "unknown")
        values[name] = {"verdict": math.nan} | {_SANITY[k]: v for k, v in numbers.items()}
        statuses[name] = {"verdict": verdict} | {
            _SANITY[k]: _sanity_status(k, v, sanity) for k, v in numbers.items()
        }
    figure = draw_sanity_matrix(
        pd.DataFrame.from_dict(values, orient="index"),
        pd.DataFrame.from_dict(statuses, orient="index"),
        ["", *(_limit_words(key) for key in _SANITY)],
    )
    failed = [method_words(n) for n, s in statuses.items() if s["verdict"] == "fail"]
    caption = (
        "Similarity of each method’s maps before and after: a map that does not change when the "
        "network is spoilt (1 in the first three columns) explains the image, not the network. In "
        "the last column, high is good: a map should move with the image. "
        f"{'Fails: ' + ', '.join(failed) if failed else 'No method fails'}."
        f"{_tested_on(data, methods)}"
    )
    alt = "Matrix of methods and sanity checks. " + "; ".join(
        f"{method_words(name)}: {row['verdict']}" for name, row in statuses.items()
    )
    rows = [
        {"method": name, **{key: as_estimate(sanity.get(key)).value for key in _SANITY},
         "verdict": statuses[name]["verdict"]}
        for name, content in methods.items()
        for sanity in [content.get("sanity") or {}]
    ]  # fmt: skip
    return book.add(
        "audit_sanity", figure, caption=caption, alt=f"{alt}.", table=pd.DataFrame(rows)
    )


def _tested_on(data: RunData, methods: Mapping[str, Mapping[str, Any]]) -> str:
    """Say on how many cells of how many wells; nothing where an older run did not note it."""
    sanity = next(iter(methods.values())).get("sanity") or {}
    crops, wells = (as_estimate(sanity.get(key)).value for key in ("n_crops", "n_wells"))
    if not crops > 0:
        return ""
    return f" Tested on {crops:.0f} {data.noun} of {wells:.0f} wells, by one network."


def _sanity_status(key: str, number: float, content: Mapping[str, Any]) -> str:
    """Return the verdict of one test: as the audit gave it, else by its limit."""
    given = (content.get("by_test") or {}).get(key)
    if given:
        return str(given)
    if not math.isfinite(number):
        return ""
    alike = number >= SANITY_LIMITS[key]
    return "pass" if alike == (key == "stability") else "fail"


def _limit_words(key: str) -> str:
    which = "below" if key == "stability" else "from"
    return f"limit: {which} {SANITY_LIMITS[key]:.2f}"


def faithfulness_figure(data: RunData, book: FigureBook) -> PageFigure | None:
    """Return insertion, deletion and ROAD by method; None where none was measured."""
    rows = []
    for name, content in _methods(data).items():
        own = content.get("faithfulness") or {}
        kinds = {"method": own, "random": own.get("random"), "edges": own.get("edges")}
        for kind, numbers in kinds.items():
            for test in FAITHFULNESS_TESTS:
                estimate = as_estimate((numbers or {}).get(test))
                rows.append({"method": name, "test": test, "kind": kind, "value": estimate.value,
                             "low": estimate.low, "high": estimate.high,
                             "n": estimate.n_wells})  # fmt: skip
    table = pd.DataFrame(rows)
    if not rows or not np.isfinite(table["value"].to_numpy(float)).any():
        return None
    caption = (
        "Does the map name what counts? Pixels are put in (insertion) or taken out (deletion; "
        "ROAD fills the holes so that they do not show) in the order of the map, and the score is "
        "followed. A method that is no better than a random map or the edges of the image names "
        "nothing. 95 % intervals over "
        f"{int(table['n'].max())} wells."
    )
    alt = "Dots of insertion, deletion and ROAD by method, beside a random map and edges."
    figure = draw_faithfulness(table, _BETTER, _UNITS)
    return book.add("audit_faithfulness", figure, caption=caption, alt=alt, table=table)


def null_figure(data: RunData, audit: Audit, book: FigureBook) -> PageFigure | None:
    """Return claims on the null screen beside the real ones; None where it was not made."""
    claims = pd.DataFrame(_null_claims(data, audit))
    if not len(claims):
        return None
    caption = (
        "Half of the negative controls against the other half, by the same machinery (open "
        "diamonds): there is nothing to find, so whatever is claimed there is its false-positive "
        "rate. Beside it what is claimed of the real classes (dots). Grey ticks: what chance gives."
        f"{_null_wells(data, audit)}"
    )
    alt = "Null against real: " + "; ".join(
        f"{r['claim']} {r['null']:.2f} against {r['real']:.2f}" for r in claims.to_dict("records")
    ).replace("nan", "none")
    return book.add(
        "audit_null", draw_null_screen(claims), caption=caption, alt=f"{alt}.", table=claims
    )


def _null_wells(data: RunData, audit: Audit) -> str:
    half = as_estimate(audit.details.get("n_wells")).value
    real = sum(int(n) for n in (data.metrics.get("n_wells") or {}).values())
    if not half > 0 or not real:
        return ""
    return f" {half:.0f} wells of negative controls; {real} wells of the real classes."


def _null_claims(data: RunData, audit: Audit) -> list[dict[str, Any]]:
    rows = []
    chance, real = audit.details.get("chance") or {}, data.metrics.get("chance") or {}
    score = as_estimate(chance.get("score"))
    if score.is_defined:
        same = chance.get("statistic") == real.get("statistic")
        own = as_estimate(real.get("score") if same else None)
        rows.append({
            "claim": f"{chance.get('statistic') or 'score'} of held-out wells",
            "null": score.value, "null_low": score.low, "null_high": score.high,
            "real": own.value, "real_low": own.low, "real_high": own.high,
            "expected": as_estimate(chance.get("chance")).value,
        })  # fmt: skip
    claims = audit.details.get("claims") or {}
    rate, n = as_estimate(claims.get("rate")), as_estimate(claims.get("n_measurements")).value
    effects = data.table("effects")
    q = effects["q"].to_numpy(float) if effects is not None and "q" in effects else np.empty(0)
    none = {"null_low": math.nan, "null_high": math.nan, "real_low": math.nan,
            "real_high": math.nan}  # fmt: skip
    if n > 0:
        share = float((q <= _SIGNIFICANT).mean()) if q.size else math.nan
        rows.append(none | {"claim": "measurements called different", "real": share,
                            "null": as_estimate(claims.get("per_screen")).value / n,
                            "expected": math.nan})  # fmt: skip
    if rate.is_defined:
        some = float((q <= _SIGNIFICANT).any()) if q.size else math.nan
        rows.append(none | {"claim": "screens with any claim", "null": rate.value,
                            "null_low": rate.low, "null_high": rate.high, "real": some,
                            "expected": _SIGNIFICANT})  # fmt: skip
    return rows
