from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import zarr

from counterstain.plates.images import read_field
from counterstain.plates.screen import inspect_screen, read_screen

CLASSES = '[classes]\nsick = { Metadata_Row = "A" }\nhealthy = { Metadata_Row = "B" }\n'
WELLS = ("A01", "A02", "B01", "B02")


def image(well: str, site: int, channel: int) -> npt.NDArray[np.uint16]:
    return np.full((64, 80), 1000 * channel + 10 * site + ord(well[0]), np.uint16)


def write_load_data(folder: Path, header: str, row: str, channels: str) -> Path:
    lines = [header]
    number = 0
    for well in WELLS:
        for site in (1, 2):
            number += 1
            for channel, dye in enumerate(("DNA", "ER")):
                path = folder / "pics" / "sub" / f"{number}_{dye}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, image(well, site, channel))
            lines.append(row.format(n=number, well=well, site=site, folder=folder))
    (folder / "load_data.csv").write_text("\n".join(lines) + "\n")
    toml = folder / "screen.toml"
    toml.write_text(f'[images]\nload_data = "load_data.csv"\nroot = "pics"\n{channels}\n{CLASSES}')
    return toml


@pytest.mark.parametrize(
    ("header", "row", "channels"),
    [
        (
            "FileName_DNA,PathName_DNA,FileName_ER,PathName_ER,Metadata_Plate,Metadata_Well,"
            "Metadata_Site,Metadata_Compound,Metadata_Time",
            "{n}_DNA.tif,{folder}/pics/sub,{n}_ER.tif,{folder}/pics/sub,P1,{well},{site},c{well},{n}",
            'channels = ["DNA", "ER"]',
        ),
        (
            "Image_FileName_OrigDNA,Image_PathName_OrigDNA,Image_FileName_OrigER,"
            "Image_PathName_OrigER,Image_FileName_IllumDNA,Metadata_Plate,Metadata_Well,"
            "Metadata_Site",
            "{n}_DNA.tif,pics/sub,{n}_ER.tif,sub,illum.npy,P1,{well},{site}",
            'channels = ["DNA", "ER"]',
        ),
        (
            "URL_w1,URL_w2,Metadata_Row,Metadata_Col,Metadata_FieldID",
            "file:{folder}/pics/sub/{n}_DNA.tif,pics/sub/{n}_ER.tif,{well[0]},{well[2]},{site}",
            'channels = ["DNA", "ER"]\ntokens = ["w1", "w2"]\nplate = "P1"',
        ),
        (
            "FileName_DNA,PathName_DNA,FileName_ER,PathName_ER,Metadata_Plate,Metadata_Well,"
            "Metadata_Site",
            r"{n}_DNA.tif,pics\sub,{n}_ER.tif,sub\.,P1,{well},{site}",
            'channels = ["DNA", "ER"]',
        ),
    ],
)
def test_load_data(tmp_path: Path, header: str, row: str, channels: str) -> None:
    screen = read_screen(write_load_data(tmp_path, header, row, channels))
    assert screen.fields["Metadata_Plate"].unique().tolist() == ["P1"]
    assert screen.wells["Metadata_Well"].tolist() == list(WELLS)
    assert screen.fields["Metadata_Site"].tolist() == [1, 2] * 4
    for entry in screen.fields.to_dict("records"):
        well, site = entry["Metadata_Well"], entry["Metadata_Site"]
        np.testing.assert_array_equal(
            read_field(entry, 2), [image(well, site, 0), image(well, site, 1)]
        )
    text = "\n".join(screen.notes)
    assert ("IllumDNA" in text) == ("IllumDNA" in header)
    if "Metadata_Compound" in header:
        assert screen.wells["Metadata_Compound"].tolist() == [f"c{well}" for well in WELLS]
        assert "Metadata_Time" not in screen.wells
        assert "differ within a well are not used: Metadata_Time" in text


def test_load_data_frames_of_one_file(tmp_path: Path) -> None:
    lines = ["FileName_DNA,Frame_DNA,FileName_ER,Frame_ER,Metadata_Plate,Metadata_Well"]
    for well in WELLS:
        stack = np.stack([image(well, 1, channel) for channel in range(3)])
        tifffile.imwrite(tmp_path / f"{well}.tif", stack, photometric="minisblack")
        lines.append(f"{well}.tif,2,{well}.tif,0,P1,{well}")
    (tmp_path / "load_data.csv").write_text("\n".join(lines))
    toml = tmp_path / "screen.toml"
    toml.write_text(f'[images]\nload_data = "load_data.csv"\nchannels = ["DNA", "ER"]\n{CLASSES}')
    field = read_field(read_screen(toml).fields.iloc[0], 2)
    np.testing.assert_array_equal(field, [image("A01", 1, 2), image("A01", 1, 0)])


