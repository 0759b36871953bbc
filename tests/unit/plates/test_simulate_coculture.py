from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from counterstain.errors import InvalidInputError
from counterstain.plates.screen import inspect_screen
from counterstain.plates.simulate.coculture import simulate_coculture
from counterstain.plates.simulate.coculture_cells import draw_coculture
from counterstain.plates.simulate.coculture_design import lay_out_coculture
from counterstain.plates.simulate.coculture_field import draw_coculture_field
from counterstain.plates.simulate.coculture_settings import CocultureSettings
from counterstain.plates.simulate.design import draw_compounds

SMALL = {
    "fields_per_well": 1,
    "field_size": 128,
    "plate_format": 24,
    "control_wells": 2,
    "drugs": 2,
    "doses": 1,
    "replicates": 1,
}


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_coculture(tmp_path_factory.mktemp("coculture") / "plate", **SMALL).parent  # type: ignore[arg-type]


def test_the_plate_reads_as_a_screen(plate: Path) -> None:
    screen, errors = inspect_screen(plate / "screen.toml")
    assert errors == ()
    assert screen is not None
    assert screen.class_names == ("unstimulated", "OVA", "ConA")
    assert (screen.wells["class_name"].value_counts()[list(screen.class_names)] == 2).all()
    assert len(screen.fields) == 12
    assert screen.fields["readable"].all()


def test_files_are_named_as_by_the_microscope(plate: Path) -> None:
    truth = json.loads((plate / "truth.json").read_text())
    well = truth["fields"][0]["well"]
    name = f"CK01 - {well[0]} - {well[1:]}(fld 1 wv TexasRed - TexasRed).tif"
    pixels = tifffile.imread(plate / "images" / name)
    assert pixels.dtype == np.uint16
    assert pixels.shape == (128, 128)
    assert max(tifffile.imread(p).max() for p in (plate / "images").iterdir()) <= 4095


def test_the_truth_agrees_with_its_masks(plate: Path) -> None:
    truth = json.loads((plate / "truth.json").read_text())
    cells = pd.read_csv(plate / "truth_cells.csv")
    for field in truth["fields"]:
        labels = tifffile.imread(plate / "truth_masks" / f"CK01_{field['well']}_s1.tif")
        t, dendritic = labels > 0
        assert field["t_area_px"] == t.sum()
        if (t | dendritic).any():
            assert field["iou"] == pytest.approx(
                (t & dendritic).sum() / (t | dendritic).sum(), abs=1e-4
            )
        rows = cells[cells["Metadata_Well"] == field["well"]]
        assert rows["area_px"].sum() == (labels > 0).sum()
        assert (rows["kind"] == "T cell").sum() == field["n_t"] == len(np.unique(labels[0])) - 1
        bound = rows[rows["bound_to"] > 0]
        assert len(bound) == field["n_t_bound"]


def test_the_same_seed_gives_the_same_files(plate: Path, tmp_path: Path) -> None:
    again = simulate_coculture(tmp_path / "plate", **SMALL).parent  # type: ignore[arg-type]
    for path in sorted(plate.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(plate)).read_bytes()


def test_bound_cells_follow_the_rate_and_not_the_crowding() -> None:
    for rate in (0.1, 0.6):
        for density in (0.5, 2.0):
            drawn = [
                draw_coculture(
                    np.random.default_rng(seed), size=320, contact_rate=rate, density=density
                )
                for seed in range(12)
            ]
            bound = np.concatenate([cells.partner >= 0 for cells in drawn])
            assert bound.mean() == pytest.approx(rate, abs=0.07)


def test_bound_cells_lie_over_their_partner() -> None:
    drawn = draw_coculture_field(np.random.default_rng(4), contact_rate=1.0, size=320)
    t, dendritic = drawn.labels
    shares = [
        np.mean(dendritic[t == k + 1] > 0)
        for k in np.flatnonzero(drawn.cells.partner >= 0)
        if (t == k + 1).sum() > 60
    ]
    assert np.mean(shares) == pytest.approx(0.55, abs=0.1)
    assert np.mean(np.array(shares) > 0) > 0.95


