from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from counterstain.annotations import Annotation, append_annotation
from counterstain.run_folder import RunFolder
from counterstain.stages.marks import BY_HAND, Marks, find_marks, mark_tables
from counterstain.stages.record import RunRecord


@pytest.fixture
def fields() -> pd.DataFrame:
    return pd.DataFrame({
        "field": [0, 1, 2], "Metadata_Plate": ["P1", "P1", "P2"], "Metadata_Well": "B03",
        "Metadata_Site": [1, 2, 1], "faulty": [False, True, False], "reason": ["", "empty", ""],
    })  # fmt: skip


@pytest.fixture
def crops() -> pd.DataFrame:
    return pd.DataFrame({
        "crop": range(6), "field": [0, 0, 0, 1, 2, 2],
        "usable": [True, True, True, False, True, True], "mislabelled": False,
    })  # fmt: skip


def found(tmp_path: Path, fields: pd.DataFrame, crops: pd.DataFrame, *rows: Annotation) -> Marks:
    folder = RunFolder(tmp_path)
    for row in rows:
        append_annotation(folder, row)
    return find_marks(folder, fields, crops)


def test_marks_are_looked_up_by_their_place(
    tmp_path: Path, fields: pd.DataFrame, crops: pd.DataFrame
) -> None:
    marks = found(
        tmp_path, fields, crops,
        Annotation("faulty_field", "mark", "P2", "B03", 1),
        Annotation("mislabelled_crop", "mark", "P1", "B03", 1, 2),
        Annotation("mislabelled_crop", "mark", "P1", "B03", 1, 4),
        Annotation("mislabelled_crop", "mark", "P1", "B03", 1, 99),
        Annotation("faulty_field", "mark", "P1", "B04", 1),
    )  # fmt: skip
    assert (marks.fields, marks.crops) == ((2,), (2,))
    assert marks.unknown == (
        "crop 4 of P1 B03 site 1", "crop 99 of P1 B03 site 1", "field P1 B04 site 1",
    )  # fmt: skip
    assert "3 mark(s)" in marks.complaint


def test_an_undone_mark_counts_for_nothing_and_one_set_again_counts(
    tmp_path: Path, fields: pd.DataFrame, crops: pd.DataFrame
) -> None:
    place = ("P1", "B03", 1)
    once = found(tmp_path, fields, crops, Annotation("faulty_field", "mark", *place, note="dust"))
    gone = found(tmp_path, fields, crops, Annotation("faulty_field", "undo", *place))
    again = found(tmp_path, fields, crops, Annotation("faulty_field", "mark", *place, note="hair"))
    assert (gone.fields, gone.digest, gone.sentence) == ((), "", "")
    # Neither the note nor the day is a reason to train again.
    assert again.digest == once.digest != ""


def test_long_lists_of_strangers_are_cut_but_counted() -> None:
    marks = Marks((), (), tuple(f"field P1 A{k:02d} site 1" for k in range(9)))
    assert marks.complaint.startswith("9 mark(s)")
    assert marks.complaint.endswith("; and 4 more.")


def test_tables_keep_what_quality_found_and_forget_earlier_marks(
    fields: pd.DataFrame, crops: pd.DataFrame
) -> None:
    one, other = mark_tables(fields, crops, Marks((0, 1), (4,)))
    assert one["reason"].tolist() == [BY_HAND, f"empty; {BY_HAND}", ""]
    assert one["faulty"].tolist() == [True, True, False]
    assert other["usable"].tolist() == [False, False, False, False, False, True]
    assert other["mislabelled"].tolist() == [False, False, False, False, True, False]
    assert fields["reason"].tolist() == ["", "empty", ""]
    twice = mark_tables(one, other, Marks((0, 1), (4,)))
    pd.testing.assert_frame_equal(twice[0], one)
    back = mark_tables(one, other, Marks((), ()))
    pd.testing.assert_frame_equal(back[0], fields, check_dtype=False)
    pd.testing.assert_frame_equal(back[1], crops)


def test_from_the_first_stage_of_other_marks_on_all_is_forgotten(tmp_path: Path) -> None:
    stages = {
        "train": {"state": "done"},
        "score": {"state": "done", "marks": "m1"},
        "explain": {"state": "done"},
    }
    record = RunRecord(RunFolder(tmp_path), {"stages": stages, "marks": {"digest": ""}})
    record.forget_outdated(("train", "score", "explain"))
    assert set(record.content["stages"]) == {"train"}
    record.content["marks"] = {"digest": "m1"}
    record.forget_outdated(("train", "score", "explain"))
    assert record.content["stages"] == {}
