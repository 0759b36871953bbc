from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.masks.chance_shift import (
    default_reach,
    local_offsets,
    shift_overlaps,
    torus_offsets,
)
from counterstain.masks.mask_overlap import overlap
from counterstain.masks.overlap_excess import excess_overlap, intersection_above_chance


def discs(centres: NDArray[np.float64], radius: float, size: int) -> NDArray[np.bool_]:
    edge = int(radius) + 1
    y, x = np.mgrid[-edge : edge + 1, -edge : edge + 1]
    disc = y**2 + x**2 <= radius**2
    mask = np.zeros((size + 4 * edge, size + 4 * edge), bool)
    for cy, cx in np.rint(centres).astype(int) + edge:
        if min(cy, cx) >= 0 and max(cy, cx) < size + 2 * edge:
            mask[cy : cy + 2 * edge + 1, cx : cx + 2 * edge + 1] |= disc
    return mask[2 * edge : -2 * edge, 2 * edge : -2 * edge]


def field(seed: int, n_hosts: int, bound: float, size: int = 320) -> list[NDArray[np.bool_]]:
    """Discs of which a share lies half over larger ones; the others lie anywhere."""
    rng = np.random.default_rng(seed)
    hosts = rng.uniform(0, size, (n_hosts, 2))
    guests = rng.uniform(0, size, (3 * n_hosts, 2))
    stuck = rng.random(len(guests)) < bound
    angle = rng.uniform(0, 2 * np.pi, len(guests))
    rim = hosts[rng.integers(n_hosts, size=len(guests))]
    guests[stuck] = (rim + 14 * np.stack([np.sin(angle), np.cos(angle)], axis=1))[stuck]
    return [discs(guests, 5, size), discs(hosts, 14, size)]


def test_all_shifts_at_once_agree_with_rolling() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 13, 18)) < 0.3
    counts = shift_overlaps(a, b)
    for dy in range(13):
        for dx in range(18):
            assert counts[dy, dx] == (np.roll(a, (dy, dx), (0, 1)) & b).sum()


def test_expected_overlap_is_that_of_independent_areas() -> None:
    a, b = field(1, 12, 0.5)
    found = excess_overlap(a, b)
    assert found.expected_share_a == pytest.approx(b.mean())
    assert found.n_shifts == a.size
    by_shift = shift_overlaps(a, b)
    assert found.z == pytest.approx(((a & b).sum() - by_shift.mean()) / by_shift.std())
    assert found.excess_share_a == pytest.approx(found.observed.share_a - b.mean())


def test_above_chance_by_hand() -> None:
    # Bound pairs on 0.1 of 10,000 px, a on 0.2 and b on 0.3 of what they leave, independently.
    both = 10_000 * (0.1 + 0.9 * 0.2 * 0.3)
    a, b = 10_000 * (0.1 + 0.9 * 0.2), 10_000 * (0.1 + 0.9 * 0.3)
    assert intersection_above_chance(both, a * b / 10_000, a, b) == pytest.approx(1000.0)
    assert np.isnan(intersection_above_chance(0.0, 0.0, 0.0, 4.0))


def test_which_mask_comes_first_does_not_matter() -> None:
    a, b = field(2, 14, 0.4)
    one, other = excess_overlap(a, b), excess_overlap(b, a)
    assert one.iou_above_chance == pytest.approx(other.iou_above_chance)
    assert one.share_a_above_chance == pytest.approx(other.share_b_above_chance)


@pytest.mark.parametrize("null", ["torus", "local"])
def test_independent_cells_have_nothing_above_chance(null: str) -> None:
    found = [excess_overlap(*field(seed, 14, 0.0), null=null) for seed in range(24)]  # type: ignore[arg-type]
    above = np.array([one.share_a_above_chance for one in found])
    assert abs(above.mean()) < 3 * above.std() / np.sqrt(above.size)
    assert np.mean([one.observed.share_a for one in found]) > 0.05


@pytest.mark.parametrize("null", ["torus", "local"])
def test_above_chance_does_not_follow_crowding(null: str) -> None:
    def mean(n_hosts: int, name: str) -> float:
        found = [excess_overlap(*field(seed, n_hosts, 0.4), null=null) for seed in range(24)]  # type: ignore[arg-type]
        return float(np.mean([getattr(one, name) for one in found]))

    sparse, crowded = (mean(n, "share_a_above_chance") for n in (5, 25))
    assert crowded == pytest.approx(sparse, abs=0.03)
    plain = [
        np.mean([overlap(*field(seed, n, 0.4)).share_a for seed in range(24)]) for n in (5, 25)
    ]
    assert plain[1] > plain[0] + 0.05


def test_local_shifts_see_through_gathering() -> None:
    size, above = 320, {"torus": [], "local": []}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        # Both kinds lie in the left half only, and ignore each other.
        hosts, guests = (rng.uniform(0, 1, (n, 2)) * [size, size / 2] for n in (14, 40))
        masks = discs(guests, 5, size), discs(hosts, 14, size)
        for null, values in above.items():
            values.append(excess_overlap(*masks, null=null).share_a_above_chance)  # type: ignore[arg-type]
    assert np.mean(above["torus"]) > 0.05
    assert abs(np.mean(above["local"])) < 0.03


def test_offsets_are_spread() -> None:
    ring = local_offsets(20, 200, (400, 400))
    lengths = np.hypot(*ring.T)
    assert lengths.min() > 19
    assert lengths.max() < 61
    assert np.abs(ring.mean(axis=0)).max() < 1
    torus = torus_offsets(400, (100, 200))
    quarters, _, _ = np.histogram2d(*torus.T, bins=2, range=[[0, 100], [0, 200]])
    assert np.ptp(quarters) <= 6


def test_specks_do_not_shorten_the_reach() -> None:
    cells = discs(np.array([[20.0, 20], [60, 60], [20, 60]]), 6, 80)
    dirty = cells.copy()
    dirty[2::9, 2::9] = True
    assert default_reach(dirty, dirty) == pytest.approx(default_reach(cells, cells), rel=0.05)
    assert default_reach(cells, cells) == pytest.approx(24, rel=0.08)
    assert default_reach(cells & False, cells & False) == 2


def test_an_empty_or_full_mask_is_undefined_with_a_reason() -> None:
    some, empty, full = np.zeros((3, 40, 40), bool)
    some[3:6, 3:6], full[:] = True, True
    for a, b, reason in ((some, empty, "mask_b is empty"), (some, full, "mask_b covers the whole")):
        with pytest.warns(UndefinedStatisticWarning, match=reason):
            found = excess_overlap(a, b)
        assert math.isnan(found.share_a_above_chance)
        assert reason in found.reason
        assert found.to_json()["z"] is None


def test_bad_settings_are_refused() -> None:
    a = np.zeros((40, 40), bool)
    a[5:30, 5:30] = True
    with pytest.raises(InvalidInputError, match="'torus' or 'local'"):
        excess_overlap(a, a, null="ring")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="null='torus'"):
        excess_overlap(a, a, null="local")
    with pytest.raises(InvalidInputError, match="size of"):
        excess_overlap(a, a[1:])
