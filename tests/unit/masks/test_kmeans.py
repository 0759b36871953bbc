"""Masks by two-means: the optimum, and scikit-learn's answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.cluster import KMeans

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.masks import kmeans_split
from counterstain.masks.kmeans import kmeans_mask
from counterstain.masks.kmeans_split import best_split


def patches(n: int = 3, channels: int = 1, edge: int = 64, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    spots = rng.random((n, 1, edge, edge)) > 0.997
    cells = ndimage.gaussian_filter(spots.astype(np.float32), (0, 0, 4, 4)) * 60000
    gain = rng.uniform(0.5, 1.5, (n, channels, 1, 1))
    return (200 + cells * gain + rng.normal(0, 20, (n, channels, edge, edge))).astype(np.uint16)


def within(values: np.ndarray, upper: np.ndarray) -> float:
    return sum(float(((side - side.mean()) ** 2).sum()) for side in (values[upper], values[~upper]))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_one_channel_is_the_best_of_all_partitions(dtype: type) -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(40, 9, 150), rng.normal(110, 20, 60)]).astype(dtype)
    levels = np.unique(values)[:-1]
    costs = [within(values.astype(float), values > level) for level in levels]
    assert best_split(values) == levels[int(np.argmin(costs))]


def test_negative_integers_are_split_too() -> None:
    assert best_split(np.array([-9, -8, 4, 5], np.int16)) == -8


def test_many_floats_give_what_their_order_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    values = patches().astype(np.float32).ravel()
    exact = values > best_split(values)
    monkeypatch.setattr(kmeans_split, "_MANY", 10)
    np.testing.assert_array_equal(values > best_split(values), exact)
    # One outlier leaves a histogram a single bin for the rest.
    values[0] = 1e9
    assert (values > best_split(values)).sum() == 1


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.float16, np.float64])
def test_many_numbers_of_any_kind_give_what_their_order_gives(
    dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(7)
    values = np.concatenate([rng.normal(9000, 900, 6000), rng.normal(30000, 2000, 3000)])
    values = (values * (1 if dtype is np.float16 else 40)).astype(dtype)
    found = best_split(values)
    monkeypatch.setattr(kmeans_split, "_MANY", values.size)
    assert found == best_split(values)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_masks_are_those_of_scikit_learn(channels: int) -> None:
    images = patches(channels=channels)
    masks = kmeans_mask(images, seed=0)
    for image, mask in zip(images, masks, strict=True):
        pixels = image.reshape(channels, -1).T.astype(float)
        model = KMeans(n_clusters=2, n_init=3, tol=0, random_state=0).fit(pixels)
        bright = model.labels_ == model.cluster_centers_.sum(axis=1).argmax()
        assert (mask.ravel() == bright).mean() >= 0.999


def test_a_seed_repeats_and_pooling_shares_one_level() -> None:
    images = patches(channels=2)
    np.testing.assert_array_equal(kmeans_mask(images, seed=5), kmeans_mask(images, seed=5))
    one = patches()
    one[0] = 205  # no cells: alone it would be split or refused, with the others it is dark
    one[0, 0, 0, 0] = 210
    pooled = kmeans_mask(one, pooled=True)
    assert not pooled[0].any()
    level = best_split(one)
    np.testing.assert_array_equal(pooled, one[:, 0] > level)


def test_shapes_follow_the_input() -> None:
    images = patches(channels=2)
    assert kmeans_mask(images).shape == (3, 64, 64)
    assert kmeans_mask(images[0]).shape == (64, 64)
    assert kmeans_mask(images[0, 0]).shape == (64, 64)


def test_constant_images_are_counted() -> None:
    images = patches(channels=2)
    images[1] = 7
    with pytest.warns(UndefinedStatisticWarning, match="1 of 3"):
        masks = kmeans_mask(images)
    assert not masks[1].any()
    assert masks[0].any()


def test_a_single_bright_pixel_among_equal_ones_is_found() -> None:
    image = np.zeros((2, 64, 64), np.float32)
    image[:, 40, 7] = 5
    mask = kmeans_mask(image)
    assert mask[40, 7]
    assert mask.sum() == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_pixels_and_shapes_are_refused(bad: float) -> None:
    image = patches().astype(np.float32)
    image[0, 0, 0, 0] = bad
    with pytest.raises(InvalidInputError, match="1 of"):
        kmeans_mask(image)
    with pytest.raises(InvalidInputError, match="shape"):
        kmeans_mask(np.zeros(5))
    with pytest.raises(InvalidInputError, match="bool"):
        kmeans_mask(np.zeros((4, 4), bool))
