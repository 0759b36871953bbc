from __future__ import annotations

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.ranking import rank_treatments
from counterstain.statistics.calls import CALLS


def row(ranking, compound):
    return ranking.treatments.set_index("Metadata_Compound").loc[compound]


@pytest.mark.parametrize("kind", ["diseased", "healthy"])
def test_no_control_of_one_kind(usual, kind) -> None:
    profiles, wells = usual
    kept = (wells["class_name"] != kind).to_numpy()
    with pytest.raises(InvalidInputError, match=rf"`{kind}` must be a class with two .* got 0"):
        rank_treatments(profiles[kept], wells[kept], seed=0)


def test_one_control_well(usual) -> None:
    profiles, wells = usual
    kept = (wells["class_name"] != "healthy").to_numpy()
    kept[np.flatnonzero(~kept)[0]] = True
    with pytest.raises(InvalidInputError, match=r"got 1 well\(s\) of class 'healthy'"):
        rank_treatments(profiles[kept], wells[kept], seed=0)


def test_one_control_well_a_plate_is_marked(usual) -> None:
    profiles, wells = usual
    healthy = (wells["class_name"] == "healthy") & (wells["Metadata_Plate"] == "P1")
    kept = ~healthy.to_numpy()
    kept[np.flatnonzero(healthy)[0]] = True
    ranking = rank_treatments(profiles[kept], wells[kept], seed=0)
    plate = ranking.plates.set_index("Metadata_Plate").loc["P1"]
    assert plate["failed"]
    assert plate["n_healthy"] == 1
    assert np.isnan(plate["z_prime"])
    assert row(ranking, "full")["call"] == "hit"


@pytest.mark.parametrize("kind", ["diseased", "healthy"])
def test_a_plate_with_one_kind_of_control_borrows_the_scale(usual, kind) -> None:
    profiles, wells = usual
    lost = (wells["class_name"] == kind) & (wells["Metadata_Plate"] == "P1")
    ranking = rank_treatments(profiles[~lost], wells[~lost], seed=0, min_z_prime=-9.0)
    here = ranking.wells[ranking.wells["Metadata_Plate"] == "P1"].set_index("compound")
    assert here.loc["full", "rescue"] == pytest.approx(1.0, abs=0.3)
    assert here.loc["none", "rescue"] == pytest.approx(0.0, abs=0.3)
    assert any(f"plate P1 fails: no usable {kind} control" in note for note in ranking.notes)
    assert row(ranking, "toxic")["call"] == "toxic/off-axis"
    assert "1 of 3 wells on plates that fail" in row(ranking, "full")["note"]


def test_a_plate_without_controls_is_marked_and_the_rest_goes_on(usual) -> None:
    profiles, wells = usual
    lost = (wells["class_name"] != "") & (wells["Metadata_Plate"] == "P2")
    ranking = rank_treatments(profiles[~lost], wells[~lost], seed=0)
    marked = ranking.wells[ranking.wells["mark"] == "plate without usable controls"]
    assert set(marked["Metadata_Plate"]) == {"P2"}
    assert set(marked["state"]) == {"not scored"}
    assert marked["rescue"].isna().all()
    assert row(ranking, "full")["n_wells"] == 2
    assert row(ranking, "full")["call"] == "hit"
    assert any("plate P2 fails" in note for note in ranking.notes)


def test_no_plate_with_both_controls(draw_screen) -> None:
    profiles, wells = draw_screen({("full", 1.0): (1.0, 0.0)}, n_plates=2)
    lone = (wells["Metadata_Plate"] == "P0") == (wells["class_name"] == "healthy")
    kept = (~lone | (wells["class_name"] == "")).to_numpy()
    with pytest.raises(InvalidInputError, match="both controls on one plate"):
        rank_treatments(profiles[kept], wells[kept], seed=0)


