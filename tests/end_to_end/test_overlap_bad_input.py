"""Bad input of `counterstain overlap`: exit code 2, one clear sentence, nothing half written."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from counterstain.cli.app import call
from counterstain.plates.simulate.coculture import simulate_coculture

SECTION = (
    "\n[quality]\nmin_cells = 1\n[overlap]\nlearning = false\npatch = 32\npatches_per_field = 4\n"
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = simulate_coculture(
        tmp_path_factory.mktemp("drawn") / "p",
        fields_per_well=1,
        field_size=128,
        control_wells=2,
        drugs=0,
        plate_format=6,
        faulty_fields=0,
        faulty_patches=0,
    )
    path.write_text(path.read_text() + SECTION)
    return path.parent


@pytest.fixture
def plate(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "plate"))


def set_overlap(plate: Path, line: str) -> None:
    path = plate / "screen.toml"
    path.write_text(path.read_text() + line + "\n")


def one_channel(plate: Path) -> None:
    path = plate / "screen.toml"
    text = path.read_text().replace('["T cells", "dendritic cells"]', '["T cells"]')
    text = text.replace('["FITC - FITC", "TexasRed - TexasRed"]', '["FITC - FITC"]')
    path.write_text(text.replace('["#2fbf71", "#ff2e88"]', '["#2fbf71"]'))
    for file in (plate / "images").glob("*TexasRed*"):
        file.unlink()


def large_patch(plate: Path) -> None:
    path = plate / "screen.toml"
    path.write_text(path.read_text().replace("patch = 32", "patch = 160"))


def labels(plate: Path, pixels: np.ndarray) -> None:
    (plate / "labels").mkdir()
    for file in (plate / "images").iterdir():
        kind = "dc" if "Texas" in file.name else "t"
        row, column = file.name.split(" - ")[1], file.name.split(" - ")[2][:2]
        tifffile.imwrite(plate / "labels" / f"CK01_{row}{column}_s1_{kind}.tif", pixels)
    set_overlap(plate, 'masks = "labels"\nlabels_root = "labels"')
    set_overlap(plate, 'labels_pattern = "{plate}_{well}_s{site}_{channel}.tif"')
    set_overlap(plate, 'labels_channels = ["t", "dc"]')


FATAL = {
    "one channel": (one_channel, ("images.channels", "two channels")),
    "patch larger than the field": (large_patch, ("`overlap.patch`", "128", "160")),
    "unknown kind": (
        lambda plate: set_overlap(plate, 'channels = ["T cells", "B cells"]'),
        ("`overlap.channels`", "B cells"),
    ),
    "one kind twice": (
        lambda plate: set_overlap(plate, 'channels = ["T cells", "T cells"]'),
        ("`overlap.channels`", "twice"),
    ),
    "unknown class": (
        lambda plate: set_overlap(plate, 'positive = "CD3"'),
        ("`overlap.positive`", "CD3"),
    ),
    "no weights": (lambda plate: set_overlap(plate, 'masks = "unet"'), ("`weights`", "missing")),
    "weights that are not there": (
        lambda plate: set_overlap(plate, 'masks = "unet"\nweights = ["net"]'),
        ("net.safetensors",),
    ),
    "masks of another size": (
        lambda plate: labels(plate, np.ones((64, 64), np.uint16)),
        ("128 x 128", "64 x 64"),
    ),
    "labels as fractions": (
        lambda plate: labels(plate, np.full((128, 128), 0.5, np.float32)),
        ("labels", "0.5"),
    ),
    "no readout": (
        lambda plate: set_overlap(plate, 'readout = "none.csv"'),
        ("none.csv",),
    ),
}


@pytest.mark.parametrize("case", FATAL)
def test_bad_input_ends_with_two_and_leaves_nothing(
    case: str, plate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, words = FATAL[case]
    spoil(plate)
    assert call(["overlap", str(plate / "screen.toml"), "--out", str(tmp_path / "run")]) == 2
    message = capsys.readouterr().err
    for word in words:
        assert word in message
    assert "Traceback" not in message
    assert not (tmp_path / "run").exists()


def test_what_is_only_odd_is_counted_and_the_run_goes_on(
    plate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saturated, empty = sorted((plate / "images").glob("*FITC*"))[:2]
    tifffile.imwrite(saturated, np.full((128, 128), 65535, np.uint16))
    noise = np.random.default_rng(0).normal(100, 3, (128, 128))
    for file in (empty, Path(str(empty).replace("FITC - FITC", "TexasRed - TexasRed"))):
        tifffile.imwrite(file, noise.astype(np.uint16))
    readout = pd.DataFrame({"Well": ["A01", "A02", "P24"], "overlap": [0.1, 0.2, 0.3]})
    readout.to_csv(plate / "readout.csv", index=False)
    set_overlap(plate, 'readout = "readout.csv"')
    assert call(["overlap", str(plate / "screen.toml"), "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "P24" in said
    fields = pd.read_parquet(tmp_path / "run" / "tables" / "overlap.parquet")
    assert len(fields) == 6
    faults = fields.set_index("Metadata_Well")["fault"]
    assert faults.astype(bool).sum() == 2
    assert faults.str.contains("65535").sum() == 1
    assert fields.loc[fields["fault"] != "", "iou"].isna().all()
