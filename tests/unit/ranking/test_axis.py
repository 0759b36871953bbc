from __future__ import annotations

import numpy as np
import pytest

from counterstain.ranking.alignment import align_plates
from counterstain.ranking.axis import find_folds, fit_scorers
from counterstain.ranking.well_scores import score_view
from counterstain.ranking.well_table import DISEASED, HEALTHY, read_wells

NONE = {(f"C{i}", 1.0): (0.0, 0.0) for i in range(20)}


def prepared(screen, position: str = "none"):
    profiles, wells = screen
    table = read_wells(wells, diseased="diseased", healthy="healthy", min_cells=0)
    known = table.counts
    return align_plates(profiles, table, known, position), known


def test_a_plate_is_scored_by_the_axis_of_the_others(draw_screen) -> None:
    aligned, known = prepared(draw_screen(NONE, n_plates=4))
    folds = find_folds(aligned, known)
    assert [set(folds[aligned.table.plate == plate]) for plate in range(4)] == [{0}, {1}, {2}, {3}]
    scorers = fit_scorers(aligned, folds, known, axis="discriminant")
    # What happens on plate 2 changes all axes but the one that scores it.
    changed = aligned.deviation.copy()
    changed[aligned.table.plate == 2] *= 1.5
    object.__setattr__(aligned, "deviation", changed)
    again = fit_scorers(aligned, folds, known, axis="discriminant")
    same = [np.array_equal(a.direction, b.direction) for a, b in zip(scorers, again, strict=True)]
    assert same == [False, False, True, False]


def test_one_plate_leaves_out_parts_of_its_controls(draw_screen) -> None:
    aligned, known = prepared(draw_screen(NONE, n_plates=1))
    folds = find_folds(aligned, known)
    assert set(folds[aligned.table.treatment >= 0]) == {-1}
    for kind in (DISEASED, HEALTHY):
        assert set(folds[aligned.table.controls(kind)]) == {0, 1, 2, 3, 4}


def test_the_axis_avoids_latents_that_vary_from_well_to_well(draw_screen) -> None:
    """A latent that moves with the disease but is noisy, and one that is noisy with it."""
    profiles, wells = draw_screen(NONE, n_plates=4, controls=16)
    wobble = np.random.default_rng(1).normal(0, 6, len(profiles))
    profiles[:, 0] += wobble
    profiles[:, 2] += wobble
    spreads = {}
    for axis in ("discriminant", "means"):
        view = score_view(
            profiles,
            read_wells(wells, diseased="diseased", healthy="healthy", min_cells=0),
            position="none",
            axis=axis,
        )
        treated = view.alignment.table.treatment >= 0
        spreads[axis] = view.rescue[treated].std()
    assert spreads["discriminant"] < 0.55 * spreads["means"]


@pytest.mark.parametrize("n_plates", [1, 4])
@pytest.mark.parametrize("axis", ["discriminant", "means"])
def test_full_and_no_rescue_are_1_and_0_with_many_latents(draw_screen, n_plates, axis) -> None:
    """Judged on the controls that made it, an axis would put both much too near to 0."""
    treatments = {(f"N{i}", 1.0): (0.0, 0.0) for i in range(30)}
    treatments |= {(f"F{i}", 1.0): (1.0, 0.0) for i in range(30)}
    means = []
    for seed in range(6):
        screen = draw_screen(
            treatments, n_plates=n_plates, latents=60, controls=16, length=7.0, seed=seed
        )
        table = read_wells(screen[1], diseased="diseased", healthy="healthy", min_cells=0)
        view = score_view(screen[0], table, position="none", axis=axis)
        full = table.treatments["Metadata_Compound"].str.startswith("F").to_numpy()
        treated = table.treatment >= 0
        is_full = full[table.treatment]
        means.append(
            [view.rescue[treated & ~is_full].mean(), view.rescue[treated & is_full].mean()]
        )
    none, full_rescue = np.mean(means, axis=0)
    assert none == pytest.approx(0.0, abs=0.06)
    assert full_rescue == pytest.approx(1.0, abs=0.1)
