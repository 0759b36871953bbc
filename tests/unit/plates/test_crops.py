from __future__ import annotations

import numpy as np
import pytest

from counterstain.config import CropsConfig
from counterstain.errors import InvalidInputError
from counterstain.plates.crops import cut_crops


def field_with(centres, edge=100, side=6):
    """A field whose pixel values are their own positions, with square nuclei."""
    y, x = np.mgrid[:edge, :edge]
    nuclei = np.zeros((edge, edge), np.int32)
    for number, (cy, cx) in enumerate(centres, start=1):
        nuclei[cy - side // 2 : cy + side // 2, cx - side // 2 : cx + side // 2] = number
    return np.stack([y, x]).astype(np.uint16), nuclei


def test_cells_are_centred_and_keep_grey_values():
    field, nuclei = field_with([(40, 50), (60, 60)])
    crops = cut_crops(field, nuclei, CropsConfig(size=16))
    assert crops.pixels.shape == (2, 2, 16, 16)
    assert crops.pixels.dtype == np.uint16
    assert crops.pixels[0, :, 0, 0].tolist() == [32, 42]
    assert crops.y.tolist() == [39.5, 59.5]
    assert crops.x.tolist() == [49.5, 59.5]
    # The middle of the window is the middle of the nucleus.
    assert np.argwhere(crops.nuclei[0] == 1).mean(axis=0).tolist() == [7.5, 7.5]


def test_own_nucleus_is_told_from_others():
    field, nuclei = field_with([(50, 50), (50, 58)])
    crops = cut_crops(field, nuclei, CropsConfig(size=32))
    for region in crops.nuclei:
        assert np.bincount(region.ravel()).tolist() == [32 * 32 - 72, 36, 36]


def test_border_and_odd_sizes_are_left_out_and_counted():
    field, nuclei = field_with([(50, 50), (30, 30), (70, 70), (5, 50)])
    nuclei[48:50, 20:22] = 9  # 4 px against a median of 36
    crops = cut_crops(field, nuclei, CropsConfig(size=16))
    assert len(crops) == 3
    assert (crops.n_border, crops.n_odd_size, crops.n_over_limit) == (1, 1, 0)


def test_windows_that_just_fit_are_kept():
    field, nuclei = field_with([(8, 8), (92, 92), (7, 50)])
    crops = cut_crops(field, nuclei, CropsConfig(size=16))
    assert crops.y.tolist() == [7.5, 91.5]
    assert crops.n_border == 1


def test_limit_spreads_over_the_field_and_repeats():
    field, nuclei = field_with([(y, 50) for y in range(10, 91, 8)])
    config = CropsConfig(size=16, max_per_field=3)
    first, second = cut_crops(field, nuclei, config), cut_crops(field, nuclei, config)
    assert len(first) == 3
    assert first.n_over_limit == 11 - 3
    assert first.y.min() < 34
    assert first.y.max() > 66
    np.testing.assert_array_equal(first.pixels, second.pixels)


@pytest.mark.parametrize("edge", [15, 100])
def test_no_nuclei_or_no_room_give_no_crops(edge):
    field, nuclei = field_with([], edge=edge)
    crops = cut_crops(field, nuclei, CropsConfig(size=16))
    assert crops.pixels.shape == (0, 2, 16, 16)
    assert crops.nuclei.shape == (0, 16, 16)


def test_tiles_cover_without_overlap():
    field, nuclei = field_with([(50, 50)])
    crops = cut_crops(field, nuclei, CropsConfig(kind="tiles", size=32))
    assert crops.pixels.shape == (9, 2, 32, 32)
    seen = {tuple(p) for p in crops.pixels.transpose(0, 2, 3, 1).reshape(-1, 2).tolist()}
    assert len(seen) == 96 * 96
    assert min(seen) == (2, 2)
    assert crops.y[:4].tolist() == [17.5, 17.5, 17.5, 49.5]
    assert crops.x[:4].tolist() == [17.5, 49.5, 81.5, 17.5]
    assert crops.nuclei.max() == 1
    assert crops.nuclei.sum() == 36


def test_field_smaller_than_a_tile_gives_none():
    field, nuclei = field_with([], edge=20)
    crops = cut_crops(field, nuclei, CropsConfig(kind="tiles", size=32))
    assert crops.pixels.shape == (0, 2, 32, 32)


def test_whole_fields():
    field, nuclei = field_with([(50, 50), (20, 20)])
    crops = cut_crops(field, nuclei, CropsConfig(kind="fields"))
    np.testing.assert_array_equal(crops.pixels[0], field)
    assert crops.nuclei[0].sum() == 72
    assert (crops.y[0], crops.x[0]) == (49.5, 49.5)


def test_nuclei_of_another_field_are_refused():
    with pytest.raises(InvalidInputError, match="same field"):
        cut_crops(np.zeros((1, 8, 8), np.uint8), np.zeros((9, 8), np.int32), CropsConfig(size=8))
