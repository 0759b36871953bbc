"""A run that is unfinished, damaged or of another version: what is there is shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.explorer import create_app

BASE = "http://127.0.0.1:8765"


def described(run: Path) -> tuple[TestClient, dict[str, object]]:
    client = TestClient(create_app(run), base_url=BASE)
    return client, client.get("/api/run").json()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def test_no_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(MissingFileError, match="`run` must be a run folder"):
            create_app(folder)


def test_a_run_without_crops_is_refused(a_run: Path) -> None:
    (a_run / "tables" / "crops.parquet").unlink()
    with pytest.raises(MissingFileError, match="cut its crops"):
        create_app(a_run)


def test_a_damaged_record_is_refused(a_run: Path) -> None:
    truncate(a_run / "run.json")
    with pytest.raises(InvalidInputError, match=r"run\.json must be JSON"):
        create_app(a_run)


@pytest.mark.parametrize("name", ["scores", "wells", "fields", "boundary"])
def test_a_truncated_table_is_named_and_the_rest_is_shown(a_run: Path, name: str) -> None:
    truncate(a_run / "tables" / f"{name}.parquet")
    client, run = described(a_run)
    assert any(f"{name}.parquet is damaged" in text for text in run["missing"])
    assert client.get("/api/plates/0").json()["wells"]
    assert client.get("/api/items/0/pixels").status_code == 200
    field = client.get("/api/items/0").json()["facts"]["field"]
    assert client.get(f"/api/fields/{field}").status_code == 200


def test_a_run_that_was_only_cut_into_crops_is_shown(a_run: Path) -> None:
    for name in ("scores", "wells", "boundary"):
        (a_run / "tables" / f"{name}.parquet").unlink()
    shutil.rmtree(a_run / "models")
    (a_run / "metrics.json").unlink()
    client, run = described(a_run)
    assert run["no_edit"] == "models/ holds no network: the run has not come so far."
    assert run["maps"] == []
    assert run["methods"] == []
    assert client.get("/api/wells/0").json()["items"]
    refused = client.get("/api/items/0/strip")
    assert refused.status_code == 422
    assert refused.json()["detail"] == run["no_edit"]


def test_a_run_of_an_older_version_says_so(a_run: Path) -> None:
    record = json.loads((a_run / "run.json").read_text())
    record["format"] = 0
    record["config"]["model"]["colour_of_the_moon"] = "blue"
    (a_run / "run.json").write_text(json.dumps(record))
    client, run = described(a_run)
    assert any("run.json is of format 0" in text for text in run["missing"])
    assert "another version" in run["no_edit"]
    assert run["classes"] == ["diseased", "healthy"]
    assert client.get("/api/items/0/pixels").status_code == 200


def test_what_the_report_withholds_is_withheld_here(a_run: Path) -> None:
    metrics = json.loads((a_run / "metrics.json").read_text())
    metrics |= {"nothing_to_explain": True, "nothing_reason": "The classes are not told apart."}
    (a_run / "metrics.json").write_text(json.dumps(metrics))
    client, run = described(a_run)
    assert run["no_edit"] == "The classes are not told apart."
    assert run["methods"] == []
    assert client.get("/api/items/0/strip").status_code == 422


def test_a_missing_network_is_not_replaced_by_one_that_saw_the_well(a_run: Path) -> None:
    import pandas as pd

    crops = pd.read_parquet(a_run / "tables" / "crops.parquet")
    lost = int(crops[(crops["fold"] == 1) & crops["usable"]]["crop"].iloc[0])
    for path in (a_run / "models").glob("fold_1.*"):
        path.unlink()
    client, _ = described(a_run)
    answer = client.get(f"/api/items/{lost}/strip")
    assert answer.status_code == 422
    assert "network of fold 1" in answer.json()["detail"]


def test_a_damaged_network_is_a_sentence(a_run: Path) -> None:
    for path in (a_run / "models").glob("*.safetensors"):
        truncate(path)
    client, _ = described(a_run)
    assert client.get("/api/items/0/strip").status_code == 422


def test_lost_pixels_leave_the_numbers(a_run: Path) -> None:
    shutil.rmtree(a_run / "crops.zarr")
    client, run = described(a_run)
    assert run["has_pixels"] is False
    assert client.get("/api/items/0").status_code == 200
    for path in ("items/0/pixels", "items/0/strip", "sheets/0.webp", "items/0/thumbnail.webp"):
        assert client.get(f"/api/{path}").status_code == 422


def test_a_run_that_cannot_be_written_to_is_served(
    a_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write to anything: the refusal of a read-only disk is played.
    import counterstain.explorer.run_cache as run_cache

    def refuse(_: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(run_cache, "atomic_path", refuse)
    client, _ = described(a_run)
    assert client.get("/api/sheets/0.webp").status_code == 200
    assert not (a_run / "explorer").exists()
