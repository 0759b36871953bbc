from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from counterstain.ranking import rank_treatments
from counterstain.ranking.dose_unit import dose_unit
from counterstain.ranking.replicates import intraclass_correlation, pair_replicates


def test_intraclass_correlation_of_shrout_and_fleiss() -> None:
    """Table 2 of Shrout and Fleiss 1979: six targets, four judges, ICC(1, 1) = .17."""
    ratings = [9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7]
    found = intraclass_correlation(ratings, np.repeat(np.arange(6), 4))
    assert round(found, 2) == 0.17


def test_intraclass_correlation_of_unequal_groups_by_hand() -> None:
    """Groups (0, 2) and (4): within 2 on 1 df, between 6 on 1 df, usual size 3 - 5 / 3 = 4 / 3."""
    found = intraclass_correlation([0.0, 2.0, 4.0], ["a", "a", "b"])
    assert found == pytest.approx((6 - 2) / (6 + 2 / 3))


@pytest.mark.parametrize(
    ("values", "groups"), [([1.0, 2.0], [0, 0]), ([], []), ([3.0, 3.0, 3.0, 3.0], [0, 0, 1, 1])]
)
def test_intraclass_correlation_is_undefined_where_it_must_be(values, groups) -> None:
    assert np.isnan(intraclass_correlation(values, groups))


def test_replicates_differ_by_dose_and_marked_wells_are_no_replicates() -> None:
    wells = pd.DataFrame(
        {
            "compound": ["C1"] * 5,
            "concentration": [1.0, 1.0, 3.0, 1.0, 1.0],
            "rescue": [0.2, 0.4, 0.9, np.nan, 0.6],
            "mark": ["", "", "", "no profile", "too few cells"],
        }
    )
    pairs = pair_replicates(wells)
    assert pairs["rescue"].tolist() == [0.2, 0.4]
    assert pairs["others"].tolist() == pytest.approx([0.4, 0.2])
    assert pairs["treatment"].nunique() == 1


@pytest.mark.parametrize(
    ("amounts", "units", "unit"),
    [
        ([1.0, 2.0], None, ""),
        (["1", "2"], ["uM", "uM"], "µM"),
        ([1.0, 2.0], ["nM", "uM"], "µM"),
        (["1 nM", "2 nM"], None, "µM"),
        ([1.0, 2.0], ["mg/mL", "mg/mL"], "mg/mL"),
        ([1.0, 2.0], ["", ""], ""),
    ],
)
def test_the_unit_is_that_of_the_kernel(amounts, units, unit) -> None:
    table = pd.DataFrame({"Metadata_Concentration": amounts})
    if units is not None:
        table["Metadata_ConcentrationUnit"] = units
    assert dose_unit(table) == unit


def test_no_treated_well_has_no_unit() -> None:
    assert dose_unit(pd.DataFrame({"Metadata_Concentration": []})) == ""


def split_in_two(screen) -> list[np.ndarray]:
    """Let one network see each half of the wells of every kind and treatment."""
    profiles, wells = screen
    key = wells["class_name"] + wells["Metadata_Compound"]
    odd = wells.groupby(key).cumcount().to_numpy() % 2 == 1
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(profiles.shape[1],) * 2))[0]
    return [
        np.where(odd[:, None], np.nan, profiles),
        np.where(odd[:, None], profiles @ turn, np.nan),
    ]


def test_side_effects_are_found_where_each_network_sees_some_replicates(draw_screen) -> None:
    """A treated class is spread over the folds: no network sees all of a treatment's wells."""
    treatments = {("toxic", 1.0): (0.9, 14.0), ("full", 1.0): (1.0, 0.0)}
    treatments |= {(f"C{i}", 1.0): (0.0, 0.0) for i in range(4)}
    screen = draw_screen(treatments, n_plates=2, controls=16, copies=4)
    table = rank_treatments(split_in_two(screen), screen[1], seed=0).treatments
    table = table.set_index("Metadata_Compound")
    assert table["side_effect"].notna().all()
    assert table["side_effect_p"].notna().all()
    assert table.loc["toxic", "side_effect"] == pytest.approx(14, rel=0.3)
    assert table.loc["toxic", "call"] == "toxic/off-axis"
    assert table.loc["full", "call"] == "hit"
    assert (table.filter(like="C", axis=0)["call"] == "inactive").all()
