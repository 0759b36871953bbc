"""A co-culture in the explorer: from the plate to the map of its patches, in a real browser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterstain.plates.screen import read_screen
from counterstain.plates.simulate.coculture import simulate_coculture
from counterstain.run_folder import RunFolder
from counterstain.stages.overlap import measure_overlap, read_overlap
from counterstain.stages.progress import Silent
from counterstain.stages.record import open_run

Serve = Callable[[Path], contextlib.AbstractContextManager[str]]
MAP = "#/map?map=umap_plain&by=Metadata_Stimulation"
STATES = ("#/plate/0", "#/well/0", "#/field/0", "#/cell/0", MAP, "#/treatments")
SECTION = "\n[overlap]\npatch = 64\npatches_per_field = 9\nstored_patches = 300\n"


@pytest.fixture(scope="module")
def coculture(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A measured plate; places on the map are made up, as no network is trained here."""
    del browser
    base = tmp_path_factory.mktemp("coculture")
    path = simulate_coculture(
        base / "P", seed=4, fields_per_well=1, field_size=192, control_wells=3, drugs=1, doses=1,
        replicates=1, plate_format=24, faulty_fields=1,
    )  # fmt: skip
    path.write_text(path.read_text() + SECTION)
    screen, folder = read_screen(path), RunFolder(base / "RUN")
    record = open_run(screen, folder, resume=False)
    for stage in (measure_overlap, read_overlap):
        stage(screen, folder, record, Silent())
    patches = pd.read_parquet(folder.table("overlap_patches"))
    kept = patches[patches["patch"] >= 0]
    places = np.random.default_rng(0).normal(size=(4, len(kept))).astype(np.float32)
    names = ("pc1_plain", "pc2_plain", "umap1_plain", "umap2_plain")
    kept = kept.assign(part="test", **dict(zip(names, places, strict=True)))
    kept.to_parquet(folder.table("overlap_latents"), index=False)
    return folder.root


@pytest.fixture(scope="module")
def address(coculture: Path, serve: Serve) -> Iterator[str]:
    with serve(coculture) as found:
        yield found


def go(page: Any, address: str, state: str) -> None:
    page.goto(f"{address}{state}")
    page.wait_for_selector("main[aria-busy='false']")


@pytest.mark.parametrize("page", [1440, 390], indirect=True)
@pytest.mark.parametrize("state", STATES)
def test_every_view_is_there_and_accessible(
    page: Any, address: str, state: str, violations: Callable[[Any], list[Any]]
) -> None:
    go(page, address, state)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def test_a_patch_shows_its_overlap_and_no_slider(page: Any, address: str, coculture: Path) -> None:
    patches = pd.read_parquet(coculture / "tables" / "overlap_patches.parquet")
    one = patches[(patches["patch"] >= 0) & (patches["iou"] > 0)].iloc[0]
    go(page, address, f"#/cell/{one['patch']}")
    text = page.locator("main").inner_text()
    assert f"{one['iou']:.2f}" in text
    assert page.locator("#slider").count() == 0


def test_points_grow_with_overlap_on_the_map(page: Any, address: str) -> None:
    go(page, address, MAP)
    page.wait_for_function("() => document.querySelector('.points')")
    options = page.locator("main select option").all_inner_texts()
    assert any("Overlap" in text for text in options)
    assert "There is no ranking" not in page.locator("main").inner_text()
    go(page, address, "#/treatments")
    assert "There is no ranking to show." in page.locator("main").inner_text()
