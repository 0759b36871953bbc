"""The main job with more classes, whole fields, two plates, and a network without an inverse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from counterstain.cli.app import call

SMALL = "steps = 80\nhidden = 16\nblocks = 2\nminibatch = 24"
RESNEXT = """network = "resnext50"
pretrained = false
steps = 12
minibatch = 16
learning_rate = 5e-4"""
COMPACT = """network = "compact"
hidden = 8
steps = 40
minibatch = 16"""
LEVELS = {"low": 0.5, "middle": 1.5, "high": 4.0}


def draw(generator: np.random.Generator, level: float) -> np.ndarray:
    """Return a field (2, 64, 64) of nine nuclei whose surroundings glow by `level`."""
    places = np.zeros((64, 64))
    centres = np.stack(np.meshgrid((12, 32, 52), (12, 32, 52))).reshape(2, -1)
    places[tuple(centres + generator.integers(-2, 3, centres.shape))] = 1
    nuclei = ndimage.gaussian_filter(places, 2.5)
    cells = ndimage.gaussian_filter(places, 5)
    light = np.stack([nuclei / nuclei.max() * 900, level * cells / cells.max() * 300]) + 100
    return generator.poisson(light).astype(np.uint16)


def fabricate(folder: Path, *, plates: int = 1, classes: int = 3, **settings: str) -> Path:
    """Draw a screen of four wells a class and plate, one field each."""
    generator = np.random.default_rng(0)
    names, rows = list(LEVELS)[:classes], []
    (folder / "images").mkdir(parents=True)
    for plate in range(plates):
        for index, name in enumerate(names):
            for column in range(4):
                well = f"{'ABC'[index]}{column + 1:02d}"
                field = draw(generator, LEVELS[name])
                tifffile.imwrite(folder / "images" / f"P{plate}_{well}.tif", field)
                rows.append(
                    {"Metadata_Plate": f"P{plate}", "Metadata_Well": well, "Metadata_G": name}
                )
    pd.DataFrame(rows).to_csv(folder / "map.csv", index=False)
    rules = "\n".join(f'{name} = {{ Metadata_G = "{name}" }}' for name in names)
    text = f"""
