from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from counterstain.plates.images import read_field
from counterstain.plates.screen import Screen, inspect_screen, read_screen

CLASSES = 'sick = { Metadata_Row = "A" }\nhealthy = { Metadata_Row = "B" }\n'
WELLS = ("A01", "A02", "B01", "B02")
Name = Callable[[str, int, int], str]


def pixels(well: str, site: int, channel: int, dtype: str = "uint16") -> npt.NDArray[Any]:
    image = np.full((64, 80), 10 * channel + site, dtype)
    image[0, 0] = ord(well[0])
    return image


def write_plate(folder: Path, name: Name, n_sites: int = 2, n_channels: int = 2) -> None:
    for well in WELLS:
        for site in range(1, n_sites + 1):
            for channel in range(1, n_channels + 1):
                path = folder / "images" / name(well, site, channel)
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, pixels(well, site, channel))


def write_toml(folder: Path, images: str, layout: str = "", classes: str = CLASSES) -> Path:
    path = folder / "screen.toml"
    path.write_text(f'[images]\nroot = "images"\n{images}\n{layout}\n[classes]\n{classes}')
    return path


def check_plate(screen: Screen, plate: str, n_sites: int = 2, n_channels: int = 2) -> None:
    """Compare a screen with what `write_plate` wrote."""
    assert screen.fields["Metadata_Plate"].unique().tolist() == [plate]
    assert screen.wells["Metadata_Well"].tolist() == list(WELLS)
    assert screen.wells["n_fields"].tolist() == [n_sites] * 4
    assert screen.wells["class_name"].tolist() == ["sick", "sick", "healthy", "healthy"]
    assert screen.fields["field"].tolist() == list(range(4 * n_sites)) == list(screen.fields.index)
    assert screen.fields["readable"].all()
    for row in screen.fields.to_dict("records"):
        field = read_field(row, n_channels)
        wanted = [
            pixels(row["Metadata_Well"], row["Metadata_Site"], channel)
            for channel in range(1, n_channels + 1)
        ]
        np.testing.assert_array_equal(field, wanted)


def incell(well: str, site: int, channel: int) -> str:
    dye = ("Blue - DAPI", "Green - FITC")[channel - 1]
    return f"CK01 - {well[0]} - {well[1:]}(fld {site} wv {dye}).tif"


def phenix(well: str, site: int, channel: int) -> str:
    row = ord(well[0]) - 64
    name = f"r{row:02d}c{well[1:]}f{site:02d}p01-ch{channel}sk1fk1fl1.tiff"
    return f"CK01__2024-Measurement 1/Images/{name}"


def imagexpress(well: str, site: int, channel: int) -> str:
    return f"CK01_{well}_s{site}_w{channel}92A46E20-C4C2-4748-B19D-541F7782900{channel}.tif"


def cellvoyager(well: str, site: int, channel: int) -> str:
    return f"CK01_{well}_T0001F{site:03d}L01A{channel:02d}Z01C{channel:02d}.tif"


@pytest.mark.parametrize(
    ("pattern", "name", "channels"),
    [
        ("incell", incell, 'channels = ["DNA", "GFP"]\ntokens = ["Blue - DAPI", "Green - FITC"]'),
        ("incell", incell, 'channels = ["DAPI", "FITC"]'),
        ("phenix", phenix, 'channels = ["DNA", "GFP"]\ntokens = ["1", "2"]\nplate = "CK01"'),
        ("{plate}__*/Images/phenix", phenix, 'channels = ["DNA", "GFP"]'),
        ("imagexpress", imagexpress, 'channels = ["DNA", "GFP"]\ntokens = ["w1", "w2"]'),
        ("{plate}_{well}_s{site}_w{channel}*.tif", imagexpress, 'channels = ["1", "2"]'),
        ("cellvoyager", cellvoyager, 'channels = ["DNA", "GFP"]\ntokens = ["C01", "C02"]'),
        ("cellvoyager", cellvoyager, 'channels = ["DNA", "GFP"]'),
    ],
)
def test_conventions_from_disk(tmp_path: Path, pattern: str, name: Name, channels: str) -> None:
    write_plate(tmp_path, name)
    screen = read_screen(write_toml(tmp_path, f'pattern = "{pattern}"\n{channels}'))
    check_plate(screen, "CK01")
    by_order = any("by their order" in note for note in screen.notes)
    assert by_order == ("DNA" in channels and "tokens" not in channels)


