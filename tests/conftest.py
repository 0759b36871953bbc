"""A small finished run, made once by the stages themselves, and shared by the explorer's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from counterstain.plates import read_screen, simulate_plate
from counterstain.plates.store import CropStore
from counterstain.plates.writer import write_crops
from counterstain.run_folder import RunFolder
from counterstain.stages.boundary import map_boundary
from counterstain.stages.progress import Silent
from counterstain.stages.record import open_run
from counterstain.stages.score import score_plate
from counterstain.stages.summarise import summarise_scores
from counterstain.stages.train import train_networks

HOSTILE = "<script>document.title='broken'</script>"


def _small_screen(folder: Path) -> Path:
    screen = simulate_plate(
        folder,
        seed=3,
        phenotype="mitochondria_down",
        fields_per_well=1,
        field_size=192,
        control_wells=7,
        compounds=1,
        doses=2,
        faulty_fields=1,
    )
    text = screen.read_text(encoding="utf-8")
    for old, new in (
        ("folds = 3", "folds = 2"),
        ("hidden = 64", "hidden = 16"),
        ("blocks = 6", "blocks = 2"),
        ("steps = 220", "steps = 60\nminibatch = 16"),
    ):
        assert old in text
        text = text.replace(old, new)
    screen.write_text(text, encoding="utf-8")
    platemap = folder / "platemap.csv"
    table = pd.read_csv(platemap)
    assert (table["Metadata_Compound"] == "C01").any()
    table["Metadata_Compound"] = table["Metadata_Compound"].replace("C01", HOSTILE)
    table.to_csv(platemap, index=False)
    return screen


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops, two small trained networks, scores, wells and the boundary; not to be written to."""
    base = tmp_path_factory.mktemp("small")
    screen = read_screen(_small_screen(base / "P"))
    folder = RunFolder(base / "RUN")
    record = open_run(screen, folder, resume=False)
    with record.stage("crops"):
        write_crops(screen, folder)
    crops = pd.read_parquet(folder.table("crops"))
    with CropStore.open(folder.crops) as store:
        with record.stage("train"):
            train_networks(screen.config, folder, crops, store, record, Silent())
        with record.stage("score"):
            score_plate(screen.config, folder, crops, store, Silent())
            summarise_scores(screen, folder, crops, record)
        with record.stage("explain"):
            map_boundary(screen.config, folder, crops, store, Silent())
    return folder.root


@pytest.fixture
def a_run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the small run, to be written to or damaged."""
    return Path(shutil.copytree(finished_run, tmp_path / "RUN"))


@pytest.fixture
def treatments() -> Callable[[Path], None]:
    """Write a table of treatments with the columns that the ranking writes."""

    def write(run: Path) -> None:
        wells = pd.read_parquet(run / "tables" / "wells.parquet")
        doses = wells[wells["class_name"].fillna("") == ""]
        doses = doses.drop_duplicates(["Metadata_Compound", "Metadata_Concentration"])
        table = doses[["Metadata_Compound", "Metadata_Concentration"]].reset_index(drop=True)
        n = len(table)
        table = table.assign(
            rank=range(1, n + 1),
            call=["rescue"] + ["none"] * (n - 1),
            rescue=[0.9 - 0.3 * k for k in range(n)],
            rescue_low=0.1,
            rescue_high=1.0,
            q_value=0.01,
            side_effect=[0.2 * k for k in range(n)],
            n_wells=2,
        )
        table.to_parquet(run / "tables" / "treatments.parquet", index=False)

    return write
