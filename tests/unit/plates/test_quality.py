from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from counterstain.config import QualityConfig
from counterstain.errors import InvalidInputError
from counterstain.plates.quality import flag_faulty, measure_quality, quality_columns

CHANNELS = ("DNA", "GFP")


def draw(rng, n_cells=25, edge=192, spoil=None, gain=(1.0, 1.0)):
    """Photons of a field, spoilt before the camera sees it: (2, H, W) uint16 and labels."""
    y, x = np.mgrid[:edge, :edge]
    nuclei = np.zeros((edge, edge), np.int32)
    cytoplasm = np.zeros((edge, edge))
    for number in range(1, n_cells + 1):
        cy, cx = rng.uniform(8, edge - 8, 2)
        nuclei[np.hypot(y - cy, (x - cx) * rng.uniform(0.8, 1.2)) < 6] = number
        cytoplasm[np.hypot(y - cy, x - cx) < 14] += rng.uniform(0.5, 1.0)
    texture = rng.gamma(4, 0.25, (2, edge, edge))
    light = np.stack([800.0 * (nuclei > 0), 500.0 * cytoplasm]) * texture
    light = 20 + ndimage.gaussian_filter(light * np.reshape(gain, (2, 1, 1)), (0, 1, 1))
    if spoil is not None:
        light = spoil(light)
    return np.minimum(100 + rng.poisson(light), 4095).astype(np.uint16), nuclei


def add_debris(light):
    light = light.copy()
    light[:, 60:100, 50:90] += 4000
    return light


SPOILT = {
    "out of focus": lambda light: ndimage.gaussian_filter(light, (0, 5, 5)),
    "saturated": lambda light: light * 12,
    "debris": add_debris,
}


def measured(fields):
    rows = []
    for i, (field, nuclei) in enumerate(fields):
        well = f"{'ABCDEFGH'[i // 12]}{i % 12 + 1:02d}"
        row = {"Metadata_Plate": "P1", "Metadata_Well": well, "problem": ""}
        rows.append(row | measure_quality(field, nuclei, CHANNELS))
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def good():
    rng = np.random.default_rng(0)
    return [draw(rng, n_cells=int(rng.integers(12, 40))) for _ in range(30)]


def with_one(good, **kwargs):
    return measured([*good, draw(np.random.default_rng(99), **kwargs)])


def test_measures_have_the_announced_names(good):
    assert list(measure_quality(*good[0], CHANNELS)) == quality_columns(CHANNELS)
    assert list(measure_quality(*good[0])) == quality_columns(["0", "1"])


def test_measures_by_hand():
    field = np.full((1, 64, 64), 10, np.uint8)
    field[0, :8, :8] = 255
    measures = measure_quality(field, np.zeros((64, 64), np.int32), ["DNA"])
    assert measures["n_cells"] == 0
    assert measures["saturated_DNA"] == pytest.approx(64 / 4096)
    assert measures["mean_DNA"] == pytest.approx((64 * 255 + 4032 * 10) / 4096)
    assert measures["background_DNA"] == 10
    assert measures["bulk_DNA"] == 10
    assert measures["high_DNA"] == 255


@pytest.mark.parametrize(
    ("top", "share"), [(4095, 1 / 4), (65520, 1 / 4), (16383, 1 / 4), (65535, 1 / 4), (3000, 0)]
)
def test_ceilings_of_cameras_are_known(top, share):
    field = np.full((1, 32, 32), 100, np.uint16)
    field[0, :16, :16] = top
    measures = measure_quality(field, np.zeros((32, 32), np.int32), ["DNA"])
    assert measures["saturated_DNA"] == share


def test_focus_does_not_follow_the_number_or_brightness_of_cells():
    def focus(**kwargs):
        field, nuclei = draw(np.random.default_rng(1), **kwargs)
        return measure_quality(field, nuclei, CHANNELS)["focus_DNA"]

    sharp = focus()
    assert abs(focus(n_cells=6) - sharp) < 1
    assert abs(focus(gain=(2.5, 1.0)) - sharp) < 1
    assert focus(spoil=SPOILT["out of focus"]) < sharp - 2


