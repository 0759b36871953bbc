from __future__ import annotations

import sys

import numpy as np
import pytest

from counterstain.errors import OptionalDependencyError
from counterstain.ranking.activity import (
    combine_p_values,
    phenotypic_activity,
    phenotypic_consistency,
)


def wells(seed: int = 0) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Draw two spaces of two plates: 24 references, six treatments of four wells each.

    Treatments 0 to 2 do something, two of them (one compound) the same; 3 to 5 do nothing.
    """
    rng = np.random.default_rng(seed)
    treatment = np.concatenate([np.full(24, -1), np.repeat(np.arange(6), 4)])
    plate = np.tile(["P1", "P2"], 24)
    shift = np.array([[9, 0, 0], [12, 0, 0], [0, 9, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    views = []
    for _ in range(2):
        profile = rng.normal(size=(48, 12)) + 30 * (plate == "P2")[:, None]
        profile[24:, :3] += shift[treatment[24:]]
        turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
        views.append(profile @ turn)
    return views, treatment, treatment < 0, plate


@pytest.mark.parametrize("values", [[0.02], [0.02, 0.02], [0.0, 0.9, 0.9], [1.0, 1.0]])
def test_combined_p_values_never_beat_the_smallest_by_more_than_their_number(values) -> None:
    found = combine_p_values(values)
    assert min(values) <= found <= 1
    assert found == pytest.approx(values[0] if len(values) == 1 else min(1, 2 * np.mean(values)))


def test_without_copairs_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "copairs.map", None)
    with pytest.raises(OptionalDependencyError, match=r"counterstain\[activity\]"):
        phenotypic_activity(*wells(), seed=0)


def test_active_treatments_find_their_own_wells() -> None:
    pytest.importorskip("copairs", reason="copairs is an optional package")
    found = phenotypic_activity(*wells(), seed=0)
    assert found.index.tolist() == list(range(6))
    assert (found.loc[:2, "activity"] > 0.95).all()
    assert (found.loc[:2, "activity_q"] <= 0.05).all()
    assert (found.loc[3:, "activity_q"] > 0.05).all()


def test_one_well_finds_nobody() -> None:
    pytest.importorskip("copairs", reason="copairs is an optional package")
    views, treatment, reference, plate = wells()
    treatment[-3:] = -1
    found = phenotypic_activity(views, treatment, reference, plate, seed=0)
    assert found.index.tolist() == list(range(5))


def test_doses_of_a_compound_find_each_other() -> None:
    pytest.importorskip("copairs", reason="copairs is an optional package")
    views, treatment, reference, plate = wells()
    active = np.where(treatment <= 2, treatment, -1)
    compound = np.where(active <= 1, 0, active)
    found = phenotypic_consistency(views, active, compound, reference, plate, seed=0)
    assert found.index.tolist() == [0]
    assert found.loc[0, "consistency"] == 1.0


def test_a_single_compound_has_nothing_to_be_compared_with() -> None:
    pytest.importorskip("copairs", reason="copairs is an optional package")
    views, treatment, reference, plate = wells()
    active = np.where(treatment <= 1, treatment, -1)
    compound = np.zeros(len(active), np.int64)
    assert phenotypic_consistency(views, active, compound, reference, plate, seed=0).empty
