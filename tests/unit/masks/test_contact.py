from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.masks.contact import contacts
from counterstain.masks.contact_excess import excess_contacts
from counterstain.masks.contact_pixels import near, numbered_labels

IntArray = NDArray[np.int64]


def scene() -> tuple[IntArray, IntArray]:
    a, b = np.zeros((2, 20, 20), np.int64)
    a[2:5, 2:5] = 1  # edge to edge with b 1
    a[2:5, 10:13] = 2  # over b 2
    a[15:18, 15:18] = 3  # alone
    a[7:9, 5:7] = 4  # corner to corner with b 1
    b[5:7, 2:5] = 1
    b[4:7, 11:14] = 2
    return a, b


def test_contacts_by_hand() -> None:
    found = contacts(*scene())
    assert (found.n_a, found.n_b, found.pairs, found.mutual_pairs) == (4, 2, 2, 2)
    assert (found.a_touching, found.b_touching) == (2, 2)
    assert (found.share_a_touching, found.share_b_touching) == (0.5, 1.0)
    assert (found.contacts_per_a, found.contacts_per_b) == (0.5, 1.0)


def test_distance_says_what_touches() -> None:
    assert contacts(*scene(), distance_px=0).pairs == 1
    assert contacts(*scene(), distance_px=1.5).pairs == 3
    corner = contacts(*scene(), distance_px=1.5)
    # b 1 has two partners and is closest to the one that shares an edge.
    assert (corner.a_touching, corner.b_touching, corner.mutual_pairs) == (3, 2, 2)


@pytest.mark.parametrize("distance", [0.0, 1.0, 1.5, 2.0, 3.0, 4.5])
def test_pairs_agree_with_all_distances(distance: float) -> None:
    rng = np.random.default_rng(3)
    a, b = (np.where(rng.random((24, 24)) < 0.06, rng.integers(1, 6, (24, 24)), 0) for _ in "ab")
    pairs = set()
    for ay, ax in np.argwhere(a):
        for by, bx in np.argwhere(b):
            if (ay - by) ** 2 + (ax - bx) ** 2 <= distance**2:
                pairs.add((a[ay, ax], b[by, bx]))
    found = contacts(a, b, distance_px=distance)
    assert found.pairs == len(pairs)
    assert found.a_touching == len({x for x, _ in pairs})
    assert found.b_touching == len({y for _, y in pairs})


def test_which_kind_comes_first_does_not_matter() -> None:
    a, b = scene()
    one, other = contacts(a, b, distance_px=1.5), contacts(b, a, distance_px=1.5)
    assert (one.pairs, one.mutual_pairs) == (other.pairs, other.mutual_pairs)
    assert (one.a_touching, one.b_touching) == (other.b_touching, other.a_touching)


def test_labels_may_be_large_and_far_between() -> None:
    labels = np.array([[0, 4_000_000_000, 5]], np.uint32)
    renumbered, count = numbered_labels(labels, "labels_a")
    assert (renumbered.tolist(), count) == ([[0, 2, 1]], 2)


def test_near_by_shifts_and_by_distances_agree() -> None:
    mask = np.random.default_rng(0).random((40, 40)) < 0.01
    y, x = np.nonzero(mask)
    rows, columns = np.mgrid[:40, :40]
    distance = np.hypot(rows[..., None] - y, columns[..., None] - x).min(axis=2)
    for reach in (2.5, 5.0):
        assert (near(mask, reach) == (distance <= reach)).all()


def test_no_cells_are_undefined_with_a_reason() -> None:
    a, b = scene()
    with pytest.warns(UndefinedStatisticWarning, match="no cell in labels_a"):
        found = contacts(np.zeros_like(a), b)
    assert math.isnan(found.share_a_touching)
    assert found.share_b_touching == 0
    with pytest.warns(UndefinedStatisticWarning):
        excess = excess_contacts(np.zeros_like(a), b)
    assert math.isnan(excess.share_a_above_chance)
    assert excess.reason == "no cell in labels_a"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda a: a.astype(float), "whole numbers"),
        (lambda a: a > 0, "does not part one cell"),
        (lambda a: a[1:], "size of `labels_a`"),
        (lambda a: a - 1, "positive labels"),
    ],
)
def test_bad_labels_are_refused(bad: object, words: str) -> None:
    a, b = scene()
    with pytest.raises(InvalidInputError, match=words):
        contacts(a, bad(b))  # type: ignore[operator]


def test_bad_distance_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="1 means edge to edge"):
        contacts(*scene(), distance_px=-1)
    with pytest.raises(InvalidInputError, match="n_shifts"):
        excess_contacts(*scene(), n_shifts=0)


def test_expected_contacts_agree_with_rolling() -> None:
    rng = np.random.default_rng(5)
    a, b = np.zeros((2, 60, 60), np.int64)
    for labels, edge in ((a, 4), (b, 8)):
        for k, (y, x) in enumerate(rng.integers(0, 50, (8, 2)), start=1):
            labels[y : y + edge, x : x + edge] = k
    found = excess_contacts(a, b, n_shifts=400)
    rolled = []
    for dy in range(0, 60, 4):
        for dx in range(0, 60, 4):
            moved = np.roll(a, (dy, dx), (0, 1))
            rolled.append(len(set(np.unique(moved[near(b > 0, 1.0)])) - {0}) / 8)
    assert found.expected_share_a == pytest.approx(np.mean(rolled), rel=0.08)


@pytest.mark.parametrize("null", ["torus", "local"])
def test_bound_share_is_found_at_any_crowding(null: str) -> None:
    def scatter(seed: int, n: int) -> tuple[IntArray, IntArray]:
        rng = np.random.default_rng(seed)
        a, b = np.zeros((2, 300, 300), np.int64)
        hosts = rng.integers(0, 280, (n, 2))
        for k, (y, x) in enumerate(hosts, start=1):
            b[y : y + 18, x : x + 18] = k
        for k in range(1, 2 * n + 1):
            y, x = rng.integers(0, 292, 2)
            if k <= n // 2:  # a quarter
                y, x = np.clip(hosts[rng.integers(n)] + [18, rng.integers(-8, 18)], 0, 292)
            a[y : y + 8, x : x + 8] = k
        return a, b

    means = {}
    for n in (8, 40):
        found = [excess_contacts(*scatter(seed, n), null=null) for seed in range(10)]  # type: ignore[arg-type]
        means[n] = np.mean([one.share_a_above_chance for one in found])
        observed = np.mean([one.observed.share_a_touching for one in found])
    assert means[8] == pytest.approx(0.25, abs=0.05)
    assert means[40] == pytest.approx(0.25, abs=0.06)
    assert observed > 0.35
