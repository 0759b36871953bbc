"""Faults planted by the simulator are found, and a real plate without faults stays silent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from counterstain.config import QualityConfig
from counterstain.plates.field_work import work_fields
from counterstain.plates.nuclei import find_nuclei
from counterstain.plates.quality import flag_faulty, measure_quality
from counterstain.plates.screen import read_screen
from counterstain.plates.simulate import simulate_plate

DATA = Path(
    os.environ.get("COUNTERSTAIN_DATA", Path(__file__).parents[3].parent / "shared" / "data")
)


def test_every_planted_fault_is_found_by_name_and_nothing_else(tmp_path):
    screen = read_screen(
        simulate_plate(
            tmp_path / "plate",
            seed=0,
            fields_per_well=1,
            control_wells=12,
            compounds=4,
            doses=4,
            faulty_fields=4,
        )
    )
    rows = screen.fields.to_dict("records")
    measured = [field.measures for field in work_fields(rows, screen.config)]
    fields = screen.fields.drop(columns="problem").join(pd.DataFrame(measured))
    flagged = flag_faulty(fields.merge(screen.wells), QualityConfig())
    truth = json.loads((tmp_path / "plate" / "truth.json").read_text())["fields"]
    planted = {
        (field["well"], field["site"]): field["fault"].replace("_", " ")
        for field in truth
        if field["fault"]
    }
    keys = zip(flagged["Metadata_Well"], flagged["Metadata_Site"], strict=True)
    found = {key: reason for key, reason in zip(keys, flagged["reason"], strict=True) if reason}
    assert len(planted) == 4
    assert found.keys() == planted.keys()
    for key, fault in planted.items():
        assert fault in found[key].split("; ")


@pytest.mark.skipif(not (DATA / "bbbc013").is_dir(), reason=f"no BBBC013 in {DATA}")
def test_strong_treatments_of_a_real_plate_are_no_faults():
    rows = []
    for path in sorted((DATA / "bbbc013/images").glob("*_DNA.tif")):
        field = np.stack(
            [tifffile.imread(path.with_name(path.name.replace("DNA", c))) for c in ("GFP", "DNA")]
        )
        row = {"Metadata_Plate": "BBBC013", "Metadata_Well": path.name.split("_")[1], "problem": ""}
        rows.append(row | measure_quality(field, find_nuclei(field[1]), ("GFP", "DNA")))
    assert len(rows) == 48
    assert not flag_faulty(pd.DataFrame(rows), QualityConfig())["faulty"].any()
