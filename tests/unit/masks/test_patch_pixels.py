"""Patches that are kept: spread over the field, averaged, with their masks."""

from __future__ import annotations

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.masks.overlap_patches import patch_corners
from counterstain.masks.patch_pixels import binned_patches, spread_places


@pytest.mark.parametrize("most", [1, 4, 5, 9, 13, 100, 1000])
def test_never_more_places_than_asked_for_and_the_corners_are_in(most: int) -> None:
    corners = patch_corners((512, 512), 192, 100)
    chosen = spread_places(corners, most)
    assert 1 <= len(chosen) <= most
    if most >= 4:
        assert {0, 99} <= set(chosen.tolist())
    assert len(set(chosen.tolist())) == len(chosen)


def test_a_single_row_of_places_is_used_whole() -> None:
    assert len(spread_places(patch_corners((64, 640), 64, None), 6)) >= 4


def test_nothing_cannot_be_chosen() -> None:
    with pytest.raises(InvalidInputError, match="most"):
        spread_places(patch_corners((64, 64), 32, 4), 0)


def test_means_and_majorities() -> None:
    generator = np.random.default_rng(0)
    planes = generator.integers(0, 4000, (2, 40, 40), dtype=np.uint16)
    masks = generator.random((2, 40, 40)) < 0.5
    pixels, regions = binned_patches(
        planes, (masks[0], masks[1]), np.array([[8, 4], [0, 0]]), patch_px=16, binning=2
    )
    assert (pixels.shape, pixels.dtype) == ((2, 2, 8, 8), np.uint16)
    assert pixels[0, 1, 0, 0] == round(float(planes[1, 8:10, 4:6].mean()))
    expected = (masks[0, 8:10, 4:6].mean() >= 0.5) + 2 * (masks[1, 8:10, 4:6].mean() >= 0.5)
    assert regions[0, 0, 0] == expected
