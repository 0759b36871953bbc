from __future__ import annotations

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.figures.composite import channel_colours, compose_channels, nice_length


def test_nan_is_black_and_excess_is_cut() -> None:
    pixels = np.array([[[np.nan, -3.0, 7.0]]])
    assert compose_channels(pixels, ["white"])[0, :, 0].tolist() == [0, 0, 1]


def test_gamma_lifts_faint_pixels() -> None:
    assert compose_channels(np.full((1, 1, 1), 0.25), ["white"], gamma=0.5)[0, 0, 0] == 0.5


def test_a_picture_never_decides_about_its_own_brightness() -> None:
    dim, bright = np.full((2, 4, 4), 0.1), np.full((2, 4, 4), 0.9)
    both = compose_channels(np.stack([dim, bright]), ["red", "blue"])
    np.testing.assert_array_equal(both[0], compose_channels(dim, ["red", "blue"]))


def test_eight_full_channels_are_dimmed_alike() -> None:
    one_channel = np.zeros((8, 1, 1))
    one_channel[0] = 1
    assert compose_channels(one_channel, ["white"] * 8)[0, 0, 0] == pytest.approx(3 / 8)


def test_colours_must_fit_channels() -> None:
    with pytest.raises(InvalidInputError, match="give a colour for each channel"):
        compose_channels(np.zeros((3, 2, 2)), ["red"])


def test_unknown_colours_fall_back() -> None:
    assert channel_colours(2, ["no such colour", "red"]) == channel_colours(2)


def test_eight_channels_have_eight_colours() -> None:
    assert len(set(channel_colours(8))) == 8


@pytest.mark.parametrize(("extent", "length"), [(31.2, 10), (640, 200), (0.9, 0.2), (3, 1)])
def test_scale_bar_is_round(extent: float, length: float) -> None:
    assert nice_length(extent) == pytest.approx(length)


def test_names_of_lookup_tables_are_bright() -> None:
    assert channel_colours(2, ["blue", "Green"]) == ("#4f8bff", "#00ff00")
