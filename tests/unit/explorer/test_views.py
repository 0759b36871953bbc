from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastapi.testclient import TestClient
from PIL import Image

from counterstain.explorer.framing import unframe
from counterstain.networks.checkpoint import load_network
from counterstain.networks.views import choose_views
from counterstain.plates.store import CropStore


def test_the_run_names_its_channels_classes_and_maps(client: TestClient) -> None:
    run = client.get("/api/run").json()
    assert run["classes"] == ["diseased", "healthy"]
    assert [c["name"] for c in run["channels"]] == ["DNA", "cytoplasm", "mitochondria"]
    assert run["no_edit"] == ""
    assert [m["name"] for m in run["maps"]] == ["boundary_0", "latents_pca", "latents_umap"]
    assert run["values"][0]["label"] == "Score (log-odds)"


def test_a_plate_holds_every_well_of_the_table_with_its_score(
    client: TestClient, finished_run: Path
) -> None:
    plate = client.get("/api/plates/0").json()
    wells = pd.read_parquet(finished_run / "tables" / "wells.parquet")
    assert (plate["rows"], plate["columns"]) == (8, 12)
    shown = {w["Metadata_Well"]: w["logit"] for w in plate["wells"]}
    assert set(shown) == set(wells["Metadata_Well"])
    for row in wells[wells["logit"].notna()].itertuples():
        assert shown[row.Metadata_Well] == row.logit
    assert client.get("/api/plates/1").status_code == 404


def test_a_well_a_field_and_a_crop_lead_to_each_other(client: TestClient) -> None:
    item = client.get("/api/items/3").json()
    well = client.get(f"/api/wells/{item['facts']['well']}").json()
    assert 3 in [c["id"] for c in well["items"]]
    field = client.get(f"/api/fields/{item['facts']['field']}").json()
    place = next(c for c in field["items"] if c["id"] == 3)
    assert (place["y"], place["x"]) == (item["facts"]["y"], item["facts"]["x"])
    assert item["place"] == [[c["id"] for c in well["items"]].index(3) + 1, len(well["items"])]


def test_pixels_are_the_stored_ones_exactly(client: TestClient, finished_run: Path) -> None:
    _, arrays = unframe(client.get("/api/items/5/pixels").content)
    with CropStore.open(finished_run / "crops.zarr") as store:
        np.testing.assert_array_equal(arrays["pixels"], store.scaled([5])[0])


def test_the_strip_is_what_the_network_says_of_the_very_images_sent(
    client: TestClient, finished_run: Path
) -> None:
    crops = pd.read_parquet(finished_run / "tables" / "crops.parquet")
    chosen = crops[(crops["class_name"] == "diseased") & crops["usable"]].iloc[0]
    facts, arrays = unframe(client.get(f"/api/items/{chosen['crop']}/strip").content)
    assert facts["fold"] == chosen["fold"]
    network, _ = load_network(finished_run / "models" / f"fold_{facts['fold']}")
    images = torch.from_numpy(arrays["images"].copy())
    with torch.no_grad():
        seen = [network.class_logits(v.of(images)) for v in choose_views(facts["views"])]
    odds = torch.stack([s[:, 1] - s[:, 0] for s in seen]).mean(0).numpy()
    np.testing.assert_allclose(arrays["log_odds"], odds, atol=1e-5)
    with CropStore.open(finished_run / "crops.zarr") as store:
        original = store.scaled([int(chosen["crop"])])[0]
    np.testing.assert_array_equal(arrays["images"][facts["original"]], original)


def test_the_strip_leads_evenly_from_one_class_across_the_boundary_to_the_other(
    client: TestClient,
) -> None:
    facts, arrays = unframe(client.get("/api/items/0/strip").content)
    odds = arrays["log_odds"]
    assert 21 <= len(odds) <= 22
    assert (np.diff(odds) > 0).all()
    assert odds[0] < 0 < odds[-1]
    assert abs(odds[facts["boundary"]]) < 0.05
    back, reverse = unframe(client.get("/api/items/0/strip?first=1&second=0").content)
    assert reverse["log_odds"][back["boundary"]] < 0.05
    assert abs(reverse["log_odds"][back["original"]] + odds[facts["original"]]) < 1e-5


def test_every_step_has_a_certified_error(client: TestClient) -> None:
    facts, arrays = unframe(client.get("/api/items/1/strip").content)
    bounds = client.get("/api/items/1/strip/bounds").json()
    assert bounds["bounds"][facts["original"]] == 0
    assert len(bounds["bounds"]) == len(arrays["log_odds"])
    within = [b <= bounds["tolerance"] for b in bounds["bounds"]]
    assert bounds["kept"] == within
    assert sum(bounds["kept"]) > 15


def test_a_class_that_is_none_is_refused(client: TestClient) -> None:
    for query in ("first=0&second=0", "first=0&second=2", "first=-1&second=1", "first=x"):
        assert client.get(f"/api/items/0/strip?{query}").status_code == 422


def test_an_attribution_map_adds_up_to_signed_numbers(client: TestClient) -> None:
    answer = client.get("/api/items/0/attribution?method=saliency&target=1")
    facts, arrays = unframe(answer.content)
    assert facts["stored"] is False
    assert arrays["values"].shape == (3, 40, 40)
    assert np.abs(arrays["values"]).max() > 0
    refused = client.get("/api/items/0/attribution?method=magic&target=1")
    assert refused.status_code == 422
    assert "`method` must be one of" in refused.json()["detail"]


def test_thumbnails_in_a_sheet_are_the_crops_in_their_order(client: TestClient) -> None:
    sheets = client.get("/api/run").json()["sheets"]
    sheet = Image.open(io.BytesIO(client.get("/api/sheets/0.webp").content)).convert("RGB")
    tile, side = sheets["tile"], sheets["side"]
    assert sheet.width == tile * side
    for item in (0, side, side + 2):
        row, column = divmod(item, side)
        part = np.asarray(sheet, float)[row * tile :, column * tile :][:tile, :tile]
        alone = client.get(f"/api/items/{item}/thumbnail.webp?size={tile}").content
        single = np.asarray(Image.open(io.BytesIO(alone)).convert("RGB"), float)
        assert np.abs(part - single).mean() < 4
    assert client.get("/api/sheets/99.webp").status_code == 404


def test_a_field_is_put_together_from_its_crops(client: TestClient) -> None:
    item = client.get("/api/items/3").json()["facts"]
    field = client.get(f"/api/fields/{item['field']}").json()
    data = client.get(f"/api/fields/{item['field']}/mosaic.webp").content
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)
    assert picture.shape[:2] == (field["facts"]["height"], field["facts"]["width"])
    y, x = round(item["y"]), round(item["x"])
    assert picture[y - 3 : y + 3, x - 3 : x + 3].max() > 90  # a nucleus
    assert client.get("/api/fields/9999/mosaic.webp").status_code == 404
