from __future__ import annotations

import json

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.plates.scaling import Histograms, PixelScaling


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("percent", [0, 0.1, 1, 37.3, 50, 99.9, 100])
def test_percentiles_are_exactly_those_of_numpy(dtype, percent):
    rng = np.random.default_rng(0)
    fields = [rng.gamma(2, 20, (2, 31, 33)).clip(0, 255).astype(dtype) for _ in range(3)]
    counts = Histograms(2, dtype)
    for field in fields:
        counts.add(field)
    assert counts.n_pixels == 3 * 31 * 33
    for channel in range(2):
        pixels = np.concatenate([field[channel].ravel() for field in fields])
        expected = np.percentile(pixels.astype(np.float64), percent)
        assert counts.percentile(channel, percent) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_removed_field_leaves_no_trace():
    rng = np.random.default_rng(0)
    kept, removed = rng.integers(0, 4000, (2, 1, 20, 20), dtype=np.uint16)
    counts, alone = Histograms(1, np.uint16), Histograms(1, np.uint16)
    for field in (kept, removed):
        counts.add(field)
    counts.remove(removed)
    alone.add(kept)
    assert counts.percentile(0, 12.5) == alone.percentile(0, 12.5)


def test_flat_channel_is_scaled_by_one_and_noted():
    counts = Histograms(2, np.uint8)
    field = np.zeros((2, 10, 10), np.uint8)
    field[0] = np.arange(100).reshape(10, 10)
    field[1] = 7
    counts.add(field)
    low, high, notes = counts.limits("P1", ["DNA", "GFP"], (0.0, 100.0))
    assert low.tolist() == [0, 7]
    assert high.tolist() == [99, 8]
    assert len(notes) == 1
    assert "Plate P1, channel GFP" in notes[0]


def test_other_dtypes_are_refused():
    with pytest.raises(InvalidInputError, match="float32"):
        Histograms(1, np.float32)


def scaling():
    low = np.array([[3.0, 100.25], [0.0, 7.5]])
    return PixelScaling(("P1", "P2"), low, low + np.array([[250.5, 6e4], [1.0, 17.0]]))


def test_each_crop_gets_the_scale_of_its_plate_and_nothing_is_clipped():
    pixels = np.array([0, 255], np.uint16)[:, None, None, None] * np.ones((2, 2, 3, 3), np.uint16)
    scaled = scaling().apply(pixels, np.array([1, 0]))
    assert scaled.dtype == np.float32
    assert scaled[0, 1, 0, 0] == pytest.approx(-7.5 / 17)
    assert scaled[1, 0, 0, 0] == pytest.approx(252 / 250.5)


def test_scaling_can_be_undone_to_the_grey_value():
    pixels = np.random.default_rng(0).integers(0, 65536, (6, 2, 8, 8), dtype=np.uint16)
    plates = np.array([0, 1, 0, 1, 1, 0])
    pixels[plates == 1, 0] %= 2
    back = scaling().invert(scaling().apply(pixels, plates), plates)
    np.testing.assert_array_equal(np.rint(back).astype(np.uint16), pixels)


def test_json_keeps_every_digit():
    content = json.loads(json.dumps(scaling().to_json()))
    again = PixelScaling.from_json(content)
    assert again.plates == ("P1", "P2")
    np.testing.assert_array_equal(again.low, scaling().low)
    np.testing.assert_array_equal(again.high, scaling().high)


def test_bad_limits_are_refused():
    with pytest.raises(InvalidInputError, match="above"):
        PixelScaling(("P1",), np.array([[1.0]]), np.array([[1.0]]))
    with pytest.raises(InvalidInputError, match="a row a plate"):
        PixelScaling(("P1", "P2"), np.array([[1.0]]), np.array([[2.0]]))
