"""The chapter on treatments, on a fabricated run with a ranking of fabricated profiles."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterstain.ranking import CallRules, Ranking, fit_doses, rank_treatments
from counterstain.report.build import build_report
from counterstain.report.data import read_run
from counterstain.report.ranking_data import RankingData, read_ranking
from counterstain.report.sections.ranking_remaining import (
    remaining_sentences,
    remaining_table,
)
from counterstain.report.sections.ranking_words import (
    healing,
    ranking_notes,
    ranking_sentences,
)
from counterstain.run_folder import RunFolder
from counterstain.stages.rank_side_effects import borrow_side_effects

MakeRun = Callable[..., RunFolder]
NASTY = "<script>alert(1)</script>"
KINDS = {NASTY: (1.0, 0.0), "half": (0.35, 0.0), "nothing": (0.0, 0.0), "poison": (0.8, 14.0)}
DOSES = (0.1, 0.3, 1.0, 3.0, 10.0)


def make_ranking(kinds: dict[str, tuple[float, float]], replicates: int = 3) -> Ranking:
    rng = np.random.default_rng(0)
    rows, profiles = [], []
    plan: list[tuple[str, str, float, float, float]] = []
    for name, value in (("diseased", 0.0), ("healthy", 1.0)):
        plan += [(name, "", np.nan, value, 0.0)] * 12
    for compound, (rescue, aside) in kinds.items():
        for dose in DOSES:
            share = dose / (dose + 1.0)
            plan += [("", compound, dose, rescue * share, aside * share)] * replicates
    for place, (class_name, compound, dose, rescue, aside) in enumerate(plan):
        rows.append(
            {
                "Metadata_Plate": "P1", "Metadata_Well": f"{chr(65 + place // 24)}{place % 24 + 1}",
                "class_name": class_name, "Metadata_Compound": compound,
                "Metadata_Concentration": dose,
            }
        )  # fmt: skip
        profile = rng.normal(size=6)
        profile[0] += 18 * rescue
        profile[1] += aside
        profiles.append(profile)
    ranking = rank_treatments(np.array(profiles), pd.DataFrame(rows), seed=0)
    return borrow_side_effects(ranking, None, CallRules())


def add_ranking(folder: RunFolder, ranking: Ranking | None, **metrics: Any) -> None:
    content = json.loads(folder.metrics.read_text())
    content["ranking"] = {"reason": "", "unit": "µM", "diseased": "diseased", "healthy": "healthy",
                          "axis_length": 18.0, "settings": {}, **metrics}  # fmt: skip
    folder.metrics.write_text(json.dumps(content))
    if ranking is None:
        return
    treatments = ranking.treatments.assign(classical_call="inactive", classical_rescue=0.0,
                                           classical_side_effect=0.0)  # fmt: skip
    calls = treatments[["Metadata_Compound", "Metadata_Concentration", "call"]]
    wells = ranking.wells.assign(n_cells=50.0).merge(
        calls.set_axis(["compound", "concentration", "call"], axis=1), how="left"
    )
    treatments.to_parquet(folder.table("treatments"))
    fit_doses(ranking).to_parquet(folder.table("doses"))
    ranking.plates.to_parquet(folder.table("plates"))
    wells.fillna({"call": ""}).to_parquet(folder.table("ranking_wells"))


def read(folder: RunFolder) -> RankingData:
    found = read_ranking(read_run(folder))
    assert isinstance(found, RankingData), found
    return found


class Words(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.found).split())


@pytest.fixture(scope="module")
def ranking() -> Ranking:
    return make_ranking(KINDS)


def test_the_page_answers_in_words_and_escapes_names(make_run: MakeRun, ranking: Ranking) -> None:
    folder = make_run()
    add_ranking(folder, ranking)
    html = build_report(folder).read_text(encoding="utf-8")
    assert NASTY not in html
    words = str(Words(html))
    assert words.count("Which treatment heals") == 2  # on the first screen, and the chapter
    assert "of the way to healthy" in words
    assert "Toxic or off the axis, which is no rescue whatever the classifier says: poison" in words
    names = {path.stem for path in folder.figures.glob("ranking_*.svg")}
    assert names == {
        "ranking_waterfall", "ranking_plane", "ranking_volcano", "ranking_doses",
        "ranking_replicates", "ranking_plate_1",
    }  # fmt: skip
    for header in ("q of side effect", "call by the classical profile", "rises throughout"):
        assert header in words


def test_sentences_count_and_name(make_run: MakeRun, ranking: Ranking) -> None:
    folder = make_run()
    add_ranking(folder, ranking)
    found = read(folder)
    calls = found.treatments["call"].value_counts()
    first, *rest = ranking_sentences(found)
    assert first.startswith("20 treatments (a compound at a dose) of 4 compounds")
    assert f"{calls['hit']} hits, {calls['partial']} partial" in first
    assert rest[0].startswith("Hits, with rescue: ")
    top = found.treatments.iloc[0]
    assert f"{top['rescue']:.2f} [{top['rescue_low']:.2f}, {top['rescue_high']:.2f}]" in rest[0]
    assert healing(read_run(folder)).startswith(found.names[0] + " carries diseased wells ")


def test_no_hit_is_said_to_be_none(make_run: MakeRun) -> None:
    folder = make_run()
    add_ranking(folder, make_ranking({"nothing": (0.0, 0.0), "naught": (0.0, 0.0)}))
    assert healing(read_run(folder)) == "No treatment is shown to heal."
    assert "No treatment carries diseased wells to healthy beyond doubt." in ranking_sentences(
        read(folder)
    )


def test_single_wells_are_listed_without_a_verdict(make_run: MakeRun) -> None:
    folder = make_run()
    add_ranking(folder, make_ranking({"C1": (1.0, 0.0)}, replicates=1))
    assert healing(read_run(folder)).startswith("None of the 5 treatments has 2 usable wells")
    build_report(folder)
    assert not (folder.figures / "ranking_volcano.svg").exists()
    assert (folder.figures / "ranking_waterfall.svg").exists()


@pytest.mark.parametrize("treated", [True, False])
def test_a_reason_is_told_in_place_of_a_ranking(make_run: MakeRun, treated: bool) -> None:
    folder = make_run()
    add_ranking(folder, None, reason="Nothing leads from diseased to healthy.")
    if not treated:
        wells = pd.read_parquet(folder.table("wells"))
        wells[wells["class_name"] != ""].to_parquet(folder.table("wells"))
    words = str(Words(build_report(folder).read_text(encoding="utf-8")))
    assert words.count("Nothing leads from diseased to healthy.") == (2 if treated else 1)
    assert not list(folder.figures.glob("ranking_*"))


def test_a_run_from_before_the_stage_says_how_to_add_it(make_run: MakeRun) -> None:
    words = str(Words(build_report(make_run()).read_text(encoding="utf-8")))
    assert "Treatments were not ranked in this run: `counterstain rank screen.toml --out" in words


def test_a_lost_table_is_named(make_run: MakeRun, ranking: Ranking) -> None:
    folder = make_run()
    add_ranking(folder, ranking)
    folder.table("plates").unlink()
    found = read_ranking(read_run(folder))
    assert isinstance(found, str)
    assert "plates.parquet is not there" in found


def test_what_a_reader_must_know_first(make_run: MakeRun, ranking: Ranking) -> None:
    folder = make_run()
    borrowed = ranking.treatments.assign(side_effect_from="")
    borrowed.loc[:1, "side_effect_from"] = "classical"
    add_ranking(
        folder,
        Ranking(borrowed, ranking.wells, ranking.plates, 18.0, ()),
        failed_plates=[{"plate": "P7", "why": "Z' 0.10 is below 0.5"}],
        notes=["3 well(s) take no part: no profile", "plate P7 fails: Z' 0.10 is below 0.5"],
        classical={"reason": "", "n_features": 40, "crops_a_well": 48, "axis_length": 9.0,
                   "n_alike": 17, "n_treatments": 20,
                   "rank_correlation": {"value": 0.9, "low": 0.8, "high": 0.95}},
    )  # fmt: skip
    notes = ranking_notes(read(folder))
    assert "P7 (Z' 0.10 is below 0.5)" in notes[0]
    assert notes[1].startswith("Side effects of 2 treatments are those of the classical profile")
    assert "Of 18 treatments with enough wells no side effect is known" in notes[1]
    assert sum("P7" in note for note in notes) == 1
    assert "rank correlation of rescue 0.90 [0.80, 0.95]; 17 of 20 calls are alike" in notes[-1]


def remaining_rows() -> pd.DataFrame:
    """Two treatments: one that restores half, one that does something else."""
    usual = {
        "Metadata_Compound": "half", "Metadata_Concentration": 10.0, "call": "partial",
        "way": "to healthy", "source_class": "half 10", "target_class": "healthy",
        "channel": "mito", "region": "cell", "feature": "mean intensity", "unit": "%",
        "real": 6.0, "real_low": 4.0, "real_high": 8.0,
        "counterfactual": 5.0, "counterfactual_low": 3.0, "counterfactual_high": 7.0,
        "shadow_of": "", "verdict": "none", "restored": 0.94, "restored_low": 0.9,
        "restored_high": 0.98,
    }  # fmt: skip
    shape = {"feature": "form factor", "unit": "", "real": 0.3, "real_low": 0.2, "real_high": 0.4,
             "restored": 0.12, "restored_low": 0.05, "restored_high": 0.2,
             "verdict": "confirmed"}  # fmt: skip
    poison = {"Metadata_Compound": "poison", "call": "toxic/off-axis", "way": "off the axis",
              "source_class": "diseased", "target_class": "poison 10", "real": -31.0,
              "real_low": -40.0, "real_high": -22.0, "verdict": "confirmed",
              "restored": np.nan}  # fmt: skip
    return pd.DataFrame([usual, usual | shape, usual | poison])


def test_what_is_still_missing_and_what_else_changed(make_run: MakeRun, ranking: Ranking) -> None:
    folder = make_run()
    add_ranking(folder, ranking)
    remaining_rows().to_parquet(folder.table("remaining"))
    words = str(Words(build_report(folder).read_text(encoding="utf-8"))).replace("\xa0", " ")
    assert "What is still missing, and what else changed" in words
    assert "mito mean intensity (cell) is 94 % [90, 98]" in words
    assert "mito form factor (cell) is 12 % [5, 20] restored" in words
    assert "in real wells: mito form factor (cell) +0.30 [+0.20, +0.40]." in words
    assert "poison 10 µM (toxic/off-axis): what else changed against diseased" in words
    assert "mito mean intensity (cell) -31 % [-40, -22]." in words.replace("\N{MINUS SIGN}", "-")


def test_nothing_confirmed_is_said_to_be_so(make_run: MakeRun, ranking: Ranking) -> None:
    folder = make_run()
    add_ranking(folder, ranking)
    remaining_rows().assign(verdict="none", restored=np.nan).to_parquet(folder.table("remaining"))
    data = read_run(folder)
    first, second = remaining_sentences(data, read(folder))
    assert first.endswith(
        "Nothing that still separates it from healthy is confirmed by real wells."
    )
    assert second.endswith("off the axis changes in pictures is confirmed by real wells.")
    table = remaining_table(data, read(folder))
    assert table is not None
    assert list(table.rows) == []