def test_constant_field_has_no_focus():
    measures = measure_quality(np.full((1, 32, 32), 77, np.uint8), np.zeros((32, 32), np.int32))
    assert np.isnan(measures["focus_0"])


def test_good_fields_are_left_alone(good):
    flagged = flag_faulty(measured(good), QualityConfig())
    assert not flagged["faulty"].any()
    assert (flagged["reason"] == "").all()


@pytest.mark.parametrize("reason", sorted(SPOILT))
def test_each_fault_is_named(good, reason):
    flagged = flag_faulty(with_one(good, spoil=SPOILT[reason]), QualityConfig())
    assert flagged.index[flagged["faulty"]].tolist() == [len(good)]
    assert reason in flagged["reason"].iloc[-1].split("; ")


def test_dark_field_is_an_intensity_outlier(good):
    flagged = flag_faulty(with_one(good, gain=(0.1, 0.1)), QualityConfig())
    assert flagged["reason"].iloc[-1] == "intensity outlier"
    assert flagged["faulty"].sum() == 1


def test_raised_background_in_one_channel_is_an_intensity_outlier(good):
    haze = np.array([[[0]], [[1500]]])
    flagged = flag_faulty(with_one(good, spoil=lambda light: light + haze), QualityConfig())
    assert "intensity outlier" in flagged["reason"].iloc[-1]
    assert flagged["faulty"].sum() == 1


def test_few_cells_are_empty_and_nothing_else(good):
    flagged = flag_faulty(with_one(good, n_cells=4), QualityConfig(min_cells=5))
    assert flagged["reason"].iloc[-1] == "empty"
    assert not flag_faulty(with_one(good, n_cells=5), QualityConfig(min_cells=5))["faulty"].any()


def test_effects_of_treatments_are_no_faults(good):
    """A channel of half or double brightness, or a third of the cells, is biology."""
    for effect in ({"gain": (1.0, 0.3)}, {"gain": (1.0, 2.5)}, {"n_cells": 7}):
        assert not flag_faulty(with_one(good, **effect), QualityConfig())["faulty"].any()


def test_what_wells_of_one_treatment_share_is_biology(good):
    rng = np.random.default_rng(5)
    dark = [draw(rng, gain=(0.1, 0.1)) for _ in range(3)]
    fields = measured([*good, *dark])
    assert flag_faulty(fields, QualityConfig())["faulty"].sum() == 3
    fields["class_name"] = ""
    assert flag_faulty(fields, QualityConfig())["faulty"].sum() == 3
    fields["Metadata_Compound"] = ["DMSO"] * len(good) + ["X"] * 3
    assert not flag_faulty(fields, QualityConfig())["faulty"].any()


def test_plates_are_judged_apart(good):
    dim = [draw(np.random.default_rng(s), gain=(0.1, 0.1)) for s in range(20)]
    fields = measured([*good, *dim])
    fields.loc[len(good) :, "Metadata_Plate"] = "P2"
    assert not flag_faulty(fields, QualityConfig())["faulty"].any()


def test_unreadable_fields_say_why(good):
    fields = measured(good[:9])
    fields.loc[3, quality_columns(CHANNELS)] = np.nan
    fields.loc[3, "problem"] = "x.tif is truncated."
    flagged = flag_faulty(fields, QualityConfig())
    assert flagged["reason"].tolist() == [""] * 3 + ["unreadable: x.tif is truncated."] + [""] * 5


def test_small_plates_are_not_judged_by_spread(good):
    fields = measured([*good[:5], draw(np.random.default_rng(9), gain=(0.1, 0.1))])
    assert not flag_faulty(fields, QualityConfig())["faulty"].any()


def test_unmeasured_fields_are_refused():
    with pytest.raises(InvalidInputError, match="measure"):
        flag_faulty(pd.DataFrame({"problem": [""]}), QualityConfig())
