"""Masks by thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.filters import threshold_otsu, threshold_triangle

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.masks.thresholds import image_fault, threshold_level, threshold_mask


def cells(seed: int = 0, dtype: type = np.uint16) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    image = rng.normal(200, 10, (64, 64))
    for cy, cx in ((16, 16), (40, 44)):
        image += 900 * (np.hypot(y - cy, x - cx) < 7)
    return image.astype(dtype)


def test_levels_are_those_of_scikit_image_and_of_the_formula() -> None:
    image = cells()
    assert threshold_level(image, "otsu") == threshold_otsu(image)
    assert threshold_level(image, "triangle") == threshold_triangle(image)
    expected = image.mean() + 2 * image.std()
    assert threshold_level(image, "mean_sd", sd_factor=2) == pytest.approx(expected)


@pytest.mark.parametrize("method", ["otsu", "mean_sd", "local", 600])
def test_every_method_finds_two_discs(method: str | float) -> None:
    mask = threshold_mask(cells(), method)
    assert mask.dtype == bool
    assert mask.sum() == 2 * np.count_nonzero(cells()[:32] > 600)


def test_a_moving_mean_follows_an_uneven_ground() -> None:
    slope = np.linspace(0, 3000, 64)[None, :]
    image = cells(dtype=np.float32) + slope
    truth = cells() > 600
    assert (threshold_mask(image, "local", window=41) == truth).mean() > 0.94
    assert (threshold_mask(image, "otsu") == truth).mean() < 0.7


def test_islands_below_the_smallest_area_go() -> None:
    image = cells()
    image[60, 60] = 5000
    assert threshold_mask(image, 600)[60, 60]
    assert not threshold_mask(image, 600, min_area=5)[60, 60]
    assert not threshold_mask(image, 2000, smoothing=2.0)[60, 60]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.full((8, 8), 3, np.uint16), "every pixel is 3"),
        (np.full((8, 8), np.nan), "64 of 64 pixels are NaN"),
        (np.where(np.arange(64).reshape(8, 8) < 60, 255, 9).astype(np.uint8), "94% of the pixels"),
    ],
)
def test_faulty_images_are_masked_as_empty_with_a_reason(image: np.ndarray, words: str) -> None:
    assert words in image_fault(image)
    with pytest.warns(UndefinedStatisticWarning, match=words):
        assert not threshold_mask(image).any()
    with pytest.warns(UndefinedStatisticWarning, match=words):
        assert math.isnan(threshold_level(image))


def test_a_camera_of_fewer_bits_saturates_earlier() -> None:
    image = np.full((8, 8), 4095, np.uint16)
    image[:3] = 100
    assert image_fault(image) == ""
    assert "62% of the pixels are saturated" in image_fault(image, saturation=4095)


def test_a_given_level_needs_no_contrast() -> None:
    assert threshold_mask(np.full((4, 4), 9, np.uint8), 5).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: threshold_mask(np.zeros((2, 4, 4))), "H, W"),
        (lambda: threshold_mask(np.zeros((4, 4), bool)), "intensities"),
        (lambda: threshold_mask(cells(), "otzu"), "one of"),
        (lambda: threshold_mask(cells(), math.inf), "finite level"),
        (lambda: threshold_mask(cells(), window=1), "window"),
        (lambda: threshold_level(cells(), "local"), "threshold_mask"),
    ],
)
def test_wrong_arguments_are_refused(call, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        call()
