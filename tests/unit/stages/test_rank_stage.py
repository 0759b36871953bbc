"""The stage that ranks treatments, on run folders made of nothing but what it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from counterstain.config import ScreenConfig
from counterstain.files import read_json, write_json
from counterstain.ranking import CallRules, rank_treatments
from counterstain.run_folder import RunFolder
from counterstain.stages.progress import Silent
from counterstain.stages.rank import rank_screen
from counterstain.stages.rank_classical import compare_rankings
from counterstain.stages.rank_pictures import choose_treatments
from counterstain.stages.rank_settings import ranking_settings, why_no_ranking
from counterstain.stages.rank_side_effects import borrow_side_effects, without_side_effects
from counterstain.stages.rank_wells import count_cells, read_ranked_wells

KEY = ["Metadata_Plate", "Metadata_Well"]
TREATED = {"full": (1.0, 0.0), "half": (0.6, 0.0), "none": (0.0, 0.0), "toxic": (0.9, 14.0)}


class FakeStore:
    """A pixel store whose crops show their own number."""

    def scaled(self, ids: np.ndarray) -> np.ndarray:
        return np.asarray(ids, np.float32)[:, None, None, None] * np.ones((1, 2, 4, 4), np.float32)


def config(**ranking: Any) -> ScreenConfig:
    return ScreenConfig.model_validate(
        {
            "images": {"pattern": "{well}_{channel}.tif", "channels": ["DNA", "GFP"]},
            "classes": {"diseased": {"kind": "neg"}, "healthy": {"kind": "pos"}},
            "ranking": {"classical_crops": 0, **ranking},
        }
    )


def plan(n_plates: int = 2, controls: int = 14, replicates: int = 3) -> pd.DataFrame:
    """Return wells with what each truly is."""
    rows = []
    for plate in range(n_plates):
        kinds = [("diseased", "", 0.0, 0.0)] * controls + [("healthy", "", 1.0, 0.0)] * controls
        kinds += [("", name, *truth) for name, truth in TREATED.items()] * replicates
        for place, (class_name, compound, rescue, aside) in enumerate(kinds):
            rows.append(
                {
                    "Metadata_Plate": f"P{plate}",
                    "Metadata_Well": f"{chr(65 + place // 12)}{place % 12 + 1:02d}",
                    "Metadata_Compound": compound,
                    "Metadata_Concentration": 3.0 if compound else np.nan,
                    "class_name": class_name, "rescue": rescue, "aside": aside,
                    "fold": place % 2 if class_name else -1,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def views(wells: pd.DataFrame, seed: int = 0) -> list[np.ndarray]:
    """Draw a latent space a fold, each turned its own way; NaN for wells a network was trained on.

    A network sets the classes of wells that it was trained on far apart: who mixes these in, or
    mixes the spaces, ranks everything wrong.
    """
    rng = np.random.default_rng(seed)
    spaces = []
    for fold in range(2):
        profile = rng.normal(size=(len(wells), 8))
        profile[:, 0] += 16 * wells["rescue"].to_numpy()
        profile[:, 1] += wells["aside"].to_numpy()
        turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
        space = (profile @ turn).astype(np.float32)
        space[~wells["fold"].isin([fold, -1]).to_numpy()] = np.nan
        spaces.append(space)
    return spaces


def fabricate(root: Path, wells: pd.DataFrame, **metrics: Any) -> RunFolder:
    """Write the files that the stage reads."""
    folder = RunFolder(root)
    folder.table("wells").parent.mkdir(parents=True, exist_ok=True)
    table = wells.drop(columns=["rescue", "aside"])
    table.to_parquet(folder.table("wells"), index=False)
    table[KEY].assign(n_cells=60.0, faulty=False, reason="").to_parquet(folder.table("fields"))
    noise = 0.3 * np.random.default_rng(5).normal(size=len(table))
    scores = table[[*KEY, "class_name"]].assign(
        crop=np.arange(len(table)),
        usable=True,
        prob_healthy=expit(6 * wells["rescue"].to_numpy() - 3 + noise),
        prob_diseased=expit(3 - 6 * wells["rescue"].to_numpy() - noise),
    )
    scores.to_parquet(folder.table("scores"))
    # The last well has no crop, as wells without images have none.
    seen = wells.iloc[:-1]
    obs = seen[[*KEY, "class_name"]].set_axis((seen[KEY[0]] + "_" + seen[KEY[1]]).tolist(), axis=0)
    data = anndata.AnnData(X=np.zeros((len(seen), 8), np.float32), obs=obs)
    for fold, space in enumerate(views(wells)):
        data.layers[f"fold_{fold}"] = space[:-1]
    data.write_h5ad(folder.profiles)
    write_json(folder.metrics, {"nothing_to_explain": False, **metrics})
    return folder


def ranked(folder: RunFolder, **ranking: Any) -> dict[str, Any]:
    rank_screen(config(**ranking), folder, pd.DataFrame(), FakeStore(), Silent())  # type: ignore[arg-type]
    found: dict[str, Any] = read_json(folder.metrics)["ranking"]
    return found


def test_planted_treatments_are_ranked_by_networks_that_did_not_see_them(tmp_path: Path) -> None:
    folder = fabricate(tmp_path, plan())
    found = ranked(folder)
    assert found["reason"] == ""
    assert found["n_networks"] == 2
    table = pd.read_parquet(folder.table("treatments")).set_index("Metadata_Compound")
    assert table["call"].to_dict() == {
        "full": "hit", "half": "hit", "none": "inactive", "toxic": "toxic/off-axis",
    }  # fmt: skip
    for name, (rescue, _) in TREATED.items():
        assert table.loc[name, "rescue"] == pytest.approx(rescue, abs=0.15), name
    assert table.loc["toxic", "side_effect"] == pytest.approx(14, rel=0.3)
    assert set(table["side_effect_from"]) == {"network"}
    assert found["calls"] == {"hit": 2, "inactive": 1, "toxic/off-axis": 1}
    assert found["replicates"]["intraclass_correlation"] > 0.9
    assert found["classical"]["reason"].startswith("`ranking.classical_crops` is 0")


def test_every_well_keeps_its_row_and_profiles_carry_what_was_found(tmp_path: Path) -> None:
    wells = plan()
    folder = fabricate(tmp_path, wells)
    ranked(folder)
    table = pd.read_parquet(folder.table("ranking_wells"))
    assert table[KEY].to_numpy().tolist() == wells[KEY].to_numpy().tolist()
    assert table["mark"].iloc[-1] == "no profile"
    assert (table.loc[table["class_name"] != "", "call"] == "").all()
    profiles = anndata.read_h5ad(folder.profiles)
    assert {"rescue", "side_effect", "state", "call"} <= set(profiles.obs)
    np.testing.assert_allclose(profiles.obs["rescue"], table["rescue"].iloc[:-1])
    assert profiles.obs["call"].astype(str).tolist() == table["call"].tolist()[:-1]


def test_repeating_it_changes_nothing_and_what_cannot_be_ranked_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    folder = fabricate(tmp_path, plan())
    ranked(folder)
    first = {p.name: pd.read_parquet(p) for p in (tmp_path / "tables").iterdir()}
    ranked(folder)
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, pd.read_parquet(tmp_path / "tables" / name))
    write_json(folder.metrics, {"nothing_to_explain": True, "chance": {"decidable": True}})
    found = ranked(folder)
    assert list(found) == ["reason"]
    assert "not told apart better than by chance" in found["reason"]
    for name in ("treatments", "doses", "plates", "ranking_wells"):
        assert not folder.table(name).exists()
    assert not folder.ranking.exists()
    assert "rescue" not in anndata.read_h5ad(folder.profiles).obs


def test_pictures_show_controls_and_named_treatments(tmp_path: Path) -> None:
    wells = plan()
    folder = fabricate(tmp_path, wells)
    ranked(folder)
    with np.load(folder.ranking) as pictures:
        assert pictures["compound"].tolist()[0] == "diseased"
        assert pictures["compound"].tolist()[-1] == "healthy"
        assert set(pictures["compound"].tolist()[1:-1]) == {"full", "half", "toxic"}
        # Crop n is that of well n here, and each picture shows its number.
        shown = wells.iloc[pictures["images"][:, 0, 0, 0].astype(int)]
        assert shown["Metadata_Well"].tolist() == pictures["well"].tolist()
        assert shown["Metadata_Compound"].tolist()[1:-1] == pictures["compound"].tolist()[1:-1]


def replaced(column: str, where: pd.Series, value: Any, wells: pd.DataFrame) -> pd.DataFrame:
    changed = wells.astype({column: object})
    changed.loc[where, column] = value
    return changed


@pytest.mark.parametrize(
    ("wells", "words"),
    [
        (plan()[lambda w: w["class_name"] != "healthy"], "got 0 well(s) of class 'healthy'"),
        (
            plan(1)[lambda w: (w["class_name"] != "diseased") | ~w["class_name"].duplicated()],
            "got 1 well(s) of class 'diseased'",
        ),
        (plan()[lambda w: w["class_name"] != ""], "there is no treatment to rank"),
        (pd.concat([plan(), plan().iloc[[25]]]), "twice (2 rows in all)"),
        (
            plan().assign(rescue=lambda w: np.abs(w["rescue"] - (w["Metadata_Plate"] == "P0"))),
            "must tell the controls apart",
        ),
    ],
    ids=["no healthy", "one diseased", "no treatment", "twice", "controls disagree"],
)
def test_what_cannot_be_ranked_is_said_in_a_sentence(
    tmp_path: Path, wells: pd.DataFrame, words: str
) -> None:
    found = ranked(fabricate(tmp_path, wells.reset_index(drop=True)))
    assert found["reason"]
    assert words in found["reason"]
    assert list(found) == ["reason"]


def test_a_plate_without_controls_and_text_for_a_dose_are_marked_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    wells = plan(3)
    wells = wells[(wells["Metadata_Plate"] != "P2") | (wells["class_name"] == "")]
    wells = wells.reset_index(drop=True)
    none_on_first = (wells["Metadata_Compound"] == "none") & (wells["Metadata_Plate"] == "P0")
    wells["Metadata_Concentration"] = wells["Metadata_Concentration"].map("{:g}".format)
    wells = replaced("Metadata_Concentration", none_on_first, "high", wells)
    folder = fabricate(tmp_path, wells)
    found = ranked(folder)
    table = pd.read_parquet(folder.table("ranking_wells"))
    lost = table["Metadata_Plate"] == "P2"
    assert table.loc[lost, "mark"].str.contains("plate without usable controls|no profile").all()
    assert (
        table.loc[none_on_first, "mark"].str.startswith("concentration 'high' is no number").all()
    )
    assert [plate["plate"] for plate in found["failed_plates"]] == ["P2"]
    calls = pd.read_parquet(folder.table("treatments")).set_index("Metadata_Compound")["call"]
    assert calls["full"] == "hit"
    assert calls["toxic"] == "toxic/off-axis"


def test_a_treatment_in_one_well_is_listed_and_not_called(tmp_path: Path) -> None:
    wells = plan(1)
    wells = wells[(wells["Metadata_Compound"] != "half") | ~wells["Metadata_Compound"].duplicated()]
    folder = fabricate(tmp_path, wells.reset_index(drop=True))
    ranked(folder)
    table = pd.read_parquet(folder.table("treatments")).set_index("Metadata_Compound")
    assert table.loc["half", "call"] == "not enough wells"
    assert "one usable well" in table.loc["half", "note"]


def test_units_of_doses_are_told(tmp_path: Path) -> None:
    wells = plan().assign(Metadata_ConcentrationUnit="nM")
    assert ranked(fabricate(tmp_path / "one", wells))["unit"] == "nM"
    mixed = replaced(
        "Metadata_ConcentrationUnit", wells["Metadata_Compound"] == "full", "uM", wells
    )
    folder = fabricate(tmp_path / "two", mixed)
    assert ranked(folder)["unit"] == "µM"
    table = pd.read_parquet(folder.table("treatments")).set_index("Metadata_Compound")
    assert table.loc["full", "Metadata_Concentration"] == 3.0
    assert table.loc["half", "Metadata_Concentration"] == pytest.approx(0.003)


def test_cells_of_bad_fields_do_not_count_but_missing_cells_do() -> None:
    fields = pd.DataFrame(
        {
            "Metadata_Plate": "P", "Metadata_Well": ["A01"] * 3 + ["A02"] * 2 + ["A03"],
            "n_cells": [50.0, 54.0, 3.0, 2.0, 0.0, 40.0],
            "faulty": [False, False, True, True, True, True],
            "reason": ["", "", "saturated", "empty", "empty", "debris"],
        }
    )  # fmt: skip
    found = count_cells(fields)
    assert found["P", "A01"] == 156.0
    assert found["P", "A02"] == 2.0
    assert np.isnan(found["P", "A03"])


def test_wells_and_profiles_are_joined_by_name(tmp_path: Path) -> None:
    wells = plan()
    folder = fabricate(tmp_path, wells)
    order = np.random.default_rng(1).permutation(len(wells))
    table = pd.read_parquet(folder.table("wells")).iloc[order]
    table.to_parquet(folder.table("wells"), index=False)
    read = read_ranked_wells(folder, config())
    expected = views(wells)[1].copy()
    expected[-1] = np.nan
    np.testing.assert_array_equal(read.views[1], expected[order])


def test_three_classes_need_names() -> None:
    screen = config().model_copy(update={"classes": {"DS": {}, "WT": {}, "TT": {}}})
    wells = pd.DataFrame({"class_name": ["DS", "WT", "TT"]})
    assert "name them as `ranking.diseased`" in why_no_ranking(screen, wells, {})
    named = screen.ranking.model_copy(update={"diseased": "DS", "healthy": "WT"})
    assert why_no_ranking(screen.model_copy(update={"ranking": named}), wells, {}) == ""


def test_few_controls_whose_order_cannot_be_tested_are_ranked_all_the_same() -> None:
    wells = pd.DataFrame({"class_name": ["diseased", "healthy", ""]})
    undecided = {"nothing_to_explain": True, "chance": {"decidable": False}}
    assert why_no_ranking(config(), wells, undecided) == ""


def test_settings_reach_the_kernel() -> None:
    settings = ranking_settings(config(hit_rescue=0.7, min_wells=3, confidence=0.9))
    assert settings["rules"] == CallRules(hit_rescue=0.7, min_wells=3)
    assert settings["confidence"] == 0.9
    assert (settings["diseased"], settings["healthy"]) == ("diseased", "healthy")


def by_plate(wells: pd.DataFrame) -> tuple[list[np.ndarray], np.ndarray]:
    """Return views of networks that held out a whole plate each, and one space for all wells."""
    rng = np.random.default_rng(0)
    profile = rng.normal(size=(len(wells), 8))
    profile[:, 0] += 16 * wells["rescue"].to_numpy()
    profile[:, 1] += wells["aside"].to_numpy()
    spaces = []
    for plate in wells["Metadata_Plate"].unique():
        space = profile.copy()
        seen = (wells["Metadata_Plate"] != plate) & (wells["class_name"] != "")
        space[seen.to_numpy()] = np.nan
        spaces.append(space)
    return spaces, profile


def test_with_plates_held_out_the_classical_profile_tells_a_toxic_hit() -> None:
    wells = plan(4, replicates=1)
    spaces, profile = by_plate(wells)
    ranking = rank_treatments(spaces, wells, seed=0)
    table = ranking.treatments.set_index("Metadata_Compound")
    assert table["side_effect"].isna().all()
    assert table.loc["toxic", "call"] == "hit"
    filled = borrow_side_effects(ranking, rank_treatments(profile, wells, seed=0), CallRules())
    table = filled.treatments.set_index("Metadata_Compound")
    assert table.loc["toxic", "call"] == "toxic/off-axis"
    assert table.loc["full", "call"] == "hit"
    assert set(table["side_effect_from"]) == {"classical"}
    assert filled.treatments["rank"].tolist() == [1, 2, 3, 4]
    assert filled.treatments["Metadata_Compound"].iloc[-1] == "toxic"
    states = filled.wells.loc[filled.wells["compound"] == "toxic", "state"]
    assert set(states) == {"neither"}
    unfilled = borrow_side_effects(ranking, None, CallRules())
    assert (unfilled.treatments["side_effect_from"] == "").all()


def test_what_the_network_knows_is_not_overwritten() -> None:
    wells = plan(2)
    _, profile = by_plate(wells)
    ranking = rank_treatments(profile, wells, seed=0)
    other = rank_treatments(profile * [1, 0, 1, 1, 1, 1, 1, 1] + 1e-3 * profile, wells, seed=0)
    filled = borrow_side_effects(ranking, other, CallRules()).treatments
    assert set(filled["side_effect_from"]) == {"network"}
    pd.testing.assert_frame_equal(filled.drop(columns="side_effect_from"), ranking.treatments)


def test_two_rankings_side_by_side() -> None:
    wells = plan(2)
    _, profile = by_plate(wells)
    ranking = rank_treatments(profile, wells, seed=0)
    blind = profile.copy()
    blind[:, 1] = 0.1 * np.random.default_rng(3).normal(size=len(wells))
    table, found = compare_rankings(ranking, rank_treatments(blind, wells, seed=0))
    assert len(table) == len(ranking.treatments)
    assert found["n_treatments"] == 4
    assert found["n_alike"] == 3
    assert found["differing"] == [
        {
            "compound": "toxic", "concentration": 3.0, "call": "toxic/off-axis",
            "classical_call": "hit",
        }
    ]  # fmt: skip
    none, empty = compare_rankings(ranking, None)
    assert empty == {}
    assert (none["classical_call"] == "").all()


def test_pictured_treatments_are_four_that_heal_and_two_that_do_not() -> None:
    table = pd.DataFrame(
        {
            "Metadata_Compound": ["a", "a", "b", "c", "d", "e", "x", "x", "y", "z", "i"],
            "call": ["hit"] * 3 + ["partial"] * 3 + ["toxic/off-axis"] * 4 + ["inactive"],
            "side_effect": [0.0] * 6 + [9.0, 20.0, np.nan, 12.0, 0.0],
            "n_wells": [3] * 8 + [0, 3, 3],
        }
    )
    assert choose_treatments(table)["Metadata_Compound"].tolist() == ["a", "b", "c", "d", "x", "z"]


def test_few_controls_a_network_are_ranked_by_log_odds_and_side_effects_stay_unknown(
    tmp_path: Path,
) -> None:
    """Four networks' worth of controls in two: six of a kind, three a latent space."""
    folder = fabricate(tmp_path, plan(1, controls=6))
    found = ranked(folder)
    assert found["placed_by"] == "log-odds"
    table = pd.read_parquet(folder.table("treatments")).set_index("Metadata_Compound")
    for name, (rescue, _) in TREATED.items():
        assert table.loc[name, "rescue"] == pytest.approx(rescue, abs=0.2), name
    assert table["side_effect"].isna().all()
    assert found["side_effects_from"] == {"nothing": 4}
    assert pd.read_parquet(folder.table("ranking_wells"))["side_effect"].isna().all()
    assert ranked(fabricate(tmp_path / "more", plan(1)))["placed_by"] == "latents"


def test_wells_without_a_side_effect_get_the_classical_one() -> None:
    wells = plan(2)
    _, profile = by_plate(wells)
    classical = rank_treatments(profile, wells, seed=0)
    bare = without_side_effects(rank_treatments(profile[:, :1], wells, seed=0))
    assert bare.treatments["side_effect_q"].isna().all()
    filled = borrow_side_effects(bare, classical, CallRules())
    np.testing.assert_array_equal(filled.wells["side_effect"], classical.wells["side_effect"])
    calls = filled.treatments.set_index("Metadata_Compound")["call"]
    assert calls["toxic"] == "toxic/off-axis"
