"""Every check on features that are made up, so that each answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from counterstain.audit.field_features_record import VALUES, FieldFeatures
from counterstain.audit.field_features_sharpness import BANDS, band_centres
from counterstain.audit.shortcut_checks import check_places, find_shortcuts
from counterstain.audit.shortcut_focus import check_focus
from counterstain.audit.shortcut_layout import check_layout, check_staining, guess_by_place
from counterstain.audit.shortcut_light import check_background, check_illumination, check_noise
from counterstain.audit.shortcut_places import oddest_place
from counterstain.audit.shortcut_position import check_gradient
from counterstain.audit.shortcut_predict import check_predictable
from counterstain.audit.shortcut_tests import gradient_of, shift_of

C, GRID = 3, 20


def features(n_rows=8, columns=(1, 12), seed=0, plates=1, channels=C):
    """Two classes in a checkerboard over some columns; nothing differs but noise."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "Metadata_Plate": f"P{p + 1}",
            "Metadata_Well": f"{chr(65 + r)}{c:02d}",
            "class_name": "ill" if (r + k) % 2 else "well",
            "n_images": 1,
            "height": 80,
            "width": 80,
        }
        for p in range(plates)
        for r in range(n_rows)
        for k, c in enumerate(columns)
    ]
    n = len(rows)
    values = {name: rng.normal(0, 0.004, (n, channels)) for name in (*VALUES, "correlation")}
    values["signal"] += 6 + rng.normal(0, 0.03, (n, channels))
    values["background"] += 5 + rng.normal(0, 0.03, (n, channels))
    spectra = rng.normal(0, 0.05, (n, channels, len(BANDS) - 1)) - 60 * band_centres()
    spectra -= rng.normal(0, 0.15, (n, 1, 1)) * 39.5 * band_centres()
    places = rng.exponential(1, (n, channels, 4, GRID, GRID)).astype(np.float16)
    return FieldFeatures(
        wells=pd.DataFrame(rows),
        channels=tuple("abc"[:channels]),
        values=values,
        spectra=spectra,
        snr=np.full(spectra.shape, 10.0),
        places=places,
        corners=rng.exponential(1, (n, channels, 4, 4, 8, 8)).astype(np.float16),
        block=4,
        place_px=4,
    )


def ill(found):
    return (found.wells["class_name"] == "ill").to_numpy()