def test_faults_are_drawn_and_written_down(tmp_path: Path) -> None:
    screen = simulate_coculture(
        tmp_path / "plate",
        **SMALL | {"faulty_fields": 4, "faulty_patches": 1.0},  # type: ignore[arg-type]
    )
    fields = json.loads(screen.with_name("truth.json").read_text())["fields"]
    faults = [field["fault"] for field in fields if field["fault"]]
    assert sorted(faults) == ["debris", "empty", "out_of_focus", "saturated"]
    kinds = {field["faulty_patch"]["kind"] for field in fields if field["faulty_patch"]}
    assert kinds == {"bare", "debris"}
    assert all(bool(field["fault"]) != bool(field["faulty_patch"]) for field in fields)


def test_a_bare_patch_has_no_cell() -> None:
    for seed in range(20):
        drawn = draw_coculture_field(
            np.random.default_rng(seed), contact_rate=0.3, size=256, density=2, faulty_patch=True
        )
        patch = drawn.faulty_patch
        assert patch is not None
        if patch.kind == "bare":
            y, x = np.mgrid[:256, :256]
            inside = np.hypot(y - patch.y, x - patch.x) < patch.radius - 28
            assert not drawn.labels[:, inside].any()
            return
    pytest.fail("no bare patch in 20 fields")


def test_drugs_undo_contact_or_kill() -> None:
    settings = CocultureSettings(drugs=12, doses=2, replicates=1, control_wells=4)
    drugs = draw_compounds(12, np.random.default_rng(0))
    wells = lay_out_coculture(settings, drugs, np.random.default_rng(1))
    assert len(wells) == 3 * (4 + 24)
    assert len({well.well for well in wells}) == len(wells)
    for well in wells:
        planted = settings.contact_rates[well.stimulation]
        if well.compound is None or well.compound.kind in ("none", "toxic"):
            assert well.contact_rate == planted
        else:
            assert well.contact_rate < planted
        assert (well.survival < 1) == (well.compound is not None and well.compound.kind == "toxic")


def test_other_stimulations_can_be_planted(tmp_path: Path) -> None:
    rates = {"none": 0.1, "peptide": 0.5}
    screen = simulate_coculture(tmp_path / "plate", contact_rates=rates, **SMALL)  # type: ignore[arg-type]
    plate_map = pd.read_csv(screen.with_name("platemap.csv"))
    assert set(plate_map["Metadata_Stimulation"]) == {"none", "peptide"}
    solvent = plate_map[plate_map["Metadata_Compound"] == "DMSO"]
    kinds = solvent.groupby("Metadata_Stimulation")["Metadata_control_type"].unique()
    assert [kinds["none"][0], kinds["peptide"][0]] == ["negcon", "poscon"]


def test_bad_arguments_are_all_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        simulate_coculture(
            tmp_path / "plate",
            field_size=10,
            gathering=2,
            crowding_sd=-1,
            contact_rates={"a b": 0.5, "c": 1.5},
        )
    assert len(caught.value.problems) == 5
    assert not (tmp_path / "plate").exists()
    with pytest.raises(InvalidInputError, match="too few wells"):
        simulate_coculture(tmp_path / "plate", plate_format=96)
    with pytest.raises(InvalidInputError, match="at most 12"):
        simulate_coculture(tmp_path / "plate", faulty_fields=13, **SMALL)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="96 pixels"):
        draw_coculture_field(np.random.default_rng(0), contact_rate=0.5, size=64)


def test_a_folder_that_holds_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match="holds files already"):
        simulate_coculture(tmp_path, **SMALL)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="is a file"):
        simulate_coculture(tmp_path / "notes.txt", **SMALL)  # type: ignore[arg-type]
