"""Marks set in the explorer, honoured by the real command line on a small simulated plate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterstain import pipeline
from counterstain.annotations import Annotation, append_annotation
from counterstain.cli.app import call
from counterstain.pipeline import STAGES
from counterstain.plates import simulate_plate
from counterstain.report.data import read_run
from counterstain.report.marks import read_marks
from counterstain.run_folder import TABLES, RunFolder

SMALL = (
    ("folds = 3", "folds = 2"),
    ("hidden = 64", "hidden = 8"),
    ("blocks = 6", "blocks = 1"),
    ("steps = 220", "steps = 25\nminibatch = 12"),
    ("[counterfactual]\ncrops_per_well = 16", "[counterfactual]\ncrops_per_well = 3\nviews = 1"),
    ("[run]\n", "[run]\ncounterfactual_wells = 2\n"),
)
SETTINGS = """
[ranking]
min_cells = 2
classical_crops = 6
[attribution]
methods = ["saliency"]
[audit]
crops = 2
crops_per_well = 2
null_steps = 0
"""


@pytest.fixture(scope="module", autouse=True)
def without_pages() -> Iterator[None]:
    """Leave the page out: its figures take longer than all else, and other tests look at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "build_report", lambda folder: folder.report)
        yield


def run(screen: Path, out: Path, *more: str) -> int:
    return call(["run", str(screen), "--out", str(out), *more])


def tables(out: Path) -> dict[str, pd.DataFrame]:
    paths = {name: out / "tables" / f"{name}.parquet" for name in TABLES}
    return {name: pd.read_parquet(path) for name, path in paths.items() if path.is_file()}


def metrics(out: Path) -> dict[str, object]:
    content = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    content["training"].pop("crops_per_s")
    return content


def stages(out: Path) -> dict[str, dict[str, object]]:
    return json.loads((out / "run.json").read_text(encoding="utf-8"))["stages"]


