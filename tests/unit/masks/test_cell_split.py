"""Touching cells are parted; single cells and specks are left as they are."""

from __future__ import annotations

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.masks.cell_split import split_cells
from counterstain.plates.simulate.coculture_field import draw_coculture_field


def disc(y0: float, x0: float, radius: float, side: int = 80) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return np.hypot(y - y0, x - x0) < radius


def test_two_touching_cells_become_two_and_keep_their_pixels() -> None:
    mask = disc(20, 20, 8) | disc(20, 34, 8) | disc(60, 20, 8) | disc(60, 60, 8)
    labels = split_cells(mask)
    assert labels.max() == 4
    np.testing.assert_array_equal(labels > 0, mask)
    assert labels[20, 20] != labels[20, 34]


def test_every_number_is_one_cell() -> None:
    labels = split_cells(disc(20, 20, 8) | disc(20, 34, 8) | disc(60, 60, 8))
    assert sorted(np.unique(labels)) == [0, 1, 2, 3]


def test_specks_are_taken_out() -> None:
    mask = disc(30, 30, 9)
    mask[70, 70] = True
    labels = split_cells(mask)
    assert labels.max() == 1
    assert labels[70, 70] == 0


def test_an_empty_mask_has_no_cell() -> None:
    assert split_cells(np.zeros((20, 20), bool)).max() == 0


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_a_simulated_field_are_near_the_truth(seed: int) -> None:
    drawn = draw_coculture_field(np.random.default_rng(seed), contact_rate=0.4)
    for labels in drawn.labels:
        true = len(np.unique(labels)) - 1
        assert abs(int(split_cells(labels > 0).max()) - true) <= 0.12 * true + 1


def test_floats_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="mask"):
        split_cells(np.full((4, 4), 0.5))
