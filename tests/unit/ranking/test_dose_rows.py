from __future__ import annotations

import numpy as np
import pytest

from counterstain.ranking import fit_doses, rank_treatments

DOSES = (0.1, 0.4, 1.6, 6.4, 25.6)


def test_ec50s_of_a_screen(draw_screen) -> None:
    treatments = {("R", dose): (0.9 / (1 + (1.6 / dose) ** 1.5), 0.0) for dose in DOSES}
    treatments |= {("N", dose): (0.0, 0.0) for dose in DOSES}
    treatments |= {("S", 1.0): (1.0, 0.0)}
    profiles, wells = draw_screen(treatments, n_plates=4)
    curves = fit_doses(rank_treatments(profiles, wells, seed=0)).set_index("Metadata_Compound")
    assert curves.loc["R", "reason"] == ""
    assert abs(np.log2(curves.loc["R", "ec50"] / 1.6)) < 0.7
    assert curves.loc["R", "ec50_low"] < curves.loc["R", "ec50"] < curves.loc["R", "ec50_high"]
    assert curves.loc["R", "plateau"] == pytest.approx(0.9, abs=0.15)
    assert curves.loc["R", ["n_doses", "n_wells"]].tolist() == [5, 20]
    assert "do not change" in curves.loc["N", "reason"]
    assert "needs 4 doses or more, got 1" in curves.loc["S", "reason"]
    assert curves.loc[["N", "S"], "ec50"].isna().all()


def test_marked_wells_and_treatments_without_a_dose_are_left_out(draw_screen) -> None:
    profiles, wells = draw_screen(
        {("R", dose): (0.5, 0.0) for dose in DOSES} | {("X", np.nan): (0, 0)}
    )
    profiles[wells.index[wells["Metadata_Compound"] == "R"][0]] = np.nan
    curves = fit_doses(rank_treatments(profiles, wells, seed=0)).set_index("Metadata_Compound")
    assert curves.index.tolist() == ["R"]
    assert curves.loc["R", "n_wells"] == 14


def test_compounds_that_make_it_worse_have_a_falling_curve(draw_screen) -> None:
    treatments = {("W", dose): (-0.9 / (1 + (1.6 / dose) ** 1.5), 0.0) for dose in DOSES}
    curves = fit_doses(rank_treatments(*draw_screen(treatments, n_plates=4), seed=0))
    assert curves["plateau"][0] == pytest.approx(-0.9, abs=0.2)
    assert curves["slope"][0] > 0
