from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.masks import cell_regions


def crowded(n=4, edge=40, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    nuclei = np.zeros((n, edge, edge), np.uint8)
    for crop in nuclei:
        for value in (2, 2, 1):
            cy, cx = rng.uniform(5, edge - 5, 2)
            crop[np.hypot(y - cy, x - cx) < rng.uniform(2, 5)] = value
    return nuclei


@pytest.mark.parametrize("width", [1, 2, 6, 9])
def test_regions_are_those_of_the_euclidean_distance(width):
    nuclei = crowded()
    regions = cell_regions(nuclei, width)
    for k, crop in enumerate(nuclei):
        own = ndimage.distance_transform_edt(crop != 1)
        any_nucleus = ndimage.distance_transform_edt(crop == 0)
        ring = (own <= width) & (crop == 0)
        np.testing.assert_array_equal(regions.nucleus[k], crop == 1)
        np.testing.assert_array_equal(regions.ring[k], ring)
        np.testing.assert_array_equal(regions.cell[k], ring | (crop == 1))
        np.testing.assert_array_equal(regions.background[k], any_nucleus > 2 * width)


def test_without_nucleus_all_is_background():
    regions = cell_regions(np.zeros((1, 9, 9), np.uint8), 3)
    assert regions.background.all()
    assert not regions.cell.any()


def test_a_single_crop_without_its_axis_is_refused():
    with pytest.raises(InvalidInputError, match="N, H, W"):
        cell_regions(np.zeros((9, 9), np.uint8))
    with pytest.raises(InvalidInputError, match="ring_width"):
        cell_regions(np.zeros((1, 9, 9), np.uint8), 0)
