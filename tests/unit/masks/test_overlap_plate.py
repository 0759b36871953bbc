"""From the images of a simulated co-culture to calls by well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from counterstain.masks.overlap_faulty import find_debris, without_debris
from counterstain.masks.overlap_fields import FieldMasks, measure_fields
from counterstain.masks.overlap_readout import match_readout
from counterstain.masks.overlap_wells import overlap_by_well
from counterstain.masks.thresholds import threshold_mask
from counterstain.plates.simulate.coculture import simulate_coculture
from counterstain.plates.simulate.coculture_truth import TOKENS
from counterstain.statistics.calibration import check_calibration
from counterstain.statistics.threshold_roc import interaction_threshold


def read_fields(folder: Path, planted: list[dict[str, Any]]) -> Iterator[FieldMasks]:
    for field in planted:
        well = field["well"]
        stem = f"{field['plate']} - {well[0]} - {well[1:]}(fld {field['site']} wv"
        names = [folder / "images" / f"{stem} {token}).tif" for token in TOKENS]
        pixels = np.stack([tifffile.imread(name) for name in names])
        debris = find_debris(pixels)
        masks = [threshold_mask(plane) for plane in without_debris(pixels, debris)]
        metadata = {
            "Metadata_Plate": field["plate"],
            "Metadata_Well": well,
            "Metadata_Stimulation": field["stimulation"],
        }
        yield FieldMasks(masks[0], masks[1], metadata, debris, field["fault"])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fields beside their truth, and wells."""
    folder = tmp_path_factory.mktemp("coculture") / "plate"
    simulate_coculture(
        folder,
        fields_per_well=2,
        field_size=256,
        plate_format=24,
        control_wells=4,
        drugs=0,
        faulty_fields=2,
        faulty_patches=0.1,
    )
    planted = json.loads((folder / "truth.json").read_text())["fields"]
    found = measure_fields(read_fields(folder, planted), patch_px=96, n_patches=9)
    fields = pd.DataFrame([one.row for one in found])
    fields["true_iou"] = [field["iou"] for field in planted]
    return fields, overlap_by_well(fields, keep=["Metadata_Stimulation"])


def test_fields_have_their_true_overlap(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    good = measured[0][measured[0]["fault"] == ""]
    assert len(good) == 22
    difference = (good["iou"] - good["true_iou"]).astype(float)
    assert abs(difference.mean()) <= 0.02 * np.ptp(good["true_iou"])
    assert good["iou"].corr(good["true_iou"].astype(float), method="spearman") >= 0.95


def test_faulty_fields_are_kept_apart(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    fields, wells = measured
    faulty = fields[fields["fault"] != ""]
    assert faulty["iou"].isna().all()
    assert (faulty["n_patches_faulty_field"] == faulty["n_patches"]).all()
    assert len(wells) == 12
    assert wells["n_faulty_fields"].sum() == 2


def test_stimulated_wells_are_called(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    groups = measured[1].groupby("Metadata_Stimulation")["iou_above_chance"]
    negative, positive = (groups.get_group(name) for name in ("unstimulated", "ConA"))
    found = interaction_threshold(negative, positive)
    assert (found.sensitivity.value, found.specificity.value) == (1.0, 1.0)
    assert abs(negative.mean()) < 0.05 < groups.get_group("OVA").mean() < positive.mean()


def test_a_readout_of_the_wells_is_matched(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    wells = measured[1]
    noise = np.random.default_rng(0).normal(0, 1, len(wells))
    readout = wells[["Metadata_Well"]].assign(readout=120 * wells["iou"] + 3 + noise)
    match = match_readout(wells, readout)
    assert match.notes == ()
    checked = check_calibration(match.both["iou"], match.both["readout"])
    assert checked.concordance_after.value > 0.95 > checked.concordance_before.value
    assert abs(checked.after.bias.value) < 1