def test_a_treatment_in_one_well(usual) -> None:
    profiles, wells = usual
    first = wells.index[wells["Metadata_Compound"] == "full"][0]
    kept = ((wells["Metadata_Compound"] != "full") | (wells.index == first)).to_numpy()
    found = row(rank_treatments(profiles[kept], wells[kept], seed=0), "full")
    assert found["call"] == "not enough wells"
    assert found["rescue"] == pytest.approx(1.0, abs=0.25)
    assert found["rescue_low"] < found["rescue"] < found["rescue_high"]
    assert np.isnan(found["q_value"])
    assert "one usable well" in found["note"]


def test_a_well_that_is_there_twice(usual) -> None:
    profiles, wells = usual
    wells = wells.copy()
    wells.loc[1, "Metadata_Well"] = wells.loc[0, "Metadata_Well"]
    with pytest.raises(InvalidInputError, match=r"got plate 'P0' well '.*' twice"):
        rank_treatments(profiles, wells, seed=0)


def test_a_copy_under_another_plate_is_no_replicate(usual) -> None:
    profiles, wells = usual
    profiles = profiles.copy()
    rows = wells.index[wells["Metadata_Compound"] == "full"]
    profiles[rows[1:]] = profiles[rows[0]]
    ranking = rank_treatments(profiles, wells, seed=0)
    assert row(ranking, "full")["call"] == "not enough wells"
    assert any("2 well(s) take no part: same profile" in note for note in ranking.notes)


def test_doses_as_text_and_in_mixed_units(usual) -> None:
    profiles, wells = usual
    wells = wells.astype({"Metadata_Concentration": object})
    wells.loc[wells["Metadata_Compound"] == "full", "Metadata_Concentration"] = "1000 nM"
    wells.loc[wells["Metadata_Compound"] == "half", "Metadata_Concentration"] = "1 uM"
    wells.loc[wells["Metadata_Compound"] == "weak", "Metadata_Concentration"] = "high"
    ranking = rank_treatments(profiles, wells, seed=0)
    assert row(ranking, "full")["Metadata_Concentration"] == 1.0
    # The bare 1.0 of all others could be anything.
    assert set(ranking.treatments["Metadata_Compound"]) == {"full", "half"}
    marks = ranking.wells.groupby(wells["Metadata_Compound"])["mark"].first()
    assert "has no unit" in marks["none"]
    assert "'high' is no number" in marks["weak"]
    assert marks[""] == ""


def test_a_column_of_units(usual) -> None:
    profiles, wells = usual
    one = rank_treatments(profiles, wells.assign(Metadata_ConcentrationUnit="nM"), seed=0)
    assert row(one, "full")["Metadata_Concentration"] == 1.0
    units = np.where(wells["Metadata_Compound"] == "full", "mM", "nM")
    two = rank_treatments(profiles, wells.assign(Metadata_ConcentrationUnit=units), seed=0)
    assert row(two, "full")["Metadata_Concentration"] == 1000.0
    assert row(two, "half")["Metadata_Concentration"] == pytest.approx(0.001)


def test_wells_with_too_few_cells_are_no_rescue(usual) -> None:
    profiles, wells = usual
    wells = wells.assign(n_cells=200)
    wells.loc[wells["Metadata_Compound"] == "full", "n_cells"] = 3
    half = wells.index[wells["Metadata_Compound"] == "half"]
    wells.loc[half[0], "n_cells"] = 39
    ranking = rank_treatments(profiles, wells, seed=0)
    dead, thin = row(ranking, "full"), row(ranking, "half")
    assert dead["call"] == "toxic/off-axis"
    assert (dead["n_wells"], dead["n_few_cells"]) == (0, 3)
    assert dead["cell_share"] == pytest.approx(3 / 200)
    assert thin["call"] == "hit"
    assert thin["note"] == "too few cells in 1 of 3 wells"
    assert ranking.wells.loc[half[0], "mark"] == "too few cells"