def test_order_of_channels_is_that_of_the_file(tmp_path: Path) -> None:
    write_plate(tmp_path, lambda w, s, c: f"P_{w}_{s}_{'ab'[c - 1]}.tif")
    toml = write_toml(
        tmp_path, 'pattern = "{plate}_{well}_{site}_{channel}.tif"\nchannels=["b","a"]'
    )
    field = read_field(read_screen(toml).fields.iloc[0], 2)
    assert field[:, 5, 5].tolist() == [21, 11]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_one_file_for_all_channels(tmp_path: Path, dtype: str, channels_last: bool) -> None:
    (tmp_path / "images").mkdir()
    for well in WELLS:
        stack = np.stack([pixels(well, 1, channel, dtype) for channel in (1, 2, 3, 4, 5)])
        last = stack.transpose(1, 2, 0).copy() if channels_last else stack
        axes = {"axes": "YXC" if channels_last else "CYX"}
        path = tmp_path / "images" / f"{well}.tif"
        tifffile.imwrite(path, last, photometric="minisblack", metadata=axes)
    toml = write_toml(tmp_path, 'pattern = "{well}.tif"\nchannels = ["a","b","c","d","e"]')
    screen = read_screen(toml)
    check_plate(screen, "images", n_sites=1, n_channels=5)
    assert screen.fields["dtype"].unique().tolist() == [dtype]


def test_plate_map_is_joined_outer_and_every_gap_is_listed(tmp_path: Path) -> None:
    write_plate(tmp_path, lambda w, s, c: f"P1_{w[0]}{int(w[1:])}_{s}_{c}.tif")
    (tmp_path / "map.csv").write_text(
        "Metadata_Plate,Metadata_Well,Metadata_Compound,Metadata_Concentration\n"
        "P1,A01,x,1\nP1,A02,,\nP1,B01,y,2\nP1,C07,z,3\nP2,A01,z,3\n"
    )
    screen = read_screen(
        write_toml(
            tmp_path,
            'pattern = "{plate}_{well}_{site}_{channel}.tif"\nchannels = ["1", "2"]',
            '[layout]\ntable = "map.csv"',
        )
    )
    wells = screen.wells.set_index(["Metadata_Plate", "Metadata_Well"])
    assert wells.index.tolist() == [
        ("P1", "A01"), ("P1", "A02"), ("P1", "B01"), ("P1", "B02"), ("P1", "C07"), ("P2", "A01")
    ]  # fmt: skip
    assert wells["n_fields"].tolist() == [2, 2, 2, 2, 0, 0]
    assert wells["in_map"].tolist() == [True, True, True, False, True, True]
    assert wells["Metadata_Compound"].tolist() == ["x", "", "y", "", "z", "z"]
    assert wells["Metadata_Concentration"].isna().tolist() == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]
    text = "\n".join(screen.notes)
    assert "Plate P1: 1 well(s) of the plate map have no image: C07." in text
    assert "Plate P2: 1 well(s) of the plate map have no image: A01." in text
    assert "Plate P1: 1 well(s) with images are not in the plate map: B02." in text
    assert "3 well(s) are written in two ways" in text
    assert "'A01' in the plate map and 'A1' with the images" in text


def test_map_without_plates_holds_for_all(tmp_path: Path) -> None:
    for plate in ("P1", "P2"):
        write_plate(tmp_path, lambda w, s, c, p=plate: f"{p}/{w}_{c}.tif", 1)  # type: ignore[misc]
    (tmp_path / "map.tsv").write_text("Metadata_Well\tMetadata_Compound\nA1\tx\nB1\ty\n")
    screen = read_screen(
        write_toml(
            tmp_path,
            'pattern = "{plate}/{well}_{channel}.tif"\nchannels = ["1", "2"]',
            '[layout]\ntable = "map.tsv"',
        )
    )
    assert screen.wells["Metadata_Compound"].tolist() == ["x", "", "y", ""] * 2
    assert screen.wells["in_map"].tolist() == [True, False] * 4
    assert screen.fields["Metadata_Plate"].tolist() == ["P1"] * 4 + ["P2"] * 4


