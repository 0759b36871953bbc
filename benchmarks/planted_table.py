"""The benchmark of planted phenotypes in numbers and as one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

Results = Sequence[dict[str, Any]]


def _flips(result: dict[str, Any], key: str = "oracle_flip") -> list[float]:
    own = list((result.get(key) or {}).values()) if result["phenotype"] != "none" else []
    if key == "oracle_flip":
        own += [v for flips in result.get("other_flips", {}).values() for v in flips.values()]
    return [float("nan") if value is None else float(value) for value in own]


def _recovered(result: dict[str, Any]) -> list[float]:
    return [float(value) for value in result.get("recovered", {}).values()]


def _one(key: str) -> Callable[[dict[str, Any]], list[float]]:
    def read(result: dict[str, Any]) -> list[float]:
        value = result.get(key)
        return [] if value is None else [float(value)]

    return read


def _inside(result: dict[str, Any]) -> list[float]:
    return [] if result["phenotype"] in ("none", "fewer_cells") else _one("inside")(result)


# Name, how to read it, how to sum it up, how to print it, and from where on it is good.
COLUMNS: tuple[tuple[str, Callable[..., list[float]], Callable[..., Any], str, float | None], ...]
COLUMNS = (
    ("crops right", _one("accuracy"), np.mean, "{:.0%}", None),
    ("own flip", lambda r: _flips(r, "model_flip"), np.min, "{:.0%}", None),
    ("oracle flip,\nworse way", _flips, np.min, "{:.0%}", 0.9),
    ("oracle flip,\nmean", _flips, np.mean, "{:.0%}", 0.9),
    ("recovered /\ntrue effect", _recovered, np.mean, "{:.2f}", None),
    ("off-target\nchange", _one("off_target"), np.mean, "{:.2f}", None),
    ("change\nin cells", _inside, np.mean, "{:.0%}", 0.85),
    ("planted row\nfirst", _one("first_right"), np.mean, "{:.0%}", 0.9),
    ("verdict\nright", _one("verdict_right"), np.mean, "{:.0%}", 0.9),
    ("round-trip\nerror", _one("round_trip_error"), np.max, "{:.0e}", None),
    ("its bound", _one("round_trip_bound"), np.max, "{:.0e}", None),
)


def _value(results: Results, read: Callable[..., list[float]], by: Callable[..., Any]) -> float:
    """Sum up over plates: each plate's own worst or mean first where it has several values."""
    own = [by(read(result)) for result in results if len(read(result))]
    known = [value for value in own if np.isfinite(value)]
    worst = by if by is np.max else np.mean
    return float(worst(known)) if known else float("nan")


def summary(results: Results) -> dict[str, Any]:
    """Return the numbers the project must reach, by network."""
    found: dict[str, Any] = {}
    for network in dict.fromkeys(result["network"] for result in results):
        own = [result for result in results if result["network"] == network]
        planted = [result for result in own if result["phenotype"] != "none"]
        none = [result for result in own if result["phenotype"] == "none"]
        # A plate on which nothing was claimed has its planted row nowhere, so not first.
        first = [bool(result.get("first_right")) for result in planted]
        found[network] = {
            name.replace("\n", " "): _value(own, read, by) for name, read, by, _, _ in COLUMNS
        } | {
            "plates": len(own),
            "planted row first": float(np.mean(first)) if first else None,
            "plates without effect and confirmed row": sum(r["confirmed"] > 0 for r in none),
            "plates without effect": len(none),
            "bound at least the error": all(
                result["bound_holds"] for result in own if "bound_holds" in result
            ),
            "minutes a plate": float(np.mean([result["minutes"] for result in own])),
        }
    return found


def _cells(results: Results) -> tuple[list[str], list[float]]:
    texts, values = [], []
    for _, read, by, form, _ in COLUMNS:
        value = _value(results, read, by)
        values.append(value)
        texts.append(form.format(value) if np.isfinite(value) else "–")
    return texts, values


def draw_table(results: Results, path: Path) -> None:
    """Draw a row a network and phenotype, mean over seeds; what falls short is shaded."""
    rows, shades, labels = [], [], []
    for network in dict.fromkeys(result["network"] for result in results):
        own = [result for result in results if result["network"] == network]
        names = list(dict.fromkeys(result["phenotype"] for result in own))
        for name in names:
            chosen = [result for result in own if result["phenotype"] == name]
            texts, values = _cells(chosen)
            rows.append([f"{len(chosen)}", *texts])
            shades.append(
                ["white"]
                + [
                    "#f7d9cf" if limit is not None and value < limit else "white"
                    for value, (_, _, _, _, limit) in zip(values, COLUMNS, strict=True)
                ]
            )
            labels.append(f"{network}: {name.replace('_', ' ')}")
    figure = Figure(figsize=(13.5, 0.9 + 0.27 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axis("off")
    heads = ["plates", *(name for name, *_ in COLUMNS)]
    table = axes.table(
        rows,
        cellColours=shades,
        rowLabels=labels,
        colLabels=heads,
        loc="center",
    )
    table.auto_set_font_size(False)
    table.set_fontsize(8.5)
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("#e3e7eb")
        cell.set_linewidth(0.6)
        cell.set_height(2.0 / (len(rows) + 3) if row == 0 else 1.0 / (len(rows) + 3))
    axes.set_title(
        "Planted phenotypes on simulated plates, mean over seeds; shaded: short of the aim",
        fontsize=10,
        loc="left",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
