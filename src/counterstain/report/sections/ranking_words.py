"""Which treatment heals, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from counterstain.report.audit_data import withheld
from counterstain.report.data import RunData
from counterstain.report.numbers import as_estimate, count, decimal, interval
from counterstain.report.ranking_data import RankingData, read_ranking

__all__ = ["healing", "ranking_notes", "ranking_sentences"]

_MOST_NAMED = 6
_OFF = "toxic/off-axis"


def healing(data: RunData) -> str:
    """Say in one sentence which treatment heals; empty where the first screen has no use for it."""
    if data.nothing_to_explain or withheld(data) is not None or "ranking" not in data.metrics:
        return ""
    found = read_ranking(data)
    wells = data.table("wells")
    if isinstance(found, str):
        treated = wells is not None and bool((wells["class_name"] == "").any())
        return f"Not ranked: {found}" if treated else ""
    return _best(found)


def _best(ranking: RankingData) -> str:
    hits, partial, toxic = (ranking.called(call) for call in ("hit", "partial", _OFF))
    rest = f"{_number(len(toxic))} {_is(toxic)} toxic or off the axis." if toxic else ""
    if hits:
        others = [
            f"{_number(len(hits) - 1)} more {'treatment is a hit' if len(hits) == 2 else 'hits'}"
        ] * (len(hits) > 1) + [f"{_number(len(partial))} partial"] * bool(partial)
        also = f" ({', '.join(others)})" if others else ""
        return f"{_carried(ranking, hits[0])}{also}. {_capital(rest)}".strip()
    if partial:
        return f"No treatment is a hit. The best: {_carried(ranking, partial[0])}. {_capital(rest)}"
    few = len(ranking.called("not enough wells"))
    if few and few == len(ranking.treatments):
        return (
            f"None of the {few} treatments has {ranking.setting('min_wells', 2):.0f} usable wells, "
            "so none is called: rescue is listed without a verdict."
        )
    return f"No treatment is shown to heal. {_capital(rest)}".strip()


def _carried(ranking: RankingData, row: int) -> str:
    ends = ranking.ends
    value, low, high = (
        decimal(100 * ranking.value(row, name), 0)
        for name in ("rescue", "rescue_low", "rescue_high")
    )
    return (
        f"{ranking.names[row]} carries {ends[0]} wells {value} % [{low}, {high}] of the way to "
        f"{ends[1]}"
    )


def ranking_sentences(ranking: RankingData) -> list[str]:
    """Return the answer in words: counts, hits, partial and toxic ones, and what is not known."""
    table = ranking.treatments
    ends = ranking.ends
    calls = ", ".join(
        f"{_number(n)} {words}"
        for words, n in (
            ("hits", len(ranking.called("hit"))),
            ("partial", len(ranking.called("partial"))),
            ("toxic or off the axis", len(ranking.called(_OFF))),
            ("inactive", len(ranking.called("inactive"))),
            ("with not enough wells", len(ranking.called("not enough wells"))),
        )
    )
    sentences = [
        f"{count(len(table))} treatments (a compound at a dose) of "
        f"{count(table['Metadata_Compound'].nunique())} compounds were ranked on "
        f"{count(float(table['n_wells'].sum()))} wells of {count(len(ranking.plates))} "
        f"plate{'s' if len(ranking.plates) > 1 else ''}: {calls}.",
        _listed(ranking, "hit", "Hits"),
        _listed(ranking, "partial", "Partial"),
        _toxic(ranking),
    ]
    if not ranking.called("hit"):
        sentences.insert(1, f"No treatment carries {ends[0]} wells to {ends[1]} beyond doubt.")
    return [sentence for sentence in sentences if sentence]


def _listed(ranking: RankingData, call: str, title: str) -> str:
    rows = ranking.called(call)
    if not rows:
        return ""
    parts = [
        f"{ranking.names[row]} {_rescue(ranking, row)} "
        f"[{_rescue(ranking, row, '_low')}, {_rescue(ranking, row, '_high')}]"
        for row in rows[:_MOST_NAMED]
    ]
    more = len(rows) - len(parts)
    return f"{title}, with rescue: {'; '.join(parts)}{f'; and {more} more' if more else ''}."


def _rescue(ranking: RankingData, row: int, end: str = "") -> str:
    return decimal(ranking.value(row, f"rescue{end}"))


def _toxic(ranking: RankingData) -> str:
    rows = ranking.called(_OFF)
    if not rows:
        return ""
    parts = []
    for row in rows[:_MOST_NAMED]:
        side = ranking.value(row, "side_effect")
        why = f"{decimal(side, 1)} SDs off" if np.isfinite(side) and side > 0 else "too few cells"
        parts.append(
            f"{ranking.names[row]} ({why}; rescue {decimal(ranking.value(row, 'rescue'))})"
        )
    more = len(rows) - len(parts)
    return (
        "Toxic or off the axis, which is no rescue whatever the classifier says: "
        f"{'; '.join(parts)}{f'; and {more} more' if more else ''}."
    )


def ranking_notes(ranking: RankingData) -> list[str]:
    """Return what a reader must know before believing a ranking."""
    metrics = ranking.metrics
    notes = [
        _failed(metrics.get("failed_plates")), _placed(ranking), _sources(ranking),
        _replicates(metrics),
    ]  # fmt: skip
    notes += [f"{str(note).rstrip('.')}." for note in metrics.get("notes") or []
              if not str(note).startswith("plate ")]  # fmt: skip
    notes += [_classical(metrics.get("classical") or {}), _activity(metrics.get("activity") or {})]
    return [_capital(note) for note in notes if note]


def _failed(plates: Any) -> str:
    if not plates:
        return ""
    listed = "; ".join(f"{plate['plate']} ({plate['why']})" for plate in plates[:8])
    more = f"; and {len(plates) - 8} more" if len(plates) > 8 else ""
    return (
        f"Plates that fail, whose wells are ranked all the same and to be read with care: {listed}"
        f"{more}."
    )


def _sources(ranking: RankingData) -> str:
    source = ranking.treatments.get("side_effect_from", pd.Series(dtype=str))
    enough = ranking.treatments["n_wells"] >= ranking.setting("min_wells", 2)
    lost = int((enough & (source == "")).sum()) if len(source) else 0
    words = ""
    if (source == "classical").any():
        words = (
            f"Side effects of {int((source == 'classical').sum())} treatments are those of the "
            f"classical profile{_why_classical(ranking)}. "
        )
    if lost:
        words += (
            f"Of {lost} treatments with enough wells no side effect is known, so a toxic one among "
            "them would not be told from a hit."
        )
    return words.strip()


def _by_log_odds(ranking: RankingData) -> bool:
    return ranking.metrics.get("placed_by") == "log-odds"


def _placed(ranking: RankingData) -> str:
    if not _by_log_odds(ranking):
        return ""
    return (
        "Each network held out too few control wells to find the way from "
        f"{ranking.ends[0]} to {ranking.ends[1]} in its latent space, so wells are placed by the "
        "networks' log-odds of their crops."
    )


def _why_classical(ranking: RankingData) -> str:
    if _by_log_odds(ranking):
        return ", since log-odds know nothing off the axis"
    return ": no two of their wells lie in the latent space of one network that saw neither"


def _replicates(metrics: Mapping[str, Any]) -> str:
    found = metrics.get("replicates") or {}
    value = as_estimate(found.get("intraclass_correlation")).value
    if not np.isfinite(value):
        return "No treatment has two wells: whether replicates agree is not known."
    return (
        f"Replicates: treatments explain {decimal(100 * max(value, 0.0), 0)} % of the spread of "
        f"rescue between single wells (intraclass correlation {decimal(value)}, "
        f"{found['n_wells']} wells of {found['n_treatments']} treatments)."
    )


def _classical(found: Mapping[str, Any]) -> str:
    if found.get("reason"):
        return f"No classical profile was ranked beside the network's: {found['reason']}"
    if "rank_correlation" not in found:
        return ""
    rho = as_estimate(found["rank_correlation"])
    return (
        f"The classical profile ({found['n_features']} measurements of up to "
        f"{found['crops_a_well']} crops a well) ranked in the same way: rank correlation of rescue "
        f"{interval(rho)}; {found['n_alike']} of {found['n_treatments']} calls are alike. Its "
        f"controls lie {decimal(float(found['axis_length']), 1)} SDs apart."
    )


def _activity(found: Mapping[str, Any]) -> str:
    if not found or found.get("reason"):
        return ""
    return (
        f"Phenotypic activity (mean average precision against {found['reference']} wells): "
        f"{found['n_active']} of {found['n_treatments']} treatments are told from them at "
        f"q ≤ {found['level']:g}; of {found['n_compounds']} compounds with several active doses, "
        f"{found['n_consistent']} look like themselves across doses."
    )


def _number(number: int) -> str:
    return "no" if number == 0 else str(number)


def _is(rows: Sequence[int]) -> str:
    return "is" if len(rows) == 1 else "are"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
