from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from counterstain.audit.field_features_light import block_means, fit_background, signal_level
from counterstain.audit.field_features_places import corner_patches, place_scores, pooled
from counterstain.audit.field_features_sharpness import (
    band_centres,
    band_powers,
    noise_products,
)
from counterstain.audit.field_reading import field_features, image_features
from counterstain.errors import InvalidInputError
from counterstain.plates import read_screen, simulate_plate


def field(seed=0, edge=160, cells=15, brightness=200.0, tilt=0.0, blur=1.0):
    rng = np.random.default_rng(seed)
    light = np.zeros((edge, edge))
    y, x = np.mgrid[:edge, :edge]
    for cy, cx in rng.uniform(8, edge - 8, (cells, 2)):
        light[np.hypot(y - cy, x - cx) < 7] = brightness
    light = ndimage.gaussian_filter(light, blur)
    light += 0.1 * ndimage.gaussian_filter(light, 9)
    light += 100 * (1 + tilt * (x / (edge - 1) - 0.5))
    return light + rng.normal(0, 4, light.shape)


def test_blocks_are_means():
    image = np.random.default_rng(0).normal(size=(2, 13, 10))
    found = block_means(image, 4)
    assert found.shape == (2, 3, 2)
    np.testing.assert_allclose(found[1, 2, 1], image[1, 8:12, 4:8].mean(), rtol=1e-5)


@pytest.mark.parametrize("brightness", [100.0, 400.0])
def test_tilt_of_the_background_does_not_follow_the_cells(brightness):
    tilts = []
    for seed in range(6):
        blocks = block_means(field(seed, brightness=brightness, tilt=0.1), 4)
        tilts.append(fit_background(blocks, 4).tilt_x)
    assert abs(np.mean(tilts) - 10) < 1
    assert abs(np.mean([fit_background(blocks, 4).level]) - 100) < 2


def test_signal_is_that_of_cells_and_not_their_number():
    levels = []
    for cells in (6, 20):
        blocks = block_means(field(1, cells=cells, brightness=300), 4)
        levels.append(signal_level(blocks, fit_background(blocks, 4)))
    assert abs(levels[0] / levels[1] - 1) < 0.1


@pytest.mark.filterwarnings("error")
def test_nothing_stands_out_of_a_constant_map():
    blocks = np.full((20, 20), 7, np.float32)
    background = fit_background(blocks, 4)
    assert background.level == pytest.approx(7)
    assert background.tilt_x == pytest.approx(0, abs=1e-5)
    assert np.isnan(signal_level(blocks, background))


def test_noise_of_raw_counts_is_independent_and_that_of_blurred_ones_not():
    rng = np.random.default_rng(0)
    raw = rng.normal(100, 5, (128, 128)) + np.linspace(0, 50, 128)
    everywhere = np.ones(raw.shape, bool)
    smooth, rough, count = noise_products(raw, everywhere)
    assert smooth / count == pytest.approx(25, rel=0.05)
    assert 1 - rough / smooth == pytest.approx(0, abs=0.02)
    smooth, rough, _ = noise_products(ndimage.gaussian_filter(raw, 0.5), everywhere)
    assert 1 - rough / smooth > 0.15


def test_blur_tilts_the_log_spectrum_by_its_squared_width():
    rng = np.random.default_rng(0)
    sharp = ndimage.gaussian_filter(rng.normal(size=(1, 256, 256)), (0, 0.8, 0.8))
    blurred = ndimage.gaussian_filter(sharp, (0, 1, 1))
    change = np.log(band_powers(blurred)[0] / band_powers(sharp)[0])
    slope = np.polyfit(band_centres(), change, 1)[0]
    assert -slope / (4 * np.pi**2) == pytest.approx(1.0, rel=0.1)


def test_scores_of_places_are_exponential_by_chance():
    image = np.random.default_rng(0).normal(100, 5, (160, 160))
    scores = place_scores(image, np.full((40, 40), 100, np.float32), 4)
    np.testing.assert_allclose(scores.mean(axis=(1, 2)), 1, atol=0.02)
    assert corner_patches(scores).shape == (4, 4, 8, 8)
    np.testing.assert_array_equal(corner_patches(scores)[:, 3, -1, -1], scores[:, -1, -1])


def test_ties_are_not_odd():
    image = np.zeros((64, 64))
    image[20:30, 20:30] = 5
    flat = place_scores(image, np.zeros((16, 16), np.float32), 4)[2]
    assert flat.max() < 1


def test_large_maps_are_pooled():
    assert pooled(np.zeros((4, 270, 300), np.float32)).shape == (4, 90, 100)


def test_a_screen_is_measured_field_by_field(tmp_path):
    path = simulate_plate(
        tmp_path / "plate", fields_per_well=2, field_size=96, control_wells=2, compounds=1, doses=2
    )
    seen = []
    screen = read_screen(path)
    found = field_features(screen, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 8) for k in range(1, 9)]
    assert found.wells["Metadata_Well"].tolist() == ["A01", "B01", "C01", "D01"]
    assert found.wells["n_images"].tolist() == [2] * 4
    assert found.places.shape[:3] == (4, 3, 4)
    whole = field_features(screen, classes_only=False, most_fields=1)
    assert len(whole.wells) == 6
    assert set(whole.wells["n_images"]) == {1}
    with pytest.raises(InvalidInputError, match="a value per field"):
        field_features(screen, usable=[True])
    with pytest.raises(InvalidInputError, match="no readable field"):
        field_features(screen, usable=np.zeros(len(screen.fields), bool))


def test_a_field_that_is_damaged_later_is_said(tmp_path):
    path = simulate_plate(
        tmp_path / "plate", fields_per_well=1, field_size=96, control_wells=2, compounds=0
    )
    screen = read_screen(path)
    (tmp_path / "plate" / "images" / "P1_A01_s1_DNA.tif").write_bytes(b"no image")
    found = field_features(screen)
    assert len(found.wells) == 3
    assert "P1_A01_s1_DNA.tif" in found.notes[0]


def test_fields_of_several_sizes_share_what_all_have():
    sizes = (160, 128)
    images = [field(k, edge=sizes[k % 2])[None, None] for k in range(4)]
    parts = [image_features(image, ["A01"], ["a"]) for image in images]
    assert parts[0].places.shape[-1] == 40
    assert parts[1].places.shape[-1] == 32


def test_float_crops_and_unsigned_fields():
    rng = np.random.default_rng(0)
    crops = rng.random((6, 2, 40, 40), np.float32)
    found = image_features(crops, ["A01", "A02"] * 3, ["a", "b"] * 3, channels=["DNA", "GFP"])
    assert found.centred
    assert found.block == 2
    assert found.wells["n_images"].tolist() == [3, 3]
    counts = field(0, edge=128)[None, None].astype(np.uint16)
    assert not image_features(counts, ["A01"], ["a"]).centred


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": np.zeros((2, 8, 8))}, "channels second"),
        ({"images": np.zeros((2, 1, 8, 8))}, "16 px"),
        ({"images": np.full((2, 1, 32, 32), np.nan)}, "finite"),
        ({"wells": ["A01"]}, "one value per image"),
        ({"wells": ["A01", "A01"]}, "one a well"),
        ({"channels": ["a", "b"]}, "must name 1"),
    ],
)
def test_bad_input(change, words):
    given = {"images": np.ones((2, 1, 32, 32)), "wells": ["A01", "A02"], "classes": ["a", "b"]}
    with pytest.raises(InvalidInputError, match=words):
        image_features(**(given | change))
