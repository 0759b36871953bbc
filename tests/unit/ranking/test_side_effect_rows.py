from __future__ import annotations

import numpy as np
import pytest

from counterstain.ranking import rank_treatments
from counterstain.ranking.treatment_groups import group_treatments, pair_product


def test_pairs_are_free_of_the_wells_own_noise() -> None:
    rng = np.random.default_rng(0)
    shift = np.r_[3.0, np.zeros(63)]
    still = pair_product(rng.normal(size=(4000, 4, 64)), noise=64.0)
    moved = pair_product(shift + rng.normal(size=(4000, 4, 64)), noise=64.0)
    assert still.mean() == pytest.approx(0.0, abs=0.2)
    assert moved.mean() == pytest.approx(9.0, abs=0.3)


def test_an_odd_well_makes_no_side_effect() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 3, 32))
    vectors[:, 1] *= 8
    plain = pair_product(rng.normal(size=(2000, 3, 32)), noise=32.0).std()
    assert pair_product(vectors, noise=32.0).std() < 2.5 * plain


def test_two_wells_are_their_product() -> None:
    vectors = np.array([[[1.0, 2.0], [3.0, 5.0]]])
    assert pair_product(vectors, noise=1.0) == pytest.approx([13.0])


def test_groups_sum_over_their_own_wells() -> None:
    treatment = np.array([2, 0, -1, 2, 0, 2, 1])
    usable = np.array([True, True, True, True, False, True, True])
    groups = group_treatments(treatment, usable, 4)
    assert groups.sizes.tolist() == [1, 1, 3, 0]
    assert groups.sums(np.arange(7.0)[groups.rows]).tolist() == [1, 6, 8, 0]
    np.testing.assert_array_equal(groups.means(groups.rows * 1.0), [1, 6, 8 / 3, np.nan])
    chosen, rows = groups.of_size(3)
    assert (chosen.tolist(), rows.tolist()) == ([2], [[0, 3, 5]])
    pairs = groups.pair_products(np.ones((7, 2), np.float32), 1.0)
    np.testing.assert_array_equal(pairs, [np.nan, np.nan, 2.0, np.nan])


@pytest.mark.parametrize("latents", [8, 48])
def test_a_planted_side_effect_has_its_length(draw_screen, latents) -> None:
    treatments = {(f"C{i}", 1.0): (0.5, aside) for i, aside in enumerate([0, 0, 0, 6, 6, 12, 12])}
    screen = draw_screen(treatments, n_plates=4, controls=20, latents=latents, length=20.0)
    found = rank_treatments(*screen, seed=0, position="none").treatments
    found = found.sort_values("Metadata_Compound")
    assert found["side_effect"].tolist()[3:] == pytest.approx([6, 6, 12, 12], rel=0.3)
    assert max(found["side_effect"].tolist()[:3]) < 3
    assert found["call"].tolist()[5:] == ["toxic/off-axis"] * 2


def test_the_error_of_the_axis_is_no_side_effect_of_a_full_rescue(draw_screen) -> None:
    """Few controls and many latents tilt the axis; what is 1 along it is then off it, too."""
    treatments = {(f"F{i}", 1.0): (1.0, 0.0) for i in range(20)}
    found = rank_treatments(
        *draw_screen(treatments, n_plates=3, controls=8, latents=48, length=25.0), seed=0
    ).treatments
    assert found["side_effect"].median() < 2.5
    assert (found["call"] == "hit").sum() >= 19


def test_wells_of_one_plate_share_its_mean_without_a_side_effect(draw_screen) -> None:
    """Ten controls a plate: their mean is off by 0.3 SDs in each of 48 latents, for all wells."""
    treatments = {(f"C{i}", 1.0): (0.0, 0.0) for i in range(15)}
    calls = []
    for seed in range(4):
        screen = draw_screen(
            treatments, n_plates=2, copies=4, controls=10, latents=48, length=25.0, seed=seed
        )
        profiles, wells = screen
        # All replicates on one plate.
        first = wells["Metadata_Compound"].isin([f"C{i}" for i in range(8)])
        kept = (wells["Metadata_Compound"] == "") | (first == (wells["Metadata_Plate"] == "P0"))
        found = rank_treatments(profiles[kept], wells[kept], seed=0).treatments
        calls += found["call"].tolist()
        assert found["side_effect"].median() < 3.5
    assert calls.count("toxic/off-axis") <= 0.1 * len(calls)


def test_p_values_of_inactive_treatments_are_not_too_small(draw_screen) -> None:
    treatments = {(f"C{i}", 1.0): (0.0, 0.0) for i in range(50)}
    p_values = np.concatenate(
        [
            rank_treatments(*draw_screen(treatments, n_plates=4, controls=16, seed=seed), seed=seed)
            .treatments["side_effect_p"]
            .to_numpy()
            for seed in range(5)
        ]
    )
    assert np.mean(p_values <= 0.05) <= 0.09


def test_a_single_latent_has_nothing_off_its_axis(draw_screen) -> None:
    treatments = {("full", 1.0): (1.0, 0.0), ("none", 1.0): (0.0, 0.0)}
    profiles, wells = draw_screen(treatments, n_plates=2, copies=2)
    table = rank_treatments(profiles[:, :1], wells, seed=0).treatments
    assert (table["side_effect"] < 1e-3).all()
    assert table["call"].tolist() == ["hit", "inactive"]
