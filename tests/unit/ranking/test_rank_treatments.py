from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from counterstain.ranking import CallRules, rank_treatments

CALLED = {
    "full": "hit", "half": "hit", "weak": "partial", "none": "inactive",
    "toxic": "toxic/off-axis", "other": "toxic/off-axis", "worse": "inactive",
}  # fmt: skip


def by_compound(ranking) -> pd.DataFrame:
    return ranking.treatments.set_index("Metadata_Compound")


def test_planted_treatments_are_called(usual) -> None:
    ranking = rank_treatments(*usual, seed=0)
    found = by_compound(ranking)
    assert {name: found.loc[name, "call"] for name in CALLED} == CALLED
    assert (found.filter(like="C", axis=0)["call"] == "inactive").all()
    for name, rescue in (
        ("full", 1.0),
        ("half", 0.6),
        ("weak", 0.3),
        ("none", 0.0),
        ("worse", -0.5),
    ):
        row = found.loc[name]
        assert row["rescue"] == pytest.approx(rescue, abs=0.12), name
        assert row["rescue_low"] < rescue < row["rescue_high"], name
    assert found.loc["toxic", "side_effect"] == pytest.approx(14, rel=0.25)
    assert found.loc["full", "side_effect"] < 2
    assert ranking.axis_length == pytest.approx(15, rel=0.2)
    assert found.loc["toxic", "side_effect_share"] == pytest.approx(14 / 15, rel=0.3)


def test_best_come_first(usual) -> None:
    ranking = rank_treatments(*usual, seed=0)
    assert ranking.treatments["rank"].tolist() == list(range(1, 18))
    assert ranking.treatments["Metadata_Compound"].tolist()[:3] == ["full", "half", "weak"]
    assert set(ranking.treatments["Metadata_Compound"].tolist()[-2:]) == {"toxic", "other"}


def test_nothing_depends_on_the_order_of_wells(usual) -> None:
    profiles, wells = usual
    order = np.random.default_rng(0).permutation(len(wells))
    first = by_compound(rank_treatments(profiles, wells, seed=0))
    again = by_compound(rank_treatments(profiles[order], wells.iloc[order], seed=0))
    again = again.loc[first.index]
    np.testing.assert_allclose(first["rescue"], again["rescue"], atol=1e-4)
    assert first["call"].tolist() == again["call"].tolist()


