from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from counterstain.errors import InvalidInputError, UnreadableImageError
from counterstain.plates.images import read_field
from counterstain.plates.screen import inspect_screen, read_screen

COLUMNS = range(1, 7)
PATTERN = 'pattern = "{plate}_{well}_s{site}_{channel}.tif"\nchannels = ["DNA", "GFP"]\n'


class Plate:
    """A small plate on disk that tests damage: rows A and B, 6 columns, 1 site, 2 channels."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = PATTERN
        self.classes = 'sick = { Metadata_t = "neg" }\nhealthy = { Metadata_t = "pos" }\n'
        self.rest = ""
        (folder / "images").mkdir()
        rows = ["Metadata_Plate,Metadata_Well,Metadata_t"]
        for row in "AB":
            for column in COLUMNS:
                rows.append(f"P1,{row}{column:02d},{'neg' if row == 'A' else 'pos'}")
                for channel in ("DNA", "GFP"):
                    tifffile.imwrite(
                        self.image(f"{row}{column:02d}", channel),
                        np.full((64, 80), 9, np.uint16),
                        compression="zlib",
                    )
        self.map = "\n".join(rows)

    def image(self, well: str, channel: str = "DNA") -> Path:
        return self.folder / "images" / f"P1_{well}_s1_{channel}.tif"

    def toml(self) -> Path:
        (self.folder / "map.csv").write_text(self.map)
        path = self.folder / "screen.toml"
        path.write_text(
            f'[images]\nroot = "images"\n{self.images}\n[layout]\ntable = "map.csv"\n'
            f"[classes]\n{self.classes}\n{self.rest}"
        )
        return path

    def errors(self) -> tuple[str, ...]:
        path = self.toml()
        screen, errors = inspect_screen(path)
        assert screen is not None
        assert all(error.rstrip()[-1] in ".?" for error in errors), errors
        if errors:
            with pytest.raises(InvalidInputError) as caught:
                read_screen(path)
            assert caught.value.problems == errors
        return errors

    def left_out(self) -> tuple[str, str]:
        """Return the well and problem of the one field that is left out of a screen that runs."""
        screen = read_screen(self.toml())
        bad = screen.fields[~screen.fields["readable"]]
        assert len(bad) == 1
        assert (screen.fields["readable"] == (screen.fields["problem"] == "")).all()
        assert len(screen.fields) == 12
        problem = str(bad["problem"].iloc[0])
        assert any(problem in note for note in screen.notes)
        return str(bad["Metadata_Well"].iloc[0]), problem


@pytest.fixture
def plate(tmp_path: Path) -> Plate:
    return Plate(tmp_path)


def test_sound_plate(plate: Plate) -> None:
    assert plate.errors() == ()
    assert read_screen(plate.toml()).notes == ()


def test_truncated_file(plate: Plate) -> None:
    whole = plate.image("A03").read_bytes()
    plate.image("A03").write_bytes(whole[:-30])
    well, problem = plate.left_out()
    assert well == "A03"
    assert "P1_A03_s1_DNA.tif is truncated" in problem


def test_text_and_empty_files(plate: Plate) -> None:
    plate.image("A03").write_text("this is no image")
    well, problem = plate.left_out()
    assert well == "A03"
    assert "P1_A03_s1_DNA.tif is neither a TIFF nor a PNG" in problem
    plate.image("A03").write_bytes(b"")
    assert "P1_A03_s1_DNA.tif is empty (0 bytes)" in plate.left_out()[1]


def test_channel_missing_in_one_well(plate: Plate) -> None:
    plate.image("B02", "GFP").unlink()
    well, problem = plate.left_out()
    assert well == "B02"
    assert "Field P1 B02 site 1 has no image of channel GFP" in problem
    row = read_screen(plate.toml()).fields.query("Metadata_Well == 'B02'").iloc[0]
    assert row["path_1"] == ""
    with pytest.raises(UnreadableImageError, match="P1 B02 1"):
        read_field(row, 2)


def test_float_image_with_nan(plate: Plate) -> None:
    tifffile.imwrite(plate.image("A01"), np.full((64, 80), np.nan, np.float32))
    assert "got float32 (which can hold NaN)" in plate.left_out()[1]


def test_only_float_images(plate: Plate) -> None:
    for path in (plate.folder / "images").iterdir():
        tifffile.imwrite(path, np.zeros((64, 80), np.float32))
    errors = plate.errors()
    assert "None of the 12 field(s) can be used" in errors[0]
    assert "float32" in errors[0]


def test_channels_of_a_field_of_two_sizes(plate: Plate) -> None:
    tifffile.imwrite(plate.image("A01"), np.zeros((64, 64), np.uint16))
    problem = plate.left_out()[1]
    assert "must have one size and dtype" in problem
    assert "P1_A01_s1_DNA.tif: 64 × 64 px uint16" in problem


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [((70, 80), "uint16", "80 × 70 px"), ((64, 80), "uint8", "dtype uint8")],
)
def test_few_fields_of_another_kind_are_left_out(
    plate: Plate, shape: tuple[int, int], dtype: str, words: str
) -> None:
    for channel in ("DNA", "GFP"):
        tifffile.imwrite(plate.image("A01", channel), np.zeros(shape, dtype))
    well, problem = plate.left_out()
    assert well == "A01"
    assert "P1_A01_s1_DNA.tif" in problem
    assert words in problem


@pytest.mark.parametrize(("shape", "dtype"), [((70, 80), "uint16"), ((64, 80), "uint8")])
def test_two_usual_kinds_are_an_error(plate: Plate, shape: tuple[int, int], dtype: str) -> None:
    for well in ("A01", "A02", "B03"):
        for channel in ("DNA", "GFP"):
            tifffile.imwrite(plate.image(well, channel), np.zeros(shape, dtype))
    (error,) = plate.errors()
    assert "9 of " in error
    assert "3 of " in error
    assert "P1_A01_s1_DNA.tif" in error
    assert "P1_A03_s1_DNA.tif" in error


def test_missing_root(plate: Plate) -> None:
    path = plate.toml()
    path.write_text(path.read_text().replace('root = "images"', 'root = "pictures"'))
    screen, errors = inspect_screen(path)
    assert screen is not None
    assert len(errors) == 1
    assert "pictures does not exist" in errors[0]
    assert screen.wells["n_fields"].tolist() == [0] * 12
    assert screen.wells["class_name"].tolist() == ["sick"] * 6 + ["healthy"] * 6


def test_pattern_that_fits_nothing(plate: Plate) -> None:
    plate.images = PATTERN.replace("_s{site}", "_f{site}")
    (error,) = plate.errors()
    assert "none of the 24 image file(s)" in error
    assert "'P1_A01_s1_DNA.tif'" in error
    assert "'{plate}_{well}_f{site}_{channel}.tif'" in error


def test_pattern_of_another_microscope_is_recognised(plate: Plate) -> None:
    for number, path in enumerate(sorted((plate.folder / "images").iterdir())):
        path.rename(path.with_name(f"r01c01f{number:02d}p01-ch1sk1fk1fl1.tiff"))
    (error,) = plate.errors()
    assert "try `pattern = 'phenix'`" in error


def test_folder_without_images(plate: Plate) -> None:
    for path in (plate.folder / "images").iterdir():
        path.rename(path.with_suffix(".dat"))
    assert "there is no image file below" in plate.errors()[0]


def test_unknown_channel_shows_those_of_the_files(plate: Plate) -> None:
    plate.images = PATTERN.replace("GFP", "GPF")
    (error,) = [error for error in plate.errors() if "`images.channels`" in error]
    assert "'GPF' does not occur in the file names" in error
    assert "did you mean 'GFP'?" in error


def test_one_image_twice(plate: Plate) -> None:
    (plate.folder / "images" / "copy").mkdir()
    copy = plate.folder / "images" / "copy" / "P1_A1_s1_DNA.tif"
    copy.write_bytes(plate.image("A01").read_bytes())
    (error,) = plate.errors()
    assert "1 image(s) come twice" in error
    assert str(copy) in error
    assert str(plate.image("A01")) in error


def test_several_planes_are_an_error_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for row in (1, 2):
        for column in (1, 2):
            for z in (1, 2, 3):
                name = f"r{row:02d}c{column:02d}f01p{z:02d}-ch1sk1fk1fl1.tiff"
                tifffile.imwrite(tmp_path / "images" / name, np.full((64, 64), z, np.uint8))
    path = tmp_path / "screen.toml"
    text = (
        '[images]\nroot = "images"\npattern = "phenix"\nchannels = ["DNA"]\n[classes]\n'
        'a = { Metadata_Row = "A" }\nb = { Metadata_Row = "B" }\n'
    )
    path.write_text(text)
    _, errors = inspect_screen(path)
    assert len(errors) == 1
    assert "plane 01" in errors[0]
    assert "plane 02" in errors[0]
    advice = "r{row}c{column}f{site}p01-ch{channel}sk1*.tiff"
    assert advice in errors[0]
    path.write_text(text.replace("phenix", advice.replace("p01", "p02")))
    screen = read_screen(path)
    assert read_field(screen.fields.iloc[0], 1).max() == 2


def test_channels_in_one_file_without_the_right_number(plate: Plate) -> None:
    plate.images = 'pattern = "{plate}_{well}_s{site}_DNA.tif"\nchannels = ["DNA", "GFP"]\n'
    (error, *_) = plate.errors()
    assert "must hold 2 channels; got 1: write {channel} into the pattern" in error


def test_colour_image_in_place_of_one_channel(plate: Plate) -> None:
    tifffile.imwrite(plate.image("A01"), np.zeros((64, 80, 3), np.uint8), photometric="rgb")
    assert "must hold one grey plane; got 3" in plate.left_out()[1]


def test_duplicate_well_in_the_map(plate: Plate) -> None:
    plate.map += "\nP1,A1,pos"
    (error,) = plate.errors()
    assert "rows 2 and 14" in error
    assert "map.csv" in error


def test_missing_map(plate: Plate) -> None:
    path = plate.toml()
    (plate.folder / "map.csv").unlink()
    _, errors = inspect_screen(path)
    assert len(errors) == 1
    assert "map.csv" in errors[0]


def test_map_without_well_column_and_bad_image_at_once(plate: Plate) -> None:
    plate.map = plate.map.replace("Metadata_Well", "Well")
    plate.images = PATTERN.replace("tif", "png")
    errors = plate.errors()
    assert len(errors) == 2
    assert "rename 'Well' to 'Metadata_Well'" in errors[0]
    assert "none of the 24 image file(s)" in errors[1]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('Metadata_Well = "B01"', "takes one (P1 B01)"),
        ('Metadata_t = "positive"', "in no well; it has 'neg', 'pos'"),
        ('Metadata_tt = "pos"', "did you mean 'Metadata_t'?"),
        ('Metadata_t = "pos", Metadata_Well = "A01"', "takes none"),
        ('Metadata_Well = ["A01", "B01"]', "P1 A01, are in both 'sick' and 'healthy'"),
    ],
)
def test_classes(plate: Plate, rule: str, words: str) -> None:
    plate.classes = f'sick = {{ Metadata_t = "neg" }}\nhealthy = {{ {rule} }}\n'
    (error,) = plate.errors()
    assert words in error


def test_class_whose_wells_have_no_usable_image(plate: Plate) -> None:
    for column in COLUMNS[1:]:
        plate.image(f"B{column:02d}").write_bytes(b"")
    (error,) = plate.errors()
    assert "`classes.healthy` must take at least two wells" in error
    assert "takes one (P1 B01), beside 5 without a readable image" in error


def test_plates_of_map_and_images_differ(plate: Plate) -> None:
    plate.map = plate.map.replace("P1,", "Plate1,")
    (error,) = plate.errors()
    assert "'Plate1'" in error
    assert "'P1'" in error


def test_settings_that_do_not_fit_the_plate(plate: Plate) -> None:
    plate.rest = '[crops]\nsize = 72\n[split]\ngroup = "Metadata_Donor"\n'
    group, size = plate.errors()
    assert "`split.group` must be a column" in group
    assert "the smallest field is 64 px" in size


def test_unknown_key_and_missing_file(plate: Plate, tmp_path: Path) -> None:
    plate.rest = "[corps]\nsize = 48\n"
    screen, errors = inspect_screen(plate.toml())
    assert screen is None
    assert "`corps`" in errors[0]
    assert "`crops`" in errors[0]
    screen, errors = inspect_screen(tmp_path / "nowhere.toml")
    assert screen is None
    assert "no such file" in errors[0]
