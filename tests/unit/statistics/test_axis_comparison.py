"""The angle between two ways: true where noise is large, and the null beside it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics import compare_axes
from counterstain.statistics.axis_products import AxisWells

NAMES = ("DS", "WT", "TT")


def screen(angle: float, *, latents: int = 40, wells: int = 12, seed: int = 0, lengths=(8.0, 6.0)):
    """Wells with unit noise around three places, the two ways `angle` degrees apart."""
    rng = np.random.default_rng(seed)
    ends = np.zeros((3, latents))
    ends[1, 0] = lengths[0]
    ends[2, :2] = lengths[1] * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    classes = np.repeat(NAMES, wells)
    return np.repeat(ends, wells, axis=0) + rng.normal(size=(3 * wells, latents)), classes


def test_products_by_hand() -> None:
    # Two wells a class at +-1 around (0, 0), (4, 0) and (0, 3) without whitening.
    profiles = np.array([[1.0, 0], [-1, 0], [5, 0], [3, 0], [1, 3], [-1, 3]])
    wells = AxisWells(
        profiles, np.repeat([0, 1, 2], 2), np.zeros(6, np.int64), np.array([[1.0, 1.0, 1.0]])
    )
    first, second, inner = (part[0] for part in wells.products(np.ones((1, 6)), noise=1.0))
    assert (first, second, inner) == (16 - 2, 9 - 2, 0 - 1)
    raw = [part[0] for part in wells.products(np.ones((1, 6)), noise=0.0)]
    assert raw == [16, 9, 0]


@pytest.mark.parametrize("angle", [30.0, 60.0, 90.0, 150.0])
def test_the_angle_is_right_on_average_and_its_interval_covers(angle) -> None:
    found = [
        compare_axes(*screen(angle, seed=seed), NAMES, seed=seed, n_resamples=200, n_halvings=20)
        for seed in range(20)
    ]
    assert np.mean([each.angle.value for each in found]) == pytest.approx(angle, abs=4)
    covered = [each.angle.low <= angle <= each.angle.high for each in found]
    assert np.mean(covered) >= 0.85
    share = 6 / 8 * np.cos(np.radians(angle))
    assert np.mean([each.undone.value for each in found]) == pytest.approx(share, abs=0.06)
    off = 6 / 8 * np.sin(np.radians(angle))
    assert np.mean([each.elsewhere.value for each in found]) == pytest.approx(off, abs=0.1)


def test_noisy_ways_look_apart_and_the_null_says_so() -> None:
    profiles, classes = screen(0, latents=200, wells=10, lengths=(5.0, 5.0))
    found = compare_axes(profiles, classes, NAMES, seed=0)
    assert found.raw_angle > 30
    assert found.same_axis_angle.value > 45
    # The treatment goes the same way: on halves its angle is that of noise.
    assert found.same_axis_angle.low < found.halves_angle.value < found.same_axis_angle.high + 5
    assert found.angle.value < found.raw_angle
    assert found.angle.low < 10


@pytest.mark.parametrize(("angle", "verdict"), [(5.0, "along"), (88.0, "elsewhere")])
def test_verdicts_and_sentences(angle, verdict) -> None:
    found = compare_axes(*screen(angle, lengths=(14, 12), seed=2), NAMES, seed=0)
    assert found.verdict == verdict
    assert ("back along" if verdict == "along" else "elsewhere") in found.sentence
    assert "noise alone" in found.sentence
    assert found.to_json()["angle"]["value"] == found.angle.value


def test_a_treatment_without_effect_has_no_way() -> None:
    profiles, classes = screen(0, lengths=(8.0, 0.0), seed=1)
    wt = profiles[classes == "TT"]
    profiles[classes == "TT"] = profiles[classes == "DS"].mean(0) + (wt - wt.mean(0))
    with pytest.warns(UndefinedStatisticWarning, match="noise"):
        found = compare_axes(profiles, classes, NAMES, seed=0)
    assert found.verdict == "undefined"
    assert math.isnan(found.angle.value)
    assert "cannot be said" in found.sentence


def test_spaces_with_other_axes_are_added_up() -> None:
    # The same screen in a second space whose axes are turned: nothing to do with the first.
    rng = np.random.default_rng(3)
    turn, _ = np.linalg.qr(rng.normal(size=(40, 40)))
    first, classes = screen(60, seed=4)
    second, _ = screen(60, seed=5)
    profiles = np.concatenate([first, second @ turn + 7])
    both = np.concatenate([classes, classes])
    spaces = np.repeat([0, 1], len(classes))
    found = compare_axes(profiles, both, NAMES, seed=0, spaces=spaces)
    alone = compare_axes(first, classes, NAMES, seed=0)
    assert found.angle.low < 60 < found.angle.high
    assert found.angle.high - found.angle.low < alone.angle.high - alone.angle.low


def test_other_classes_and_the_order_of_wells_change_nothing() -> None:
    profiles, classes = screen(50, seed=6)
    order = np.random.default_rng(0).permutation(len(classes))
    more = np.concatenate([profiles[order], np.full((2, 40), np.nan)])
    labels = np.concatenate([classes[order], ["other", "other"]])
    one = compare_axes(profiles, classes, NAMES, seed=0, n_resamples=100, n_halvings=10)
    two = compare_axes(more, labels, NAMES, seed=0, n_resamples=100, n_halvings=10)
    assert two.angle.value == pytest.approx(one.angle.value)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"names": ("DS", "WT")}, "three classes"),
        ({"names": ("DS", "WT", "XX")}, "XX has 0"),
        ({"spaces": [0]}, "a space a well"),
        ({"profiles": np.full((36, 40), np.nan)}, "finite"),
    ],
)
def test_bad_input_is_named(change, match) -> None:
    profiles, classes = screen(0)
    given = {"profiles": profiles, "names": NAMES} | change
    with pytest.raises(InvalidInputError, match=match):
        compare_axes(given["profiles"], classes, given["names"], seed=0, spaces=given.get("spaces"))