def test_the_seed_repeats_it_exactly(usual) -> None:
    first, again = (rank_treatments(*usual, seed=3).treatments for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def test_units_of_the_latents_do_not_matter(usual) -> None:
    profiles, wells = usual
    first = by_compound(rank_treatments(profiles, wells, seed=0))
    other = by_compound(rank_treatments(profiles * np.geomspace(0.01, 100, 12) - 7, wells, seed=0))
    other = other.loc[first.index]
    np.testing.assert_allclose(first["rescue"], other["rescue"], atol=0.01)
    np.testing.assert_allclose(first["side_effect"], other["side_effect"], atol=0.3)


def test_controls_are_not_flattered(draw_screen) -> None:
    """64 latents, 8 wells a control: an axis judged on its own controls tells noise apart."""
    profiles, wells = draw_screen({("none", 1.0): (0.0, 0.0)}, latents=64, controls=8, length=6.0)
    ranking = rank_treatments(profiles, wells, seed=0)
    z = ranking.plates["z_prime"]
    # Z' of 6 SDs is 1 - 6 / 6 = 0 at the best of axes; in-sample it would exceed 0.5.
    assert (z < 0.3).all()
    assert ranking.plates["failed"].all()
    assert len(ranking.notes) == 3
    assert "Z'" in ranking.notes[0]


def test_control_wells_spread_as_treated_ones_do(draw_screen) -> None:
    treatments = {(f"C{i}", 1.0): (0.0, 0.0) for i in range(60)}
    profiles, wells = draw_screen(treatments, controls=6, n_plates=6, latents=24)
    ranking = rank_treatments(profiles, wells, seed=0)
    scored = ranking.wells
    treated = scored.loc[scored["compound"] != "", ["rescue", "side_effect"]]
    diseased = scored.loc[scored["class_name"] == "diseased", ["rescue", "side_effect"]]
    assert diseased["rescue"].std() == pytest.approx(treated["rescue"].std(), rel=0.35)
    assert abs(diseased["side_effect"].mean() - treated["side_effect"].mean()) < 1.0


def test_one_plate_is_enough(draw_screen) -> None:
    treatments = {("full", 1.0): (1.0, 0.0), ("toxic", 1.0): (1.0, 14.0)}
    treatments |= {(f"C{i}", 1.0): (0.0, 0.0) for i in range(8)}
    screen = draw_screen(treatments, n_plates=1, copies=4, controls=12, latents=24)
    found = by_compound(rank_treatments(*screen, seed=0))
    assert found.loc["full", "call"] == "hit"
    assert found.loc["full", "rescue"] == pytest.approx(1.0, abs=0.15)
    assert found.loc["full", "side_effect"] < 4
    assert found.loc["toxic", "call"] == "toxic/off-axis"
    assert (found.filter(like="C", axis=0)["call"] == "inactive").all()


def test_batches_are_left_out_as_a_whole(draw_screen) -> None:
    profiles, wells = draw_screen({("full", 1.0): (1.0, 0.0)}, n_plates=4)
    batched = wells.assign(Metadata_Batch=wells["Metadata_Plate"].isin(["P0", "P1"]))
    plain, by_batch = (rank_treatments(profiles, table, seed=0) for table in (wells, batched))
    assert by_batch.treatments["call"].tolist() == ["hit"]
    assert not np.allclose(plain.wells["rescue"], by_batch.wells["rescue"])


@pytest.mark.parametrize("position", ["controls", "median_polish"])
def test_a_gradient_is_taken_off(draw_screen, position) -> None:
    treatments = {(f"C{i}", 1.0): (0.0, 0.0) for i in range(56)}
    profiles, wells = draw_screen(treatments, controls=20)
    column = wells["Metadata_Well"].str[1:].astype(float).to_numpy()
    profiles[:, 0] += 0.8 * (column - 6.5)

    def drift(position: str) -> float:
        scored = rank_treatments(profiles, wells, seed=0, position=position).wells
        treated = (scored["compound"] != "").to_numpy()
        return abs(float(np.polyfit(column[treated], scored["rescue"][treated], 1)[0]))

    assert drift("none") > 0.03
    assert drift(position) < 0.01


def test_several_networks_are_averaged_and_never_mixed(draw_screen) -> None:
    """Each network has other latents, and is not asked for the controls that it was trained on."""
    treatments = {("full", 1.0): (1.0, 0.0), ("toxic", 1.0): (1.0, 14.0)}
    treatments |= {(f"C{i}", 1.0): (0.0, 0.0) for i in range(8)}
    profiles, wells = draw_screen(treatments, controls=16)
    is_control = (wells["class_name"] != "").to_numpy()
    fold = np.where(is_control, np.arange(len(wells)) % 2, -1)
    rng = np.random.default_rng(0)
    views = []
    for number in range(2):
        turned = profiles @ np.linalg.qr(rng.normal(size=(12, 12)))[0]
        turned[is_control & (fold != number)] = np.nan
        views.append(turned)
    ranking = rank_treatments(views, wells, seed=0)
    found = by_compound(ranking)
    assert found.loc["full", "call"] == "hit"
    assert found.loc["full", "rescue"] == pytest.approx(1.0, abs=0.12)
    assert found.loc["toxic", "call"] == "toxic/off-axis"
    assert (found.filter(like="C", axis=0)["call"] == "inactive").all()
    assert ranking.wells["rescue"].notna().all()


def test_wells_are_told_what_they_are(usual) -> None:
    scored = rank_treatments(*usual, seed=0).wells
    names = np.where(scored["compound"] == "", scored["class_name"], scored["compound"])
    usual_state = scored["state"].groupby(names).agg(lambda states: states.mode()[0])
    assert usual_state["diseased"] == "diseased"
    assert usual_state["healthy"] == usual_state["full"] == "healthy"
    assert set(scored.loc[scored["compound"] == "toxic", "state"]) == {"neither"}
    assert set(scored.loc[scored["compound"] == "half", "state"]) == {"between"}
    assert set(scored["mark"]) == {""}


def test_no_claim_where_nothing_is_active(draw_screen) -> None:
    treatments = {(f"C{i}", 1.0): (0.0, 0.0) for i in range(60)}
    calls = []
    for seed in range(5):
        ranking = rank_treatments(*draw_screen(treatments, seed=seed), seed=seed)
        calls += ranking.treatments["call"].tolist()
    assert calls.count("inactive") >= 0.99 * len(calls)


def test_a_group_of_more_wells_than_controls(draw_screen) -> None:
    """A third class, such as patients under treatment, may be larger than either control."""
    treatments = {("patients", 1.0): (0.7, 0.0), ("odd", 1.0): (0.7, 14.0)}
    screen = draw_screen(treatments, n_plates=2, controls=8, copies=30)
    found = by_compound(rank_treatments(*screen, seed=0))
    assert found["n_wells"].tolist() == [60, 60]
    assert found.loc["patients", "call"] == "hit"
    assert found.loc["odd", "call"] == "toxic/off-axis"
    width = found.loc["patients", "rescue_high"] - found.loc["patients", "rescue_low"]
    assert width < 0.25


def test_rules_are_those_that_were_passed(usual) -> None:
    ranking = rank_treatments(*usual, seed=0, rules=CallRules(hit_rescue=0.9, side_effect=30))
    found = by_compound(ranking)
    assert found.loc["half", "call"] == "partial"
    assert found.loc["toxic", "call"] == "hit"


def test_intervals_widen_with_confidence(usual) -> None:
    narrow, wide = (
        by_compound(rank_treatments(*usual, seed=0, confidence=level)) for level in (0.5, 0.99)
    )
    for row in ("full", "none"):
        spans = [t.loc[row, "rescue_high"] - t.loc[row, "rescue_low"] for t in (narrow, wide)]
        assert spans[1] > 2 * spans[0]


def test_single_precision_gives_the_same(usual) -> None:
    profiles, wells = usual
    first, other = (
        by_compound(rank_treatments(array, wells, seed=0))
        for array in (profiles, profiles.astype(np.float32))
    )
    np.testing.assert_allclose(first["rescue"], other.loc[first.index, "rescue"], atol=1e-4)