def test_load_data_of_another_machine_and_missing_files(tmp_path: Path) -> None:
    header = "FileName_DNA,PathName_DNA,Metadata_Plate,Metadata_Well,Metadata_Site"
    row = "sub/{n}_DNA.tif,/nowhere/here,P1,{well},{site}"
    toml = write_load_data(tmp_path, header, row, 'channels = ["DNA"]')
    (tmp_path / "pics/sub/3_DNA.tif").unlink()
    for path in (tmp_path / "pics/sub").iterdir():
        path.rename(tmp_path / "pics" / path.name)
    screen = read_screen(toml)
    assert screen.fields["readable"].tolist() == [True, True, False] + [True] * 5
    assert "does not exist" in screen.fields["problem"][2]
    assert any("7 image(s) were found by their bare name" in note for note in screen.notes)


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("Metadata_Well,DNA", "{well},x", "must have a column FileName_X"),
        ("FileName_DNA,Metadata_Plate", "{n}_DNA.tif,P1", "must have the column Metadata_Well"),
        ("FileName_ER,Metadata_Well", "sub/{n}_ER.tif,{well}", "'DNA' does not occur"),
        ("URL_DNA,Metadata_Well", "s3://bucket/{n}.tif,{well}", "are not files, such as s3://"),
        (
            "FileName_DNA,Metadata_Well,Metadata_Site",
            "sub/{n}_DNA.tif,{well},one",
            "row 2: Metadata_Site must be a whole number; got 'one'",
        ),
        ("FileName_DNA,Metadata_Well", "sub/{n}_DNA.tif,X{n}Y", "row 9: A well must be"),
    ],
)
def test_load_data_that_cannot_be_used(tmp_path: Path, header: str, row: str, words: str) -> None:
    toml = write_load_data(tmp_path, header, row, 'channels = ["DNA"]')
    _, errors = inspect_screen(toml)
    assert any(words in error for error in errors), errors


def multiscale(unit: str | None = "micrometer") -> list[dict[str, Any]]:
    axes: list[dict[str, Any]] = [
        {"name": "t", "type": "time"},
        {"name": "c", "type": "channel"},
        {"name": "z", "type": "space"},
        {"name": "y", "type": "space"},
        {"name": "x", "type": "space"},
    ]
    for axis in axes[2:]:
        axis |= {"unit": unit} if unit else {}
    scales = [[1, 1, 1, 0.5, 0.5], [1, 1, 1, 1.0, 1.0]]
    return [
        {
            "axes": axes,
            "datasets": [
                {
                    "path": str(level),
                    "coordinateTransformations": [{"type": "scale", "scale": scale}],
                }
                for level, scale in enumerate(scales)
            ],
        }
    ]


def write_ome_zarr(folder: Path, labels: list[str] | None, n_planes: int = 1) -> Path:
    """Write a plate of 2 x 2 wells, 2 fields, 2 channels and 2 levels; the wells are A/1 ..."""
    wells = [
        {"path": f"{row}/{column}", "rowIndex": i, "columnIndex": j}
        for i, row in enumerate("AB")
        for j, column in enumerate("12")
    ]
    plate: Any = {
        "name": "P1",
        "version": "0.5",
        "rows": [{"name": "A"}, {"name": "B"}],
        "columns": [{"name": "1"}, {"name": "2"}],
        "wells": wells,
    }
    path = folder / "plate.ome.zarr"
    zarr.open_group(path, mode="w", attributes={"ome": {"version": "0.5", "plate": plate}})
    for entry in wells:
        well = str(entry["path"])
        fields: Any = {"images": [{"path": "0"}, {"path": "1"}], "version": "0.5"}
        zarr.open_group(
            path / well, mode="w", attributes={"ome": {"version": "0.5", "well": fields}}
        )
        for site in (1, 2):
            ome: dict[str, Any] = {"version": "0.5", "multiscales": multiscale()}
            if labels:
                ome["omero"] = {
                    "channels": [
                        {"label": label, "color": "FFFFFF", "window": dict.fromkeys(
                            ("start", "end", "min", "max"), 0)}
                        for label in labels
                    ]
                }  # fmt: skip
            group = path / well / str(site - 1)
            zarr.open_group(group, mode="w", attributes={"ome": ome})
            for level, step in enumerate((1, 2)):
                data = np.stack([image(well, site, c) for c in range(2)])[:, ::step, ::step]
                array = zarr.create_array(
                    group / str(level),
                    shape=(1, 2, n_planes, *data.shape[1:]),
                    dtype="uint16",
                    dimension_names=["t", "c", "z", "y", "x"],
                )
                array[:] = data[None, :, None]
    toml = folder / "screen.toml"
    toml.write_text(f'[images]\nome_zarr = "plate.ome.zarr"\nchannels = ["DNA", "ER"]\n{CLASSES}')
    return toml


