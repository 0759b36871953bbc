"""Shares of a disease's change that a treatment puts right."""

from __future__ import annotations

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.ranking.restored import restored_shares


def screen(seed: int, shares: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Two plates of another level each; measurements that the disease moves by 2 to 5."""
    rng = np.random.default_rng(seed)
    group = np.array([*"ddddddhhhhhhtttt"] * 2)
    plates = np.repeat(["P1", "P2"], 16)
    way = np.linspace(2, 5, len(shares))
    values = rng.normal(scale=0.2, size=(32, len(shares))) + 10 * (plates == "P2")[:, None]
    values[group == "h"] += way
    values[group == "t"] += way * np.array(shares)
    return values, plates, [group == letter for letter in "dht"]


def test_each_measurement_has_its_own_share() -> None:
    values, plates, groups = screen(0, (0.94, 0.12, 1.3))
    found = restored_shares(values, plates, *groups, seed=0)
    assert [share.value for share in found] == pytest.approx([0.94, 0.12, 1.3], abs=0.08)
    assert all(share.low < share.value < share.high for share in found)
    assert all(share.n_wells == 8 for share in found)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    truth = np.linspace(0, 1.2, 10)
    held = []
    for seed in range(40):
        values, plates, groups = screen(seed, tuple(truth))
        found = restored_shares(values, plates, *groups, seed=seed, n_resamples=400)
        held += [share.low <= true <= share.high for share, true in zip(found, truth, strict=True)]
    assert 0.86 <= np.mean(held) <= 0.99


def test_no_share_of_nothing() -> None:
    values, plates, groups = screen(0, (0.5, 0.5))
    values[:, 1] = np.random.default_rng(1).normal(size=len(values))
    values[0, 0] = np.nan  # a well without crops takes no part, and nothing else from the others
    moved, still = restored_shares(values, plates, *groups, seed=0)
    assert moved.value == pytest.approx(0.5, abs=0.06)
    assert not still.is_defined
    assert "do not differ" in still.reason
    one = [groups[0], groups[1], np.arange(32) == 12]
    assert (
        restored_shares(values, plates, *one, seed=0)[0].reason == "fewer than two wells of a group"
    )


def test_other_lengths_are_refused() -> None:
    values, plates, groups = screen(0, (0.5,))
    with pytest.raises(InvalidInputError, match="a row a well"):
        restored_shares(values, plates[:-1], *groups, seed=0)
