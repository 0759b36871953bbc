"""Textures and shapes answer to what they are named after, and to nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import regionprops

from counterstain.errors import InvalidInputError
from counterstain.masks import measure_cells
from counterstain.masks.radial import radial_concentration
from counterstain.masks.shape import base_level, nucleus_shapes
from counterstain.masks.texture import granularity, smoothed, texture_scale

EDGE = 40
Y, X = np.mgrid[:EDGE, :EDGE] - (EDGE - 1) / 2


def noise(n=40, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 1, EDGE, EDGE))


def whole(n=40):
    return np.ones((n, EDGE * EDGE, 1), np.float32)


def disk(radius, y=0.0, x=0.0):
    return np.hypot(Y - y, X - x) <= radius


def image_of(mask, sigma=1.0):
    """A stained nucleus as a microscope shows it."""
    return ndimage.gaussian_filter(mask.astype(float), sigma) + 0.1


def shapes(image, nuclei):
    return nucleus_shapes(image[None], nuclei[None].astype(np.uint8))


@pytest.mark.parametrize("sigma", [0.9, 2.5, 5.0])
def test_smoothing_is_that_of_a_gaussian_with_mirrored_edges(sigma):
    image = noise(3)
    expected = ndimage.gaussian_filter(image, (0, 0, sigma, sigma), mode="reflect", truncate=8)
    np.testing.assert_allclose(smoothed(image, sigma), expected, atol=1e-3)


def test_coarser_textures_have_a_larger_scale():
    scales = [texture_scale(smoothed(noise(), s), whole()).mean() for s in (0.8, 1.5, 2.5, 3.5)]
    assert np.all(np.diff(scales) > 0.05)


def test_dots_are_more_granular_than_lines():
    rng = np.random.default_rng(1)
    dots = np.zeros((20, 1, EDGE, EDGE))
    lines = np.zeros_like(dots)
    for k in range(20):
        places = rng.integers(3, EDGE - 3, (12, 2))
        dots[k, 0, places[:, 0], places[:, 1]] = 1
        for y, x in places[:6]:
            lines[k, 0, y if k % 2 else slice(None), x if not k % 2 else slice(None)] = 1
    found = [granularity(smoothed(image, 0.8), whole(20)) for image in (dots, lines)]
    assert found[0].min() > 2 * found[1].max()


@pytest.mark.parametrize("measure", [texture_scale, granularity])
def test_gain_and_offset_leave_textures_alone(measure):
    image = smoothed(noise(), 1.2)
    np.testing.assert_allclose(
        measure(0.2 * image + 0.5, whole()), measure(image, whole()), rtol=1e-3
    )


@pytest.mark.parametrize("measure", [texture_scale, granularity])
def test_an_empty_region_or_a_flat_channel_has_no_texture(measure):
    assert np.isnan(measure(noise(2), np.zeros((2, EDGE * EDGE, 1), np.float32))).all()
    assert np.isnan(measure(np.zeros((2, 1, EDGE, EDGE)), whole(2))).all()


def test_radial_concentration_tells_near_from_far_and_not_bright_from_dim():
    nuclei = disk(6).astype(np.uint8)[None]
    distance = np.hypot(Y, X) - 6
    near = np.where((distance > 0) & (distance < 3), 1.0, 0.0)[None, None]
    far = np.where((distance > 6) & (distance < 9), 1.0, 0.0)[None, None]
    zero = np.zeros((1, 1))
    shares = [radial_concentration(i, nuclei, zero).item() for i in (near, far, 0.2 * near)]
    assert shares[0] > 0.9
    assert shares[1] < 0.1
    assert shares[2] == pytest.approx(shares[0], abs=0.07)
    assert radial_concentration(0 * near, nuclei, zero).item() == pytest.approx(0.5)
    with pytest.raises(InvalidInputError, match="same crops"):
        radial_concentration(near, nuclei[:, :-1], zero)


@pytest.mark.parametrize("radius", [5.0, 7.0, 9.0])
def test_the_nucleus_is_found_anew_in_the_pixels(radius):
    original = disk(7)
    found = shapes(image_of(disk(radius)), original)
    assert found.area[0] == pytest.approx(disk(radius).sum(), rel=0.12)
    assert found.form_factor[0] == pytest.approx(1.0, abs=0.08)
    assert found.eccentricity[0] < 0.2


def test_gain_and_offset_leave_shapes_alone():
    image = image_of(disk(7) | disk(4, 8, 3))
    first, second = shapes(image, disk(7)), shapes(0.3 * image + 0.4, disk(7))
    for name in ("area", "form_factor", "eccentricity", "count"):
        assert getattr(second, name)[0] == pytest.approx(getattr(first, name)[0], rel=1e-3)


def test_eccentricity_is_that_of_scikit_image():
    long = (Y / 9) ** 2 + (X / 5) ** 2 <= 1
    found = shapes(image_of(long, 0.3), long)
    expected = regionprops(long.astype(int))[0]
    assert found.eccentricity[0] == pytest.approx(expected.eccentricity, abs=0.02)
    assert found.area[0] == pytest.approx(expected.area, rel=0.05)


def test_a_touching_nucleus_is_not_taken_for_the_own_one():
    own, other = disk(6, 0, -5), disk(6, 0, 6) & ~disk(6, 0, -5)
    nuclei = own + 2 * other
    found = shapes(image_of(own | other), nuclei)
    assert found.area[0] == pytest.approx(own.sum(), rel=0.1)


def test_nuclei_are_counted_in_the_pixels():
    apart = disk(5, -10, -10) | disk(5, 10, 10) | disk(5, -10, 10)
    assert shapes(image_of(apart), disk(5, 10, 10)).count[0] == 3
    assert shapes(image_of(disk(5, 10, 10)), disk(5, 10, 10)).count[0] == 1
    # In tiles every nucleus is an own one: the area is that of a single nucleus.
    tile = shapes(image_of(apart), apart)
    assert tile.area[0] == pytest.approx(disk(5, 10, 10).sum(), rel=0.06)


def test_where_no_nucleus_shows_there_is_no_shape_and_the_count_is_zero():
    for image, nuclei in ((np.full((EDGE, EDGE), 0.3), disk(5)), (image_of(disk(5)), 0 * disk(5))):
        found = shapes(image, nuclei)
        assert np.isnan([found.area[0], found.form_factor[0], found.eccentricity[0]]).all()
        assert found.count[0] == 0


def test_the_base_level_is_dark_whatever_the_cells_do():
    image = image_of(disk(7))[None, None]
    assert base_level(image).item() == pytest.approx(0.1, abs=1e-3)
    assert base_level(5 * image).item() == pytest.approx(0.5, abs=5e-3)


def test_shapes_need_a_nucleus_channel():
    pixels = np.stack([image_of(disk(7)), image_of(disk(3))])[None]
    nuclei = disk(7).astype(np.uint8)[None]
    without = measure_cells(pixels, nuclei, ["GFP", "DNA"])
    assert not any(column.startswith(("area", "cell_count")) for column in without)
    by_name = measure_cells(pixels, nuclei, ["GFP", "DNA"], nucleus_channel="GFP")
    by_number = measure_cells(pixels, nuclei, ["GFP", "DNA"], nucleus_channel=0)
    assert by_name["area:nucleus:GFP"].item() == by_number["area:nucleus:GFP"].item()
    assert by_name["cell_count:crop:GFP"].item() == 1
    assert (by_name.dtypes == np.float64).all()
    for wrong in ("mito", 2, -1):
        with pytest.raises(InvalidInputError, match="nucleus_channel"):
            measure_cells(pixels, nuclei, ["GFP", "DNA"], nucleus_channel=wrong)