@pytest.mark.parametrize(
    ("labels", "order"),
    [(None, [0, 1]), (["DNA", "ER"], [0, 1]), (["ER", "DNA"], [1, 0]), (["ch 0", "x"], [0, 1])],
)
def test_ome_zarr(tmp_path: Path, labels: list[str] | None, order: list[int]) -> None:
    screen = read_screen(write_ome_zarr(tmp_path, labels))
    assert screen.wells["Metadata_Well"].tolist() == list(WELLS)
    assert screen.fields["Metadata_Plate"].unique().tolist() == ["P1"]
    assert screen.fields["Metadata_Site"].tolist() == [1, 2] * 4
    assert screen.fields[["height", "width", "dtype"]].iloc[0].tolist() == [64, 80, "uint16"]
    for entry in screen.fields.to_dict("records"):
        wanted = [image(entry["Metadata_Well"], entry["Metadata_Site"], c) for c in order]
        np.testing.assert_array_equal(read_field(entry, 2), wanted)
    assert screen.config.images.pixel_size_um == 0.5
    by_order = [note for note in screen.notes if "by their order" in note]
    assert len(by_order) == (labels is None or "x" in labels)


def test_ome_zarr_of_several_planes(tmp_path: Path) -> None:
    _, errors = inspect_screen(write_ome_zarr(tmp_path, None, n_planes=3))
    assert "None of the 8 field(s) can be used" in errors[0]
    assert "Z = 3" in errors[0]


def test_ome_zarr_with_a_lost_well_image_and_level(tmp_path: Path) -> None:
    toml = write_ome_zarr(tmp_path, None)
    plate = tmp_path / "plate.ome.zarr"
    (plate / "B" / "2" / "1").rename(tmp_path / "lost image")
    (plate / "A" / "2" / "0" / "0").rename(tmp_path / "lost level")
    screen = read_screen(toml)
    assert screen.fields["readable"].tolist() == [True, True, False, True, True, True, True, False]
    (plate / "B" / "2").rename(tmp_path / "lost well")
    found, errors = inspect_screen(toml)
    assert found is not None
    assert any("Well B02 is listed in plate.ome.zarr and has no folder" in n for n in found.notes)
    assert any("`classes.healthy`" in error for error in errors)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({}, "no `ome` attribute"),
        ({"plate": {}}, "metadata of OME-Zarr 0.4 or older"),
        ({"ome": {"version": "0.5"}}, "`ome.plate`"),
        ({"ome": {"version": "0.4", "plate": {}}}, "0.5"),
    ],
)
def test_no_plate_of_this_version(tmp_path: Path, attributes: dict[str, Any], words: str) -> None:
    toml = write_ome_zarr(tmp_path, None)
    metadata = tmp_path / "plate.ome.zarr" / "zarr.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"attributes": attributes}))
    _, errors = inspect_screen(toml)
    assert len(errors) == 1
    assert words in errors[0]
    assert "plate.ome.zarr" in errors[0]


def test_ome_zarr_that_is_missing_or_no_zarr(tmp_path: Path) -> None:
    toml = write_ome_zarr(tmp_path, None)
    (tmp_path / "plate.ome.zarr" / "zarr.json").unlink()
    _, errors = inspect_screen(toml)
    assert "must be a zarr group" in errors[0]
    (tmp_path / "plate.ome.zarr").rename(tmp_path / "gone")
    _, errors = inspect_screen(toml)
    assert "does not exist" in errors[0]