[images]
root = "images"
pattern = "{{plate}}_{{well}}.tif"
channels = ["DNA", "GFP"]
[layout]
table = "map.csv"
[classes]
{rules}
[crops]
size = 16
{settings.get("crops", "")}
[split]
folds = 2
[model]
{settings.get("model", SMALL)}
"""
    (folder / "screen.toml").write_text(text, encoding="utf-8")
    return folder / "screen.toml"


def run(screen: Path, out: Path) -> dict:
    assert call(["run", str(screen), "--out", str(out)]) == 0
    assert (out / "report" / "index.html").is_file()
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def test_three_classes_with_counterfactuals_between_all_of_them(tmp_path: Path) -> None:
    metrics = run(fabricate(tmp_path / "plate"), tmp_path / "RUN")
    assert metrics["accuracy"]["well"]["value"] >= 0.9
    assert metrics["oracle"]["channel"] == "GFP"
    assert set(metrics["oracle"]["flip"]) == {"0->1", "0->2", "1->0", "1->2", "2->0", "2->1"}
    assert metrics["separation"] == {}
    scores = pd.read_parquet(tmp_path / "RUN" / "tables" / "scores.parquet")
    columns = [f"prob_{name}" for name in LEVELS]
    np.testing.assert_allclose(scores[columns].sum(axis=1), 1, atol=1e-9)
    assert {f"logit_{name}" for name in LEVELS} <= set(scores.columns)
    assert len(metrics["calibration"]["temperatures"]) == 2
    assert metrics["calibration"]["expected_calibration_error"]["n_wells"] == 12
    assert set(metrics["hierarchy"]["order"]) == set(LEVELS)
    assert metrics["z_prime_pairs"][0][2]["value"] == metrics["z_prime_pairs"][2][0]["value"]
    assert metrics["axes"]["classes"] == list(LEVELS)
    assert metrics["axes"]["verdict"] in {"along", "elsewhere", "undecided", "undefined"}
    page = (tmp_path / "RUN" / "report" / "index.html").read_text(encoding="utf-8")
    for figure in ("class_tree", "z_prime_pairs", "reliability"):
        assert (tmp_path / "RUN" / "figures" / f"{figure}.png").is_file()
    assert "noise alone" in page


def test_scores_are_calibrated_by_the_temperature_in_the_recipe(tmp_path: Path) -> None:
    screen = fabricate(tmp_path / "plate", classes=2, model=COMPACT)
    metrics = run(screen, tmp_path / "RUN")
    assert metrics["accuracy"]["well"]["value"] >= 0.75
    assert metrics["training"]["network"] == "compact"
    scores = pd.read_parquet(tmp_path / "RUN" / "tables" / "scores.parquet")
    for fold in (0, 1):
        recipe = json.loads((tmp_path / "RUN" / "models" / f"fold_{fold}.json").read_text())
        found = recipe["metadata"]["temperature"]
        assert found["value"] == metrics["calibration"]["temperatures"][fold]
        # Two folds: the temperature of one is fitted on the crops of the other.
        assert found["n_crops"] == ((scores["fold"] == 1 - fold) & scores["usable"]).sum()
        own = scores[scores["fold"] == fold]
        expected = 1 / (1 + np.exp(-own["logit"] / found["value"]))
        np.testing.assert_allclose(own["prob_middle"], expected, atol=1e-9)


def test_a_class_of_one_well_is_marked_and_the_rest_goes_on(tmp_path: Path) -> None:
    screen = fabricate(tmp_path / "plate")
    table = pd.read_csv(tmp_path / "plate" / "map.csv")
    table.loc[
        (table["Metadata_G"] == "middle") & (table["Metadata_Well"] != "B01"), "Metadata_G"
    ] = ""
    table.to_csv(tmp_path / "plate" / "map.csv", index=False)
    metrics = run(screen, tmp_path / "RUN")
    record = json.loads((tmp_path / "RUN" / "run.json").read_text(encoding="utf-8"))
    assert any("'middle' is in one value of Metadata_Well" in note for note in record["notes"])
    assert metrics["n_wells"] == {"low": 4, "middle": 1, "high": 4}
    assert metrics["z_prime_pairs"][0][1]["value"] is None
    assert "middle has 1" in metrics["z_prime_pairs"][0][1]["reason"]
    assert metrics["z_prime_pairs"][0][2]["value"] is not None
    assert "middle has" in metrics["axes"]["reason"]


def test_calibration_can_be_left_out(tmp_path: Path) -> None:
    screen = fabricate(tmp_path / "plate", classes=2, model=COMPACT + "\ncalibrate = false")
    metrics = run(screen, tmp_path / "RUN")
    assert metrics["calibration"]["temperatures"] == [None, None]
    scores = pd.read_parquet(tmp_path / "RUN" / "tables" / "scores.parquet")
    expected = 1 / (1 + np.exp(-scores["logit"]))
    np.testing.assert_allclose(scores["prob_middle"], expected, atol=1e-9)


def test_two_plates_are_held_out_as_plates(tmp_path: Path) -> None:
    run(fabricate(tmp_path / "plate", plates=2, classes=2), tmp_path / "RUN")
    crops = pd.read_parquet(tmp_path / "RUN" / "tables" / "crops.parquet")
    assert (crops.groupby("Metadata_Plate")["fold"].nunique() == 1).all()
    record = json.loads((tmp_path / "RUN" / "run.json").read_text(encoding="utf-8"))
    assert any("Metadata_Plate" in note for note in record["notes"])


def test_whole_fields_can_be_the_crops(tmp_path: Path) -> None:
    screen = fabricate(tmp_path / "plate", classes=2, crops='kind = "fields"')
    run(screen, tmp_path / "RUN")
    crops = pd.read_parquet(tmp_path / "RUN" / "tables" / "crops.parquet")
    assert len(crops) == 8


def test_resnext_scores_and_says_that_it_has_no_counterfactuals(tmp_path: Path) -> None:
    screen = fabricate(tmp_path / "plate", classes=2, crops='kind = "tiles"', model=RESNEXT)
    metrics = run(screen, tmp_path / "RUN")
    assert metrics["training"]["network"] == "resnext50"
    assert metrics["training"]["pretrained"] == "from scratch, as asked"
    assert metrics["oracle"] is None
    assert metrics["no_counterfactuals"]
    assert call(["explain", str(screen), "--out", str(tmp_path / "RUN")]) == 0


@pytest.mark.parametrize("size", [20, 36])
def test_a_crop_size_that_the_network_refuses_is_said_before_any_work(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = fabricate(tmp_path / "plate", classes=2)
    screen.write_text(screen.read_text().replace("size = 16", f"size = {size}"))
    assert call(["run", str(screen), "--out", str(tmp_path / "RUN")]) == 2
    assert "multiple of 8" in capsys.readouterr().err
    assert not (tmp_path / "RUN").exists()
