"""Bad input through the command line: exit code 2, one clear sentence, nothing half written."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from counterstain.cli.app import call
from counterstain.files import write_text
from counterstain.plates import read_screen
from counterstain.plates.writer import write_crops
from counterstain.run_folder import RunFolder

SCREEN = """
[images]
root = "images"
pattern = "{plate}_{well}_s{site}_{channel}.tif"
channels = ["DNA", "GFP"]
[layout]
table = "map.csv"
[classes]
sick = { Metadata_control_type = "negcon" }
well = { Metadata_control_type = "poscon" }
[crops]
kind = "tiles"
size = 16
[quality]
min_cells = 0
[split]
folds = 2
[model]
steps = 2
hidden = 4
blocks = 1
"""
WELLS = {"A01": "negcon", "A02": "negcon", "A03": "negcon", "B01": "poscon", "B02": "poscon",
         "B03": "poscon"}  # fmt: skip


def field(seed: int, side: int = 64) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(100, 4000, (side, side), dtype=np.uint16)


def map_text(wells: dict[str, str]) -> str:
    rows = [f"P,{well},{kind}" for well, kind in wells.items()]
    return "Metadata_Plate,Metadata_Well,Metadata_control_type\n" + "\n".join(rows) + "\n"


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    folder = tmp_path / "plate"
    (folder / "images").mkdir(parents=True)
    for number, well in enumerate(WELLS):
        for channel in ("DNA", "GFP"):
            tifffile.imwrite(folder / "images" / f"P_{well}_s1_{channel}.tif", field(number))
    write_text(folder / "map.csv", map_text(WELLS))
    write_text(folder / "screen.toml", SCREEN)
    return folder


def image(plate: Path, well: str = "A01", channel: str = "GFP") -> Path:
    return plate / "images" / f"P_{well}_s1_{channel}.tif"


def duplicate_well(plate: Path) -> None:
    path = plate / "map.csv"
    path.write_text(path.read_text() + "P,A1,negcon\n")


def class_with_one_well(plate: Path) -> None:
    write_text(plate / "map.csv", map_text({**WELLS, "B02": "", "B03": ""}))


def unknown_key(plate: Path) -> None:
    path = plate / "screen.toml"
    path.write_text(path.read_text().replace("folds = 2", "fold = 2"))


def two_sizes(plate: Path) -> None:
    for well in ("A01", "A02"):
        for channel in ("DNA", "GFP"):
            tifffile.imwrite(image(plate, well, channel), field(0, side=32))


def nan_pixels(plate: Path) -> None:
    for well in WELLS:
        for channel in ("DNA", "GFP"):
            pixels = field(0).astype(np.float32)
            pixels[0, 0] = np.nan
            tifffile.imwrite(image(plate, well, channel), pixels)


def unknown_measurement(plate: Path) -> None:
    path = plate / "screen.toml"
    path.write_text(path.read_text() + '[oracle]\nfeature = "beauty"\n')


def size_that_does_not_fit(plate: Path) -> None:
    path = plate / "screen.toml"
    path.write_text(path.read_text().replace("size = 16", "size = 18"))


def falling_percentiles(plate: Path) -> None:
    path = plate / "screen.toml"
    path.write_text(path.read_text().replace("size = 16", "size = 16\npercentiles = [99, 1]"))


def device_not_there(plate: Path) -> None:
    path = plate / "screen.toml"
    path.write_text(path.read_text() + '[run]\ndevice = "mps"\n')


def every_field_faulty(plate: Path) -> None:
    path = plate / "screen.toml"
    path.write_text(path.read_text().replace("min_cells = 0", "min_cells = 100000"))


FATAL: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "duplicate well": (duplicate_well, ("map.csv", "A01")),
    "class with one well": (class_with_one_well, ("well", "two")),
    "unknown key": (unknown_key, ("`split.fold`", "did you mean `folds`")),
    "two sizes": (two_sizes, ("32", "64")),
    "unknown measurement": (unknown_measurement, ("`oracle.feature`", "beauty")),
    "size that does not fit": (size_that_does_not_fit, ("multiple of 8", "got 18", "take 16")),
    "percentiles that fall": (falling_percentiles, ("`percentiles` must rise",)),
    "device that is not there": (device_not_there, ("'mps'", "use 'auto'")),
    "no usable field": (every_field_faulty, ("sick", "must have crops to train on")),
    "NaN pixels": (nan_pixels, ("float32", "unsigned")),
}


@pytest.mark.parametrize("case", FATAL)
def test_what_cannot_be_worked_with_ends_with_2_before_any_work(
    case: str, plate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, words = FATAL[case]
    spoil(plate)
    out = plate.parent / "RUN"
    assert call(["run", str(plate / "screen.toml"), "--out", str(out)]) == 2
    message = capsys.readouterr().err
    for word in words:
        assert word in message
    assert "Traceback" not in message
    assert not out.exists()


def truncated(plate: Path) -> None:
    path = image(plate)
    path.write_bytes(path.read_bytes()[:3000])


def text_file(plate: Path) -> None:
    image(plate).write_text("this is no image")


def empty_file(plate: Path) -> None:
    image(plate).write_bytes(b"")


def channel_missing(plate: Path) -> None:
    image(plate).unlink()


SPARED: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated TIFF": (truncated, "P_A01_s1_GFP.tif"),
    "TIFF that is text": (text_file, "P_A01_s1_GFP.tif"),
    "0-byte file": (empty_file, "P_A01_s1_GFP.tif"),
    "channel missing in one well": (channel_missing, "GFP"),
}


@pytest.mark.parametrize("case", SPARED)
def test_one_bad_field_is_marked_with_its_reason_and_the_run_goes_on(
    case: str, plate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, words = SPARED[case]
    spoil(plate)
    assert call(["check", str(plate / "screen.toml")]) == 0
    assert words in capsys.readouterr().out
    folder = RunFolder(tmp_path / "RUN")
    write_crops(read_screen(plate / "screen.toml"), folder)
    fields = pd.read_parquet(folder.table("fields")).set_index("Metadata_Well")
    assert bool(fields.loc["A01", "faulty"])
    assert words in fields.loc["A01", "reason"]
    assert len(fields) == len(WELLS)
    crops = pd.read_parquet(folder.table("crops"))
    assert (crops["Metadata_Well"] == "A02").any()


def test_wells_named_a1_and_a01_are_one_well(
    plate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(plate / "map.csv", map_text({f"{w[0]}{int(w[1:])}": k for w, k in WELLS.items()}))
    assert call(["check", str(plate / "screen.toml")]) == 0
    assert "A01" in capsys.readouterr().out
    assert (read_screen(plate / "screen.toml").wells["n_fields"] == 1).all()


def test_a_full_disk_leaves_nothing_half_written(
    plate: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = plate.parent / "RUN"
    with monkeypatch.context() as patched:
        patched.setattr("counterstain.stages.train.save_network", full)
        assert call(["run", str(plate / "screen.toml"), "--out", str(out)]) == 2
    assert "disk is full" in capsys.readouterr().err
    assert not list(out.rglob("*.tmp"))
    assert not list((out / "models").glob("*")) if (out / "models").exists() else True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "SCREEN"),
        (["rum"], "rum"),
        (["run", "missing.toml", "--out", "x"], "no such file"),
        (["report", "missing"], "missing"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(arguments) == 2
    shown = capsys.readouterr()
    assert words in shown.err + shown.out
    assert not list(tmp_path.iterdir())
