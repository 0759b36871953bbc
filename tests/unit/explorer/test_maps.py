from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from scipy import stats

from counterstain.explorer import create_app
from counterstain.explorer.framing import unframe
from counterstain.explorer.selections import _compare, inside_polygon
from counterstain.plates.store import CropStore

BASE = "http://127.0.0.1:8765"


def ask(client: TestClient, path: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    for _ in range(600):
        answer = client.get(path)
        if answer.status_code != 202:
            assert answer.status_code == 200, answer.text
            return unframe(answer.content)
        time.sleep(0.1)
    raise AssertionError("the map was never ready")


def test_the_decision_map_is_the_table_of_the_run(client: TestClient, finished_run: Path) -> None:
    facts, arrays = ask(client, "/api/map?name=boundary_0")
    table = pd.read_parquet(finished_run / "tables" / "boundary.parquet").set_index("crop")
    assert facts["n"] == len(table)
    np.testing.assert_allclose(arrays["x"], table.loc[arrays["item"], "log_odds"], rtol=1e-6)
    names = next(c for c in facts["columns"] if c["name"] == "class_name")["levels"]
    shown = np.array(names)[arrays["class_name"]]
    assert (shown == table.loc[arrays["item"], "class_name"]).all()


def test_latents_of_all_crops_are_looked_at_once_and_kept_in_the_run(a_run: Path) -> None:
    with TestClient(create_app(a_run), base_url=BASE) as client:
        facts, first = ask(client, "/api/map?name=latents_pca")
    assert facts["n"] == facts["n_all"]
    kept = a_run / "explorer" / "map_pca.npz"
    before = kept.stat().st_mtime_ns
    with TestClient(create_app(a_run), base_url=BASE) as client:
        _, again = ask(client, "/api/map?name=latents_pca")
    np.testing.assert_array_equal(first["x"], again["x"])
    assert kept.stat().st_mtime_ns == before
    assert first["x"].std() >= first["y"].std() > 0  # the first component varies most


def test_what_was_kept_for_another_state_of_the_run_is_not_used(a_run: Path) -> None:
    import json

    with TestClient(create_app(a_run), base_url=BASE) as client:
        assert client.get("/api/sheets/0.webp").status_code == 200
    kept = a_run / "explorer" / "crops_000.webp"
    assert kept.is_file()
    record = json.loads((a_run / "run.json").read_text())
    record["stages"]["crops"]["seconds"] += 1
    (a_run / "run.json").write_text(json.dumps(record))
    create_app(a_run)
    assert not kept.is_file()


def test_a_lasso_catches_what_lies_inside_and_compares_it_by_well(
    client: TestClient, finished_run: Path
) -> None:
    facts, _ = ask(client, "/api/selection?name=boundary_0&polygon=0,-99,99,-99,99,99,0,99")
    table = pd.read_parquet(finished_run / "tables" / "boundary.parquet")
    inside = table[table["log_odds"] > 0]
    assert facts["n"] == len(inside)
    assert set(facts["items"]) <= set(inside["crop"])
    assert facts["n_wells"] == inside["Metadata_Well"].nunique()
    with CropStore.open(finished_run / "crops.zarr") as store:
        means = store.scaled(table["crop"].to_numpy()).mean((2, 3))
    wells = table.assign(chosen=table["log_odds"] > 0, value=means[:, 2].astype(float))
    by_well = wells.groupby(["Metadata_Well", "chosen"])["value"].mean().unstack().dropna()
    shown = next(c for c in facts["channels"] if c["channel"] == "mitochondria")
    if len(by_well) >= 3:
        assert shown["difference"] == pytest.approx((by_well[True] - by_well[False]).mean())
    else:
        assert shown["how"].endswith("wells")


def test_the_well_is_the_unit_of_a_comparison() -> None:
    # Hand-made: wells 0 to 3 hold both; a thousand cells of well 0 must not outweigh the others.
    wells = np.repeat([0, 0, 1, 1, 2, 2, 3, 3], [1000, 1, 1, 1, 1, 1, 1, 1])
    chosen = np.repeat([True, False] * 4, [1000, 1, 1, 1, 1, 1, 1, 1])
    values = np.repeat([5.0, 1.0, 2.0, 1.0, 2.0, 1.0, 3.0, 1.0], [1000, 1, 1, 1, 1, 1, 1, 1])
    found = _compare(values.astype(np.float32), wells, chosen, ~chosen)
    change = np.array([4.0, 1.0, 1.0, 2.0])
    half = stats.t.ppf(0.975, 3) * change.std(ddof=1) / 2
    assert found["difference"] == pytest.approx(2.0)
    assert found["low"] == pytest.approx(2 - half)
    assert found["how"] == "within 4 wells that have both"
    apart = _compare(values.astype(np.float32), wells, wells < 1, wells > 2)
    assert apart["difference"] is None
    assert apart["how"] == "too few wells"


def test_a_polygon_with_a_notch_leaves_the_notch_out() -> None:
    notch = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], float)
    x, y = np.array([2.0, 0.5, 2.0]), np.array([3.0, 2.0, 0.5])
    assert inside_polygon(x, y, notch).tolist() == [False, True, True]


@pytest.mark.parametrize(
    "polygon", ["", "1,2", "0,0,1,1", "a,b,c,d,e,f", "nan,0,1,1,2,2", "1," * 500 + "1"]
)
def test_a_bad_polygon_is_refused(client: TestClient, polygon: str) -> None:
    for _ in range(100):
        answer = client.get("/api/selection", params={"name": "boundary_0", "polygon": polygon})
        if answer.status_code != 202:
            break
        time.sleep(0.1)
    assert answer.status_code == 422
    assert "polygon" in str(answer.json()["detail"])


def test_an_unknown_map_is_refused(client: TestClient) -> None:
    assert client.get("/api/map?name=../run.json").status_code == 422


def test_treatments_are_shown_with_their_wells_where_the_run_has_them(
    a_run: Path, treatments: Callable[[Path], None]
) -> None:
    assert (
        "treatments.parquet is not there"
        in TestClient(create_app(a_run), base_url=BASE).get("/api/treatments").json()["reason"]
    )
    treatments(a_run)
    client = TestClient(create_app(a_run), base_url=BASE)
    table = client.get("/api/treatments").json()
    assert table["columns"][0] == "rank"
    assert table["unit"] == ""  # this run holds no numbers of a ranking
    first = table["rows"][0]
    well = client.get(f"/api/wells/{first['wells'][0]}").json()
    assert well["facts"]["Metadata_Compound"] == first["Metadata_Compound"]
    assert well["facts"]["Metadata_Concentration"] == first["Metadata_Concentration"]
