from __future__ import annotations

import numpy as np
import pytest

from counterstain.ranking.alignment import align_plates
from counterstain.ranking.well_table import DISEASED, HEALTHY, read_wells

NONE = {(f"C{i}", 1.0): (0.0, 0.0) for i in range(40)}


def aligned(screen, position: str = "controls"):
    profiles, wells = screen
    table = read_wells(wells, diseased="diseased", healthy="healthy", min_cells=0)
    return align_plates(profiles, table, table.counts, position)


def test_shifts_of_plates_are_gone(draw_screen) -> None:
    found = aligned(draw_screen(NONE, n_plates=4), "none")
    treated = found.table.treatment >= 0
    means = [found.deviation[treated & (found.table.plate == p)].mean(axis=0) for p in range(4)]
    # The mean of 12 controls is off by 0.29 SDs, the farthest of 48 by three to four times that;
    # shifts were 5.
    assert np.abs(means).max() < 1.5


def test_units_are_those_of_the_controls(draw_screen) -> None:
    profiles, wells = draw_screen(NONE)
    found = aligned((profiles * np.geomspace(1e-3, 1e3, 12), wells))
    spread = found.deviation[found.table.controls(DISEASED)].std(axis=0)
    np.testing.assert_allclose(spread, 1, atol=0.35)


def test_a_plate_without_controls_is_marked(draw_screen) -> None:
    profiles, wells = draw_screen(NONE)
    lost = (wells["class_name"] != "") & (wells["Metadata_Plate"] == "P1")
    found = aligned((profiles[~lost], wells[~lost]))
    assert found.has_both.tolist() == [True, False, True]
    assert set(found.table.mark[found.table.plate == 1]) == {"plate without usable controls"}
    assert np.isnan(found.deviation[found.table.plate == 1]).all()


@pytest.mark.parametrize(("lost", "kept"), [(DISEASED, HEALTHY), (HEALTHY, DISEASED)])
def test_one_kind_of_control_hangs_on_the_other_plates(draw_screen, lost, kept) -> None:
    profiles, wells = draw_screen(NONE, n_plates=4)
    name = ("diseased", "healthy")[lost]
    gone = ((wells["class_name"] == name) & (wells["Metadata_Plate"] == "P1")).to_numpy()
    found = aligned((profiles[~gone], wells[~gone]), "none")
    here = (found.table.plate == 1) & (found.table.treatment >= 0)
    # Latent 0 is 15 SDs from diseased to healthy; untreated wells stay at 0.
    assert found.deviation[here, 0].mean() == pytest.approx(0.0, abs=1.0)


def test_median_polish_leaves_controls_of_a_whole_column_alone(draw_screen) -> None:
    profiles, wells = draw_screen(NONE, n_plates=1, controls=8)
    rows = np.r_[np.flatnonzero(wells["class_name"] == "healthy")]
    names = wells["Metadata_Well"].to_numpy().copy()
    # Healthy controls take the first column; whoever was there takes their places.
    for row, target in zip(rows, [f"{r}01" for r in "ABCDEFGH"], strict=True):
        there = np.flatnonzero(names == target)
        if there.size:
            names[there[0]] = names[row]
        names[row] = target
    found = aligned((profiles, wells.assign(Metadata_Well=names)), "median_polish")
    assert found.difference[0, 0] > 8
