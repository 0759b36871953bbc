from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from counterstain.cli.check import check
from counterstain.errors import InvalidInputError


@pytest.fixture
def screen(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    rows = ["Metadata_Plate,Metadata_Well,Metadata_t", "P1,H12,neg"]
    kind = {"A": "neg", "B": "pos", "C": ""}
    for row in "ABC":
        for column in (1, 2, 3):
            well = f"{row}{column:02d}"
            if well != "C03":
                rows.append(f"P1,{well},{kind[row]}")
            for number, channel in enumerate(("DNA", "GFP")):
                image = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) + 1000 * number
                tifffile.imwrite(tmp_path / "images" / f"P1_{well}_{channel}.tif", image)
    (tmp_path / "images" / "P1_B03_GFP.tif").write_bytes(b"")
    (tmp_path / "map.csv").write_text("\n".join(rows))
    path = tmp_path / "screen.toml"
    path.write_text(
        '[images]\nroot = "images"\npattern = "{plate}_{well}_{channel}.tif"\n'
        'channels = ["DNA", "GFP"]\n[layout]\ntable = "map.csv"\n[classes]\n'
        '"sick [a]" = { Metadata_t = "neg" }\nhealthy = { Metadata_t = "pos" }\n'
    )
    return path


def test_everything_is_shown_in_plain_text(
    screen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(screen)
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "Plate P1: 9 wells with images, 9 fields" in text
    grid = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line[:3].strip()}
    assert grid["A"] == ["●"] * 3 + ["·"] * 9
    assert grid["B"] == ["▲", "▲", "!"] + ["·"] * 9
    assert grid["C"] == ["○", "○", "?"] + ["·"] * 9
    assert grid["H"] == ["·"] * 12
    assert "● sick [a]" in text
    row = next(line for line in text.splitlines() if "GFP" in line and "uint16" in line)
    assert [part.strip() for part in row.split("│")[3:8]] == [
        "1000",
        "1004",
        "3047",
        "5091",
        "5095",
    ]
    assert "64 × 64 px, uint16: 8 field(s)" in text
    assert "1 well(s) of the plate map have no image: H12." in text
    assert "P1_B03_GFP.tif is empty (0 bytes)" in text
    assert "No problem found" in text


def test_problems_are_raised_after_everything_was_shown(
    screen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen.write_text(screen.read_text().replace('"pos"', '"positive"') + "[crops]\nsize = 104\n")
    with pytest.raises(InvalidInputError) as caught:
        check(screen)
    assert len(caught.value.problems) == 2
    text = capsys.readouterr().out
    assert "Plate P1: 9 wells with images" in text
    assert "uint16" in text
    assert "No problem found" not in text


def test_screen_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidInputError, match="no such file"):
        check(tmp_path / "screen.toml")
    assert capsys.readouterr().out == ""


def test_screen_without_images(screen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    screen.write_text(screen.read_text().replace('root = "images"', 'root = "none"'))
    with pytest.raises(InvalidInputError, match="none does not exist"):
        check(screen)
    assert "Plate P1: 0 wells with images, 0 fields" in capsys.readouterr().out