def position(found, name):
    wells = found.wells["Metadata_Well"]
    return (wells.str[0].map(ord) - 65).to_numpy(float) if name == "row" else (
        wells.str[1:].astype(int).to_numpy(float)
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_rows", [8, 4])
def test_clean_plates_are_not_red(seed, n_rows):
    checks = find_shortcuts(features(n_rows=n_rows, seed=seed))
    assert {c.status for c in checks} <= {"green", "unknown", "amber"}
    assert sum(c.status == "amber" for c in checks) <= 1


def test_a_tag_in_one_channel_is_named_by_its_place():
    found = features()
    found.places[ill(found), 1, 0, 2, 17] = 6
    check = check_places(found)
    assert check.status == "red"
    assert "images of ill" in check.sentence
    assert "in b around y = 10, x = 70 px" in check.sentence


def test_a_tag_on_the_other_class_and_on_most_of_its_wells():
    found = features()
    tagged = np.flatnonzero(~ill(found))[: round(0.8 * (~ill(found)).sum())]
    found.places[tagged, 0, 2, 0, 0] = 6
    check = check_places(found)
    assert check.status == "red"
    assert "images of well are without the camera's noise" in check.sentence


def test_a_scale_bar_on_all_images_is_no_shortcut():
    found = features()
    found.places[:, :, 0, 18:, 10:16] = 5
    assert check_places(found).status == "green"


def test_corners_are_looked_at_more_closely_where_places_are_pooled():
    found = features()
    object.__setattr__(found, "place_px", 12)
    found.corners[ill(found), 0, 0, 3, -1, -1] = 7
    place = oddest_place(found, ill(found), ~ill(found))
    assert (place.y, place.x) == (-2, -2)
    assert check_places(found).status == "red"


def test_what_is_round_in_crops_is_the_cell():
    found = features()
    object.__setattr__(found, "centred", True)
    at = np.hypot(*(np.mgrid[:GRID, :GRID] - (GRID - 1) / 2))
    found.places[ill(found)] += np.where(np.round(at) == 4, 3, 0).astype(np.float16)
    assert check_places(found).status == "green"
    found.places[ill(found), 0, 0, 0, 0] = 6
    assert check_places(found).status == "red"


@pytest.mark.parametrize("measure", ["tilt_y", "tilt_x"])
def test_a_tilt_by_class_is_red_and_a_common_one_is_not(measure):
    found = features()
    found.values[measure] += 0.04
    assert check_illumination(found).status == "green"
    found.values[measure][ill(found)] += 0.03
    check = check_illumination(found)
    assert check.status == "red"
    assert check.low < 3 < check.high
    assert ("top to bottom" if measure == "tilt_y" else "left to right") in check.sentence


def test_a_tilt_within_tolerance_is_green_however_significant():
    found = features()
    found.values["tilt_x"][ill(found)] += 0.008
    assert check_illumination(found).status == "green"


def test_filtered_images_of_one_class_are_red():
    found = features()
    found.values["correlation"][ill(found)] += 0.1
    check = check_noise(found)
    assert check.status == "red"
    assert check.value == pytest.approx(0.1, abs=0.01)


def test_a_gain_of_all_channels_is_red_and_of_one_amber():
    found = features()
    found.values["background"][ill(found)] += 0.2
    assert check_background(found).status == "red"
    found = features()
    found.values["background"][ill(found), 2] += 0.4
    check = check_background(found)
    assert check.status == "amber"
    assert "in c" in check.sentence


def test_focus_is_what_all_channels_share():
    found = features()
    blur = 39.5 * 0.9 * band_centres()
    found.spectra[ill(found)] -= blur
    check = check_focus(found)
    assert check.status == "red"
    assert "images of ill are more blurred in all channels" in check.sentence.replace("well", "ill")
    found = features()
    found.spectra[ill(found), 1] -= 3 * blur
    assert check_focus(found).status == "green"


def test_one_channel_must_be_blurred_at_all_frequencies():
    found = features(channels=1)
    found.spectra[ill(found)] -= 39.5 * 1.2 * band_centres()
    assert check_focus(found).status == "red"
    texture = features(channels=1)
    bend = np.where(band_centres() < 0.025, band_centres(), 0.025)
    texture.spectra[ill(texture)] -= 39.5 * 3 * bend
    assert check_focus(texture).status == "green"


def test_no_structure_is_no_focus():
    found = features()
    found.snr[:] = 0.1
    assert check_focus(found).status == "unknown"


@pytest.mark.parametrize(("name", "axis"), [("row", "rows"), ("column", "columns")])
@pytest.mark.parametrize("measure", ["signal", "background"])
def test_a_gradient_over_the_plate_is_red(measure, name, axis):
    found = features()
    place = position(found, name)
    across = (place - place.min()) / np.ptp(place)
    found.values[measure] += 0.2 * across[:, None]
    check = check_gradient(found)
    assert check.status == "red"
    assert axis in check.sentence
    assert check.value == pytest.approx(20, abs=6)


def test_an_ordinary_gradient_is_green():
    found = features()
    place = position(found, "column")
    found.values["signal"] += 0.05 * ((place - 1) / 11)[:, None]
    assert check_gradient(found).status == "green"


def test_wells_without_a_position_are_unknown():
    found = features()
    wells = found.wells.assign(Metadata_Well=[f"donor {k}" for k in range(16)])
    object.__setattr__(found, "wells", wells)
    assert check_gradient(found).status == "unknown"
    assert check_layout(found).status in ("green", "unknown")


def test_classes_in_columns_are_amber_and_on_plates_red():
    found = features()
    columns = found.wells["Metadata_Well"].str[1:].astype(int)
    found.wells["class_name"] = np.where(columns == 1, "ill", "well")
    check = check_layout(found)
    assert check.status == "amber"
    assert "cannot be told" in check.sentence
    found = features(plates=2)
    found.wells["class_name"] = np.where(found.wells["Metadata_Plate"] == "P1", "ill", "well")
    assert check_layout(found).status == "red"


def test_staining_is_red_only_where_the_layout_allows_it():
    found = features()
    found.values["signal"][ill(found)] += 0.25
    assert check_staining(found, confounded=False).status == "amber"
    assert check_staining(found, confounded=True).status == "red"
    found = features()
    found.values["signal"][ill(found), 0] += 0.5
    assert check_staining(found, confounded=True).status == "green"


def test_plates_that_show_are_amber_only_where_classes_are_tied_to_them():
    found = features(plates=2)
    second = (found.wells["Metadata_Plate"] == "P2").to_numpy()
    found.values["tilt_x"][second] += 0.1
    check = next(c for c in check_predictable(found) if c.check == "predict plate")
    assert check.status == "green"
    assert check.value == 1.0
    assert "balanced over it" in check.sentence


def test_rows_that_show_are_amber():
    found = features()
    for name in ("signal", "background", "tilt_x"):
        found.values[name] += 0.5 * position(found, "row")[:, None]
    check = next(c for c in check_predictable(found) if c.check == "predict row")
    assert check.status == "amber"
    assert check.value > 0.5


def test_guesses_by_place():
    classes = np.array(list("aabb"))
    assert guess_by_place(classes, np.array(list("1212"))) == 0.0
    assert guess_by_place(classes, np.array(list("1122"))) == 1.0
    assert guess_by_place(classes, np.array(list("1234"))) == 0.5


def test_differences_between_plates_do_not_count():
    plates = np.repeat(["P", "Q"], 8)
    member = np.array([True] * 6 + [False] * 2 + [True] * 2 + [False] * 6)
    values = np.where(plates == "P", 5.0, 0.0) + np.random.default_rng(0).normal(0, 0.1, 16)
    assert shift_of(values, member, plates, 0.5).p > 0.5
    assert shift_of(values, member, np.full(16, "P"), 0.5).p < 0.05


def test_one_spoilt_well_is_no_class_effect():
    values = np.random.default_rng(0).normal(0, 0.01, 16)
    values[0] = 3.0
    member = np.arange(16) < 8
    assert shift_of(values, member, np.full(16, "P"), 0.06).p > 0.01


def test_too_few_wells_are_untested():
    member = np.array([True, False, False])
    found = shift_of(np.arange(3.0), member, np.full(3, "P"), 0.1)
    assert np.isnan(found.value)
    assert found.p == 1
    found, _ = gradient_of(np.arange(4.0), np.arange(4.0)[:, None], np.full(4, "a"), 0.1)
    assert np.isnan(found.value)


def test_three_classes_name_the_odd_one():
    found = features(columns=(1, 6, 12))
    found.wells["class_name"] = [["a", "b", "c"][k % 3] for k in range(24)]
    odd = (found.wells["class_name"] == "b").to_numpy()
    found.values["correlation"][odd] += 0.2
    check = check_noise(found)
    assert check.status == "red"
    assert "in b" in check.sentence
