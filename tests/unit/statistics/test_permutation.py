from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.statistics.permutation import draw_different, group_p_values, share_above


def exact(group, controls) -> float:
    """Enumerate all subsets of the group's size, the group itself among them."""
    everything = [*group, *controls]
    sums = [sum(chosen) for chosen in combinations(everything, len(group))]
    return float(np.mean(np.array(sums) >= sum(group) - 1e-9))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_agrees_with_all_permutations(n) -> None:
    rng = np.random.default_rng(n)
    groups, controls = rng.normal(0.7, 1, (5, n)), rng.normal(size=9)
    found = group_p_values(groups, controls, seed=0, n_permutations=40_000)
    expected = [exact(group, controls) for group in groups]
    np.testing.assert_allclose(found, expected, atol=0.012)


def test_p_values_of_controls_are_uniform() -> None:
    rng = np.random.default_rng(1)
    found = np.concatenate(
        [
            group_p_values(
                rng.standard_t(3, (20, 3)), rng.standard_t(3, 24), seed=seed, n_permutations=999
            )
            for seed in range(60)
        ]
    )
    for level in (0.01, 0.05, 0.2):
        assert np.mean(found <= level) == pytest.approx(level, abs=3.5 * np.sqrt(level / 1200))


def test_no_p_value_is_zero_and_ties_count_against() -> None:
    assert group_p_values([[9.0, 9.0]], np.zeros(50), seed=0, n_permutations=999)[0] >= 0.001
    assert group_p_values([[0.0, 0.0]], np.zeros(50), seed=0, n_permutations=999)[0] == 1.0


def test_fewer_controls_than_wells() -> None:
    found = group_p_values([[3.0, 3.0, 3.0]], [0.0], seed=0, n_permutations=999)
    # The one control is in three of four draws.
    assert found[0] == pytest.approx(0.25, abs=0.05)


def test_the_order_of_groups_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    groups, controls = rng.normal(size=(6, 3)), rng.normal(size=30)
    forward = group_p_values(groups, controls, seed=5)
    backward = group_p_values(groups[::-1], controls, seed=5)
    np.testing.assert_array_equal(forward, backward[::-1])
    assert not np.array_equal(forward, group_p_values(groups, controls, seed=6))


def test_every_set_is_as_likely() -> None:
    picks = np.sort(draw_different(5, 2, 50_000, np.random.default_rng(0)), axis=1)
    assert np.all(picks[:, 0] < picks[:, 1])
    counts = np.bincount(picks[:, 0] * 5 + picks[:, 1])
    np.testing.assert_allclose(counts[counts > 0], 5000, rtol=0.06)
    assert np.count_nonzero(counts) == 10


def test_large_draws_hold_different_numbers() -> None:
    picks = draw_different(40, 30, 500, np.random.default_rng(0))
    assert all(len(set(row)) == 30 for row in picks.tolist())
    np.testing.assert_allclose(np.bincount(picks.ravel(), minlength=40), 375, rtol=0.2)


def test_share_above() -> None:
    assert share_above([5.0, 2.0, 0.0], [1.0, 2.0, 3.0]).tolist() == [0.25, 0.75, 1.0]


@pytest.mark.parametrize(
    ("groups", "controls", "settings", "why"),
    [
        ([1.0, 2.0], [1.0], {}, "`groups` must be finite and"),
        ([[np.nan]], [1.0], {}, "`groups` must be finite and"),
        ([[1.0]], [], {}, "`controls` must hold wells"),
        ([[1.0]], [1.0], {"n_permutations": 10}, "be 99 or more"),
    ],
)
def test_bad_input_is_named(groups, controls, settings, why) -> None:
    with pytest.raises(InvalidInputError, match=why):
        group_p_values(groups, controls, seed=0, **settings)
