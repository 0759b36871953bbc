"""`counterstain overlap` from images to report, on a small co-culture with a planted contact."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from counterstain.cli.app import call
from counterstain.plates.simulate.coculture import simulate_coculture

SECTION = """
[overlap]
patch = 64
patches_per_field = 9
stored_patches = 200
latents = 4
budget = "6 s"
"""
TABLES = ("overlap", "overlap_patches", "overlap_wells", "overlap_treatments", "overlap_latents")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    screen = simulate_coculture(
        tmp_path_factory.mktemp("plate") / "p",
        seed=3,
        fields_per_well=1,
        field_size=192,
        control_wells=4,
        drugs=1,
        doses=1,
        replicates=1,
        plate_format=24,
        faulty_fields=0,
    )
    screen.write_text(screen.read_text() + SECTION)
    out = tmp_path_factory.mktemp("out") / "run"
    assert call(["overlap", str(screen), "--out", str(out)]) == 0
    (out / "screen_path.txt").write_text(str(screen))
    return out


@pytest.mark.slow
def test_everything_that_was_asked_for_is_there(finished: Path) -> None:
    for name in TABLES:
        assert len(pd.read_parquet(finished / "tables" / f"{name}.parquet"))
    found = json.loads((finished / "metrics.json").read_text())["overlap"]
    assert {"latent_space", "regressor", "classifier", "groups", "interaction"} <= set(found)
    for part in ("latent_space", "regressor", "classifier"):
        assert set(found[part]) == {"plain", "masked"}, found[part]
    assert len(list((finished / "models").glob("overlap_*.safetensors"))) == 6
    assert (finished / "explorer" / "patches_000.webp").stat().st_size > 1000


@pytest.mark.slow
def test_planted_contact_comes_out_in_its_order(finished: Path) -> None:
    groups = json.loads((finished / "metrics.json").read_text())["overlap"]["groups"]
    means = [group["iou"]["value"] for group in groups]
    assert means == sorted(means)
    assert means[-1] > 3 * means[0]


@pytest.mark.slow
def test_the_page_answers_and_needs_no_network(finished: Path) -> None:
    page = (finished / "report" / "index.html").read_text()
    assert "Cells that touch" in page
    assert "ConA" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="http' not in page


@pytest.mark.slow
def test_resume_changes_nothing(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    screen = (finished / "screen_path.txt").read_text()
    before = (finished / "tables" / "overlap_latents.parquet").read_bytes()
    assert call(["overlap", screen, "--out", str(finished), "--resume"]) == 0
    assert "overlap_learning: done before." in capsys.readouterr().out
    assert (finished / "tables" / "overlap_latents.parquet").read_bytes() == before
