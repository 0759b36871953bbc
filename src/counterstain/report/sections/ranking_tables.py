"""The tables of a ranking, in plain words."""

from __future__ import annotations

from typing import Any

import numpy as np

from counterstain.report.chapter import Table
from counterstain.report.numbers import count, decimal, scientific
from counterstain.report.ranking_data import RankingData

__all__ = ["differing_table", "doses_table", "plates_table", "treatments_table"]

_MOST_ROWS = 400


def treatments_table(ranking: RankingData) -> Table:
    """Return a row per treatment, best first, 400 at most."""
    confidence = ranking.setting("confidence", 0.95)
    header = (
        "treatment", "rank", "call", "rescue", f"{100 * confidence:g} % interval", "q of rescue",
        "side effect (SDs)", "its share of the way", "q of side effect", "wells", "plates",
        "wells with too few cells", "cells, of diseased wells", "call by the classical profile",
        "note",
    )  # fmt: skip
    rows = [
        _treatment(name, row)
        for name, row in zip(
            ranking.names[:_MOST_ROWS],
            ranking.treatments.head(_MOST_ROWS).to_dict("records"),
            strict=True,
        )
    ]
    more = len(ranking.treatments) - len(rows)
    caption = "Treatments, best first: by call, then by the lower end of the interval"
    if more > 0:
        caption += f"; {count(more)} more are in tables/treatments.parquet"
    return Table(caption, header, rows, frozenset({1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}))


def _treatment(name: str, row: dict[Any, Any]) -> tuple[str, ...]:
    share = row["cell_share"]
    return (
        name, str(row["rank"]), str(row["call"]), decimal(row["rescue"]),
        f"[{decimal(row['rescue_low'])}, {decimal(row['rescue_high'])}]",
        scientific(row["q_value"]), decimal(row["side_effect"], 1),
        decimal(row["side_effect_share"]), scientific(row["side_effect_q"]),
        count(row["n_wells"]), count(row["n_plates"]), count(row["n_few_cells"]),
        f"{decimal(100 * share, 0)} %" if np.isfinite(share) else "–",
        str(row.get("classical_call") or "–"), str(row["note"]) or "–",
    )  # fmt: skip


def plates_table(ranking: RankingData) -> Table:
    """Return a row per plate: whether its controls are told apart."""
    rows = [
        (
            str(row["Metadata_Plate"]), count(row["n_wells"]), count(row["n_diseased"]),
            count(row["n_healthy"]), decimal(row["z_prime"]), decimal(row["robust_z_prime"]),
            decimal(row["ssmd"], 1), decimal(row["v_factor"]),
            f"{decimal(100 * row['position_share'], 0)} %",
            "fails: " + str(row["note"]) if row["failed"] else "passes",
        )
        for row in ranking.plates.to_dict("records")
    ]  # fmt: skip
    diseased, healthy = ranking.ends
    header = (
        "plate", "wells", diseased, healthy, "Z′", "robust Z′", "SSMD", "V-factor",
        "spread of controls by position", "verdict",
    )  # fmt: skip
    caption = (
        "Plates: are the controls told apart along the axis, by axes that the plate took no part "
        "in finding?"
    )
    return Table(caption, header, rows, frozenset(range(1, 9)))


def doses_table(ranking: RankingData) -> Table | None:
    """Return a row per compound with a dose: EC50 with its interval, or why there is none."""
    doses = ranking.doses
    if not len(doses):
        return None
    rows = [_dose(row) for row in doses.head(_MOST_ROWS).to_dict("records")]
    unit = f" ({ranking.unit})" if ranking.unit else ""
    header = (
        "compound", f"EC50{unit}", "interval", "rescue at high dose", "R²", "rises throughout",
        "doses", "wells", "why there is no fit",
    )  # fmt: skip
    caption = "Dose response of rescue: four-parameter log-logistic, no rescue at no dose"
    return Table(caption, header, rows, frozenset({1, 2, 3, 4, 6, 7}))


def _dose(row: dict[Any, Any]) -> tuple[str, ...]:
    turning = row["turning_p"]
    fitted = np.isfinite(row["ec50"])
    ends = f"[{row['ec50_low']:.3g}, {row['ec50_high']:.3g}]" if fitted else "–"
    rises = "–" if not np.isfinite(turning) else "turns back" if turning < 0.01 else "yes"
    return (
        str(row["Metadata_Compound"]), f"{row['ec50']:.3g}" if fitted else "–", ends,
        decimal(row["plateau"]), decimal(row["r_squared"]), rises, count(row["n_doses"]),
        count(row["n_wells"]), str(row["reason"]) or "–",
    )  # fmt: skip


def differing_table(ranking: RankingData) -> Table | None:
    """Return the treatments that network and classical profile call otherwise, 40 at most."""
    table = ranking.treatments
    if "classical_call" not in table:
        return None
    other = table["classical_call"].fillna("").astype(str)
    chosen = table[(other != "") & (other != table["call"])].head(40)
    if chosen.empty:
        return None
    names = [ranking.names[row] for row in chosen.index]
    rows = [
        (name, str(row["call"]), decimal(row["rescue"]), str(row["classical_call"]),
         decimal(row["classical_rescue"]), decimal(row["classical_side_effect"], 1))
        for name, row in zip(names, chosen.to_dict("records"), strict=True)
    ]  # fmt: skip
    header = (
        "treatment", "call", "rescue", "call by the classical profile", "its rescue",
        "its side effect (SDs)",
    )  # fmt: skip
    caption = "What the network adds: treatments that the two profiles call otherwise"
    return Table(caption, header, rows, frozenset({2, 4, 5}))
