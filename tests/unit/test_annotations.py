from __future__ import annotations

import threading
from pathlib import Path

import pytest

from counterstain.annotations import (
    Annotation,
    append_annotation,
    read_annotations,
    standing_annotations,
)
from counterstain.errors import InvalidInputError
from counterstain.run_folder import RunFolder


def test_rows_are_only_added(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    append_annotation(folder, Annotation("faulty_field", "mark", "P1", "A01", 1))
    before = folder.annotations.read_bytes()
    append_annotation(folder, Annotation("mislabelled_crop", "mark", "P1", "A01", 1, 7, "=1+1"))
    assert folder.annotations.read_bytes().startswith(before)
    assert read_annotations(folder)["crop"].tolist() == [-1, 7]


def test_a_line_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    append_annotation(folder, Annotation("faulty_field", "mark", "P1", "A01", 1))
    with folder.annotations.open("a") as stream:
        stream.write("2026-01-01T00:00:00+00:00,faulty_fi")
    append_annotation(folder, Annotation("faulty_field", "mark", "P1", "A02", 1))
    with pytest.raises(InvalidInputError, match=r"line 3: 8 values are expected; got 2"):
        read_annotations(folder)
    lines = folder.annotations.read_text().splitlines()
    assert "A02" in lines[3]


def test_marks_of_many_at_once_are_all_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    append_annotation(folder, Annotation("faulty_field", "mark", "P1", "A01", 0))

    def work(number: int) -> None:
        for site in range(10):
            append_annotation(
                folder, Annotation("faulty_field", "mark", "P1", f"A{number:02d}", site)
            )

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_annotations(folder)) == 81


def test_the_last_row_decides(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for action in ("mark", "undo", "mark"):
        append_annotation(folder, Annotation("mislabelled_crop", action, "P1", "A01", 1, 3))
    append_annotation(folder, Annotation("mislabelled_crop", "undo", "P1", "A01", 1, 4))
    assert standing_annotations(read_annotations(folder))["crop"].tolist() == [3]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("yesterday,faulty_field,mark,P1,A01,1,-1,", "isoformat"),
        ("2026-01-01,faulty_field,mark,P1,A01,one,-1,", "invalid literal"),
        ("2026-01-01,faulty_field,mark,P1,A01,1,5,", "`crop` must be -1 for a field"),
        ("2026-01-01,dusty,mark,P1,A01,1,-1,", "`kind` must be one of"),
        ("2026-01-01,faulty_field,shout,P1,A01,1,-1,", "`action` must be one of"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_its_line(
    tmp_path: Path, line: str, what: str
) -> None:
    header = "time,kind,action,plate,well,site,crop,note\n"
    (tmp_path / "annotations.csv").write_text(f"{header}{line}\n")
    with pytest.raises(InvalidInputError, match=rf"line 2: .*{what}"):
        read_annotations(RunFolder(tmp_path))
