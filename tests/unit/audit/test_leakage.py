"""The leakage audit on images, from a screen's files and from arrays."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from counterstain.audit.field_reading import image_features
from counterstain.audit.leakage import leakage_audit
from counterstain.audit.verdict import AuditCheck, AuditVerdict, worst_status
from counterstain.errors import InvalidInputError
from counterstain.plates import read_screen, simulate_plate

WELLS = [f"{chr(65 + r)}{c:02d}" for c in (1, 12) for r in range(8)]
CLASSES = ["ill" if (i.bit_count() % 2) else "well" for i in range(16)]


@pytest.fixture(scope="module")
def fields():
    """One field of 160 px in 16 wells: dim cells of one kind in two channels."""
    rng = np.random.default_rng(0)
    images = []
    y, x = np.mgrid[:160, :160]
    for _ in WELLS:
        light = np.zeros((160, 160))
        for cy, cx in rng.uniform(0, 160, (20, 2)):
            light[np.hypot(y - cy, x - cx) < 7] = rng.normal(300, 30)
        blur = rng.uniform(0.8, 1.0)
        two = np.stack([ndimage.gaussian_filter(light, blur), ndimage.gaussian_filter(light, 2.5)])
        images.append(rng.poisson(100 + two).astype(float))
    return np.stack(images)


def audited(images):
    return leakage_audit(image_features(images, WELLS, CLASSES), seed=0)


def marked():
    return np.array(CLASSES) == "ill"


def reds(verdict):
    return [check.check for check in verdict.checks if check.status == "red"]


def test_a_clean_plate_is_not_red(fields):
    verdict = audited(fields)
    assert reds(verdict) == []
    assert verdict.key == "leakage"
    assert verdict.withholds
    names = [check.check for check in verdict.checks]
    assert names[:3] == ["fixed place", "illumination", "focus"]
    assert all(check.sentence for check in verdict.checks)
    json.dumps(verdict.to_json(), allow_nan=False)
    assert len(verdict.rows()) == len(names)


@pytest.mark.parametrize(
    ("plant", "check"),
    [
        ("tag", "fixed place"),
        ("tilt", "illumination"),
        ("blur", "noise"),
        ("gradient", "position"),
        ("gain", "background"),
    ],
)
def test_planted_shortcuts_are_red(fields, plant, check):
    images = fields.copy()
    across = np.linspace(-0.5, 0.5, 160)
    if plant == "tag":
        images[marked(), 0, :8, -8:] = 180
    elif plant == "tilt":
        images[marked()] *= 1 + 0.15 * across
    elif plant == "blur":
        images[marked()] = ndimage.gaussian_filter(images[marked()], (0, 0, 0.6, 0.6))
    elif plant == "gradient":
        images *= (1 + 0.25 * (np.arange(16) % 8 / 7 - 0.5))[:, None, None, None]
    else:
        images[marked()] *= 1.25
    verdict = audited(images)
    assert verdict.status == "red"
    assert check in reds(verdict)
    assert verdict.number.startswith(f"{len(reds(verdict))} of")


def test_tagged_crops_are_red_and_brighter_cells_are_not():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40] - 19.5
    wells, classes = np.repeat(WELLS, 12), np.repeat(CLASSES, 12)
    ill = classes == "ill"
    radius = rng.normal(8, 1, len(wells)) * np.where(ill, 1.25, 1)
    cell = np.hypot(y, x)[None] < radius[:, None, None]
    crops = (0.2 + 0.4 * cell * np.where(ill, 1.5, 1)[:, None, None])[:, None]
    crops = ndimage.gaussian_filter(crops, (0, 0, 1, 1)) + rng.normal(0, 0.02, crops.shape)
    assert "fixed place" not in reds(leakage_audit(image_features(crops, wells, classes), seed=0))
    crops[ill, 0, :6, :6] = 0.5
    assert "fixed place" in reds(leakage_audit(image_features(crops, wells, classes), seed=0))


def test_a_screen_with_a_tag_on_disk(tmp_path):
    path = simulate_plate(
        tmp_path / "plate", fields_per_well=1, field_size=128, control_wells=4, compounds=0
    )
    screen = read_screen(path)
    assert reds(leakage_audit(screen, seed=0)) == []
    wells = screen.wells.loc[screen.wells["class_name"] == "diseased", "Metadata_Well"]
    for well in wells:
        file = tmp_path / "plate" / "images" / f"P1_{well}_s1_DNA.tif"
        image = tifffile.imread(file)
        image[:8, :8] = 2000
        tifffile.imwrite(file, image)
    assert reds(leakage_audit(screen, seed=0)) == ["fixed place"]


def test_splits_are_audited_with_measurements(fields):
    rng = np.random.default_rng(0)
    crops = pd.DataFrame({"Metadata_Well": np.repeat(WELLS, 8)})
    crops["class_name"] = np.repeat(CLASSES, 8)
    measures = rng.normal(size=(len(crops), 5))
    found = image_features(fields, WELLS, CLASSES)
    verdict = leakage_audit(found, seed=0, crops=crops, measures=measures)
    names = [check.check for check in verdict.checks]
    assert names[-3:] == ["random split", "shuffled classes", "new plate"]
    with pytest.raises(InvalidInputError, match="belong together"):
        leakage_audit(found, seed=0, crops=crops)


def test_sizes_that_give_the_class_away(fields):
    found = image_features(fields, WELLS, CLASSES)
    found.wells["height"] = np.where(marked(), 160, 140)
    verdict = leakage_audit(found, seed=0)
    assert "image size" in reds(verdict)
    found.wells["height"] = 160
    found.wells.loc[0, "height"] = 0
    check = next(c for c in leakage_audit(found, seed=0).checks if c.check == "image size")
    assert check.status == "amber"


def test_constant_images_and_images_without_a_cell():
    constant = np.full((16, 2, 128, 128), 100, np.uint16)
    verdict = audited(constant)
    assert reds(verdict) == []
    rng = np.random.default_rng(0)
    empty = rng.poisson(100, (16, 2, 128, 128)).astype(np.uint16)
    verdict = audited(empty)
    assert reds(verdict) == []
    status = {check.check: check.status for check in verdict.checks}
    assert status["focus"] == "unknown"


def test_one_class_and_one_well(fields):
    with pytest.raises(InvalidInputError, match="two classes"):
        leakage_audit(image_features(fields, WELLS, ["ill"] * 16), seed=0)
    verdict = leakage_audit(image_features(fields[:2], WELLS[:2], ["ill", "well"]), seed=0)
    assert reds(verdict) == []
    status = {check.check: check.status for check in verdict.checks}
    assert status["fixed place"] == "unknown"
    assert status["illumination"] == "unknown"


def test_verdicts_are_as_bad_as_the_worst_check():
    assert worst_status(["green", "unknown"]) == "green"
    assert worst_status(["amber", "red", "green"]) == "red"
    checks = [AuditCheck("a", "green"), AuditCheck("b", "amber", 2.0, sentence="So.")]
    verdict = AuditVerdict.of_checks("leakage", "Leakage", checks)
    assert (verdict.status, verdict.value, verdict.sentence) == ("amber", 2.0, "So.")
    assert AuditVerdict.of_checks("k", "t", []).status == "unknown"
    with pytest.raises(InvalidInputError, match="must be one of"):
        AuditCheck("a", "blue")  # type: ignore[arg-type]
