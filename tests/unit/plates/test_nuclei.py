from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.plates.nuclei import find_nuclei

DATA = Path(
    os.environ.get("COUNTERSTAIN_DATA", Path(__file__).parents[3].parent / "shared" / "data")
)


def disks(centres, radius=9, edge=128):
    y, x = np.mgrid[:edge, :edge]
    return np.any([np.hypot(y - cy, x - cx) < radius for cy, cx in centres], axis=0)


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 1), (np.uint16, 1), (np.uint16, 250)])
def test_counts_separate_disks_at_any_bit_depth(dtype, scale):
    mask = disks([(30, 30), (30, 90), (90, 60)])
    image = (np.where(mask, 150, 10) * scale).astype(dtype)
    labels = find_nuclei(image)
    assert labels.dtype == np.int32
    assert labels.max() == 3
    np.testing.assert_allclose(np.bincount(labels.ravel())[1:], mask.sum() / 3, rtol=0.1)


def test_numbers_run_from_top_to_bottom():
    labels = find_nuclei(np.where(disks([(90, 20), (30, 90)]), 200, 10).astype(np.uint8))
    assert labels[30, 90] == 1
    assert labels[90, 20] == 2


def test_touching_nuclei_are_parted_and_one_large_nucleus_is_not():
    assert find_nuclei(np.where(disks([(64, 50), (64, 66)]), 200, 10).astype(np.uint8)).max() == 2
    large = disks([(64, 64)], radius=30)
    assert find_nuclei(np.where(large, 200, 10).astype(np.uint8)).max() == 1


@pytest.mark.parametrize("seed", range(5))
def test_noise_holds_no_nuclei(seed):
    rng = np.random.default_rng(seed)
    assert find_nuclei(rng.normal(1000, 30, (256, 256)).astype(np.uint16)).max() == 0
    assert find_nuclei(rng.poisson(4, (256, 256)).astype(np.uint8)).max() == 0


def test_gradient_and_constants_hold_no_nuclei():
    gradient = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    assert find_nuclei(gradient).max() == 0
    for value in (0, 7, 65535):
        assert find_nuclei(np.full((64, 64), value, np.uint16)).max() == 0


def test_one_nucleus_in_much_noise_is_found():
    rng = np.random.default_rng(0)
    image = rng.normal(100, 10, (256, 256)) + 300 * ndimage.zoom(disks([(64, 64)]), 2, order=0)
    assert find_nuclei(image.astype(np.uint16)).max() == 1


def test_specks_are_dropped():
    image = np.full((64, 64), 10, np.uint8)
    image[20, 20] = 255
    assert find_nuclei(np.where(disks([(40, 40)], edge=64), 200, image)).max() == 1


def test_channel_axis_is_refused():
    with pytest.raises(InvalidInputError, match=r"must be \(H, W\)"):
        find_nuclei(np.zeros((2, 8, 8), np.uint8))


@pytest.mark.skipif(not (DATA / "bbbc013").is_dir(), reason=f"no BBBC013 in {DATA}")
@pytest.mark.parametrize(("well", "least", "most"), [("A01", 290, 340), ("B01", 150, 190)])
def test_real_fields_give_as_many_nuclei_as_the_eye_counts(well, least, most):
    labels = find_nuclei(tifffile.imread(DATA / f"bbbc013/images/BBBC013_{well}_s1_DNA.tif"))
    assert least <= labels.max() <= most
    assert 150 < np.median(np.bincount(labels.ravel())[1:]) < 210