def networks(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "models").glob("*.safetensors")}


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = simulate_plate(
        tmp_path_factory.mktemp("plate") / "P",
        seed=3, phenotype="mitochondria_down", fields_per_well=2, field_size=160,
        control_wells=6, compounds=2, doses=2, faulty_fields=1,
    )  # fmt: skip
    plate_map = pd.read_csv(made.parent / "platemap.csv")
    doses = plate_map["Metadata_Concentration"]
    plate_map["Metadata_Concentration"] = doses.where(~(doses > 0), 1.0)
    plate_map.to_csv(made.parent / "platemap.csv", index=False)
    text = made.read_text(encoding="utf-8")
    for old, new in SMALL:
        assert old in text
        text = text.replace(old, new)
    made.write_text(text + SETTINGS, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def plain(screen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain") / "RUN"
    assert run(screen, out) == 0
    return out


@pytest.fixture(scope="module")
def wanted(plain: Path) -> list[Annotation]:
    """A control well's fields, one of a treated well, two crops; one undone, one nowhere."""
    fields, crops = (
        pd.read_parquet(plain / "tables" / f"{n}.parquet") for n in ("fields", "crops")
    )
    good = fields[~fields["faulty"]]
    control = (
        good[good["class_name"] == "diseased"]
        .groupby("Metadata_Well")
        .filter(lambda rows: len(rows) == 2)
    )
    treated = good[good["class_name"] == ""]
    chosen = pd.concat([control.head(2), treated.head(1)])
    marks = [
        Annotation("faulty_field", "mark", r["Metadata_Plate"], r["Metadata_Well"],
                   int(r["Metadata_Site"]), note="dust")
        for r in chosen.to_dict("records")
    ]  # fmt: skip
    left = crops[crops["usable"] & ~crops["field"].isin(chosen["field"])]
    healthy = left[left["class_name"] == "healthy"].iloc[[0, 7]]
    marks += [
        Annotation("mislabelled_crop", "mark", r["Metadata_Plate"], r["Metadata_Well"],
                   int(r["Metadata_Site"]), int(r["crop"]))
        for r in healthy.to_dict("records")
    ]  # fmt: skip
    undone = left[left["class_name"] == "diseased"].iloc[0]
    place = (undone["Metadata_Plate"], undone["Metadata_Well"], int(undone["Metadata_Site"]))
    marks += [Annotation("mislabelled_crop", action, *place, int(undone["crop"]))
              for action in ("mark", "undo")]  # fmt: skip
    return [*marks, Annotation("faulty_field", "mark", "nowhere", "A01", 9)]


def mark(out: Path, wanted: list[Annotation]) -> None:
    out.mkdir(exist_ok=True)
    for annotation in wanted:
        append_annotation(RunFolder(out), annotation)


@pytest.fixture(scope="module")
def ranked(
    screen: Path, plain: Path, wanted: list[Annotation], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The plain run, marked and ranked again, not trained again."""
    out = tmp_path_factory.mktemp("ranked") / "RUN"
    shutil.copytree(plain, out)
    mark(out, wanted)
    assert call(["rank", str(screen), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def resumed(screen: Path, ranked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("resumed") / "RUN"
    shutil.copytree(ranked, out)
    assert run(screen, out, "--resume") == 0
    return out


def test_ranking_alone_leaves_marked_crops_out_and_keeps_the_networks(
    plain: Path, ranked: Path, wanted: list[Annotation]
) -> None:
    assert networks(ranked) == networks(plain)
    before, after = tables(plain), tables(ranked)
    assert (before["crops"]["fold"] == after["crops"]["fold"]).all()
    keys = ["Metadata_Plate", "Metadata_Well"]
    lost = before["scores"]["usable"] & ~after["scores"]["usable"]
    assert lost.sum() > len(wanted)
    touched = set(map(tuple, before["scores"].loc[lost, keys].to_numpy()))
    wells = before["ranking_wells"].merge(after["ranking_wells"], on=keys, suffixes=("", "_new"))
    moved = ~np.isclose(wells["n_cells"], wells["n_cells_new"], equal_nan=True)
    moved |= ~np.isclose(wells["rescue"], wells["rescue_new"], equal_nan=True)
    assert moved[[tuple(key) in touched for key in wells[keys].to_numpy()]].all()
    gone = next(m for m in wanted if m.kind == "faulty_field")
    row = after["wells"][after["wells"]["Metadata_Well"] == gone.well].iloc[0]
    assert row["n_crops"] == 0
    assert row["n_faulty"] == 2
    assert metrics(ranked)["oracle"] == metrics(plain)["oracle"]
    assert metrics(ranked)["audits"] == metrics(plain)["audits"]
    said = read_marks(read_run(RunFolder(ranked))).sentences[0]
    assert "Made with other marks than stand now: train, explain, audit." in said


def test_a_resumed_run_is_that_of_a_run_with_the_marks_from_the_start(
    screen: Path, plain: Path, resumed: Path, wanted: list[Annotation], tmp_path: Path
) -> None:
    fresh = tmp_path / "RUN"
    mark(fresh, wanted)
    assert run(screen, fresh) == 0
    assert networks(resumed) != networks(plain)
    assert networks(resumed) == networks(fresh)
    one, other = tables(resumed), tables(fresh)
    assert set(one) == set(other)
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, other[name], check_exact=True, obj=name)
    assert metrics(resumed) == metrics(fresh)


def test_what_was_left_out_is_said(
    screen: Path, resumed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "RUN"
    shutil.copytree(resumed, out)
    times = {path: path.stat().st_mtime_ns for path in (out / "tables").iterdir()}
    before = stages(out)
    capsys.readouterr()
    assert run(screen, out, "--resume") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "3 fields and 2 crops were marked by hand and left out." in said
    assert "1 mark(s) in annotations.csv name no field or crop of this run" in said
    assert "field nowhere A01 site 9" in said
    assert all(f"{stage}: done before." in said for stage in STAGES)
    assert stages(out) == before
    assert {path: path.stat().st_mtime_ns for path in (out / "tables").iterdir()} == times
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    counted = {key: record["marks"][key] for key in ("n_fields", "n_crops", "n_ignored")}
    assert counted == {"n_fields": 3, "n_crops": 2, "n_ignored": 1}
    by_hand = metrics(out)["quality"]["by_hand"]
    assert (by_hand["n_fields"], by_hand["n_crops"]) == (3, 2)
    marks = read_marks(read_run(RunFolder(out)))
    assert marks.sentences[0] == "3 fields and 2 crops were marked by hand and left out."
    assert len(marks.sentences) == 2  # The other one names the mark that is nowhere.


def test_no_marked_crop_is_trained_on_or_measured(resumed: Path, wanted: list[Annotation]) -> None:
    found = tables(resumed)
    crops = found["crops"]
    marked = {m.crop for m in wanted if m.kind == "mislabelled_crop" and m.action == "mark"}
    marked -= {m.crop for m in wanted if m.action == "undo"}
    assert set(crops.loc[crops["mislabelled"], "crop"]) == marked
    places = {(m.plate, m.well, m.site) for m in wanted if m.kind == "faulty_field"}
    keys = crops[["Metadata_Plate", "Metadata_Well", "Metadata_Site"]].itertuples(index=False)
    in_field = np.array([tuple(key) in places for key in keys])
    out = crops["mislabelled"] | in_field
    assert not crops.loc[out, "usable"].any()
    left_out = set(crops.loc[out, "crop"])
    assert set(found["scores"]["crop"]) == set(crops["crop"])
    for name in ("counterfactuals", "boundary", "cell_occlusion"):
        if name in found:
            assert not left_out & set(found[name]["crop"]), name


def test_undone_marks_bring_the_first_run_back(
    screen: Path, plain: Path, resumed: Path, wanted: list[Annotation], tmp_path: Path
) -> None:
    out = tmp_path / "RUN"
    shutil.copytree(resumed, out)
    standing = [m for m in wanted if m.action == "mark"]
    mark(out, [Annotation(m.kind, "undo", m.plate, m.well, m.site, m.crop) for m in standing])
    assert run(screen, out, "--resume") == 0
    assert networks(out) == networks(plain)
    for name, table in tables(plain).items():
        pd.testing.assert_frame_equal(table, tables(out)[name], check_exact=True, obj=name)


def test_marks_that_leave_a_class_empty_are_refused_and_nothing_changes(
    screen: Path, plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "RUN"
    shutil.copytree(plain, out)
    fields = tables(out)["fields"]
    mark(out, [
        Annotation("faulty_field", "mark", r["Metadata_Plate"], r["Metadata_Well"],
                   int(r["Metadata_Site"]))
        for r in fields[fields["class_name"] == "healthy"].to_dict("records")
    ])  # fmt: skip
    before = (out / "run.json").read_bytes()
    capsys.readouterr()
    assert run(screen, out, "--resume") == 2
    said = capsys.readouterr().err
    assert "class 'healthy' must have crops to train on" in said
    assert "Take marks back in the explorer" in said
    assert (out / "run.json").read_bytes() == before
    assert networks(out) == networks(plain)
    pd.testing.assert_frame_equal(tables(out)["crops"], tables(plain)["crops"])


def test_a_damaged_file_of_marks_is_named_before_any_work(
    screen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "RUN"
    out.mkdir()
    (out / "annotations.csv").write_text("well,why\nA01,dust\n", encoding="utf-8")
    assert run(screen, out) == 2
    assert "must begin with time,kind,action" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["annotations.csv"]
