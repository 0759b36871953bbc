"""Cells and empty places."""

from __future__ import annotations

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.masks.foreground import Foreground, fit_foreground


def test_a_channel_of_noise_marks_nothing_and_nuclei_stay_cells() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(0.1, 0.01, (5, 1, 32, 32))
    nuclei = np.zeros((5, 32, 32), np.uint8)
    nuclei[:, 10:14, 10:14] = 1
    found = fit_foreground(images, nuclei)
    assert found.levels == (float("inf"),)
    cells = found.cells(images, nuclei, ring_width=3)
    assert cells[:, 12, 12].all()
    assert 0.03 < cells.mean() < 0.12


def test_cytoplasm_without_a_nucleus_is_cell() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(0.05, 0.005, (5, 2, 40, 40))
    images[:, 1, 4:20, 4:20] += 0.3
    nuclei = np.zeros((5, 40, 40), np.uint8)
    cells = fit_foreground(images, nuclei).cells(images, nuclei)
    assert cells[:, 6:18, 6:18].all()
    assert not cells[:, 26:, 26:].any()


def test_constant_images_have_no_bright_cells() -> None:
    images, nuclei = np.ones((2, 1, 8, 8)), np.zeros((2, 8, 8), np.uint8)
    assert not fit_foreground(images, nuclei).cells(images, nuclei).any()


def test_other_shapes_are_refused() -> None:
    images, nuclei = np.ones((2, 1, 8, 8)), np.zeros((2, 8, 8), np.uint8)
    with pytest.raises(InvalidInputError, match="same crops"):
        fit_foreground(images, nuclei[:, :4])
    with pytest.raises(InvalidInputError, match="at least one crop"):
        fit_foreground(images[:0], nuclei[:0])
    with pytest.raises(InvalidInputError, match="2 channels"):
        Foreground((0.1, 0.2)).cells(images, nuclei)