def test_profiles_that_are_not_finite(usual) -> None:
    profiles, wells = usual
    profiles = profiles.copy()
    profiles[wells.index[wells["Metadata_Compound"] == "none"], 3] = np.nan
    ranking = rank_treatments(profiles, wells, seed=0)
    assert row(ranking, "none")["call"] == "not enough wells"
    assert "3 well(s) take no part: no profile" in ranking.notes


def test_a_latent_that_never_varies(usual) -> None:
    profiles, wells = usual
    flat = np.column_stack([profiles, np.full(len(profiles), 3.0)])
    assert row(rank_treatments(flat, wells, seed=0), "full")["call"] == "hit"


def test_a_third_class_is_a_treatment(usual) -> None:
    profiles, wells = usual
    wells = wells.copy()
    chosen = wells["Metadata_Compound"] == "full"
    wells.loc[chosen, ["class_name", "Metadata_Compound"]] = ["treated", ""]
    wells.loc[chosen, "Metadata_Concentration"] = np.nan
    found = row(rank_treatments(profiles, wells, seed=0), "treated")
    assert found["call"] == "hit"
    assert np.isnan(found["Metadata_Concentration"])


def test_no_treated_well_at_all(usual) -> None:
    profiles, wells = usual
    kept = (wells["class_name"] != "").to_numpy()
    ranking = rank_treatments(profiles[kept], wells[kept], seed=0)
    assert ranking.treatments.empty
    assert len(ranking.plates) == 3


def test_controls_that_cannot_be_told_apart(draw_screen) -> None:
    """Half of such screens are refused, in the other half nothing is called."""
    treatments = {(f"C{i}", 1.0): (0.0, 0.0) for i in range(10)}
    refused, calls = 0, []
    for seed in range(12):
        profiles, wells = draw_screen(treatments, length=0.0, seed=seed)
        try:
            ranking = rank_treatments(profiles, wells, seed=0)
        except InvalidInputError as error:
            assert "must tell the controls apart" in str(error)  # noqa: PT017
            refused += 1
        else:
            assert "hardly told apart" in " ".join(ranking.notes)
            assert ranking.plates["failed"].all()
            calls += ranking.treatments["call"].tolist()
    assert 1 <= refused <= 11
    assert calls.count("hit") + calls.count("partial") <= 0.02 * len(calls)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"drop": "class_name"}, "got none called class_name"),
        ({"healthy": "diseased"}, "must be two classes"),
        ({"position": "spline"}, "`position` must be"),
        ({"axis": "pca"}, "`axis` must be"),
        ({"min_z_prime": 2.0}, "`min_z_prime` must be at most 1"),
        ({"n_resamples": 5}, "`n_resamples` must be 100 or more"),
        ({"n_permutations": 5}, "`n_permutations` be 99 or more"),
        ({"confidence": 95}, "`confidence` must lie"),
        ({"rows": 5}, "`profiles` must be numbers"),
        ({"well": "Z99"}, "A well must be a row"),
    ],
)
def test_other_mistakes_are_named(usual, changed, why) -> None:
    profiles, wells = usual
    changed = dict(changed)
    if "drop" in changed:
        wells = wells.drop(columns=changed.pop("drop"))
    if "well" in changed:
        wells = wells.assign(Metadata_Well=[changed.pop("well"), *wells["Metadata_Well"][1:]])
    if "rows" in changed:
        profiles = profiles[: changed.pop("rows")]
    with pytest.raises(InvalidInputError, match=why):
        rank_treatments(profiles, wells, seed=0, **changed)


def test_text_is_no_profile(usual) -> None:
    _, wells = usual
    with pytest.raises(InvalidInputError, match="`profiles` must be numbers"):
        rank_treatments(np.full((len(wells), 3), "a"), wells, seed=0)


def test_calls_are_the_documented_ones(usual) -> None:
    assert set(rank_treatments(*usual, seed=0).treatments["call"]) <= set(CALLS)
