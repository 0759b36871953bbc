"""A small co-culture through masks, overlap and what is said of it, against what was planted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterstain.annotations import Annotation, append_annotation
from counterstain.errors import InvalidInputError
from counterstain.overlap_pipeline import OVERLAP_STAGES, overlap
from counterstain.plates.screen import read_screen
from counterstain.plates.simulate.coculture import simulate_coculture
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.overlap import measure_overlap, read_overlap
from counterstain.stages.overlap_plate import measure_plates
from counterstain.stages.progress import Silent
from counterstain.stages.record import open_run

SECTION = "\n[overlap]\npatch = 64\npatches_per_field = 16\nstored_patches = 200\n"


@pytest.fixture(scope="module")
def screen_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = simulate_coculture(
        tmp_path_factory.mktemp("plate") / "p",
        seed=5,
        fields_per_well=1,
        field_size=256,
        control_wells=6,
        drugs=1,
        doses=2,
        replicates=2,
        plate_format=96,
        faulty_fields=2,
        faulty_patches=0.1,
        crowding_sd=0.15,
    )
    path.write_text(path.read_text() + SECTION)
    return path


@pytest.fixture(scope="module")
def run(screen_file: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    screen = read_screen(screen_file)
    folder = RunFolder(tmp_path_factory.mktemp("out") / "run")
    record = open_run(screen, folder, resume=False)
    measure_plates(screen, folder)
    read_overlap(screen, folder, record, Silent())
    return folder


def numbers(run: RunFolder) -> dict:
    return json.loads(run.metrics.read_text())["overlap"]


def test_overlap_of_fields_is_that_of_the_true_masks(run: RunFolder, screen_file: Path) -> None:
    truth = pd.DataFrame(json.loads(screen_file.with_name("truth.json").read_text())["fields"])
    found = pd.read_parquet(run.table("overlap"))
    both = truth.merge(found, left_on="well", right_on="Metadata_Well", suffixes=("_true", ""))
    good = both[(both["fault"] == "") & (both["fault_true"] == "")]
    assert len(good) >= 24
    span = np.ptp(good["iou_true"])
    assert abs(float((good["iou"] - good["iou_true"]).mean())) < 0.02 * span
    assert good["iou"].corr(good["iou_true"], method="spearman") > 0.98


def test_every_field_and_patch_is_in_the_tables(run: RunFolder, screen_file: Path) -> None:
    screen = read_screen(screen_file)
    fields = pd.read_parquet(run.table("overlap"))
    patches = pd.read_parquet(run.table("overlap_patches"))
    assert fields["field"].tolist() == screen.fields["field"].tolist()
    assert len(patches) == 16 * len(fields)
    counts = numbers(run)
    assert sum(counts["patch_states"].values()) == counts["n_patches"] == len(patches)
    assert counts["n_faulty_fields"] == (fields["fault"] != "").sum() >= 1


def test_faulty_patches_have_no_overlap_by_definition(run: RunFolder) -> None:
    patches = pd.read_parquet(run.table("overlap_patches"))
    faulty = patches[patches["faulty"]]
    assert set(faulty["state"]) <= {"empty", "debris", "faulty field"}
    assert len(faulty)
    assert (faulty["iou"] == 0).all()
    assert faulty["iou_above_chance"].isna().all()
    assert not set(patches.loc[~patches["faulty"], "state"]) - {"contact", "no contact"}


def test_stores_hold_the_numbered_patches_plain_and_masked(run: RunFolder) -> None:
    patches = pd.read_parquet(run.table("overlap_patches"))
    kept = patches[patches["patch"] >= 0]
    assert kept["patch"].tolist() == list(range(len(kept)))
    with CropStore.open(run.patches) as plain, CropStore.open(run.masked_patches) as masked:
        assert len(plain) == len(masked) == len(kept)
        ids = np.arange(len(plain))
        regions, values = masked.nuclei(ids), masked.scaled(ids)
        for kind in range(2):
            inside = regions & (kind + 1) > 0
            assert np.abs(values[:, kind][~inside]).max() < 0.02
            np.testing.assert_array_equal(
                masked.pixels(ids)[:, kind][inside], plain.pixels(ids)[:, kind][inside]
            )
        areas = [(regions & bit > 0).sum(axis=(1, 2)) for bit in (1, 2)]
    for area, column in zip(areas, ("area_a", "area_b"), strict=True):
        clean = ~kept["faulty"].to_numpy()
        assert np.corrcoef(area[clean], kept[column][clean])[0, 1] > 0.98


def test_the_stimulations_come_out_in_their_order(run: RunFolder) -> None:
    means = [group["iou_above_chance"]["value"] for group in numbers(run)["groups"]]
    assert means == sorted(means)
    last = numbers(run)["groups"][-1]
    assert last["q"] < 0.01
    assert last["difference"]["low"] > 0


def test_controls_are_told_apart_and_calls_fall_with_the_threshold(run: RunFolder) -> None:
    found = numbers(run)
    assert found["interaction"]["source"] == "youden"
    assert found["interaction"]["auc"]["value"] > 0.9
    called = [sum(row["called"].values()) for row in found["calls"]]
    assert called == sorted(called, reverse=True)
    wells = pd.read_parquet(run.table("overlap_wells"))
    level = found["interaction"]["threshold"]
    known = wells[wells["iou"].notna()]
    assert (known["interacts"] == (known["iou"] >= level)).all()


def test_treatments_are_compared_with_their_own_stimulation(run: RunFolder) -> None:
    table = pd.read_parquet(run.table("overlap_treatments"))
    wells = pd.read_parquet(run.table("overlap_wells"))
    row = table.iloc[-1]
    base = wells[(wells["class_name"] == row["Metadata_Stimulation"])]["iou"].mean()
    assert row["mean"] - base == pytest.approx(row["difference"])


def test_a_readout_is_calibrated_and_strangers_are_named(
    run: RunFolder, screen_file: Path, tmp_path: Path
) -> None:
    wells = pd.read_parquet(run.table("overlap_wells"))
    table = wells[["Metadata_Well"]].assign(overlap=3 * wells["iou"] + 10).dropna()
    table = pd.concat([table, pd.DataFrame({"Metadata_Well": ["H12"], "overlap": [1.0]})])
    path = screen_file.with_name("readout.csv")
    table.to_csv(path, index=False)
    changed = screen_file.with_name("with_readout.toml")
    changed.write_text(screen_file.read_text() + 'readout = "readout.csv"\n')
    screen = read_screen(changed)
    folder = RunFolder(tmp_path / "run")
    record = open_run(screen, folder, resume=False)
    measure_plates(screen, folder)
    read_overlap(screen, folder, record, Silent())
    found = numbers(folder)["readout"]
    assert found["not_on_plate"] == ["H12"]
    assert abs(found["curves"]["linear"]["after"]["bias"]["value"]) < 1e-6
    assert found["curves"]["linear"]["before"]["bias"]["value"] < -9
    assert any("H12" in note for note in record.content["notes"])


def test_a_field_marked_by_hand_is_faulty_until_the_mark_is_taken_back(
    run: RunFolder, screen_file: Path, tmp_path: Path
) -> None:
    screen, folder = read_screen(screen_file), RunFolder(tmp_path / "run")
    before = pd.read_parquet(run.table("overlap"))
    marked = before[before["fault"] == ""].iloc[0]
    place = [str(marked[f"Metadata_{name}"]) for name in ("Plate", "Well")]
    record = open_run(screen, folder, resume=False)
    for action in ("mark", "undo"):
        append_annotation(
            folder, Annotation("faulty_field", action, *place, int(marked["Metadata_Site"]))
        )
        measure_overlap(screen, folder, record, Silent())
        fields = pd.read_parquet(folder.table("overlap"))
        if action == "mark":
            changed = fields.index[fields["fault"] != before["fault"]]
            assert changed.tolist() == [marked.name]
            assert fields.loc[marked.name, "fault"] == "marked by hand"
            patches = pd.read_parquet(folder.table("overlap_patches"))
            of_field = patches[patches["field"] == marked["field"]]
            assert set(of_field["state"]) == {"faulty field"}
        else:
            pd.testing.assert_frame_equal(fields, before)


def test_an_overlap_is_made_anew_only_where_other_fields_stand_marked(
    screen_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    actions = {stage: lambda *_, stage=stage: made.append(stage) for stage in OVERLAP_STAGES}
    monkeypatch.setattr("counterstain.overlap_pipeline._ACTIONS", actions)
    monkeypatch.setattr("counterstain.overlap_pipeline.build_report", lambda folder: None)
    folder = overlap(screen_file, tmp_path / "run")
    overlap(screen_file, tmp_path / "run", resume=True)
    assert made == list(OVERLAP_STAGES)
    first = read_screen(screen_file).fields.iloc[0]
    place = (first["Metadata_Plate"], first["Metadata_Well"], int(first["Metadata_Site"]))
    append_annotation(folder, Annotation("faulty_field", "mark", *place))
    for _ in range(2):
        overlap(screen_file, tmp_path / "run", resume=True)
    assert made == 2 * list(OVERLAP_STAGES)


def test_a_damaged_list_of_marks_ends_before_the_run_begins(
    screen_file: Path, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    folder.annotations.write_text("not,a,header\n")
    with pytest.raises(InvalidInputError, match="must begin with"):
        overlap(screen_file, folder.root)
    assert [path.name for path in folder.root.iterdir()] == ["annotations.csv"]


def test_a_patch_larger_than_a_field_is_refused(screen_file: Path, tmp_path: Path) -> None:
    changed = screen_file.with_name("large.toml")
    changed.write_text(screen_file.read_text().replace("patch = 64", "patch = 320"))
    with pytest.raises(InvalidInputError, match=r"overlap.patch.*256.*got 320"):
        measure_plates(read_screen(changed), RunFolder(tmp_path / "run"))
    assert not list((tmp_path).rglob("*.parquet"))
