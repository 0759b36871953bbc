from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from counterstain.annotations import read_annotations, standing_annotations
from counterstain.explorer import create_app
from counterstain.run_folder import RunFolder

BASE = "http://127.0.0.1:8765"


def opened(run: Path) -> TestClient:
    return TestClient(create_app(run), base_url=BASE)


def test_marks_survive_a_restart_and_undo_is_another_row(a_run: Path) -> None:
    note = 'dust, "very" bright\nand a second line'
    mark = {"kind": "mislabelled_crop", "number": 4, "note": note}
    assert opened(a_run).post("/api/annotations", json=mark).status_code == 201
    again = opened(a_run)
    rows = again.get("/api/annotations").json()["rows"]
    crops = pd.read_parquet(a_run / "tables" / "crops.parquet")
    assert [(r["crop"], r["well"]) for r in rows] == [(4, crops["Metadata_Well"].iloc[4])]
    assert rows[0]["note"] == 'dust, "very" bright and a second line'
    assert abs((datetime.now(UTC) - datetime.fromisoformat(rows[0]["time"])).total_seconds()) < 120
    undone = again.post("/api/annotations", json=mark | {"action": "undo", "note": ""}).json()
    assert undone["rows"] == []
    table = read_annotations(RunFolder(a_run))
    assert table["action"].tolist() == ["mark", "undo"]
    assert standing_annotations(table).empty


def test_a_field_is_marked_by_plate_well_and_site(a_run: Path) -> None:
    client = opened(a_run)
    fields = pd.read_parquet(a_run / "tables" / "fields.parquet")
    row = client.post("/api/annotations", json={"kind": "faulty_field", "number": 2}).json()[
        "rows"
    ][0]
    expected = fields[fields["field"] == 2].iloc[0]
    assert (row["plate"], row["well"], row["site"], row["crop"], row["field"]) == (
        expected["Metadata_Plate"], expected["Metadata_Well"], expected["Metadata_Site"], -1, 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "faulty_field", "number": 9999}, 404),
        ({"kind": "mislabelled_crop", "number": 10**7}, 404),
        ({"kind": "mislabelled_crop", "number": -1}, 422),
        ({"kind": "other", "number": 1}, 422),
        ({"kind": "faulty_field", "number": 1, "action": "erase"}, 422),
        ({"kind": "faulty_field", "number": 1, "note": "x" * 501}, 422),
        ({"kind": "faulty_field", "number": 1, "path": "/etc/passwd"}, 422),
        ({"kind": "faulty_field"}, 422),
    ],
)
def test_what_is_no_mark_is_refused_and_nothing_is_written(
    a_run: Path, body: dict[str, object], status: int
) -> None:
    assert opened(a_run).post("/api/annotations", json=body).status_code == status
    assert not (a_run / "annotations.csv").exists()


def test_a_run_that_cannot_be_written_to_says_so(
    a_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    client = opened(a_run)
    monkeypatch.setattr(os, "open", refuse)
    answer = client.post("/api/annotations", json={"kind": "faulty_field", "number": 1})
    assert answer.status_code == 507
    assert "Read-only file system: the mark was not kept" in answer.json()["detail"]


def test_damaged_marks_are_named_and_the_page_still_opens(a_run: Path) -> None:
    (a_run / "annotations.csv").write_text("time,what\n1,2\n")
    client = opened(a_run)
    assert "must begin with time,kind" in client.get("/api/annotations").json()["reason"]
    assert client.get("/api/run").status_code == 200
