from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from counterstain.config import read_config
from counterstain.errors import InvalidInputError
from counterstain.files import digest
from counterstain.plates.simulate import PHENOTYPES, simulate_plate

CHANNELS = ("DNA", "cytoplasm", "mitochondria")
TINY: dict[str, Any] = {
    "fields_per_well": 1,
    "field_size": 96,
    "plate_format": 24,
    "control_wells": 4,
    "compounds": 4,
    "doses": 3,
}


def _truth(screen: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(screen.with_name("truth.json").read_text())
    return content


def _field(screen: Path, well: str, site: int = 1) -> np.ndarray[Any, Any]:
    stem = screen.parent / "images" / f"P1_{well}_s{site}"
    return np.stack([tifffile.imread(f"{stem}_{channel}.tif") for channel in CHANNELS])


def _digests(screen: Path) -> dict[str, str]:
    files = (item for item in screen.parent.rglob("*") if item.is_file())
    return {item.relative_to(screen.parent).as_posix(): digest(item) for item in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_plate(tmp_path_factory.mktemp("tiny") / "plate", faulty_fields=5, **TINY)


def test_screen_toml_is_valid_and_points_to_the_files(tiny: Path) -> None:
    config = read_config(tiny)
    assert config.images.channels == CHANNELS
    assert config.class_names == ("diseased", "healthy")
    assert config.crops.nucleus_channel == "DNA"
    assert config.layout.table is not None
    assert config.layout.table.is_file()


def test_every_planned_field_has_an_image_of_each_channel(tiny: Path) -> None:
    names = {item.name for item in (tiny.parent / "images").iterdir()}
    wells = pd.read_csv(tiny.with_name("platemap.csv"))["Metadata_Well"]
    assert len(wells) == 20
    assert names == {f"P1_{well}_s1_{channel}.tif" for well in wells for channel in CHANNELS}


def test_images_look_like_a_12_bit_camera(tiny: Path) -> None:
    for item in (tiny.parent / "images").iterdir():
        image = tifffile.imread(item)
        assert image.shape == (96, 96)
        assert image.dtype == np.uint16
        assert image.max() <= 4095
        assert np.percentile(image, 1) > 60


def test_plate_map_and_truth_tell_the_same(tiny: Path) -> None:
    table = pd.read_csv(tiny.with_name("platemap.csv")).set_index("Metadata_Well")
    kinds = {"diseased": "negcon", "healthy": "poscon"}
    truth = _truth(tiny)
    assert [well["well"] for well in truth["wells"]] == list(table.index)
    for well in truth["wells"]:
        row = table.loc[well["well"]]
        if well["compound"] is None:
            assert row["Metadata_control_type"] == kinds[well["class"]]
            assert row["Metadata_pert_type"] == "control"
            assert np.isnan(row["Metadata_Concentration"])
        else:
            assert row["Metadata_Compound"] == well["compound"]
            assert row["Metadata_Concentration"] == pytest.approx(well["concentration_uM"])
            assert row["Metadata_ConcentrationUnit"] == "uM"
            assert row["Metadata_pert_type"] == "trt"
            assert np.isnan(row["Metadata_control_type"])


def test_wells_hold_the_phenotype_that_their_treatment_leaves(tiny: Path) -> None:
    truth = _truth(tiny)
    disease = truth["states"]["diseased"]["mitochondria_intensity"]
    compounds = {compound["name"]: compound for compound in truth["compounds"]}
    assert sorted(compound["kind"] for compound in compounds.values()) == [
        *("full", "none", "partial", "toxic")
    ]
    for well in truth["wells"]:
        state = well["phenotype"]["mitochondria_intensity"]
        if well["class"]:
            assert well["rescue"] == (well["class"] == "healthy")
        else:
            compound = compounds[well["compound"]]
            response = 0.0
            if compound["kind"] != "none":
                ratio = compound["ec50_uM"] / well["concentration_uM"]
                response = compound["efficacy"] / (1 + ratio ** compound["hill"])
            toxic = compound["kind"] == "toxic"
            assert well["rescue"] == pytest.approx(0 if toxic else response, abs=1e-4)
            assert well["toxicity"] == pytest.approx(response if toxic else 0, abs=1e-4)
        if well["toxicity"] == 0:
            assert state == pytest.approx(disease ** (1 - well["rescue"]), rel=1e-3)


def test_planted_effect_is_named(tiny: Path) -> None:
    truth = _truth(tiny)
    assert truth["null"] is False
    assert truth["planted"] == [
        {
            "channel": "mitochondria",
            "region": "cell",
            "feature": "mean intensity",
            "direction": "down",
        }
    ]


def test_cells_table_counts_every_cell(tiny: Path) -> None:
    cells = pd.read_csv(tiny.with_name("truth_cells.csv"))
    counted = cells.groupby("Metadata_Well").size()
    for field in _truth(tiny)["fields"]:
        assert counted.get(field["well"], 0) == field["n_cells"]
    assert cells[["y", "x"]].min().min() >= 0
    assert cells[["y", "x"]].max().max() <= 96


def test_faulty_fields_are_as_planted(tiny: Path) -> None:
    truth = _truth(tiny)
    classes = {well["well"]: well["class"] for well in truth["wells"]}
    faulty = {field["well"]: field for field in truth["fields"] if field["fault"]}
    kinds = [field["fault"] for field in faulty.values()]
    assert sorted(set(kinds)) == ["debris", "empty", "out_of_focus", "saturated"]
    assert len(kinds) == 5
    spoilt = [classes[well] for well in faulty]
    assert spoilt.count("diseased") == 1
    assert spoilt.count("healthy") == 1
    for well, field in faulty.items():
        image = _field(tiny, well)
        if field["fault"] == "saturated":
            assert (image == 4095).mean() > 0.02
        if field["fault"] == "empty":
            assert field["n_cells"] == 0
            assert np.percentile(image, 95) < 200
        if field["fault"] == "debris":
            assert (image.min(axis=0) > 1000).mean() > 0.005


def test_out_of_focus_field_has_lost_its_detail(tmp_path: Path) -> None:
    small = {**TINY, "compounds": 2, "doses": 2}
    sharp = simulate_plate(tmp_path / "sharp", faulty_fields=0, **small)
    faulty = simulate_plate(tmp_path / "faulty", faulty_fields=1, **small)
    field = next(field for field in _truth(faulty)["fields"] if field["fault"])
    assert field["fault"] == "out_of_focus"
    assert field["fault_parameters"]["blur_px"] > 4
    before, after = (_field(screen, field["well"])[0].astype(float) for screen in (sharp, faulty))
    assert np.ptp(after) < 0.7 * np.ptp(before)
    assert after.mean() == pytest.approx(before.mean(), rel=0.15)


def test_same_seed_same_files_other_seed_others(tmp_path: Path) -> None:
    small = {**TINY, "control_wells": 2, "compounds": 1, "doses": 2}
    first = _digests(simulate_plate(tmp_path / "a", seed=7, **small))
    again = _digests(simulate_plate(tmp_path / "b", seed=7, **small))
    other = _digests(simulate_plate(tmp_path / "c", seed=8, **small))
    assert first == again
    images = first.keys() & other.keys() - {"screen.toml"}
    assert images
    assert not [name for name in images if first[name] == other[name]]


def test_null_plate_has_the_same_cells_without_the_disease(tmp_path: Path) -> None:
    small = {**TINY, "control_wells": 2, "compounds": 0}
    ill = simulate_plate(tmp_path / "ill", **small)
    null = simulate_plate(tmp_path / "null", phenotype="none", **small)
    truth = _truth(null)
    assert truth["null"] is True
    assert truth["planted"] == []
    for well in truth["wells"]:
        assert well["phenotype"] == truth["states"]["healthy"]
        same = _field(ill, well["well"]) == _field(null, well["well"])
        assert same[:2].all()
        assert same[2].all() == (well["class"] == "healthy")


def test_several_plates_hold_the_same_compounds_elsewhere(tmp_path: Path) -> None:
    screen = simulate_plate(tmp_path / "out", plates=2, **{**TINY, "field_size": 48})
    table = pd.read_csv(screen.with_name("platemap.csv"))
    treated = table[table["Metadata_pert_type"] == "trt"]
    keys = ["Metadata_Compound", "Metadata_Concentration"]
    first, second = (
        part.set_index(keys)["Metadata_Well"].sort_index()
        for _, part in treated.groupby("Metadata_Plate")
    )
    assert first.index.equals(second.index)
    assert (first != second).any()
    assert len(_truth(screen)["plates"]) == 2


def test_progress_is_told_of_every_field(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    small = {**TINY, "control_wells": 1, "compounds": 0, "fields_per_well": 2}
    simulate_plate(tmp_path / "out", progress=lambda *at: seen.append(at), **small)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"phenotype": "mitochondria_dwon"}, "did you mean 'mitochondria_down'"),
        ({"phenotype": "x"}, "choose one of none"),
        ({"plate_format": 100}, "`plate_format` must be one of 6, 12"),
        ({"compounds": 12, "doses": 6}, "need 80"),
        ({"seed": -1}, "`seed` must be a whole number of at least 0"),
        ({"field_size": 20}, "`field_size` must be a whole number of at least 48"),
        ({"fields_per_well": 0}, "`fields_per_well`"),
        ({"control_wells": 0}, "`control_wells`"),
        ({"doses": 1.5}, "`doses` must be a whole number"),
        ({"faulty_fields": -1}, "`faulty_fields` must be at least 0"),
        ({"faulty_fields": 99}, "`faulty_fields` must be at most 14"),
        ({"background_tilt": 2.0}, r"`background_tilt` must lie in \[0, 1\]"),
    ],
)
def test_bad_arguments_are_named(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        simulate_plate(tmp_path / "out", **{**TINY, **arguments})
    assert not list(tmp_path.iterdir())


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        simulate_plate(tmp_path / "out", seed=-1, field_size=1, plate_gradient=-1.0)
    assert len(caught.value.problems) == 3


def test_folder_with_files_and_plain_file_are_refused(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("mine")
    with pytest.raises(InvalidInputError, match="holds files already"):
        simulate_plate(tmp_path, **TINY)
    with pytest.raises(InvalidInputError, match="is a file"):
        simulate_plate(note, **TINY)
    assert note.read_text() == "mine"


def test_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_plate(tmp_path / "out", progress=stop, **TINY)
    assert not list(tmp_path.iterdir())


def test_registry_holds_what_the_benchmark_needs() -> None:
    assert len(PHENOTYPES) >= 14
    for channel in ("dna", "cytoplasm", "mitochondria"):
        assert {f"{channel}_up", f"{channel}_down"} <= PHENOTYPES.keys()
    assert all(bool(item.planted) == (name != "none") for name, item in PHENOTYPES.items())


def test_package_is_lazy() -> None:
    code = (
        "import sys, counterstain.plates.simulate as s; "
        "assert not {'tifffile', 'scipy'} & set(sys.modules); s.simulate_plate"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