@pytest.mark.parametrize(
    ("plates", "setting", "plate"),
    [
        (("Q7",), "", "Q7"),
        (("CK01", "CK02"), "", "CK01"),
        (("CK01", "CK02"), 'plate = "CK02"', "CK02"),
    ],
)
def test_plate_of_files_that_name_none(
    tmp_path: Path, plates: tuple[str, ...], setting: str, plate: str
) -> None:
    write_plate(tmp_path, phenix)
    rows = [f"{plate},{well}" for plate in plates for well in WELLS]
    (tmp_path / "map.csv").write_text("Metadata_Plate,Metadata_Well\n" + "\n".join(rows))
    images = f'pattern = "phenix"\nchannels = ["1", "2"]\n{setting}'
    toml = write_toml(tmp_path, images, '[layout]\ntable = "map.csv"')
    assert read_screen(toml).fields["Metadata_Plate"].unique().tolist() == [plate]


def test_what_is_left_is_counted(tmp_path: Path) -> None:
    write_plate(tmp_path, imagexpress)
    folder = tmp_path / "images"
    for name in ("CK01_A01_s1_w1_thumb92A46E20.tif", "Thumbs.db", "a.csv", "._x.tif", "shade.tif"):
        (folder / name).write_bytes(b"x")
    (folder / "old_run" / "figures").mkdir(parents=True)
    (folder / "old_run" / "run.json").write_text("{}")
    (folder / "old_run" / "figures" / "x.png").write_bytes(b"x")
    tifffile.imwrite(folder / "CK01_A01_s1_w3.tif", pixels("A01", 1, 3))
    toml = write_toml(tmp_path, 'pattern = "imagexpress"\nchannels = ["1", "2"]')
    screen = read_screen(toml)
    text = "\n".join(screen.notes)
    assert "4 file(s) below `images.root` are not images" in text
    assert "1 thumbnail" in text
    assert "1 .db" in text
    assert "1 image file(s) do not fit the pattern 'imagexpress' and were left: shade.tif." in text
    assert "1 image file(s) of channel '3'" in text
    assert "were not searched: old_run." in text
    check_plate(screen, "CK01")


def test_links_that_lead_in_circles(tmp_path: Path) -> None:
    write_plate(tmp_path, imagexpress)
    (tmp_path / "images" / "again").symlink_to(tmp_path / "images", target_is_directory=True)
    toml = write_toml(tmp_path, 'pattern = "imagexpress"\nchannels = ["1", "2"]')
    check_plate(read_screen(toml), "CK01")


def test_progress_is_told(tmp_path: Path) -> None:
    write_plate(tmp_path, imagexpress)
    toml = write_toml(tmp_path, 'pattern = "imagexpress"\nchannels = ["1", "2"]')
    told: list[tuple[int, int]] = []
    read_screen(toml, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 16) for number in range(1, 17)]


def test_names_of_the_package_are_lazy() -> None:
    import counterstain.plates as plates

    assert plates.read_screen is read_screen
    assert plates.Screen is Screen
    with pytest.raises(AttributeError, match="nothing"):
        _ = plates.nothing


def test_translocation_plate_on_disk(tmp_path: Path) -> None:
    data = Path(os.environ.get("COUNTERSTAIN_DATA") or Path(__file__).parents[4] / "shared/data")
    if not (data / "bbbc013").is_dir():
        pytest.skip("the image set BBBC013 is not on this machine (COUNTERSTAIN_DATA)")
    toml = tmp_path / "screen.toml"
    toml.write_text(
        f'[images]\nroot = "{(data / "bbbc013/images").as_posix()}"\n'
        'pattern = "{plate}_{well}_s{site}_{channel}.tif"\nchannels = ["DNA", "GFP"]\n'
        f'[layout]\ntable = "{(data / "bbbc013/platemap.csv").as_posix()}"\n[classes]\n'
        'untreated = { Metadata_control_type = "negcon" }\n'
        'treated = { Metadata_control_type = "poscon" }\n'
    )
    screen, errors = inspect_screen(toml)
    assert errors == ()
    assert screen is not None
    assert screen.notes == ()
    assert len(screen.fields) == len(screen.wells) == 48
    assert screen.wells["class_name"].value_counts().to_dict() == {
        "": 36, "untreated": 8, "treated": 4
    }  # fmt: skip
    assert read_field(screen.fields.iloc[47], 2).shape == (2, 640, 640)
